//! What can stop the training of a classifier.

use super::config::ClassifierTrainConfigError;
use crate::metrics::classification::ClassificationError;
use crate::models::classifier::ClassifierConfigError;
use crate::run::error::RunError;
use crate::training::frame::error::TrainError;

/// Why training ended early.
#[derive(Debug, thiserror::Error)]
pub enum ClassifierTrainError {
    /// Sizes or categories do not fit.
    #[error(transparent)]
    Network(#[from] ClassifierConfigError),
    /// A training setting is out of range.
    #[error(transparent)]
    Config(#[from] ClassifierTrainConfigError),
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
