//! What can be wrong with a run's own files and devices.

use std::path::{Path, PathBuf};

use crate::error::{Classified, ErrorClass};

/// A run folder, snapshot, checkpoint or device that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A file that a command needs is not there.
    #[error("`{}` is missing; it is needed for {needed_for}", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// What it is needed for.
        needed_for: String,
    },
    /// A file is there but cannot be read as what it should be.
    #[error("`{}`: {field}: found {found}, expected {expected}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// The part that is wrong.
        field: String,
        /// What should be there.
        expected: String,
        /// What is there.
        found: String,
    },
    /// A file or folder cannot be written.
    #[error("`{}` cannot be written: {reason}", path.display())]
    Unwritable {
        /// The file or folder.
        path: PathBuf,
        /// The operating system's reason.
        reason: String,
    },
    /// The device that was asked for is not there.
    #[error("device `{device}` is not available: {reason}")]
    Device {
        /// As asked for.
        device: String,
        /// Why not.
        reason: String,
    },
}

impl Classified for RunError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::Missing { .. } | Self::Invalid { .. } | Self::Unwritable { .. } | Self::Device { .. } => {
                ErrorClass::BadInput
            }
        }
    }
}

impl RunError {
    /// See [`RunError::Missing`].
    pub fn missing(path: impl AsRef<Path>, needed_for: impl Into<String>) -> Self {
        Self::Missing { path: path.as_ref().to_path_buf(), needed_for: needed_for.into() }
    }

    /// See [`RunError::Invalid`].
    pub fn invalid(
        path: impl AsRef<Path>,
        field: impl Into<String>,
        expected: impl ToString,
        found: impl ToString,
    ) -> Self {
        Self::Invalid {
            path: path.as_ref().to_path_buf(),
            field: field.into(),
            expected: expected.to_string(),
            found: found.to_string(),
        }
    }

    /// See [`RunError::Unwritable`].
    pub fn unwritable(path: impl AsRef<Path>, reason: impl ToString) -> Self {
        Self::Unwritable { path: path.as_ref().to_path_buf(), reason: reason.to_string() }
    }

    /// Reads a whole file, with an error that names it.
    ///
    /// # Errors
    /// [`RunError::Missing`] or [`RunError::Invalid`].
    pub fn read(path: &Path, needed_for: &str) -> Result<Vec<u8>, Self> {
        std::fs::read(path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Self::missing(path, needed_for),
            _ => Self::invalid(path, "file", "a readable file", error),
        })
    }
}
