//! `mindreader train-mapper`: fit betas → CLIP embedding of the image seen, or of its captions, or ResNet vector of the image.
//!
//! Specification: docs/spec/mapper.md §1.4 to §5, §7. Writes `config.toml`, `metrics.jsonl`, `best.safetensors`,
//! `last.safetensors`,
//! `checkpoint.mpk`, `plots/` and `summary.json` into a run folder.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Instant;

use burn::module::{AutodiffModule, Module};
use ndarray::{Array2, s};
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::data::nsd::tree::NsdTree;
use crate::pipelines::project::Project;
use crate::pipelines::targets::rows::{
    RawTargets, TargetRows, caption_embeddings, image_embeddings, resnet_vectors,
};

use crate::data::error::DataError;
use crate::data::image::augment::AugmentConfig;
use crate::data::padding::{padded_len, padding_left};
use crate::data::prepared::PreparedSubject;
use crate::data::split::SplitConfig;
use crate::data::subject::SubjectId;
use crate::data::targets::{DEFAULT_THRESHOLD, TargetScale, TargetScaling};
use crate::data::trial::NsdId;
use crate::metrics::retrieval::RetrievalSummary;
use crate::models::mapper::{Mapper, MapperConfig, MapperSnapshot, MapperTarget};
use crate::pipelines::targets::augmented_stimuli::AugmentedStimuli;
use crate::pipelines::targets::resnet_vectors::ResnetVector;
use crate::pipelines::workbench::Workbench;
use crate::run::device::{DeviceChoice, open};
use crate::run::error::RunError;
use crate::run::interrupt;
use crate::run::progress::Progress;
use crate::run::run_dir::RunDir;
use crate::run::snapshot::{MAPPER_KIND, Snapshot};
use crate::tensor_ops::backend::{Device, Diff};
use crate::tensor_ops::random::keyed_rng;
use crate::training::frame::epoch_loop::BEST_FILE;
use crate::training::frame::error::TrainError;
use crate::training::mapper::config::MapperTrainConfig;
use crate::training::mapper::error::MapperTrainError;
use crate::training::mapper::events::PhaseReport;
use crate::training::mapper::target_queue::{TargetBatch, TargetQueue};
use crate::training::mapper::targets::{CaptionChoice, EmbeddingTargets};
use crate::training::mapper::training::MapperTraining;
use crate::training::mapper::trials::MapperTrials;

/// Rows of betas read at a time.
const READ_ROWS: usize = 256;

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

/// Target and constants of a ResNet mapper; everything else is as for CLIP's (docs/spec/mapper.md §6.3).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ResnetMapperConfig {
    /// Which vector of an image.
    pub vector: ResnetVector,
    /// Layers that halve the length.
    pub num_down: usize,
    /// Hidden units of the perceptron over positions.
    pub fc: usize,
    /// ω: weight of the cosine distance against the mean squared error.
    pub cosine_weight: f64,
    /// Rate of epoch 0.
    pub learning_rate: f64,
    /// L2 penalty.
    pub weight_decay: f32,
    /// Epochs of the second phase; the published run has one phase.
    pub phase2_epochs: usize,
}

impl Default for ResnetMapperConfig {
    fn default() -> Self {
        Self {
            vector: ResnetVector::ChannelAverage,
            num_down: 2,
            fc: 256,
            cosine_weight: 0.8515,
            learning_rate: 2.26e-4,
            weight_decay: 7.47e-5,
            phase2_epochs: 0,
        }
    }
}

/// Network, targets and training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainMapperConfig {
    /// Which caption of an image a caption mapper aims at.
    pub caption_choice: CaptionChoice,
    /// Augmentation of the images that an image mapper aims at.
    pub augment: AugmentConfig,
    /// Clamp θ of the embeddings; 0: none. Paper's code: 1.5.
    pub clamp: f32,
    /// Scaling after the clamp; the paper's is unit norm.
    pub scaling: TargetScaling,
    /// Sizes of the network.
    pub network: MapperSizes,
    /// What is different for a ResNet mapper.
    pub resnet: ResnetMapperConfig,
    /// Losses, phases, optimiser, seed.
    pub train: MapperTrainConfig,
}

