//! Trains a classifier from nothing on images and the categories that they show.
//!
//! Weights, order and mirroring depend on (seed, step) alone, so the same settings give the same network on the same device.
//! The training is short: it cannot be resumed. Writes into its run folder: `classifier.safetensors` (lowest held-out loss),
//! `metrics.jsonl`.

use std::path::{Path, PathBuf};

use burn::module::AutodiffModule;
use burn::optim::{AdamConfig, GradientsParams, Optimizer};
use burn::tensor::{Tensor, TensorData};
use rand::RngExt;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::config::{ClassifierTrainConfig, ClassifierTrainConfigError};
use super::evaluation::{ClassEvaluation, ClassifierEvaluation, evaluate_classifier};
use super::labelled_images::{LabelledBatch, LabelledImages};
use crate::losses::binary_cross_entropy::binary_cross_entropy;
use crate::metrics::classification::ClassificationError;
use crate::models::classifier::{Classifier, ClassifierConfig, ClassifierConfigError};
use crate::run::error::RunError;
use crate::run::progress::Progress;
use crate::run::run_dir::RunDir;
use crate::run::snapshot::{CLASSIFIER_KIND, save_snapshot};
use crate::run::training_log::TrainingLog;
use crate::tensor_ops::backend::{Device, Diff};
use crate::tensor_ops::random::keyed_rng;
use crate::training::frame::optimiser::AdamOf;

/// The snapshot of the lowest held-out loss.
pub const CLASSIFIER_FILE: &str = "classifier.safetensors";

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
    /// The loss is no number any more.
    #[error("the loss at step {step} is {loss}; a lower learning rate may help")]
    Diverged {
        /// Step, counted from 0.
        step: u64,
        /// The loss.
        loss: f32,
    },
    /// A logit that is no number.
    #[error(transparent)]
    Evaluation(#[from] ClassificationError),
    /// A file of the run.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The user asked to stop.
    #[error("interrupted; this training cannot be continued, {}", what_remains(snapshot.as_deref()))]
    Interrupted {
        /// The best snapshot so far.
        snapshot: Option<PathBuf>,
    },
}

fn what_remains(snapshot: Option<&Path>) -> String {
    match snapshot {
        Some(path) => format!("its best snapshot so far is `{}`", path.display()),
        None => "and it has written no snapshot yet".into(),
    }
}

/// What a run reads and where it writes.
pub struct ClassifierTraining<'a> {
    /// Sizes and categories.
    pub network: &'a ClassifierConfig,
    /// How to train.
    pub config: &'a ClassifierTrainConfig,
    /// Training images.
    pub train: &'a LabelledImages,
    /// Images for evaluation and the choice of the best snapshot.
    pub held_out: &'a LabelledImages,
    /// The run's folder.
    pub run: &'a RunDir,
    /// Where the data come from; stored in the snapshot.
    pub provenance: &'a Value,
    /// Where to compute.
    pub device: &'a Device,
    /// Polled once a step. Usually [`crate::run::interrupt::requested`].
    pub interrupted: &'a dyn Fn() -> bool,
}

