//! What is wrong inside a zip archive whose name the caller knows.

use std::fmt::Display;
use std::path::Path;

use crate::data::error::DataError;
use crate::error::one_line;

/// A part of an archive that is not what it must be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: found {found}, expected {expected}")]
pub(crate) struct ZipFault {
    /// Record or entry.
    pub field: String,
    /// What the format calls for.
    pub expected: String,
    /// What the archive holds.
    pub found: String,
    /// What to do about it.
    pub hint: Option<&'static str>,
}

impl ZipFault {
    /// A fault without a hint. Names come from the archive: they are cut to one line.
    pub fn new(field: impl Display, expected: impl Display, found: impl Display) -> Self {
        let [field, expected, found] =
            [field.to_string(), expected.to_string(), found.to_string()].map(one_line);
        Self { field, expected, found, hint: None }
    }

    /// The fault with a hint.
    pub fn hint(self, hint: &'static str) -> Self {
        Self { hint: Some(hint), ..self }
    }

    /// The fault in an error of reading an entry, or the system's words for that entry.
    pub fn of_io(field: &str, error: std::io::Error) -> Self {
        match error.downcast::<Self>() {
            Ok(fault) => fault,
            Err(error) => Self::new(field, "readable bytes", error),
        }
    }

    /// The fault of the archive at `path`.
    pub fn at(self, path: &Path) -> DataError {
        DataError::invalid(path, self.field, self.expected, self.found)
    }
}