impl Default for TrainMapperConfig {
    fn default() -> Self {
        Self {
            caption_choice: CaptionChoice::Random,
            augment: AugmentConfig::default(),
            clamp: DEFAULT_THRESHOLD,
            scaling: TargetScaling::UnitNorm,
            network: MapperSizes::default(),
            resnet: ResnetMapperConfig::default(),
            train: MapperTrainConfig::default(),
        }
    }
}

impl TrainMapperConfig {
    /// The settings that decide a run's numbers: all but the time between its checkpoints.
    pub(crate) fn identity(&self) -> serde_json::Result<Value> {
        let mut settings = serde_json::to_value(self)?;
        if let Some(train) = settings["train"].as_object_mut() {
            // Not `remove`, which would change the order of the others.
            train.shift_remove("checkpoint_every_minutes");
        }
        Ok(settings)
    }

    /// What holds for `target`: a ResNet mapper's constants, vectors of 0..1 left as they are.
    pub(crate) fn for_target(&self, target: MapperTarget) -> Self {
        let mut config = self.clone();
        if target == MapperTarget::Resnet {
            let ResnetMapperConfig {
                num_down,
                fc,
                cosine_weight,
                learning_rate,
                weight_decay,
                phase2_epochs,
                ..
            } = self.resnet;
            (config.network.num_down, config.network.fc) = (num_down, fc);
            (config.clamp, config.scaling) = (0.0, TargetScaling::None);
            config.train.cosine_weight = cosine_weight;
            config.train.optimiser.learning_rate = learning_rate;
            config.train.optimiser.weight_decay = weight_decay;
            config.train.phase2.epochs = phase2_epochs;
        }
        config
    }
}

/// Everything that a run needs.
#[derive(Clone, Debug, Serialize)]
pub struct TrainMapperSettings {
    /// What to predict.
    pub target: MapperTarget,
    /// Whose betas.
    pub subject: SubjectId,
    /// Prepared subject.
    pub prepared: PathBuf,
    /// `nsd_stimuli.hdf5`; read for images only.
    pub stimuli: PathBuf,
    /// Vetted captions of `screen-captions`; read for captions only.
    pub captions: PathBuf,
    /// Snapshot of the network that makes the targets: CLIP, or ResNet-50 for [`MapperTarget::Resnet`].
    pub target_network: PathBuf,
    /// Folder of cached embeddings.
    pub cache: PathBuf,
    /// Folder of the runs.
    pub runs: PathBuf,
    /// Checkpoint to continue from, in its own folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resume: Option<PathBuf>,
    /// Mapper to start from, in place of random weights.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init_from: Option<PathBuf>,
    /// Where to compute.
    pub device: DeviceChoice,
    /// Control experiment.
    pub betas: BetasControl,
    /// Which trials belong to training and validation.
    pub split: SplitConfig,
    /// Network, targets and training.
    pub mapper: TrainMapperConfig,
}

impl TrainMapperSettings {
    /// Settings of the command in a project.
    ///
    /// # Errors
    /// When the NSD root is not set or the network of the targets is not there.
    pub fn resolve(
        project: &Project,
        train_mapper: &TrainMapperConfig,
        target: MapperTarget,
        betas: BetasControl,
        resume: Option<PathBuf>,
    ) -> Result<Self, RunError> {
        Ok(Self {
            target,
            subject: project.subject,
            prepared: project.prepared(),
            stimuli: NsdTree::new(project.nsd()?).stimuli(),
            captions: project.captions(),
            target_network: match target {
                MapperTarget::Image | MapperTarget::Caption => project.clip()?,
                MapperTarget::Resnet => project.resnet()?,
            },
            cache: project.cache(),
            runs: project.runs(),
            resume,
            init_from: None,
            device: project.device,
            betas,
            split: project.split.clone(),
            mapper: train_mapper.clone(),
        })
    }
}

