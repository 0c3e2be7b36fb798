//! What can be wrong with data: one error type for everything below `data`.
//!
//! A message names the file, the field, what was expected and what was found, so that one line is enough to act on.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use crate::error::{Classified, ErrorClass, Fault, FileError, SettingError, one_line};
use crate::interrupt::Stopped;

/// Why data could not be read or written.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum DataError {
    /// A file that cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A file was read and holds something else than it must.
    #[error("`{}`: {} is {}, expected {}", path.display(), fault.field, fault.found, fault.expected)]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Dataset, column, header field or the like, and what it holds.
        fault: Box<Fault>,
    },
    /// A name that does not exist.
    #[error("unknown {what} `{name}`; known: {}", if known.is_empty() { "none".into() } else { known.join(", ") })]
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
    /// Somebody asked to stop while data were read or written.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

impl Classified for DataError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::File(error) => error.class(),
            Self::Invalid { .. } | Self::Unknown { .. } | Self::Empty { .. } => ErrorClass::BadInput,
            Self::Setting(error) => error.class(),
            Self::Stopped(error) => error.class(),
        }
    }
}

impl DataError {
    /// A [`FileError::Missing`].
    pub fn missing(path: impl AsRef<Path>, needed_for: impl Into<String>) -> Self {
        FileError::missing(path, needed_for).into()
    }

    /// A [`FileError::Unreadable`].
    pub fn unreadable(path: impl AsRef<Path>, reason: impl Display) -> Self {
        FileError::unreadable(path, reason).into()
    }

    /// A [`DataError::Invalid`].
    pub fn invalid(
        path: impl AsRef<Path>,
        field: impl Display,
        expected: impl Display,
        found: impl Display,
    ) -> Self {
        Self::faulty(path, Fault::new(field, expected, found))
    }

    /// A [`DataError::Invalid`] of a fault that a reader found.
    pub fn faulty(path: impl AsRef<Path>, fault: Fault) -> Self {
        Self::Invalid { path: path.as_ref().to_path_buf(), fault: Box::new(fault) }
    }

    /// A [`FileError::Unwritable`].
    pub fn unwritable(path: impl AsRef<Path>, reason: impl Display) -> Self {
        FileError::unwritable(path, reason).into()
    }

    /// A [`DataError::Unknown`].
    pub fn unknown(
        what: impl Into<String>,
        name: impl Display,
        known: impl IntoIterator<Item = impl Display>,
    ) -> Self {
        Self::Unknown {
            what: what.into(),
            name: one_line(name.to_string()),
            known: known.into_iter().map(|name| name.to_string()).collect(),
        }
    }

    /// A [`DataError::Empty`].
    pub fn empty(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Empty { what: what.into(), hint: hint.into() }
    }

    /// [`FileError::Missing`] when the system says "not found", else [`FileError::Unreadable`].
    pub fn from_io(path: impl AsRef<Path>, needed_for: &str, error: &std::io::Error) -> Self {
        FileError::from_io(path, needed_for, error).into()
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
        let of_none = DataError::unknown("ROI", "V9", [""; 0]);
        assert_eq!(of_none.to_string(), "unknown ROI `V9`; known: none");
        let error = DataError::missing("x.mat", "the order of trials");
        assert_eq!(error.to_string(), "`x.mat` is missing; it is needed for the order of trials");
    }
}
