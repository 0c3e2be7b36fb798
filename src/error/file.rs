//! What can be wrong with a file, whatever it holds.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use super::classified::{Classified, ErrorClass};
use super::one_line::{one_cause, one_line};

/// A file that cannot be used. The errors of the rooms are made from it: a message names the file first.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// A file that has to be there is not.
    #[error("`{}` is missing{}", path.display(), purpose(needed_for))]
    Missing {
        /// The file that was looked for.
        path: PathBuf,
        /// What cannot be done without it; empty where that goes without saying.
        needed_for: String,
    },
    /// A file is there but the system or the format's library cannot read it.
    #[error("`{}` cannot be read: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's or the library's words.
        reason: String,
    },
    /// A file was read and holds something else than it must.
    #[error("`{}`: {fault}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong in it; boxed, for results carry errors by value.
        fault: Box<Fault>,
    },
    /// An output cannot be written; nothing is left half written.
    #[error("`{}` cannot be written: {reason}", path.display())]
    Unwritable {
        /// The file or folder.
        path: PathBuf,
        /// The system's or the library's words.
        reason: String,
    },
}

fn purpose(needed_for: &str) -> String {
    if needed_for.is_empty() { String::new() } else { format!("; it is needed for {needed_for}") }
}

impl FileError {
    /// A [`FileError::Missing`].
    pub fn missing(path: impl AsRef<Path>, needed_for: impl Into<String>) -> Self {
        Self::Missing { path: path.as_ref().to_path_buf(), needed_for: needed_for.into() }
    }

    /// A [`FileError::Unreadable`].
    pub fn unreadable(path: impl AsRef<Path>, reason: impl Display) -> Self {
        Self::Unreadable { path: path.as_ref().to_path_buf(), reason: one_line(reason.to_string()) }
    }

    /// A [`FileError::Unwritable`].
    pub fn unwritable(path: impl AsRef<Path>, reason: impl Display) -> Self {
        Self::Unwritable { path: path.as_ref().to_path_buf(), reason: one_line(reason.to_string()) }
    }

    /// [`FileError::Missing`] when the system says "not found", else [`FileError::Unreadable`].
    pub fn from_io(path: impl AsRef<Path>, needed_for: &str, error: &std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::NotFound => Self::missing(path, needed_for),
            _ => Self::unreadable(path, error),
        }
    }
}

impl Classified for FileError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::Missing { .. }
            | Self::Unreadable { .. }
            | Self::Invalid { .. }
            | Self::Unwritable { .. } => ErrorClass::BadInput,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Invalid { fault, .. } => fault.hint.clone(),
            Self::Missing { .. } | Self::Unreadable { .. } | Self::Unwritable { .. } => None,
        }
    }
}

/// What is wrong inside a file whose name the caller knows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: found {found}, expected {expected}")]
pub struct Fault {
    /// Tensor, entry, column, header field or the like.
    pub field: String,
    /// What the format or the other files call for.
    pub expected: String,
    /// What the file holds.
    pub found: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Fault {
    /// A fault without a hint. Texts of the file are cut to one short line; what was expected is our own, and may be a list.
    pub fn new(field: impl Display, expected: impl Display, found: impl Display) -> Self {
        let [field, found] = [field.to_string(), found.to_string()].map(one_line);
        let expected = one_cause(expected.to_string());
        Self { field, expected, found, hint: None }
    }

    /// The fault with a hint.
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// The fault of the file at `path`.
    pub fn at(self, path: &Path) -> FileError {
        FileError::Invalid { path: path.to_path_buf(), fault: Box::new(self) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_name_file_field_expected_and_found_in_one_short_line() {
        let error = Fault::new("tensor `w`", "f32", "f8").hint("convert it").at(Path::new("a/b.pt"));
        assert_eq!(error.to_string(), "`a/b.pt`: tensor `w`: found f8, expected f32");
        assert_eq!(error.hint().as_deref(), Some("convert it"));
        let fault = Fault::new(format!("tensor `\u{1b}[2J\n{}`", "x".repeat(10_000)), "", "");
        assert!(fault.field.chars().count() == 201 && !fault.field.contains(char::is_control));
        assert_eq!(FileError::missing("w.pt", "").to_string(), "`w.pt` is missing");
        let error = FileError::missing("x.mat", "the order of trials");
        assert_eq!(error.to_string(), "`x.mat` is missing; it is needed for the order of trials");
    }

    #[test]
    fn a_file_that_is_not_found_is_missing_and_others_are_unreadable() {
        let not_found = std::io::Error::from(std::io::ErrorKind::NotFound);
        assert!(matches!(FileError::from_io("x", "y", &not_found), FileError::Missing { .. }));
        let denied = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
        assert!(matches!(FileError::from_io("x", "y", &denied), FileError::Unreadable { .. }));
    }
}
