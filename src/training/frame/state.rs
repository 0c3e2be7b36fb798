//! Where an epoch training stands, and what can stop it.

use std::path::{Path, PathBuf};

use burn::module::{AutodiffModule, Module};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::finite_weights::all_finite;
use super::optimiser::{EpochOptimiser, OptimiserRecord};
use crate::data::error::DataError;
use crate::run::checkpoint::{load_checkpoint, save_checkpoint};
use crate::run::error::RunError;
use crate::run::interrupt::Interrupted;
use crate::tensor_ops::backend::{Device, Diff};
use crate::training::mapper::companions::{Companions, CompanionsRecord};

/// Why a training ended early.
#[derive(Debug, thiserror::Error)]
pub enum EpochTrainError {
    /// Stopped on request, with a checkpoint to continue from.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
    /// The loss or a weight is no longer a number.
    #[error(
        "{what} is not finite in phase {phase}, epoch {epoch}, step {step}; lower the learning rate and continue from \
         the last good state `{}`",
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
    /// A file of the run.
    #[error(transparent)]
    Run(#[from] RunError),
}

/// Result of one phase; losses are means of batch losses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PhaseReport {
    /// Phase, from 1.
    pub phase: usize,
    /// Epochs done.
    pub epochs: usize,
    /// Epoch with the lowest validation loss, from 0.
    pub best_epoch: usize,
    /// That loss.
    pub best_validation_loss: f32,
    /// Training loss of the last epoch.
    pub last_train_loss: f32,
    /// Validation loss of the last epoch.
    pub last_validation_loss: f32,
}

/// Position and history; with the networks and moments, all that a resumed run needs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct EpochState {
    /// Phase under way, from 0.
    pub phase: usize,
    /// Epochs done in this phase.
    pub epoch: usize,
    /// Steps done in this epoch.
    pub step: usize,
    /// Batch losses of this epoch so far.
    pub losses: Vec<f32>,
    /// One per phase begun.
    pub phases: Vec<PhaseReport>,
    /// What the run is: its settings as JSON text, compared on resume.
    pub identity: String,
}

/// Networks and moments of a training.
#[derive(Clone)]
pub(crate) struct Trained<M: AutodiffModule<Diff>> {
    pub model: M,
    pub best: M,
    pub optimiser: EpochOptimiser<M>,
    pub companions: Companions,
}

type TrainedRecord<M> =
    (<M as Module<Diff>>::Record, <M as Module<Diff>>::Record, OptimiserRecord<M>, CompanionsRecord);

/// Writes the checkpoint; weights that are not finite are refused, so that it stays usable.
pub(crate) fn save<M: AutodiffModule<Diff>>(
    path: &Path,
    trained: &Trained<M>,
    state: &EpochState,
) -> Result<(), EpochTrainError> {
    let Companions { critic, expander } = &trained.companions;
    let finite = all_finite(&trained.model)
        && critic.as_ref().is_none_or(|critic| all_finite(critic.network()))
        && expander.as_ref().is_none_or(|expander| all_finite(expander.network()));
    if !finite {
        return Err(EpochTrainError::NotFinite {
            what: "a weight",
            phase: state.phase + 1,
            epoch: state.epoch,
            step: state.step,
            checkpoint: path.to_path_buf(),
        });
    }
    let record: TrainedRecord<M> = (
        trained.model.clone().into_record(),
        trained.best.clone().into_record(),
        trained.optimiser.to_record(),
        trained.companions.to_record(),
    );
    Ok(save_checkpoint::<Diff, _>(path, record, state)?)
}

/// Reads a checkpoint of a run with the same settings into a network of the shape of `model`; `of_phase` gives the new
/// optimiser and companions of a phase.
pub(crate) fn load<M: AutodiffModule<Diff>>(
    path: &Path,
    model: M,
    of_phase: impl FnOnce(usize) -> (EpochOptimiser<M>, Companions),
    identity: &Value,
    device: &Device,
) -> Result<(Trained<M>, EpochState), EpochTrainError> {
    let ((record, best, moments, companions_record), state) =
        load_checkpoint::<Diff, TrainedRecord<M>, EpochState>(path, device)?;
    // Both as text read back: a number that went through JSON may differ in its last bit from one that did not.
    let parsed = |text: &str| {
        serde_json::from_str::<Value>(text)
            .map_err(|error| RunError::invalid(path, "settings", "JSON", error))
    };
    let (now, then) = (parsed(&identity.to_string())?, parsed(&state.identity)?);
    refuse_other_settings(path, "settings", &now, &then)?;
    let (optimiser, companions) = of_phase(state.phase);
    let trained = Trained {
        best: model.clone().load_record(best),
        model: model.load_record(record),
        optimiser: optimiser.load_record(moments),
        companions: companions.load_record(companions_record),
    };
    Ok((trained, state))
}

/// Names the first setting that differs between this run and the checkpoint's.
pub(crate) fn refuse_other_settings(
    path: &Path,
    key: &str,
    now: &Value,
    then: &Value,
) -> Result<(), RunError> {
    match (now, then) {
        (Value::Object(now), Value::Object(then)) if now.keys().eq(then.keys()) => {
            now.iter().zip(then.values()).try_for_each(|((name, now), then)| {
                refuse_other_settings(path, &format!("{key}.{name}"), now, then)
            })
        }
        _ if now == then => Ok(()),
        _ => Err(RunError::invalid(path, key, format!("{now} as in this run"), then)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_setting_that_differs_is_named() {
        let now = json!({"train": {"seed": 42, "phase1": {"epochs": 3}}});
        assert!(refuse_other_settings(Path::new("c.mpk"), "settings", &now, &now.clone()).is_ok());
        let then = json!({"train": {"seed": 42, "phase1": {"epochs": 4}}});
        let error = refuse_other_settings(Path::new("c.mpk"), "settings", &now, &then).unwrap_err();
        let text = error.to_string();
        assert_eq!(text, "`c.mpk`: settings.train.phase1.epochs: found 4, expected 3 as in this run");
    }
}
