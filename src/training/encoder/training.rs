//! Fits the encoding network: from trials to the network, with checkpoint and event log in the run's folder.

use std::path::Path;

use super::inputs::EncoderTraining;
use super::task::EncoderTask;
use crate::models::encoder::Encoder;
use crate::run::progress::Progress;
use crate::tensor_ops::backend::{Base, Diff};
use crate::training::frame::epoch_loop::{Run, train};
use crate::training::frame::error::TrainError;
use crate::training::frame::state::PhaseResult;

/// A fitted network.
#[derive(Clone, Debug)]
pub struct EncoderOutcome {
    /// The network of the chosen epoch, or of the last one where none was chosen.
    pub network: Encoder<Base>,
    /// How the training went; none where it had no epoch.
    pub result: Option<PhaseResult>,
}

impl EncoderTraining<'_> {
    /// Fits `network` from the start, or from the checkpoint `resume`, to its end.
    ///
    /// # Errors
    /// [`TrainError`]; after an interruption or a loss that is not finite the checkpoint can be continued from.
    pub fn run(
        &self,
        network: Encoder<Diff>,
        resume: Option<&Path>,
        progress: &mut dyn Progress,
    ) -> Result<EncoderOutcome, TrainError> {
        let mut task = EncoderTask::new(*self, network);
        let mut run = Run { dir: self.run, resume, progress, should_stop: self.interrupted };
        let state = train(&mut task, &self.config.plan(), &mut run)?;
        Ok(EncoderOutcome { network: task.into_network(), result: state.result(0).cloned() })
    }
}

#[cfg(test)]
mod tests;
