//! How an array is named: a file, or `FILE:NAME` where a file holds several.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::one_line;

/// A file and, where it holds several arrays, the name of one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ArrayName {
    /// The file.
    pub path: PathBuf,
    /// Variable, dataset or entry; none where the file holds one.
    pub variable: Option<String>,
}

impl ArrayName {
    /// The name as the user writes it, in one line.
    pub fn shown(&self) -> PathBuf {
        PathBuf::from(one_line(self.to_string()))
    }
}

impl FromStr for ArrayName {
    type Err = String;

    /// Takes what stands behind the last `:` for the name, unless there is a file of the whole text.
    fn from_str(text: &str) -> Result<Self, String> {
        let whole = || Self { path: from_home(text), variable: None };
        match text.rsplit_once(':') {
            _ if text.is_empty() => Err("expected FILE or FILE:NAME, found nothing".into()),
            Some((file, name)) if !file.is_empty() && !Path::new(text).exists() => match name {
                "" => Err(format!("`{}`: expected a name behind `:`", one_line(text))),
                name => Ok(Self { path: from_home(file), variable: Some(name.into()) }),
            },
            _ => Ok(whole()),
        }
    }
}

/// A path whose leading `~/` is the user's home folder.
fn from_home(path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), std::env::home_dir()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => path.into(),
    }
}

impl TryFrom<String> for ArrayName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<ArrayName> for String {
    fn from(name: ArrayName) -> Self {
        name.to_string()
    }
}

impl fmt::Display for ArrayName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.variable {
            Some(variable) => write!(formatter, "{}:{variable}", self.path.display()),
            None => write!(formatter, "{}", self.path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stands_behind_the_last_colon_unless_the_file_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let odd = folder.path().join("a:b");
        std::fs::write(&odd, "").unwrap();
        let name: ArrayName = odd.to_str().unwrap().parse().unwrap();
        assert_eq!((name.path, name.variable), (odd.clone(), None));
        let name: ArrayName = format!("{}:x/y", odd.display()).parse().unwrap();
        assert_eq!((&name.path, name.variable.as_deref()), (&odd, Some("x/y")));
        assert_eq!(name.to_string().parse::<ArrayName>().unwrap(), name);
        let plain: ArrayName = "betas.npy".parse().unwrap();
        assert_eq!((plain.path, plain.variable), ("betas.npy".into(), None));
        assert!("betas.mat:".parse::<ArrayName>().is_err() && "".parse::<ArrayName>().is_err());
        let home: ArrayName = "~/x.h5:betas".parse().unwrap();
        assert_eq!(home.path, std::env::home_dir().unwrap().join("x.h5"));
    }
}