/// What `train-mapper` found.
#[derive(Clone, Debug, Serialize, Deserialize)]
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
    if subject.subject() != settings.subject {
        let expected = format!("{} as configured", settings.subject);
        return Err(DataError::invalid(subject.path(), "subject", expected, subject.subject()).into());
    }
    let split = settings.split.split(&subject)?;
    for (part, trials, way) in
        [("training", &split.train, "raise"), ("validation", &split.validation, "lower")]
    {
        if trials.is_empty() {
            let what = format!("the {part} part of `{}`", settings.prepared.display());
            return Err(DataError::empty(what, format!("{way} `train_fraction`")).into());
        }
    }
    let config = &settings.mapper.for_target(settings.target);
    config.augment.validate()?;
    config.train.validate(split.train.len())?;
    if let Some(checkpoint) = settings.resume.as_ref().filter(|checkpoint| !checkpoint.is_file()) {
        return Err(RunError::missing(checkpoint, "`--resume`").into());
    }
    let signal_len = padded_len(subject.num_voxels(), subject.subject());
    let left = padding_left(subject.num_voxels(), signal_len);
    // All complaints before the targets: those of a whole subject take a while.
    let betas = padded_betas(&subject, signal_len, left, &row_order(settings, &subject))?;
    let mut bench = Workbench::new(&device, &settings.cache, progress);
    let (mut rows, clip, network_sha256) = match settings.target {
        MapperTarget::Image => {
            let RawTargets { rows, clip } = image_embeddings(settings, &subject, &mut bench)?;
            let sha256 = clip.sha256.clone();
            (rows, Some(clip), sha256)
        }
        MapperTarget::Caption => {
            let RawTargets { rows, clip } = caption_embeddings(settings, &subject, &mut bench)?;
            (rows, None, clip.sha256)
        }
        MapperTarget::Resnet => {
            let (rows, sha256) = resnet_vectors(settings, &subject, &mut bench)?;
            (rows, None, sha256)
        }
    };
    let augmented = match clip.filter(|_| config.augment.probability > 0.0) {
        Some(clip) => {
            let (augment, seed) = (config.augment.clone(), config.train.seed);
            Some(AugmentedStimuli::open(&settings.stimuli, clip, augment, seed, device.clone())?)
        }
        None => None,
    };
    let views = Views { images: subject.trials().iter().map(|trial| trial.nsd_id).collect() };
    if let Some(augmented) = augmented.as_ref().filter(|_| config.augment.validation) {
        let embeddings = augmented.embed("augment validation", &views.of(0, &split.validation))?;
        rows.replace(&split.validation, &embeddings)?;
    }
    let TargetRows { embeddings, rows_of_image, image_of_trial } = rows;
    let choice = match settings.target {
        MapperTarget::Image | MapperTarget::Resnet => CaptionChoice::First,
        MapperTarget::Caption => config.caption_choice,
    };
    let scale = TargetScale { clamp: config.clamp, scaling: config.scaling };
    let targets = EmbeddingTargets::new(&embeddings, &rows_of_image, &image_of_trial, choice, scale);
    let MapperSizes { num_down, num_blocks, hidden, fc } = config.network;
    let embed_dim = targets.embed_dim();
    let sigmoid = settings.target == MapperTarget::Resnet;
    let network = MapperConfig { signal_len, num_down, num_blocks, hidden, fc, embed_dim, sigmoid };
    let snapshot_config = MapperSnapshot {
        network,
        target: settings.target,
        num_voxels: subject.num_voxels(),
        padding_left: left,
        subject: subject.subject().to_string(),
        roi: subject.provenance().selection.join(" + "),
        clip_sha256: network_sha256,
    };
    let network = match &settings.init_from {
        Some(path) => open_mapper(path, &snapshot_config.network, &device)?,
        None => snapshot_config.network.init::<Diff>(config.train.seed, &device)?,
    };
    let num_parameters = network.num_params();

    let dir = run_dir(settings, &subject)?;
    let image_ids: Vec<u64> = subject.trials().iter().map(|trial| u64::from(trial.nsd_id.0)).collect();
    let trials = MapperTrials {
        betas: &betas,
        targets: &targets,
        fresh_targets: None,
        train: &split.train,
        validation: &split.validation,
        image_ids: &image_ids,
        config: &config.train,
        device: &device,
    };
    let identity = json!({
        "mapper": config.identity()?,
        "data": snapshot_config,
        "num_trials": subject.num_trials(),
        "betas": settings.betas,
        "split": settings.split,
    });
    let training = MapperTraining {
        trials,
        snapshot_config: &snapshot_config,
        identity: &identity,
        run: &dir,
        interrupted: &interrupt::requested,
    };
    let resume = settings.resume.as_deref();
    let outcome = match augmented {
        Some(augmented) => std::thread::scope(|scope| {
            let make = move |batch: &TargetBatch| {
                let mut embeddings = augmented.embed("augment", &views.of(batch.epoch, &batch.trials))?;
                scale.apply(&mut embeddings);
                Ok(embeddings)
            };
            let queue = TargetQueue::start(scope, make)?;
            let trials = trials.with_fresh_targets(&queue);
            MapperTraining { trials, ..training }.run(network, resume, progress)
        }),
        None => training.run(network, resume, progress),
    }
    .map_err(cause)?;
    let best = outcome.best.valid();
    let shown = plots::shown_trials(&split.validation);
    let (predicted, target) = trials.predicted_and_true(&best, &shown).map_err(cause)?;
    plots::write(&dir, &shown, &predicted, &target)?;
    let summary = TrainMapperSummary {
        run_dir: dir.path().to_path_buf(),
        snapshot: dir.join(BEST_FILE),
        target: settings.target,
        num_train_trials: split.train.len(),
        num_validation_trials: split.validation.len(),
        num_parameters,
        phases: outcome.phases,
        retrieval: trials.evaluate(&best).map_err(cause)?,
        seconds: started.elapsed().as_secs_f64(),
    };
    dir.write_atomic("summary.json", &serde_json::to_vec_pretty(&summary)?)?;
    Ok(summary)
}

