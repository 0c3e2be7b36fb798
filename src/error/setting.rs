//! A setting that cannot be used.

use super::classified::{Classified, ErrorClass};

/// A setting out of its range, or one that does not go with the others.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}`: found {found}, expected {expected}", self.key())]
pub struct SettingError {
    /// Path of the section in the settings file, for example `finetune_gan.mappers`; empty while only the section's own check
    /// has seen the error.
    pub section: String,
    /// Key in the section; with dots where the section has sections of its own.
    pub field: String,
    /// What it may be.
    pub expected: String,
    /// What it is.
    pub found: String,
}

impl SettingError {
    /// The error of a check that does not know in which section its settings stand.
    pub fn new(field: impl ToString, expected: impl ToString, found: impl ToString) -> Self {
        Self {
            section: String::new(),
            field: field.to_string(),
            expected: expected.to_string(),
            found: found.to_string(),
        }
    }

    /// The error of settings that stand in `section`, which is put in front of the section known so far.
    pub fn within(self, section: &str) -> Self {
        let section = joined(section, &self.section);
        Self { section, ..self }
    }

    /// The key as the user writes it in the settings file or after `--set`.
    pub fn key(&self) -> String {
        joined(&self.section, &self.field)
    }
}

fn joined(outer: &str, inner: &str) -> String {
    match (outer, inner) {
        ("", path) | (path, "") => path.to_string(),
        _ => format!("{outer}.{inner}"),
    }
}

impl Classified for SettingError {
    fn class(&self) -> ErrorClass {
        ErrorClass::BadInput
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_as_the_user_writes_it() {
        let error = SettingError::new("interval", "at least 1", 0);
        assert_eq!(error.to_string(), "`interval`: found 0, expected at least 1");
        let error = error.within("mappers").within("finetune_gan");
        assert_eq!((error.section.as_str(), error.field.as_str()), ("finetune_gan.mappers", "interval"));
        assert_eq!(error.to_string(), "`finetune_gan.mappers.interval`: found 0, expected at least 1");
    }
}
