//! What can stop any training.

use std::path::PathBuf;

use super::state::Place;
use crate::error::{Classified, ErrorClass};
use crate::run::error::RunError;
use crate::run::interrupt::Interrupted;

/// Why a training ended early, whatever it trains.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// Stopped on request, with a checkpoint to continue from.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
    /// The loss or a weight is no longer a number.
    #[error(
        "{what} is not finite in phase {phase}, epoch {epoch}, step {step}; lower the `learning_rate` and continue from the \
         last good state, `--resume {}`",
        checkpoint.display()
    )]
    NotFinite {
        /// Training loss, validation loss or weights.
        what: &'static str,
        /// Phase, from 1.
        phase: usize,
        /// Epoch of the phase, from 0.
        epoch: usize,
        /// Steps done in the epoch.
        step: usize,
        /// State before the numbers went wrong.
        checkpoint: PathBuf,
    },
    /// A file of the run.
    #[error(transparent)]
    Run(#[from] RunError),
}

impl TrainError {
    /// `what` is no number at `place`; the last good state is in `checkpoint`.
    pub(crate) fn not_finite(what: &'static str, place: Place, checkpoint: PathBuf) -> Self {
        let Place { phase, epoch, step } = place;
        Self::NotFinite { what, phase: phase + 1, epoch, step, checkpoint }
    }
}

impl Classified for TrainError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::Interrupted(error) => error.class(),
            Self::NotFinite { .. } => ErrorClass::Failure,
            Self::Run(error) => error.class(),
        }
    }
}
