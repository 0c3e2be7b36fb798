//! `~/` in front of a path: shells replace it in arguments of their own, settings files have no shell.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, de::Error};

/// Reads a path of a settings file; a leading `~/` is the user's home folder.
///
/// # Errors
/// When the system knows no home folder.
pub fn path_from_home<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<PathBuf>, D::Error> {
    let path = Option::<PathBuf>::deserialize(deserializer)?;
    path.map(|path| {
        expanded(&path, std::env::home_dir())
            .ok_or_else(|| D::Error::custom("`~` is no known folder: the variable HOME is not set"))
    })
    .transpose()
}

fn expanded(path: &Path, home: Option<PathBuf>) -> Option<PathBuf> {
    match path.strip_prefix("~") {
        Ok(rest) => home.map(|home| home.join(rest)),
        Err(_) => Some(path.to_path_buf()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_leading_tilde_by_itself_is_home() {
        let of = |path: &str| expanded(Path::new(path), Some("/data/ada".into()));
        assert_eq!(of("~/nsd"), Some("/data/ada/nsd".into()));
        assert_eq!(of("~"), Some("/data/ada".into()));
        for path in ["/data/~/nsd", "~ada/nsd", "data~/x", "a"] {
            assert_eq!(of(path), Some(path.into()));
        }
        assert_eq!(expanded(Path::new("~/nsd"), None), None);
    }
}
