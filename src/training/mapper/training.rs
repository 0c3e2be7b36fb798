//! Fits a mapper: from trials and a network to snapshots, checkpoint and event log in the run's folder.
//!
//! Specification: docs/spec/mapper.md §5.

use std::path::Path;

use serde_json::Value;

use super::error::MapperTrainError;
use super::events::PhaseReport;
use super::task::MapperTask;
use super::trials::MapperTrials;
use crate::models::mapper::{Mapper, MapperSnapshot};
use crate::run::progress::Progress;
use crate::run::run_dir::RunDir;
use crate::tensor_ops::backend::Diff;
use crate::training::frame::epoch_loop::{LAST_FILE, Run, train};

/// What a run reads and where it writes.
#[derive(Clone, Copy)]
pub struct MapperTraining<'a> {
    /// Betas, targets, split and settings.
    pub trials: MapperTrials<'a>,
    /// What the snapshots say of the network.
    pub snapshot_config: &'a MapperSnapshot,
    /// Settings of the run; stored in the snapshots, and a checkpoint of other settings is refused.
    pub identity: &'a Value,
    /// The run's folder.
    pub run: &'a RunDir,
    /// Polled before every step; `true` stops with a checkpoint. Usually [`crate::interrupt::requested`].
    pub interrupted: &'a dyn Fn() -> bool,
}

/// The best mapper of the last phase, with the figures of every phase.
#[derive(Clone, Debug)]
pub struct MapperOutcome {
    /// Weights with the lowest validation loss of the last phase.
    pub best: Mapper<Diff>,
    /// Results per phase.
    pub phases: Vec<PhaseReport>,
}

impl MapperTraining<'_> {
    /// Fits `network` from the start, or from the checkpoint `resume`, to the end of the last phase.
    ///
    /// # Errors
    /// [`MapperTrainError`]; after an interruption or a loss that is not finite the checkpoint can be continued from.
    pub fn run(
        &self,
        network: Mapper<Diff>,
        resume: Option<&Path>,
        progress: &mut dyn Progress,
    ) -> Result<MapperOutcome, MapperTrainError> {
        let plan = self.trials.config.plan();
        for (what, count) in [
            ("training samples", self.trials.train.len()),
            ("validation samples", self.trials.validation.len()),
            ("epochs", plan.epochs.iter().sum()),
            (
                "samples per batch",
                (0..2).map(|phase| self.trials.config.phase(phase).batch).min().unwrap_or(0),
            ),
        ] {
            if count == 0 {
                return Err(MapperTrainError::Empty { what });
            }
        }
        let Self { trials, snapshot_config, identity, run: dir, .. } = *self;
        let mut task = MapperTask::new(trials, snapshot_config, identity, dir, network);
        let mut run = Run { dir, resume, progress, should_stop: self.interrupted };
        let state = train(&mut task, &plan, &mut run)?;
        task.write_snapshot(LAST_FILE, &state.phases)?;
        Ok(MapperOutcome {
            best: task.into_best(),
            phases: state.phases.iter().map(PhaseReport::from).collect(),
        })
    }
}

#[cfg(test)]
mod tests;