/// What a finished run achieved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassifierTrainSummary {
    /// Steps taken.
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
    /// Trains to the last epoch.
    ///
    /// # Errors
    /// [`ClassifierTrainError`]; [`ClassifierTrainError::Interrupted`] leaves the best snapshot so far.
    pub fn run(&self, progress: &mut dyn Progress) -> Result<ClassifierTrainSummary, ClassifierTrainError> {
        self.config.validate()?;
        for (what, images) in [("training images", self.train), ("held-out images", self.held_out)] {
            if images.is_empty() {
                return Err(ClassifierTrainError::Empty { what });
            }
        }
        let network: Classifier<Diff> = self.network.init(self.config.seed, self.device)?;
        let mut network = network.with_logit_biases(&self.train.log_odds());
        let mut adam: AdamOf<Classifier<Diff>> = AdamConfig::new().init();
        let log = TrainingLog::start(self.run, 0)?;
        // Images beyond the last whole batch wait for another epoch, unless there is but one batch.
        let batch_size = self.config.batch_size.min(self.train.len());
        let steps_per_epoch = (self.train.len() / batch_size) as u64;
        let total = steps_per_epoch * self.config.epochs as u64;
        let mut step = 0;
        let mut best: Option<ClassifierTrainSummary> = None;
        let mut train_loss = f64::NAN;
        progress.start("training the classifier", total);
        for epoch in 1..=self.config.epochs as u64 {
            let mut order: Vec<usize> = (0..self.train.len()).collect();
            order.shuffle(&mut keyed_rng(self.config.seed, "classifier order", epoch));
            let mut sum = 0.0;
            for images in order.chunks_exact(batch_size) {
                if (self.interrupted)() {
                    let snapshot = best.map(|best| best.snapshot);
                    return Err(ClassifierTrainError::Interrupted { snapshot });
                }
                let (loss, gradients) = self.gradients(&network, &self.batch(images, step));
                if !loss.is_finite() {
                    return Err(ClassifierTrainError::Diverged { step, loss });
                }
                network = adam.step(self.config.learning_rate_at(step, total), network, gradients);
                sum += f64::from(loss);
                step += 1;
                progress.advance(step, &format!("loss {loss:.4}"));
            }
            train_loss = sum / steps_per_epoch as f64;
            let plain = network.valid();
            let (held_out, classes) = evaluate_classifier(&plain, self.network, self.held_out, self.device)?;
            log.append(
                step,
                &json!({"step": step, "epoch": epoch, "train_loss": train_loss, "held_out": held_out}),
            )?;
            if best.as_ref().is_none_or(|best| held_out.loss < best.best.loss) {
                let provenance = json!({
                    "trained_on": self.provenance, "training": self.config, "epoch": epoch, "held_out": held_out,
                });
                let snapshot = self.run.join(CLASSIFIER_FILE);
                save_snapshot(&snapshot, CLASSIFIER_KIND, self.network, &provenance, &plain)?;
                best = Some(ClassifierTrainSummary {
                    steps: step,
                    train_loss,
                    best_epoch: epoch,
                    best: held_out,
                    classes,
                    snapshot,
                });
            }
        }
        // The first epoch's loss may be no number: then nothing is better than nothing.
        let best = best.ok_or(ClassifierTrainError::Diverged { step, loss: f32::NAN })?;
        progress.finish(&format!("held-out loss {:.4} after epoch {}", best.best.loss, best.best_epoch));
        Ok(ClassifierTrainSummary { steps: step, train_loss, ..best })
    }

    fn batch(&self, images: &[usize], step: u64) -> LabelledBatch {
        let mut rng = keyed_rng(self.config.seed, "classifier mirror", step);
        let mirrored: Vec<bool> =
            images.iter().map(|_| rng.random_bool(self.config.flip_probability)).collect();
        self.train.batch(images, &mirrored)
    }

    fn gradients(&self, network: &Classifier<Diff>, batch: &LabelledBatch) -> (f32, GradientsParams) {
        let (side, classes) = (self.network.sizes.side, self.network.classes.len());
        let pixels = TensorData::new(batch.pixels_pm1.clone(), [batch.len, 3, side, side]);
        let logits = network.logits(network.features(Tensor::from_data(pixels, self.device)));
        let tensor = |values: &[f32]| {
            Tensor::from_data(TensorData::new(values.to_vec(), [batch.len, classes]), self.device)
        };
        let loss = binary_cross_entropy(logits, tensor(&batch.labels), tensor(&batch.weights));
        let value = loss.clone().into_data().iter::<f32>().next().unwrap_or(f32::NAN);
        (value, GradientsParams::from_grads(loss.backward(), network))
    }
}

#[cfg(test)]
mod tests;
