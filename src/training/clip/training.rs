//! Trains a CLIP from nothing on captioned images, so that a small domain has a joint space of its own.
//!
//! Radford et al. 2021, section 2.3 and figure 3. Weights, batches and augmentation depend on (seed, step) alone,
//! so a run that was stopped and resumed continues bit for bit on the same device.
//! Writes into its run folder: `best.safetensors` (lowest held-out loss), `checkpoint.mpk`, `metrics.jsonl`.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::captioned_images::CaptionedImages;
use super::config::ClipTrainConfig;
use super::error::ClipTrainError;
use super::evaluation::ClipEvaluation;
use super::task::ClipTask;
use crate::models::clip::ClipConfig;
use crate::run::error::RunError;
use crate::run::progress::Progress;
use crate::run::run_dir::RunDir;
use crate::tensor_ops::backend::Device;
use crate::training::frame::epoch_loop::{BEST_FILE, CHECKPOINT_FILE, Run, train};

/// What a run reads and where it writes.
pub struct ClipTraining<'a> {
    /// Sizes of the network.
    pub network: &'a ClipConfig,
    /// Settings of the training.
    pub config: &'a ClipTrainConfig,
    /// Training images, at least as large as the network's.
    pub train: &'a CaptionedImages,
    /// Held-out images of exactly the network's side, for evaluation and the choice of the best snapshot.
    pub held_out: &'a CaptionedImages,
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
pub struct ClipTrainSummary {
    /// Steps taken, resumed ones included.
    pub steps: u64,
    /// Mean training loss of the last epoch, in nats.
    pub train_loss: f64,
    /// Epoch of the best snapshot, counted from 1.
    pub best_epoch: u64,
    /// Held-out figures of the best snapshot.
    pub best: ClipEvaluation,
    /// The best snapshot.
    pub snapshot: PathBuf,
}

