//! Why a foreign weight file was refused.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use crate::error::{Classified, ErrorClass, one_line};

/// A foreign file that cannot be read; nothing of it is used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ForeignError {
    /// The file is not there.
    #[error("`{}` is missing", path.display())]
    Missing {
        /// The file that was looked for.
        path: PathBuf,
    },
    /// The system cannot read it.
    #[error("`{}` cannot be read: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// It was read and holds something else than it must.
    #[error("`{}`: {fault}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong in it.
        fault: Fault,
    },
}

/// What is wrong inside a file whose name the caller knows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: found {found}, expected {expected}")]
pub struct Fault {
    /// Tensor, entry, pickle field or the like.
    pub field: String,
    /// What the format calls for.
    pub expected: String,
    /// What the file holds.
    pub found: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Fault {
    /// A fault without a hint. Long texts, which come from the file, are cut.
    pub fn new(field: impl Display, expected: impl Display, found: impl Display) -> Self {
        let [field, expected, found] =
            [field.to_string(), expected.to_string(), found.to_string()].map(one_line);
        Self { field, expected, found, hint: None }
    }

    /// The fault with a hint.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The fault of the file at `path`.
    pub fn at(self, path: &Path) -> ForeignError {
        ForeignError::Invalid { path: path.to_path_buf(), fault: self }
    }
}

impl Classified for ForeignError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::Missing { .. } | Self::Unreadable { .. } | Self::Invalid { .. } => ErrorClass::BadInput,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Invalid { fault, .. } => fault.hint.clone(),
            Self::Missing { .. } | Self::Unreadable { .. } => None,
        }
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
    }
}
