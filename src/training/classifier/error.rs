//! What can stop the training of a classifier.

use crate::error::{Classified, ErrorClass, SettingError};
use crate::metrics::classification::ClassificationError;
use crate::run::error::RunError;
use crate::training::frame::error::TrainError;

/// Why training ended early.
#[derive(Debug, thiserror::Error)]
pub enum ClassifierTrainError {
    /// A setting is out of range, or sizes do not fit.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// Nothing to learn from or to judge by.
    #[error("{what}: found none, expected at least one image")]
    Empty {
        /// Training or held-out images.
        what: &'static str,
    },
    /// A logit that is no number.
    #[error(transparent)]
    Evaluation(#[from] ClassificationError),
    /// A snapshot cannot be written, or a checkpoint does not fit.
    #[error(transparent)]
    Run(#[from] RunError),
    /// What stops any training: an interruption, numbers that are none, its checkpoint.
    #[error(transparent)]
    Frame(#[from] TrainError),
}

impl Classified for ClassifierTrainError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::Setting(error) => error.class(),
            Self::Empty { .. } => ErrorClass::BadInput,
            Self::Evaluation(error) => error.class(),
            Self::Run(error) => error.class(),
            Self::Frame(error) => error.class(),
        }
    }
}
