//! What can stop the training of a category classifier.

use crate::error::{Classified, ErrorClass};
use crate::interrupt::Stopped;

/// Why there is no classifier.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CategoryTrainError {
    /// Somebody asked to stop.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// The loss is no longer a number.
    #[error(
        "the loss of a category classifier is not finite in epoch {epoch}; lower `classify.train.optimiser.learning_rate`"
    )]
    NotFinite {
        /// Counted from 1.
        epoch: usize,
    },
}

impl Classified for CategoryTrainError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::Stopped(error) => error.class(),
            Self::NotFinite { .. } => ErrorClass::Failure,
        }
    }
}
