//! `mindreader pretrain-clip`: stimuli and captions → a small CLIP of their own.
//!
//! By default only images of the subject's training part are used, so that the joint space never saw a held-out
//! stimulus; of those, some photographs are set aside for evaluation and the choice of the snapshot.
//! Writes `config.toml`, `metrics.jsonl`, `checkpoint.mpk`, `best.safetensors` and `summary.json`.

#[cfg(test)]
mod tests;
use crate::error::Context;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::data::error::DataError;
use crate::data::prepared::PreparedSubject;
use crate::data::split::SplitConfig;
use crate::data::trial::NsdId;
use crate::error::SettingError;
use crate::interrupt;
use crate::models::clip::ClipConfig;
use crate::models::clip::tokenizer::Tokenizer;
use crate::pipelines::held_out_photographs::{HeldOut, check_held_out_fraction};
use crate::pipelines::project::Project;
use crate::pipelines::run_folder::{Content, ContentHash, RunPlace};
use crate::pipelines::targets::captioned_stimuli::{CaptionedStimuli, distinct_images};
use crate::run::device::{self, DeviceChoice};
use crate::run::error::RunError;
use crate::run::memory::Need;
use crate::run::progress::Progress;
use crate::run::run_dir::SUMMARY_FILE;
use crate::training::clip::captioned_images::CaptionedImages;
use crate::training::clip::config::ClipTrainConfig;
use crate::training::clip::evaluation::ClipEvaluation;
use crate::training::clip::training::ClipTraining;

/// Which of the subject's images are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ImageChoice {
    /// Those of training trials: decoding is then tested on images that CLIP never saw.
    #[default]
    Train,
    /// All that the subject saw.
    All,
}

/// Which images, which network, how trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PretrainClipConfig {
    /// Which images.
    pub images: ImageChoice,
    /// Share of the photographs set aside for evaluation, in (0, 1).
    pub held_out_fraction: f64,
    /// Sizes of the network.
    pub network: ClipConfig,
    /// How it is trained.
    pub train: ClipTrainConfig,
}

impl Default for PretrainClipConfig {
    fn default() -> Self {
        Self {
            images: ImageChoice::Train,
            held_out_fraction: 0.1,
            network: ClipConfig::default(),
            train: ClipTrainConfig::default(),
        }
    }
}

impl PretrainClipConfig {
    /// Checks every range.
    ///
    /// # Errors
    /// [`SettingError`] that names the first key out of range.
    pub fn validate(&self) -> Result<(), SettingError> {
        let check = || {
            check_held_out_fraction(self.held_out_fraction)?;
            self.network.validate().map_err(|error| error.within("network"))?;
            self.train.validate().map_err(|error| error.within("train"))
        };
        check().map_err(|error| error.within("pretrain_clip"))
    }
}

/// Everything that a run needs.
#[derive(Clone, Debug, Serialize)]
pub struct PretrainClipSettings {
    /// Root of the NSD tree: images, stimulus table, captions.
    pub nsd: PathBuf,
    /// Prepared subject: which images were seen.
    pub prepared: PathBuf,
    /// Which trials belong to training and validation.
    pub split: SplitConfig,
    /// Which images, which network, how trained.
    pub pretrain_clip: PretrainClipConfig,
    /// Where to compute.
    pub device: DeviceChoice,
    /// Folder of the runs.
    pub runs: PathBuf,
    /// Checkpoint to continue from.
    pub resume: Option<PathBuf>,
}

impl PretrainClipSettings {
    /// Settings of the command in a project.
    ///
    /// # Errors
    /// When the NSD root is not set.
    pub fn resolve(
        project: &Project,
        pretrain_clip: &PretrainClipConfig,
        resume: Option<PathBuf>,
    ) -> Result<Self, RunError> {
        Ok(Self {
            nsd: project.nsd()?,
            prepared: project.prepared(),
            split: project.split.clone(),
            pretrain_clip: pretrain_clip.clone(),
            device: project.device,
            runs: project.runs(),
            resume,
        })
    }
}

/// What came out.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PretrainClipSummary {
    /// The run's folder.
    pub run: PathBuf,
    /// The snapshot with the lowest held-out loss.
    pub snapshot: PathBuf,
    /// Images trained on.
    pub train_images: usize,
    /// Photographs trained on.
    pub train_photographs: usize,
    /// Images set aside.
    pub held_out_images: usize,
    /// Optimiser steps.
    pub steps: u64,
    /// Mean training loss of the last epoch, in nats.
    pub train_loss: f64,
    /// Epoch of the snapshot, from 1.
    pub best_epoch: u64,
    /// The snapshot's figures on the images set aside.
    pub held_out: ClipEvaluation,
}

