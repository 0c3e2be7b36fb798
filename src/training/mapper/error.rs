//! What can stop the training of a mapper.

use crate::data::error::DataError;
use crate::error::{Classified, ErrorClass};
use crate::run::error::RunError;
use crate::training::frame::error::TrainError;

/// Why the training of a mapper ended early.
#[derive(Debug, thiserror::Error)]
pub enum MapperTrainError {
    /// What stops any training: an interruption, numbers that are none, its checkpoint.
    #[error(transparent)]
    Frame(#[from] TrainError),
    /// There is nothing to train on, or nothing to validate on.
    #[error("no {what} to train with; expected at least 1")]
    Empty {
        /// What is missing.
        what: &'static str,
    },
    /// The metrics of an epoch cannot be computed.
    #[error("validation metrics: {reason}")]
    Metrics {
        /// Why not.
        reason: String,
    },
    /// The targets of a batch cannot be had.
    #[error("targets of the next batch: {reason}")]
    Targets {
        /// Why not.
        reason: String,
    },
    /// What the targets are made from cannot be read.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A snapshot cannot be written.
    #[error(transparent)]
    Run(#[from] RunError),
}

impl Classified for MapperTrainError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::Frame(error) => error.class(),
            Self::Empty { .. } => ErrorClass::BadInput,
            Self::Metrics { .. } | Self::Targets { .. } => ErrorClass::Failure,
            Self::Data(error) => error.class(),
            Self::Run(error) => error.class(),
        }
    }
}
