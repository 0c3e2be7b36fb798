//! `mindreader train-mapper`: fit betas → CLIP embedding of the image seen, or of its captions.
//!
//! Specification: mapper §1.4 to §5, §7. Writes `config.toml`, `metrics.jsonl`, `best.safetensors`, `last.safetensors`,
//! `checkpoint.mpk` and `summary.json` into a run folder.

use std::ops::Range;
use std::path::PathBuf;
use std::time::Instant;

use burn::module::{AutodiffModule, Module};
use ndarray::{Array2, s};
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::mapper_embeddings::{RawTargets, caption_embeddings, image_embeddings};
use crate::data::error::DataError;
use crate::data::padding::{padded_len, padding_left};
use crate::data::prepared::PreparedSubject;
use crate::data::split::{Split, split_by_first_appearance, split_shared1000};
use crate::data::targets::DEFAULT_THRESHOLD;
use crate::metrics::retrieval::RetrievalSummary;
use crate::models::mapper::{MapperConfig, MapperSnapshotConfig, MapperTarget};
use crate::run::device::{DeviceChoice, open};
use crate::run::interrupt;
use crate::run::progress::Progress;
use crate::run::run_dir::RunDir;
use crate::tensor_ops::backend::Diff;
use crate::tensor_ops::random::keyed_rng;
use crate::training::PhaseReport;
use crate::training::epoch_trainer::{BEST_FILE, EpochRun, train};
use crate::training::mapper_config::MapperTrainConfig;
use crate::training::mapper_targets::{CaptionChoice, EmbeddingTargets};
use crate::training::mapper_task::MapperTask;

/// Rows of betas read at a time.
const READ_ROWS: usize = 256;

/// How trials are divided.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind", deny_unknown_fields)]
pub enum SplitChoice {
    /// The paper's: the first images in order of appearance are for training.
    FirstAppearance {
        /// Share of the images, in (0, 1); paper 0.85.
        train_fraction: f64,
    },
    /// Images that all eight subjects saw are for validation.
    Shared1000,
}

impl Default for SplitChoice {
    fn default() -> Self {
        Self::FirstAppearance { train_fraction: 0.85 }
    }
}

impl SplitChoice {
    /// The trials of a subject.
    pub fn split(&self, subject: &PreparedSubject) -> Split {
        match self {
            Self::FirstAppearance { train_fraction } => {
                split_by_first_appearance(&subject.split_groups(), *train_fraction)
            }
            Self::Shared1000 => split_shared1000(subject.is_shared()),
        }
    }
}

/// Which betas go with which image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BetasControl {
    /// Each trial's own.
    #[default]
    Measured,
    /// The control: trials exchange their betas at random, so that decoding must be at chance.
    Shuffled,
}

/// Sizes of the network that the data do not decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MapperSizes {
    /// Layers that halve the length.
    pub num_down: usize,
    /// Residual blocks.
    pub num_blocks: usize,
    /// Channels of the trunk.
    pub hidden: usize,
    /// Hidden units of the perceptron over positions.
    pub fc: usize,
}

impl Default for MapperSizes {
    fn default() -> Self {
        let MapperConfig { num_down, num_blocks, hidden, fc, .. } = MapperConfig::default();
        Self { num_down, num_blocks, hidden, fc }
    }
}

/// Settings of `train-mapper`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainMapperSettings {
    /// The prepared subject.
    pub prepared: PathBuf,
    /// Root of the NSD tree, for the stimuli.
    pub nsd: PathBuf,
    /// Snapshot of the CLIP network.
    pub clip: PathBuf,
    /// Vetted captions; needed for captions only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub captions: Option<PathBuf>,
    /// Folder of cached embeddings.
    pub cache: PathBuf,
    /// Folder of the runs.
    pub runs: PathBuf,
    /// Checkpoint to continue from, in the folder that it is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resume: Option<PathBuf>,
    /// Where to compute.
    #[serde(default)]
    pub device: DeviceChoice,
    /// What to predict.
    #[serde(default)]
    pub target: MapperTarget,
    /// Which caption, for captions.
    #[serde(default)]
    pub caption_choice: CaptionChoice,
    /// Clamp θ of the embeddings; 0: none.
    #[serde(default = "default_clamp")]
    pub clamp: f32,
    /// Control experiment.
    #[serde(default)]
    pub betas: BetasControl,
    /// Training and validation trials.
    #[serde(default)]
    pub split: SplitChoice,
    /// Sizes of the network.
    #[serde(default)]
    pub mapper: MapperSizes,
    /// Losses, phases, optimiser.
    #[serde(default)]
    pub train: MapperTrainConfig,
}

fn default_clamp() -> f32 {
    DEFAULT_THRESHOLD
}

/// What `train-mapper` found.
#[derive(Clone, Debug, Serialize)]
pub struct TrainMapperSummary {
    /// The run's folder.
    pub run_dir: PathBuf,
    /// Snapshot to use.
    pub snapshot: PathBuf,
    /// What it predicts.
    pub target: MapperTarget,
    /// Trials fitted.
    pub num_train_trials: usize,
    /// Trials held out.
    pub num_validation_trials: usize,
    /// Parameters of the network.
    pub num_parameters: usize,
    /// Losses per phase.
    pub phases: Vec<PhaseReport>,
    /// Retrieval on the held-out trials by the best weights, with chance level and interval.
    pub retrieval: RetrievalSummary,
    /// Duration of this call.
    pub seconds: f64,
}