/// Runs the command.
///
/// # Errors
/// When an input is missing or does not fit, a setting is out of range, or the run is interrupted.
pub fn run(
    settings: &PretrainClipSettings,
    progress: &mut dyn Progress,
) -> crate::error::Result<PretrainClipSummary> {
    let config = &settings.pretrain_clip;
    config.validate()?;
    let (device, _) = device::open(settings.device)?;
    let prepared = PreparedSubject::open(&settings.prepared)?;
    need(config, distinct_images(prepared.trials().iter().copied()).len())
        .check(MEMORY_KEYS, settings.device)?;
    let [train, held_out] = read_images(settings, &prepared, progress)?;

    let description = format!("pretrain-clip-{}", prepared.subject());
    let PretrainClipSettings { resume, runs, .. } = settings;
    let place = RunPlace { resume: resume.as_deref(), runs, description: &description };
    let run = place.open(settings, &content([&train, &held_out]))?;
    let provenance = serde_json::to_value(TrainedOn {
        subject: prepared.subject().to_string(),
        images: config.images,
        split: &settings.split,
        train_images: train.len(),
        held_out_images: held_out.len(),
    })?;
    let training = ClipTraining {
        network: &config.network,
        config: &config.train,
        train: &train,
        held_out: &held_out,
        run: &run,
        provenance: &provenance,
        device: &device,
        interrupted: &interrupt::requested,
    };
    let trained = training.run(resume.as_deref(), progress)?;
    let summary = PretrainClipSummary {
        run: run.path().to_path_buf(),
        snapshot: trained.snapshot,
        train_images: train.len(),
        train_photographs: train.images_by_group().len(),
        held_out_images: held_out.len(),
        steps: trained.steps,
        train_loss: trained.train_loss,
        best_epoch: trained.best_epoch,
        held_out: trained.best,
    };
    run.write_atomic(SUMMARY_FILE, &serde_json::to_vec_pretty(&summary)?)?;
    Ok(summary)
}

/// What a snapshot's provenance says of the images.
#[derive(Serialize)]
struct TrainedOn<'a> {
    subject: String,
    images: ImageChoice,
    split: &'a SplitConfig,
    train_images: usize,
    held_out_images: usize,
}

/// Captioned images to train on and those set aside.
/// Keys of sizes that decide the memory.
const MEMORY_KEYS: [&str; 2] = ["pretrain_clip.network", "pretrain_clip.train.batch_size"];

/// The least that the training holds.
fn need(config: &PretrainClipConfig, num_images: usize) -> Need {
    let PretrainClipConfig { network, train, .. } = config;
    let side = train.augment.working_side(network.image_size) as u128;
    Need {
        parameters: network.least_values(),
        activations: train.batch_size.min(num_images) as u128 * network.least_activations(),
        images: num_images as u128 * 3 * side * side,
    }
}

/// Bytes that the training holds at least; none where the prepared subject cannot be read.
pub(super) fn least_memory(settings: &PretrainClipSettings) -> Option<u128> {
    let prepared = PreparedSubject::open(&settings.prepared).ok()?;
    let num_images = distinct_images(prepared.trials().iter().copied()).len();
    Some(need(&settings.pretrain_clip, num_images).least_bytes())
}

fn read_images(
    settings: &PretrainClipSettings,
    prepared: &PreparedSubject,
    progress: &mut dyn Progress,
) -> crate::error::Result<[CaptionedImages; 2]> {
    let PretrainClipConfig { network, train, held_out_fraction, .. } = &settings.pretrain_clip;
    let stimuli = CaptionedStimuli::open(&settings.nsd)?;
    let images = chosen_images(prepared, settings)?;
    let photographs = images.iter().map(|image| stimuli.photograph(*image)).collect::<Result<Vec<_>, _>>()?;
    let held_out = HeldOut { fraction: *held_out_fraction, seed: train.seed, purpose: "clip held out" }
        .of(&photographs)?;
    let tokenizer = Tokenizer::new(network.context_length, train.long_captions);
    let size = network.image_size;
    let mut sets = [CaptionedImages::new(train.augment.working_side(size)), CaptionedImages::new(size)];
    progress.start("reading images", images.len() as u64);
    for (done, (image, photograph)) in images.iter().zip(&photographs).enumerate() {
        let set = usize::from(held_out.binary_search(photograph).is_ok());
        let (pixels, captions) = (stimuli.image(*image)?, stimuli.captions(*image)?);
        sets[set]
            .push(&image.to_string(), &pixels, captions, photograph.0, &tokenizer)
            .context(format!("captions in `{}`", stimuli.annotations().display()))?;
        interrupt::check()?;
        progress.advance(done as u64 + 1, "");
    }
    progress.finish("");
    Ok(sets)
}

/// What the run is begun with, and must be continued with: images and captions, trained on and set aside.
fn content(sets: [&CaptionedImages; 2]) -> Content {
    let (mut photographs, mut captions) = (ContentHash::default(), ContentHash::default());
    for images in sets {
        photographs.places([images.len(), images.side()]);
        for image in 0..images.len() {
            photographs.bytes(images.pixels_u8_hwc(image));
            for tokens in images.captions(image) {
                captions.places(tokens.iter().map(|token| *token as usize));
            }
        }
        images.images_by_group().into_iter().for_each(|group| photographs.places(group));
    }
    Content::default().with("photographs", photographs.finish()).with("captions", captions.finish())
}

fn chosen_images(
    prepared: &PreparedSubject,
    settings: &PretrainClipSettings,
) -> Result<Vec<NsdId>, DataError> {
    let trials = prepared.trials();
    Ok(match settings.pretrain_clip.images {
        ImageChoice::All => distinct_images(trials.iter().copied()),
        ImageChoice::Train => {
            let split = settings.split.split(prepared)?;
            distinct_images(split.train.iter().map(|trial| trials[*trial]))
        }
    })
}
