//! What can be wrong with a run's own files and devices.

use std::fmt::Display;
use std::path::Path;

use crate::error::{Classified, ErrorClass, Fault, FileError};
use crate::files::{InputKind, read_input};
use crate::interrupt::Stopped;

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
    /// Somebody asked to stop.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

impl Classified for RunError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::File(error) => error.class(),
            Self::Device { .. } => ErrorClass::BadInput,
            Self::Stopped(error) => error.class(),
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

    /// Reads a whole table, log or summary, with an error that names it.
    ///
    /// # Errors
    /// [`FileError::Missing`] or [`FileError::Unreadable`].
    pub fn read(path: &Path, needed_for: &str) -> Result<Vec<u8>, Self> {
        Self::read_as(InputKind::Table, path, needed_for)
    }

    /// Reads a whole snapshot or checkpoint, with an error that names it.
    ///
    /// # Errors
    /// [`FileError::Missing`] or [`FileError::Unreadable`].
    pub fn read_weights(path: &Path, needed_for: &str) -> Result<Vec<u8>, Self> {
        Self::read_as(InputKind::Weights, path, needed_for)
    }

    fn read_as(kind: InputKind, path: &Path, needed_for: &str) -> Result<Vec<u8>, Self> {
        read_input(path, kind).map_err(|error| FileError::from_io(path, needed_for, &error).into())
    }
}
