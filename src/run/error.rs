//! What can be wrong with a run's own files and devices.

use std::fmt::Display;
use std::path::Path;

use crate::error::{Classified, ErrorClass, Fault, FileError};

/// A run folder, snapshot, checkpoint or device that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A file or folder that cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
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
            Self::File(error) => error.class(),
            Self::Device { .. } => ErrorClass::BadInput,
        }
    }
}

impl RunError {
    /// A [`FileError::Missing`].
    pub fn missing(path: impl AsRef<Path>, needed_for: impl Into<String>) -> Self {
        FileError::missing(path, needed_for).into()
    }

    /// A [`FileError::Invalid`].
    pub fn invalid(
        path: impl AsRef<Path>,
        field: impl Into<String>,
        expected: impl ToString,
        found: impl ToString,
    ) -> Self {
        Fault::new(field.into(), expected.to_string(), found.to_string()).at(path.as_ref()).into()
    }

    /// A [`FileError::Unwritable`].
    pub fn unwritable(path: impl AsRef<Path>, reason: impl Display) -> Self {
        FileError::unwritable(path, reason).into()
    }

    /// Reads a whole file, with an error that names it.
    ///
    /// # Errors
    /// [`FileError::Missing`] or [`FileError::Invalid`].
    pub fn read(path: &Path, needed_for: &str) -> Result<Vec<u8>, Self> {
        std::fs::read(path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Self::missing(path, needed_for),
            _ => Self::invalid(path, "file", "a readable file", error),
        })
    }
}
