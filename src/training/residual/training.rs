//! Fits a residual decoder: from trials to the decoder with its choices, checkpoint and event log in the run's folder.

use std::path::Path;

use super::events::ResidualChoice;
use super::inputs::ResidualTraining;
use super::task::ResidualTask;
use crate::models::mapper::{ResidualConfig, ResidualMapper};
use crate::run::progress::Progress;
use crate::tensor_ops::backend::Base;
use crate::training::decoder::error::DecoderError;
use crate::training::frame::epoch_loop::{Run, train};
use crate::training::frame::state::PhaseResult;

/// A fitted decoder.
#[derive(Clone, Debug)]
pub struct ResidualOutcome {
    /// The decoder with its blend.
    pub mapper: ResidualMapper<Base>,
    /// Its sizes and blend.
    pub network: ResidualConfig,
    /// What was chosen on the tuning images.
    pub choice: ResidualChoice,
    /// Phases in order; "best" is the epoch of the least cosine distance, for information alone.
    pub phases: Vec<PhaseResult>,
}

impl ResidualTraining<'_> {
    /// Fits from the start, or from the checkpoint `resume`, to the end of the last member.
    ///
    /// # Errors
    /// [`DecoderError`]; after an interruption or a loss that is not finite the checkpoint can be continued from.
    pub fn run(
        &self,
        resume: Option<&Path>,
        progress: &mut dyn Progress,
    ) -> Result<ResidualOutcome, DecoderError> {
        self.config.validate()?;
        self.trials.check()?;
        let mut task = ResidualTask::new(*self)?;
        let mut run = Run { dir: self.run, resume, progress, should_stop: self.interrupted };
        let state = train(&mut task, &self.config.plan(), &mut run)?;
        let choice = task.choice().ok_or_else(|| DecoderError::Counts {
            reason: "the tuning fit ended without a count of its blends".into(),
        })?;
        let network = ResidualConfig { blend: choice.blend, ..self.config.network(self.trials.sizes()) };
        let mut mapper = task.into_mapper();
        mapper.blend = choice.blend;
        Ok(ResidualOutcome { mapper, network, choice, phases: state.phases })
    }
}

#[cfg(test)]
mod tests;
