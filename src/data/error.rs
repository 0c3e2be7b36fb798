//! What can be wrong with data: one error type for everything below `data`.
//!
//! A message names the file, the field, what was expected and what was found, so that one line is enough to act on.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use crate::error::{Classified, ErrorClass, SettingError};

/// Why data could not be read or written.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum DataError {
    /// A file that has to be there is not.
    #[error("`{}` is missing; it is needed for {needed_for}", path.display())]
    Missing {
        /// The file that was looked for.
        path: PathBuf,
        /// What cannot be done without it.
        needed_for: String,
    },
    /// A file is there but the system or the format library cannot read it.
    #[error("`{}` cannot be read: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's or the library's words.
        reason: String,
    },
    /// A file was read and holds something else than it must.
    #[error("`{}`: {field} is {found}, expected {expected}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Dataset, column, header field or the like.
        field: String,
        /// What the format or the other files call for.
        expected: String,
        /// What the file holds.
        found: String,
    },
    /// An output could not be written; nothing was left half written.
    #[error("`{}` cannot be written: {reason}", path.display())]
    Unwritable {
        /// The output.
        path: PathBuf,
        /// The system's or the library's words.
        reason: String,
    },
    /// A name that does not exist.
    #[error("unknown {what} `{name}`; known: {}", known.join(", "))]
    Unknown {
        /// Kind of the thing named, for example `ROI`.
        what: String,
        /// The name that was given.
        name: String,
        /// The names that exist.
        known: Vec<String>,
    },
    /// A selection or list without any member.
    #[error("{what} is empty; {hint}")]
    Empty {
        /// The selection or list.
        what: String,
        /// What to do about it.
        hint: String,
    },
    /// A setting that decides what is written is out of range.
    #[error(transparent)]
    Setting(#[from] SettingError),
}

impl Classified for DataError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::Missing { .. }
            | Self::Unreadable { .. }
            | Self::Invalid { .. }
            | Self::Unwritable { .. }
            | Self::Unknown { .. }
            | Self::Empty { .. } => ErrorClass::BadInput,
            Self::Setting(error) => error.class(),
        }
    }
}

impl DataError {
    /// A [`DataError::Missing`].
    pub fn missing(path: impl AsRef<Path>, needed_for: impl Into<String>) -> Self {
        Self::Missing { path: path.as_ref().to_path_buf(), needed_for: needed_for.into() }
    }

    /// A [`DataError::Unreadable`].
    pub fn unreadable(path: impl AsRef<Path>, reason: impl Display) -> Self {
        Self::Unreadable { path: path.as_ref().to_path_buf(), reason: reason.to_string() }
    }

    /// A [`DataError::Invalid`].
    pub fn invalid(
        path: impl AsRef<Path>,
        field: impl Display,
        expected: impl Display,
        found: impl Display,
    ) -> Self {
        Self::Invalid {
            path: path.as_ref().to_path_buf(),
            field: field.to_string(),
            expected: expected.to_string(),
            found: found.to_string(),
        }
    }

    /// A [`DataError::Unwritable`].
    pub fn unwritable(path: impl AsRef<Path>, reason: impl Display) -> Self {
        Self::Unwritable { path: path.as_ref().to_path_buf(), reason: reason.to_string() }
    }

    /// A [`DataError::Unknown`].
    pub fn unknown(
        what: impl Into<String>,
        name: impl Display,
        known: impl IntoIterator<Item = impl Display>,
    ) -> Self {
        Self::Unknown {
            what: what.into(),
            name: name.to_string(),
            known: known.into_iter().map(|name| name.to_string()).collect(),
        }
    }

    /// A [`DataError::Empty`].
    pub fn empty(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Empty { what: what.into(), hint: hint.into() }
    }

    /// [`DataError::Missing`] when the system says "not found", else [`DataError::Unreadable`].
    pub fn from_io(path: impl AsRef<Path>, needed_for: &str, error: &std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::NotFound => Self::missing(path, needed_for),
            _ => Self::unreadable(path, error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_name_file_field_expected_and_found() {
        let error = DataError::invalid("a/b.hdf5", "shape of `/betas`", "[750, 83, 104, 81]", "[750, 1]");
        assert_eq!(
            error.to_string(),
            "`a/b.hdf5`: shape of `/betas` is [750, 1], expected [750, 83, 104, 81]"
        );
        let error = DataError::unknown("ROI", "V9", ["V1v", "V1d"]);
        assert_eq!(error.to_string(), "unknown ROI `V9`; known: V1v, V1d");
        let error = DataError::missing("x.mat", "the order of trials");
        assert_eq!(error.to_string(), "`x.mat` is missing; it is needed for the order of trials");
    }

    #[test]
    fn a_file_that_is_not_found_is_missing_and_others_are_unreadable() {
        let not_found = std::io::Error::from(std::io::ErrorKind::NotFound);
        assert!(matches!(DataError::from_io("x", "y", &not_found), DataError::Missing { .. }));
        let denied = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
        assert!(matches!(DataError::from_io("x", "y", &denied), DataError::Unreadable { .. }));
    }
}
