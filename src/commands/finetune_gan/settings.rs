//! Settings of `finetune-gan`, and what comes out of it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::data::image::stimulus_view::StimulusView;
use crate::data::split::SplitConfig;
use crate::error::{SettingError, in_range};
use crate::models::condition_source::ConditionSource;
use crate::models::mapper::MapperTarget;
use crate::pipelines::gan::snapshot_config::SnapshotConfig;
use crate::pipelines::gan::snapshots::SnapshotSummary;
use crate::pipelines::pictures::picture_features::FeatureSource;
use crate::pipelines::project::Project;
use crate::run::device::DeviceChoice;
use crate::run::error::RunError;
use crate::training::gan::config::GanTrainConfig;
use crate::training::gan::loss::SecondVector;
use crate::training::gan::mappers::config::{GanMapperConfig, MapperMode};
use crate::training::gan::trainer::GanTrainSummary;

/// Conditions and training.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FinetuneGanConfig {
    /// Which decoded embeddings steer the generator.
    pub condition: ConditionSource,
    /// Whether the mappers are trained too, and how.
    pub mappers: GanMapperConfig,
    /// How the networks are trained.
    pub train: GanTrainConfig,
    /// Which generators stay, and how they are measured.
    pub snapshots: SnapshotConfig,
    /// Share of the training images, from 0 (the default: none) to below 1, that the GAN is not trained on: the best snapshot is
    /// then chosen by its distance to them, and the test images have no part in the choice.
    #[serde(skip_serializing_if = "is_zero")]
    pub validation_fraction: f64,
}

fn is_zero(fraction: &f64) -> bool {
    *fraction == 0.0
}

impl FinetuneGanConfig {
    /// Checks every range that does not depend on networks or data.
    ///
    /// # Errors
    /// [`SettingError`] that names the first key out of range.
    pub fn validate(&self) -> Result<(), SettingError> {
        let check = || {
            in_range("validation_fraction", self.validation_fraction, 0.0..1.0)?;
            self.mappers.validate().map_err(|error| error.within("mappers"))?;
            self.train.validate().map_err(|error| error.within("train"))?;
            self.snapshots.validate().map_err(|error| error.within("snapshots"))
        };
        check().map_err(|error| error.within("finetune_gan"))
    }

    /// The same with the loss that belongs to the condition, and the batch that belongs to the GPUs.
    pub fn resolved(&self) -> Self {
        let mut config = Self { train: self.train.resolved(), ..self.clone() };
        config.train.loss.second_vector = match self.condition.second_target() {
            MapperTarget::Resnet => SecondVector::Resnet,
            MapperTarget::Image | MapperTarget::Caption => SecondVector::Clip,
        };
        config
    }

    /// Whether the mappers are trained, too.
    pub(super) fn is_joint(&self) -> bool {
        self.mappers.mode == MapperMode::EndToEnd
    }

    /// Whether a ResNet-50 is read: for a loss, or for what a mapper aims at.
    pub fn needs_resnet(&self) -> bool {
        let has_resnet_targets = self.condition.second_target() == MapperTarget::Resnet && self.is_joint();
        has_resnet_targets || self.resolved().train.loss.needs_resnet()
    }
}

/// Everything that a run needs.
#[derive(Clone, Debug, Serialize)]
pub struct FinetuneGanSettings {
    /// Root of the NSD tree.
    pub nsd: PathBuf,
    /// Prepared subject.
    pub prepared: PathBuf,
    /// CLIP snapshot.
    pub clip: PathBuf,
    /// ResNet-50 snapshot; read for the low-level term and for ResNet mappers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resnet: Option<PathBuf>,
    /// Image mapper.
    pub image_mapper: PathBuf,
    /// Caption mapper, or the ResNet mapper of [`ConditionSource::ImageResnet`].
    #[serde(rename = "caption_mapper")]
    pub second_mapper: PathBuf,
    /// Vetted captions of `screen-captions`; read where a caption mapper is finetuned.
    pub captions: PathBuf,
    /// Folder with the snapshots of the GAN to start from.
    pub gan: PathBuf,
    /// Which trials belong to training and validation.
    pub split: SplitConfig,
    /// Network whose features measure snapshots; without one they are not measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub features: Option<FeatureSource>,
    /// Conditions and training.
    pub finetune_gan: FinetuneGanConfig,
    /// What CLIP is given of a stimulus.
    pub stimulus_view: StimulusView,
    /// Folder of cached embeddings.
    pub cache: PathBuf,
    /// Where to compute.
    pub device: DeviceChoice,
    /// Folder of the runs.
    pub runs: PathBuf,
    /// Checkpoint to continue from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resume: Option<PathBuf>,
}

impl FinetuneGanSettings {
    /// Settings of the command in a project.
    ///
    /// # Errors
    /// When the NSD root is not set or a network is missing.
    pub fn resolve(
        project: &Project,
        finetune_gan: &FinetuneGanConfig,
        resume: Option<PathBuf>,
    ) -> Result<Self, RunError> {
        Ok(Self {
            nsd: project.nsd()?,
            prepared: project.prepared(),
            clip: project.clip()?,
            resnet: finetune_gan.needs_resnet().then(|| project.resnet()).transpose()?,
            features: project.snapshot_features(&finetune_gan.snapshots)?,
            image_mapper: project.mapper(MapperTarget::Image)?,
            second_mapper: project.second_mapper(finetune_gan.condition.second_target())?,
            captions: project.captions(),
            gan: project.pretrained_gan()?,
            split: project.split.clone(),
            finetune_gan: finetune_gan.clone(),
            stimulus_view: project.stimulus_view,
            cache: project.cache(),
            device: project.device,
            runs: project.runs(),
            resume,
        })
    }
}

/// What came out.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FinetuneGanSummary {
    /// The run's folder.
    pub run: PathBuf,
    /// Trials trained on.
    pub num_trials: usize,
    /// Distinct images trained on.
    pub num_images: usize,
    /// Whether the second head was copied from the first.
    pub duplicated_head: bool,
    /// The training.
    pub training: GanTrainSummary,
    /// Generators on the way.
    #[serde(default, skip_deserializing)]
    pub snapshots: SnapshotSummary,
}