/// The weights of a mapper of exactly these sizes.
fn open_mapper(path: &Path, sizes: &MapperConfig, device: &Device) -> anyhow::Result<Mapper<Diff>> {
    let snapshot = Snapshot::open(path, MAPPER_KIND)?;
    let found = snapshot.config::<MapperSnapshot>()?.network;
    if found != *sizes {
        let expected = format!("that of this run, {}", serde_json::to_string(sizes)?);
        return Err(RunError::invalid(path, "network", expected, serde_json::to_string(&found)?).into());
    }
    Ok(snapshot.load_into(sizes.init::<Diff>(0, device)?)?)
}

/// The images of all trials; in every epoch each is augmented in another way.
struct Views {
    images: Vec<NsdId>,
}

impl Views {
    /// What trials show in an epoch, with the positions that key how it is augmented.
    fn of(&self, epoch: usize, trials: &[usize]) -> Vec<(NsdId, u64)> {
        let position = |trial: usize| epoch as u64 * self.images.len() as u64 + trial as u64;
        trials.iter().map(|trial| (self.images[*trial], position(*trial))).collect()
    }
}

/// The cause itself where the trainer only passes it on, so that a caller can see of what kind it is.
fn cause(error: MapperTrainError) -> anyhow::Error {
    match error {
        MapperTrainError::Frame(TrainError::Interrupted(interrupted)) => interrupted.into(),
        MapperTrainError::Run(error) | MapperTrainError::Frame(TrainError::Run(error)) => error.into(),
        MapperTrainError::Data(error) => error.into(),
        other => other.into(),
    }
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
    let name = format!("train-mapper-{}-{}{control}", settings.target, subject.subject());
    let dir = RunDir::create(&settings.runs, &name)?;
    dir.write_atomic("config.toml", toml::to_string(settings)?.as_bytes())?;
    Ok(dir)
}

/// The row of betas that each trial gets.
fn row_order(settings: &TrainMapperSettings, subject: &PreparedSubject) -> Vec<usize> {
    let mut rows: Vec<usize> = (0..subject.num_trials()).collect();
    if settings.betas == BetasControl::Shuffled {
        rows.shuffle(&mut keyed_rng(settings.mapper.train.seed, "shuffle betas", 0));
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

pub(crate) mod plots;
#[cfg(test)]
pub(crate) mod tests;
