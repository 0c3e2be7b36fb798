//! The configuration of a project: every setting of every command, where files are, which keys share a value.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::commands::encode::EncodeConfig;
use crate::commands::evaluate::EvaluateConfig;
use crate::commands::evaluate_images::EvaluateImagesConfig;
use crate::commands::finetune_gan::FinetuneGanConfig;
use crate::commands::microstim::MicrostimConfig;
use crate::commands::prepare::PrepareConfig;
use crate::commands::pretrain_classifier::PretrainClassifierConfig;
use crate::commands::pretrain_clip::PretrainClipConfig;
use crate::commands::pretrain_gan::PretrainGanConfig;
use crate::commands::reconstruct::ReconstructConfig;
use crate::commands::screen_captions::ScreenCaptionsConfig;
use crate::commands::train_mapper::TrainMapperConfig;
use crate::data::split::SplitConfig;
use crate::data::subject::{Resolution, SubjectId};
use crate::phantom::PhantomConfig;
use crate::run::device::DeviceChoice;
use crate::run::precision::Precision;

/// Where files are. Unset paths are the newest finished runs of the subject.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProjectPaths {
    /// Root of the NSD tree: the folder with `nsddata`, `nsddata_betas`, `nsddata_stimuli`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nsd: Option<PathBuf>,
    /// Prepared subjects, captions, caches, runs. Default: `work`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub work: Option<PathBuf>,
    /// Folder or zip archive of images, with captions beside them or with CLIP's features in `dataset.json`, that `pretrain-gan`
    /// trains on in place of the stimuli.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub images: Option<PathBuf>,
    /// COCO's annotation file with the captions of those images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub annotations: Option<PathBuf>,
    /// CLIP snapshot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip: Option<PathBuf>,
    /// ResNet-50 that makes the targets of a ResNet mapper and the vectors of the generator's low-level term.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resnet: Option<PathBuf>,
    /// The FID's Inception, with which `evaluate-images` and the trainings of a GAN measure pictures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inception: Option<PathBuf>,
    /// The scene classifier of `pretrain-classifier`: with it `evaluate-images` says what can be named, and without an Inception its
    /// features measure pictures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub classifier: Option<PathBuf>,
    /// Image mapper.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_mapper: Option<PathBuf>,
    /// Caption mapper.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caption_mapper: Option<PathBuf>,
    /// Run folder of the GAN that finetuning starts from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pretrained_gan: Option<PathBuf>,
    /// Generator that draws.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generator: Option<PathBuf>,
}

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
