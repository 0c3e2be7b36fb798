//! `mindreader config`: every setting of every command, in layers: which keys there are and which share a value.

use serde::{Deserialize, Serialize};

use super::encode::EncodeConfig;
use super::evaluate::EvaluateConfig;
use super::evaluate_images::EvaluateImagesConfig;
use super::finetune_gan::FinetuneGanConfig;
use super::microstim::MicrostimConfig;
use super::prepare::PrepareConfig;
use super::pretrain_classifier::PretrainClassifierConfig;
use super::pretrain_clip::PretrainClipConfig;
use super::pretrain_gan::PretrainGanConfig;
use super::reconstruct::ReconstructConfig;
use super::screen_captions::ScreenCaptionsConfig;
use super::train_mapper::TrainMapperConfig;
use crate::data::split::SplitConfig;
use crate::data::subject::{Resolution, SubjectId};
use crate::phantom::PhantomConfig;
use crate::pipelines::project::{Project, ProjectPaths};
use crate::run::device::DeviceChoice;
use crate::run::precision::Precision;

/// Every setting of every command. A section is named like its command.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProjectConfig {
    /// NSD subject, 1 to 8.
    pub subject: SubjectId,
    /// Functional volumes.
    pub resolution: Resolution,
    /// Decides everything that chance decides; sections may have their own.
    pub seed: u64,
    /// Where to compute.
    pub device: DeviceChoice,
    /// Number format in which `reconstruct` and `microstim` apply the networks: `f32`, or `f16` on a GPU.
    pub precision: Precision,
    /// Where files are.
    pub paths: ProjectPaths,
    /// Which trials train, which validate.
    pub split: SplitConfig,
    /// The synthetic subject.
    pub phantom: PhantomConfig,
    /// Voxels and scaling.
    pub prepare: PrepareConfig,
    /// A CLIP of one's own.
    pub pretrain_clip: PretrainClipConfig,
    /// A judge of pictures.
    pub pretrain_classifier: PretrainClassifierConfig,
    /// Which captions are kept.
    pub screen_captions: ScreenCaptionsConfig,
    /// Stage one.
    pub train_mapper: TrainMapperConfig,
    /// The linear encoding model.
    pub encode: EncodeConfig,
    /// Retrieval counts and the linear baseline.
    pub evaluate: EvaluateConfig,
    /// The conditional GAN without brains.
    pub pretrain_gan: PretrainGanConfig,
    /// Stage two.
    pub finetune_gan: FinetuneGanConfig,
    /// Betas to images.
    pub reconstruct: ReconstructConfig,
    /// Metrics of reconstructed images.
    pub evaluate_images: EvaluateImagesConfig,
    /// A region driven or silenced.
    pub microstim: MicrostimConfig,
}

impl ProjectConfig {
    /// Paths and choices that the commands share.
    pub fn project(&self) -> Project {
        Project {
            subject: self.subject,
            resolution: self.resolution,
            seed: self.seed,
            device: self.device,
            precision: self.precision,
            paths: self.paths.clone(),
            split: self.split.clone(),
            selection: self.prepare.roi.clone(),
        }
    }
}

/// Keys that take the top-level `seed` unless they are set.
pub const SEED_KEYS: &[&str] = &[
    "phantom.seed",
    "pretrain_clip.train.seed",
    "pretrain_classifier.train.seed",
    "train_mapper.train.seed",
    "pretrain_gan.train.seed",
    "finetune_gan.train.seed",
    "evaluate_images.identification.seed",
];

/// Keys that take the top-level `subject` unless they are set.
pub const SUBJECT_KEYS: &[&str] = &["phantom.subject"];
