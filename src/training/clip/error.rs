//! What can stop the training of a CLIP.

use crate::error::{Classified, ErrorClass, SettingError};
use crate::metrics::retrieval::RetrievalError;
use crate::run::error::RunError;
use crate::training::frame::error::TrainError;

/// Why training ended early.
#[derive(Debug, thiserror::Error)]
pub enum ClipTrainError {
    /// A setting is out of range, or sizes do not fit.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// Not enough photographs.
    #[error("{what}: found {found} photographs, expected at least {needed}")]
    TooFew {
        /// Training or held-out images.
        what: &'static str,
        /// Distinct photographs.
        found: usize,
        /// Least number.
        needed: usize,
    },
    /// Images of a side that the network cannot take.
    #[error("{what}: images have side {found}, expected {expected}")]
    Side {
        /// Training or held-out images.
        what: &'static str,
        /// Their side in pixels.
        found: usize,
        /// What it should be.
        expected: String,
    },
    /// The held-out pairs cannot be evaluated.
    #[error(transparent)]
    Evaluation(#[from] RetrievalError),
    /// A snapshot cannot be written, or a checkpoint does not fit.
    #[error(transparent)]
    Run(#[from] RunError),
    /// What stops any training: an interruption, numbers that are none, its checkpoint.
    #[error(transparent)]
    Frame(#[from] TrainError),
}

impl Classified for ClipTrainError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::Setting(error) => error.class(),
            Self::TooFew { .. } | Self::Side { .. } => ErrorClass::BadInput,
            Self::Evaluation(error) => error.class(),
            Self::Run(error) => error.class(),
            Self::Frame(error) => error.class(),
        }
    }
}