/// Fits a mapper.
///
/// # Errors
/// Data, snapshots or settings that do not fit, an interruption, a loss that is not finite.
pub fn run(
    settings: &TrainMapperSettings,
    progress: &mut dyn Progress,
) -> anyhow::Result<TrainMapperSummary> {
    let started = Instant::now();
    let (device, _) = open(settings.device)?;
    let subject = PreparedSubject::open(&settings.prepared)?;
    let split = settings.split.split(&subject);
    for (what, trials) in [("training", &split.train), ("validation", &split.validation)] {
        if trials.is_empty() {
            let what = format!("the list of {what} trials of `{}`", settings.prepared.display());
            return Err(DataError::empty(what, "choose another `split`").into());
        }
    }
    let RawTargets { embeddings, rows_of_image, image_of_trial, clip_sha256 } = match settings.target {
        MapperTarget::Image => image_embeddings(settings, &subject, &device, progress)?,
        MapperTarget::Caption => caption_embeddings(settings, &subject, &device, progress)?,
    };
    let choice = match settings.target {
        MapperTarget::Image => CaptionChoice::First,
        MapperTarget::Caption => settings.caption_choice,
    };
    let targets =
        EmbeddingTargets::new(&embeddings, &rows_of_image, &image_of_trial, choice, settings.clamp);
    let signal_len = padded_len(subject.num_voxels(), subject.subject());
    let left = padding_left(subject.num_voxels(), signal_len);
    let MapperSizes { num_down, num_blocks, hidden, fc } = settings.mapper;
    let embed_dim = targets.embed_dim();
    let mapper = MapperConfig { signal_len, num_down, num_blocks, hidden, fc, embed_dim, sigmoid: false };
    let snapshot_config = MapperSnapshotConfig {
        mapper,
        target: settings.target,
        subject: subject.subject().to_string(),
        selection: subject.provenance().selection.clone(),
        num_voxels: subject.num_voxels(),
        padding_left: left,
        padding_right: signal_len - subject.num_voxels() - left,
        clip_sha256,
    };
    let network = snapshot_config.mapper.init::<Diff>(settings.train.seed, &device)?;
    let num_parameters = network.num_params();
    let betas = padded_betas(&subject, signal_len, left, &row_order(settings, &subject))?;

    let dir = run_dir(settings, &subject)?;
    let image_ids: Vec<u64> = subject.trials().iter().map(|trial| u64::from(trial.nsd_id.0)).collect();
    let task = MapperTask {
        betas: &betas,
        targets: &targets,
        train: &split.train,
        validation: &split.validation,
        image_ids: &image_ids,
        config: &settings.train,
        device: &device,
    };
    let config_json = serde_json::to_value(&snapshot_config)?;
    let outcome = train(
        &task,
        network,
        &settings.train.plan(),
        &mut EpochRun {
            dir: &dir,
            kind: MapperSnapshotConfig::KIND,
            snapshot_config: &config_json,
            identity: json!({
                "train": settings.train,
                "network": snapshot_config,
                "caption_choice": settings.caption_choice,
                "clamp": settings.clamp,
                "betas": settings.betas,
                "split": settings.split,
            }),
            resume: settings.resume.as_deref(),
            progress: &mut *progress,
            should_stop: &interrupt::requested,
            device: &device,
        },
    )?;
    let summary = TrainMapperSummary {
        run_dir: dir.path().to_path_buf(),
        snapshot: dir.join(BEST_FILE),
        target: settings.target,
        num_train_trials: split.train.len(),
        num_validation_trials: split.validation.len(),
        num_parameters,
        phases: outcome.phases,
        retrieval: task.evaluate(&outcome.best.valid())?,
        seconds: started.elapsed().as_secs_f64(),
    };
    dir.write_atomic("summary.json", &serde_json::to_vec_pretty(&summary)?)?;
    Ok(summary)
}

/// The run's folder: a new one with its resolved settings, or the checkpoint's.
fn run_dir(settings: &TrainMapperSettings, subject: &PreparedSubject) -> anyhow::Result<RunDir> {
    if let Some(checkpoint) = &settings.resume {
        return Ok(RunDir::of_checkpoint(checkpoint)?);
    }
    let control = match settings.betas {
        BetasControl::Measured => "",
        BetasControl::Shuffled => "-shuffled",
    };
    let name = format!("train-mapper-{}-{}{control}", settings.target.name(), subject.subject());
    let dir = RunDir::create(&settings.runs, &name)?;
    dir.write_atomic("config.toml", toml::to_string(settings)?.as_bytes())?;
    Ok(dir)
}

/// The row of betas that each trial gets.
fn row_order(settings: &TrainMapperSettings, subject: &PreparedSubject) -> Vec<usize> {
    let mut rows: Vec<usize> = (0..subject.num_trials()).collect();
    if settings.betas == BetasControl::Shuffled {
        rows.shuffle(&mut keyed_rng(settings.train.seed, "shuffle betas", 0));
    }
    rows
}

/// Betas `[trials, signal_len]` with zeros at both ends, `rows[trial]` of the file for each trial.
fn padded_betas(
    subject: &PreparedSubject,
    signal_len: usize,
    left: usize,
    rows: &[usize],
) -> Result<Array2<f32>, DataError> {
    let mut padded = Array2::zeros((rows.len(), signal_len));
    let inside: Range<usize> = left..left + subject.num_voxels();
    for (block, rows) in rows.chunks(READ_ROWS).enumerate() {
        let betas = subject.betas_of(rows)?;
        if let Some(((row, voxel), value)) = betas.indexed_iter().find(|(_, value)| !value.is_finite()) {
            let field = format!("betas of trial {}, voxel {voxel}", rows[row]);
            return Err(DataError::invalid(subject.path(), field, "a finite number", value));
        }
        let first = block * READ_ROWS;
        padded.slice_mut(s![first..first + rows.len(), inside.clone()]).assign(&betas);
    }
    Ok(padded)
}