impl ClipTraining<'_> {
    /// Trains from the start, or from `resume`, to the last epoch.
    ///
    /// # Errors
    /// [`ClipTrainError`]; after an interruption or a loss that is not finite the checkpoint can be continued from.
    pub fn run(
        &self,
        resume: Option<&Path>,
        progress: &mut dyn Progress,
    ) -> Result<ClipTrainSummary, ClipTrainError> {
        self.check()?;
        let Self { network, config, train: images, held_out, run: dir, provenance, device, .. } = *self;
        let mut task = ClipTask::new(network, config, images, held_out, dir, provenance, device)?;
        let plan = task.plan();
        let mut run = Run { dir, resume, progress, should_stop: self.interrupted };
        let state = train(&mut task, &plan, &mut run)?;
        let steps = task.total_steps();
        let (result, best) = (state.result(0), task.into_best());
        let Some((result, (best_epoch, best))) = result.zip(best) else {
            return Err(self.nothing_evaluated(resume));
        };
        let (train_loss, snapshot) = (result.last_train_loss, dir.join(BEST_FILE));
        Ok(ClipTrainSummary { steps, train_loss, best_epoch, best, snapshot })
    }

    fn check(&self) -> Result<(), ClipTrainError> {
        self.network.validate()?;
        self.config.validate()?;
        for (what, images) in [("training images", self.train), ("held-out images", self.held_out)] {
            let found = images.images_by_group().len();
            if found < 2 {
                return Err(ClipTrainError::TooFew { what, found, needed: 2 });
            }
        }
        let size = self.network.image_size;
        if self.train.side() < size {
            let (found, expected) = (self.train.side(), format!("at least {size}"));
            return Err(ClipTrainError::Side { what: "training images", found, expected });
        }
        if self.held_out.side() != size {
            let (found, expected) = (self.held_out.side(), size.to_string());
            return Err(ClipTrainError::Side { what: "held-out images", found, expected });
        }
        Ok(())
    }

    fn nothing_evaluated(&self, resume: Option<&Path>) -> ClipTrainError {
        let path = resume.map_or_else(|| self.run.join(CHECKPOINT_FILE), Path::to_path_buf);
        RunError::invalid(path, "best", "an evaluation of a finished run", "none").into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::retrieval::RetrievalConfig;
    use crate::models::clip::tokenizer::{LongText, Tokenizer};
    use crate::run::progress::Silent;
    use crate::run::snapshot::{CLIP_KIND, Snapshot};
    use crate::tensor_ops::backend::{Base, cpu};
    use crate::training::clip::evaluation::HeldOutPairs;
    use crate::training::frame::error::TrainError;
    use image::{Rgb, RgbImage};
    use serde_json::json;
    use std::cell::Cell;

    const COLOURS: [(&str, [u8; 3]); 6] = [
        ("red", [220, 30, 30]),
        ("green", [30, 200, 40]),
        ("blue", [30, 40, 220]),
        ("yellow", [230, 220, 40]),
        ("white", [240, 240, 240]),
        ("black", [10, 10, 10]),
    ];

    /// Photographs of a coloured disc on a coloured ground, two words deciding everything.
    fn discs(side: usize, keep: impl Fn(usize) -> bool) -> CaptionedImages {
        let tokenizer = Tokenizer::new(77, LongText::Error);
        let mut images = CaptionedImages::new(side);
        for index in (0..36).filter(|index| index / 6 != index % 6).filter(|index| keep(*index)) {
            let ((disc, inner), (ground, outer)) = (COLOURS[index / 6], COLOURS[index % 6]);
            let picture = RgbImage::from_fn(20, 20, |x, y| {
                let [dx, dy] = [x as i32 - 10, y as i32 - 10];
                Rgb(if dx * dx + dy * dy < 40 { inner } else { outer })
            });
            let captions = [format!("a {disc} disc on {ground}"), format!("{disc} in front of {ground}")];
            images.push("disc", &picture, &captions, index as u64, &tokenizer).unwrap();
        }
        images
    }

    fn network() -> ClipConfig {
        ClipConfig {
            image_size: 16,
            patch_size: 8,
            vision_width: 32,
            vision_layers: 1,
            vision_heads: 2,
            text_width: 16,
            text_layers: 1,
            text_heads: 2,
            embed_dim: 16,
            ..ClipConfig::default()
        }
    }

    fn config(epochs: usize) -> ClipTrainConfig {
        ClipTrainConfig {
            epochs,
            batch_size: 12,
            learning_rate: 5e-3,
            warmup_steps: 5,
            max_gradient_norm: Some(1.0),
            ..ClipTrainConfig::default()
        }
    }

    fn train(
        config: &ClipTrainConfig,
        run: &RunDir,
        resume: Option<&Path>,
        interrupted: &dyn Fn() -> bool,
    ) -> Result<ClipTrainSummary, ClipTrainError> {
        let network = network();
        ClipTraining {
            network: &network,
            config,
            train: &discs(18, |index| index % 5 != 1),
            held_out: &discs(16, |index| index % 5 == 1),
            run,
            provenance: &json!("discs"),
            device: &cpu(),
            interrupted,
        }
        .run(resume, &mut Silent)
    }

    #[test]
    fn new_combinations_of_known_words_are_recognised_and_the_snapshot_is_the_best_network() {
        let root = tempfile::tempdir().unwrap();
        let run = RunDir::create(root.path(), "pretrain-clip").unwrap();
        let summary = train(&config(40), &run, None, &|| false).unwrap();
        let best = &summary.best;
        assert!(best.loss < 0.7 * best.chance_loss, "{best:?}");
        assert!(
            best.retrieval.forward.first_batch as f64 >= 2.5 * best.retrieval.chance_first_batch,
            "{best:?}"
        );
        let snapshot = Snapshot::open(&summary.snapshot, CLIP_KIND).unwrap();
        let sizes: ClipConfig = snapshot.config().unwrap();
        let clip = snapshot.load_into(sizes.init_zeros::<Base>(&cpu()).unwrap()).unwrap();
        let pairs = HeldOutPairs::new(&discs(16, |index| index % 5 == 1));
        let again = pairs.evaluate(&clip, &RetrievalConfig::default(), &cpu()).unwrap();
        assert_eq!(again.loss, best.loss);
    }

    #[test]
    fn a_resumed_run_equals_one_that_never_stopped() {
        let root = tempfile::tempdir().unwrap();
        let whole = RunDir::create(root.path(), "whole").unwrap();
        let expected = train(&config(3), &whole, None, &|| false).unwrap();

        let stopped = RunDir::create(root.path(), "stopped").unwrap();
        // In the middle of the second epoch of three steps.
        let polls = Cell::new(0);
        let interrupted = || polls.replace(polls.get() + 1) == 4;
        let error = train(&config(3), &stopped, None, &interrupted).unwrap_err();
        let ClipTrainError::Frame(TrainError::Interrupted(stop)) = error else { panic!("{error}") };
        let other = train(&config(4), &stopped, Some(&stop.checkpoint), &|| false).unwrap_err();
        assert!(other.to_string().contains("settings.training.epochs: found 3, expected 4"), "{other}");
        let resumed = train(&config(3), &stopped, Some(&stop.checkpoint), &|| false).unwrap();

        assert_eq!(resumed.train_loss, expected.train_loss);
        assert_eq!(resumed.best, expected.best);
        let events = |run: &RunDir| run.events().read::<serde_json::Value>().unwrap();
        assert_eq!(events(&stopped), events(&whole));
        let [a, b] = [&stopped, &whole].map(|run| std::fs::read(run.join(BEST_FILE)).unwrap());
        let [a, b] = [&a, &b].map(|bytes| safetensors::SafeTensors::deserialize(bytes).unwrap());
        assert_eq!(a.len(), b.len());
        for (name, tensor) in a.tensors() {
            assert!(tensor.data() == b.tensor(&name).unwrap().data(), "`{name}` differs");
        }
    }

    #[test]
    fn too_few_photographs_are_refused() {
        let root = tempfile::tempdir().unwrap();
        let run = RunDir::create(root.path(), "few").unwrap();
        let (network, config) = (network(), config(1));
        let (one, all) = (discs(16, |index| index == 1), discs(16, |_| true));
        let training = ClipTraining {
            network: &network,
            config: &config,
            train: &all,
            held_out: &one,
            run: &run,
            provenance: &json!(null),
            device: &cpu(),
            interrupted: &|| false,
        };
        let error = training.run(None, &mut Silent).unwrap_err().to_string();
        assert_eq!(error, "held-out images: found 1 photographs, expected at least 2");
    }
}
