//! What a run of `train-mapper` reads: betas, split, targets.

use std::collections::BTreeMap;

use ndarray::Array2;

use super::config::{MapperSizes, TrainMapperConfig};
use super::settings::TrainMapperSettings;
use crate::data::error::DataError;
use crate::data::padding::{padded_len, padding_left};
use crate::data::prepared::PreparedSubject;
use crate::data::split::tuning::TuningImages;
use crate::data::split::{Side, Split};
use crate::error::SettingError;
use crate::files::file_is_there;
use crate::models::mapper::{MapperConfig, MapperKind, MapperSnapshot, MapperTarget};
use crate::pipelines::mapper_betas::{padded_betas, require_variation};
use crate::pipelines::run_folder::{Content, ContentHash, file_sha256, photographs_sha256};
use crate::pipelines::targets::augmented_stimuli::AugmentedStimuli;
use crate::pipelines::targets::captioned_stimuli::distinct_images;
use crate::pipelines::targets::fresh_targets::FreshTargets;
use crate::pipelines::targets::rows::TargetNetwork;
use crate::pipelines::workbench::Workbench;
use crate::run::device::DeviceChoice;
use crate::run::error::RunError;
use crate::run::memory::Need;
use crate::tensor_ops::backend::Device;
use crate::training::decoder::trials::DecoderTrials;
use crate::training::mapper::targets::{CaptionChoice, EmbeddingTargets};
use crate::training::mapper::trials::MapperTrials;

/// One row per image leaves nothing to draw.
const ANY_SEED: u64 = 0;

/// Keys of sizes that decide the memory.
fn memory_keys(kind: MapperKind) -> [&'static str; 2] {
    match kind {
        MapperKind::Paper => ["train_mapper.network", "train_mapper.train.phase2.batch"],
        MapperKind::Residual => ["train_mapper.residual.hidden", "train_mapper.residual.batch"],
        // What these hold is decided by trials and voxels.
        MapperKind::Ridge | MapperKind::KernelRidge => ["train_mapper.kind", "train_mapper.kind"],
    }
}

/// Length of what the network reads: the paper's has zeros around the voxels.
fn signal_len(config: &TrainMapperConfig, subject: &PreparedSubject) -> usize {
    match config.kind {
        MapperKind::Paper => padded_len(subject.num_voxels(), subject.subject()),
        _ => subject.num_voxels(),
    }
}

/// The least that the training holds.
fn need(config: &TrainMapperConfig, signal_len: usize, num_train: usize) -> Need {
    let (trials, voxels) = (num_train as u128, signal_len as u128);
    match config.kind {
        MapperKind::Paper => {}
        // The rows once more, and two square matrices of the smaller side in double precision.
        MapperKind::Ridge => {
            let side = trials.min(voxels);
            return Need { images: 4 * trials * voxels + 2 * 8 * side * side, ..Need::default() };
        }
        MapperKind::KernelRidge => {
            return Need { images: 4 * trials * voxels + 2 * 8 * trials * trials, ..Need::default() };
        }
        MapperKind::Residual => {
            let sizes = config.residual.network([signal_len, 1]);
            let activations = config.residual.batch as u128 * sizes.least_activations();
            return Need { parameters: sizes.least_values(), activations, images: 4 * trials * voxels };
        }
    }
    let MapperSizes { num_down, num_blocks, hidden, fc } = config.network;
    // The width of the embedding is the target's, which is not read yet.
    let network = MapperConfig { signal_len, num_down, num_blocks, hidden, fc, embed_dim: 1, sigmoid: false };
    let phases = (0..2).map(|phase| config.train.phase(phase)).filter(|phase| phase.epochs > 0);
    let batch = phases.map(|phase| phase.batch).max().unwrap_or(0);
    let activations = batch as u128 * network.least_activations();
    Need { parameters: network.least_values(), activations, images: 0 }
}

/// Bytes that the training holds at least; none where the prepared subject cannot be read.
pub fn least_memory(settings: &TrainMapperSettings) -> Option<u128> {
    let subject = PreparedSubject::open(&settings.prepared).ok()?;
    let num_train = settings.split.split(&subject).ok()?.train.len();
    let config = settings.mapper.for_target(settings.target);
    Some(need(&config, signal_len(&config, &subject), num_train).least_bytes())
}

/// Everything that is read before the first network; whatever is wrong with it shows at once.
pub(super) struct Inputs {
    pub subject: PreparedSubject,
    pub split: Split,
    /// What holds for the target.
    pub config: TrainMapperConfig,
    /// `[trials, signal_len]`, padded for the paper's network.
    pub betas: Array2<f32>,
    padding_left: usize,
    /// NSD image of every trial.
    pub image_ids: Vec<u64>,
}

/// What the mapper aims at.
pub(super) struct MapperTargets {
    /// For every trial.
    pub finished: EmbeddingTargets,
    /// One per image, for what is fitted once to all trials: of several captions their mean.
    pub single: EmbeddingTargets,
    /// For training, made anew in every epoch in place of those.
    pub fresh: Option<FreshTargets>,
    network_sha256: String,
}

