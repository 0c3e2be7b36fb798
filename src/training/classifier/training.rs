//! Trains a classifier from nothing on images and the categories that they show.
//!
//! Weights, order and mirroring depend on (seed, step) alone, so a run that was stopped and resumed continues bit for bit on the
//! same device. Writes into its run folder: `classifier.safetensors` (lowest held-out loss), `checkpoint.mpk`, `metrics.jsonl`.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::config::ClassifierTrainConfig;
use super::error::ClassifierTrainError;
use super::evaluation::{ClassEvaluation, ClassifierEvaluation};
use super::labelled_images::LabelledImages;
use super::task::{BestClassifier, CLASSIFIER_FILE, ClassifierTask};
use crate::models::classifier::ClassifierConfig;
use crate::run::error::RunError;
use crate::run::progress::Progress;
use crate::run::run_dir::RunDir;
use crate::tensor_ops::backend::Device;
use crate::training::frame::epoch_loop::{CHECKPOINT_FILE, Run, train};

/// What a run reads and where it writes.
pub struct ClassifierTraining<'a> {
    /// Sizes and categories.
    pub network: &'a ClassifierConfig,
    /// Settings of the training.
    pub config: &'a ClassifierTrainConfig,
    /// Training images.
    pub train: &'a LabelledImages,
    /// Images for evaluation and the choice of the best snapshot.
    pub held_out: &'a LabelledImages,
    /// The run's folder.
    pub run: &'a RunDir,
    /// Where the data come from; stored in the snapshot.
    pub provenance: &'a Value,
    /// Device that holds the networks and batches.
    pub device: &'a Device,
    /// Polled once a step; `true` stops with a checkpoint. Usually [`crate::interrupt::requested`].
    pub interrupted: &'a dyn Fn() -> bool,
}

/// Steps, last training loss, best epoch and its held-out figures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassifierTrainSummary {
    /// Steps taken, resumed ones included.
    pub steps: u64,
    /// Mean training loss of the last epoch, in nats.
    pub train_loss: f64,
    /// Epoch of the snapshot, counted from 1.
    pub best_epoch: u64,
    /// Held-out figures of the snapshot.
    pub best: ClassifierEvaluation,
    /// The same of every category.
    pub classes: Vec<ClassEvaluation>,
    /// The snapshot.
    pub snapshot: PathBuf,
}

impl ClassifierTraining<'_> {
    /// Trains from the start, or from `resume`, to the last epoch.
    ///
    /// # Errors
    /// [`ClassifierTrainError`]; after an interruption or a loss that is not finite the checkpoint can be continued from.
    pub fn run(
        &self,
        resume: Option<&Path>,
        progress: &mut dyn Progress,
    ) -> Result<ClassifierTrainSummary, ClassifierTrainError> {
        let Self { network, config, train: images, held_out, run: dir, provenance, device, .. } = *self;
        config.validate()?;
        for (what, images) in [("training images", images), ("held-out images", held_out)] {
            if images.is_empty() {
                return Err(ClassifierTrainError::Empty { what });
            }
        }
        let mut task = ClassifierTask::new(network, config, images, held_out, dir, provenance, device)?;
        let plan = task.plan();
        let mut run = Run { dir, resume, progress, should_stop: self.interrupted };
        let state = train(&mut task, &plan, &mut run)?;
        let steps = task.total_steps();
        let Some((result, best)) = state.result(0).zip(task.into_best()) else {
            let path = resume.map_or_else(|| dir.join(CHECKPOINT_FILE), Path::to_path_buf);
            return Err(RunError::invalid(path, "best", "an evaluation of a finished run", "none").into());
        };
        let BestClassifier { epoch: best_epoch, held_out: best, classes } = best;
        let (train_loss, snapshot) = (result.last_train_loss, dir.join(CLASSIFIER_FILE));
        Ok(ClassifierTrainSummary { steps, train_loss, best_epoch, best, classes, snapshot })
    }
}

#[cfg(test)]
mod tests;
