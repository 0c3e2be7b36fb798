//! What can stop the fit of a decoder.

use crate::error::{Classified, ErrorClass, SettingError};
use crate::interrupt::Stopped;
use crate::run::error::RunError;
use crate::training::frame::error::TrainError;
use crate::training::ridge::RidgeError;

/// Why the fit of a decoder ended early.
#[derive(Debug, thiserror::Error)]
pub enum DecoderError {
    /// What stops any training: an interruption, numbers that are none, its checkpoint.
    #[error(transparent)]
    Frame(#[from] TrainError),
    /// A setting out of range.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// The ridge regression that it starts from.
    #[error(transparent)]
    Ridge(#[from] RidgeError),
    /// Somebody asked to stop between two steps that keep no checkpoint.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// Trials that do not make a training.
    #[error("trials of a decoder: {what}: found {found}, expected {expected}")]
    Trials {
        /// Which number.
        what: String,
        /// What it is.
        found: String,
        /// What it should be.
        expected: String,
    },
    /// The counts on the tuning images cannot be made.
    #[error("counts on the tuning images: {reason}")]
    Counts {
        /// Why not.
        reason: String,
    },
    /// A file of the run.
    #[error(transparent)]
    Run(#[from] RunError),
}

impl DecoderError {
    pub(crate) fn trials(what: impl ToString, found: impl ToString, expected: impl ToString) -> Self {
        Self::Trials { what: what.to_string(), found: found.to_string(), expected: expected.to_string() }
    }

    /// The error of settings that stand in `section`.
    pub fn within(self, section: &str) -> Self {
        match self {
            Self::Setting(error) => Self::Setting(error.within(section)),
            Self::Ridge(error) => Self::Ridge(error.within(section)),
            other => other,
        }
    }
}

impl Classified for DecoderError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::Frame(error) => error.class(),
            Self::Setting(error) => error.class(),
            Self::Ridge(error) => error.class(),
            Self::Stopped(error) => error.class(),
            Self::Trials { .. } => ErrorClass::BadInput,
            Self::Counts { .. } => ErrorClass::Failure,
            Self::Run(error) => error.class(),
        }
    }
}