impl MapperTargets {
    /// One target per trial, none of them drawn: `[trials, embed_dim]`.
    pub fn of_trials(&self) -> Array2<f32> {
        let single = &self.single;
        let mut rows = Array2::zeros((single.num_trials(), single.embed_dim()));
        for (trial, mut row) in rows.rows_mut().into_iter().enumerate() {
            row.assign(&single.validation(trial, ANY_SEED));
        }
        rows
    }

    /// One target per image, in the order of their first trials, `[images, embed_dim]`, and the row of every trial's image.
    pub fn of_images(&self, image_ids: &[u64]) -> (Array2<f32>, Vec<usize>) {
        let mut row_of_image = BTreeMap::new();
        let mut first_trials = Vec::new();
        let mut image_of_trial = Vec::with_capacity(image_ids.len());
        for (trial, image) in image_ids.iter().enumerate() {
            let row = *row_of_image.entry(*image).or_insert_with(|| {
                first_trials.push(trial);
                first_trials.len() - 1
            });
            image_of_trial.push(row);
        }
        let mut rows = Array2::zeros((first_trials.len(), self.single.embed_dim()));
        for (trial, mut row) in first_trials.iter().zip(rows.rows_mut()) {
            row.assign(&self.single.validation(*trial, ANY_SEED));
        }
        (rows, image_of_trial)
    }
}

impl Inputs {
    /// Reads the betas and checks the settings.
    ///
    /// # Errors
    /// Another subject than the configured one, an empty part of the split, settings out of range, betas that are not
    /// finite, a checkpoint that is not there.
    pub fn open(settings: &TrainMapperSettings) -> crate::error::Result<Self> {
        let subject = open_subject(settings)?;
        let split = whole_split(settings, &subject)?;
        match &settings.resume {
            Some(checkpoint) if !file_is_there(checkpoint)? => {
                return Err(RunError::missing(checkpoint, "`--resume`").into());
            }
            _ => {}
        }
        Self::of_split(settings, subject, split)
    }

    /// The same of a split that is not the configured one.
    ///
    /// # Errors
    /// As [`Inputs::open`].
    pub fn of_split(
        settings: &TrainMapperSettings,
        subject: PreparedSubject,
        split: Split,
    ) -> crate::error::Result<Self> {
        let config = settings.mapper.for_target(settings.target);
        require(&config, &subject, split.train.len(), settings.device)?;
        let signal_len = signal_len(&config, &subject);
        let padding_left = match config.kind {
            MapperKind::Paper => padding_left(subject.num_voxels(), signal_len),
            _ => 0,
        };
        let order = settings.betas.order(subject.num_trials(), settings.mapper.train.seed);
        let betas = padded_betas(&subject, &order, signal_len, padding_left)?;
        require_variation(subject.path(), betas.view(), &split.train)?;
        let image_ids = subject.trials().iter().map(|trial| u64::from(trial.nsd_id.0)).collect();
        Ok(Self { subject, split, config, betas, padding_left, image_ids })
    }

    /// Computes or finds the targets of all trials.
    ///
    /// # Errors
    /// Images, captions or networks that are missing or do not fit; a cache that cannot be written.
    pub fn targets(
        &self,
        settings: &TrainMapperSettings,
        bench: &mut Workbench<'_>,
    ) -> crate::error::Result<MapperTargets> {
        let source = settings.target_source();
        let mut raw = source.raw_targets(&self.subject, bench)?;
        let network_sha256 = raw.network.sha256().to_string();
        let fresh = self.fresh_targets(settings, raw.network, bench.device)?;
        if let Some(fresh) = fresh.as_ref().filter(|_| self.config.augment.validation) {
            let validation = &self.split.validation;
            raw.rows.replace(validation, &fresh.validation(validation)?)?;
        }
        let finished = raw.rows.finished(&source, source.form.choice());
        let single = match settings.target {
            MapperTarget::Image | MapperTarget::Resnet => finished.clone(),
            MapperTarget::Caption => raw.rows.finished(&source, CaptionChoice::Mean),
        };
        Ok(MapperTargets { finished, single, fresh, network_sha256 })
    }

    /// Embeddings of augmented images, where the settings want them.
    fn fresh_targets(
        &self,
        settings: &TrainMapperSettings,
        network: TargetNetwork,
        device: &Device,
    ) -> Result<Option<FreshTargets>, DataError> {
        let TrainMapperConfig { augment, train, .. } = &self.config;
        let is_wanted = settings.target == MapperTarget::Image && augment.probability > 0.0;
        let TargetNetwork::Clip(clip) = network else { return Ok(None) };
        if !is_wanted {
            return Ok(None);
        }
        let stimuli =
            AugmentedStimuli::open(&settings.stimuli, *clip, augment.clone(), train.seed, device.clone())?;
        let images = self.subject.trials().iter().map(|trial| trial.nsd_id).collect();
        let scale = self.config.target_form(settings.target).scale;
        Ok(Some(FreshTargets { stimuli, images, scale }))
    }

    /// Sizes of the paper's network for these data.
    pub fn papers_sizes(&self, target: MapperTarget, targets: &MapperTargets) -> MapperConfig {
        let MapperSizes { num_down, num_blocks, hidden, fc } = self.config.network;
        MapperConfig {
            signal_len: self.betas.ncols(),
            num_down,
            num_blocks,
            hidden,
            fc,
            embed_dim: targets.finished.embed_dim(),
            sigmoid: target == MapperTarget::Resnet,
        }
    }

    /// The voxels that were asked for.
    fn regions(&self) -> String {
        self.subject.provenance().selection.join(" + ")
    }

    /// Data of the network to fit, and its sizes.
    pub fn snapshot<Network>(
        &self,
        target: MapperTarget,
        targets: &MapperTargets,
        network: Network,
    ) -> MapperSnapshot<Network> {
        MapperSnapshot {
            network,
            target,
            num_voxels: self.subject.num_voxels(),
            padding_left: self.padding_left,
            subject: self.subject.subject().to_string(),
            roi: self.regions(),
            voxels_sha256: Some(self.subject.voxels_sha256()),
            target_network_sha256: targets.network_sha256.clone(),
        }
    }

    /// What the run is begun with, and must be continued with.
    ///
    /// # Errors
    /// Captions or images that cannot be read.
    pub fn content(
        &self,
        settings: &TrainMapperSettings,
        targets: &MapperTargets,
    ) -> crate::error::Result<Content> {
        let mut split = ContentHash::default();
        split.places(self.split.train.iter().copied());
        split.places(self.split.validation.iter().copied());
        split.places(self.image_ids.iter().map(|image| *image as usize));
        let content = Content::default()
            .told("kind", self.config.kind)
            .told("target", settings.target)
            .told("subject", self.subject.subject())
            .told("regions", self.regions())
            .told("betas", settings.betas)
            .told("split", &settings.split)
            .with("betas", ContentHash::of_array(&self.betas))
            .with("network of the targets", &targets.network_sha256)
            .with("trials and images of the split", split.finish());
        Ok(match settings.target {
            MapperTarget::Caption => {
                content.with("captions", file_sha256(&settings.captions, "the targets of a caption mapper")?)
            }
            MapperTarget::Image | MapperTarget::Resnet => {
                let images = distinct_images(self.subject.trials().iter().copied());
                content.with("photographs", photographs_sha256(&settings.stimuli, &images)?)
            }
        })
    }

    /// What decoders of one target per image are fitted to; the pair is what [`MapperTargets::of_images`] gives.
    pub fn decoder_trials<'a>(
        &'a self,
        (targets, image_of_trial): &'a (Array2<f32>, Vec<usize>),
    ) -> DecoderTrials<'a> {
        let tuning = TuningImages::of(&self.subject);
        DecoderTrials { betas: &self.betas, targets, image_of_trial, train: &self.split.train, tuning }
    }

    /// What the training reads: these betas and `targets`.
    pub fn trials<'a>(&'a self, targets: &'a EmbeddingTargets, device: &'a Device) -> MapperTrials<'a> {
        MapperTrials {
            betas: &self.betas,
            targets,
            fresh_targets: None,
            train: &self.split.train,
            validation: &self.split.validation,
            image_ids: &self.image_ids,
            config: &self.config.train,
            device,
        }
    }
}

/// The prepared file, if it is of the subject that is meant.
fn open_subject(settings: &TrainMapperSettings) -> Result<PreparedSubject, DataError> {
    let subject = PreparedSubject::open(&settings.prepared)?;
    if subject.subject() != settings.subject {
        let expected = format!("{} as configured", settings.subject);
        return Err(DataError::invalid(subject.path(), "subject", expected, subject.subject()));
    }
    Ok(subject)
}

/// Refuses settings out of range, and sizes that cannot fit into memory; `config` is what holds for the target.
///
/// # Errors
/// [`SettingError`] that names the key.
pub(super) fn require(
    config: &TrainMapperConfig,
    subject: &PreparedSubject,
    num_train: usize,
    device: DeviceChoice,
) -> Result<(), SettingError> {
    match config.kind {
        MapperKind::Paper => config.validate(num_train)?,
        _ => config.check_ranges()?,
    }
    need(config, signal_len(config, subject), num_train).check(memory_keys(config.kind), device)
}

/// The split, with trials on both sides.
fn whole_split(settings: &TrainMapperSettings, subject: &PreparedSubject) -> Result<Split, DataError> {
    let split = settings.split.split(subject)?;
    for (part, trials, side) in
        [("training", &split.train, Side::Training), ("validation", &split.validation, Side::Validation)]
    {
        if trials.is_empty() {
            let what = format!("the {part} part of `{}`", settings.prepared.display());
            return Err(DataError::empty(what, settings.split.advice_for(side)));
        }
    }
    Ok(split)
}
