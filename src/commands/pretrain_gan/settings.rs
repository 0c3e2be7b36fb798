//! Settings of `pretrain-gan`, and what comes out of it.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{SettingError, toml_reason};
use crate::models::clip::tokenizer::LongText;
use crate::models::stylegan2::{ConditionHeads, GanSizes};
use crate::pipelines::gan::pretraining_data::{
    ConditionChoice, FirstCondition, PretrainImages, SecondCondition,
};
use crate::pipelines::gan::snapshot_config::SnapshotConfig;
use crate::pipelines::gan::snapshots::SnapshotSummary;
use crate::pipelines::pictures::picture_features::FeatureSource;
use crate::pipelines::project::Project;
use crate::run::device::DeviceChoice;
use crate::run::error::RunError;
use crate::training::gan::config::GanTrainConfig;
use crate::training::gan::trainer::GanTrainSummary;

/// Networks, conditions and training.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PretrainGanConfig {
    /// Sizes of the networks.
    pub network: GanSizes,
    /// Where the first head's conditions come from.
    pub first_condition: FirstCondition,
    /// Where the second head's conditions come from.
    pub second_condition: SecondCondition,
    /// What becomes of captions longer than CLIP's context (`error`).
    pub long_captions: LongText,
    /// How they are trained.
    pub train: GanTrainConfig,
    /// Which generators stay, and how they are measured.
    pub snapshots: SnapshotConfig,
}

impl PretrainGanConfig {
    /// Checks every range that does not depend on networks or data.
    ///
    /// # Errors
    /// [`SettingError`] that names the first key out of range.
    pub fn validate(&self) -> Result<(), SettingError> {
        let check = || {
            self.network.validate().map_err(|error| error.within("network"))?;
            self.train.validate().map_err(|error| error.within("train"))?;
            self.snapshots.validate().map_err(|error| error.within("snapshots"))
        };
        check().map_err(|error| error.within("pretrain_gan"))
    }

    /// What decides the conditions of networks with these heads.
    pub(super) fn condition_choice(&self, heads: ConditionHeads) -> ConditionChoice {
        ConditionChoice {
            heads,
            first: self.first_condition,
            second: self.second_condition,
            long_captions: self.long_captions,
        }
    }
}

/// Everything that a run needs.
#[derive(Clone, Debug, Serialize)]
pub struct PretrainGanSettings {
    /// What the networks are trained on.
    pub images: PretrainImages,
    /// CLIP snapshot.
    pub clip: PathBuf,
    /// ResNet-50 snapshot; read for the low-level term only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resnet: Option<PathBuf>,
    /// Network whose features measure snapshots; without one they are not measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub features: Option<FeatureSource>,
    /// Networks, conditions and training.
    pub pretrain_gan: PretrainGanConfig,
    /// Folder of cached embeddings.
    pub cache: PathBuf,
    /// Where to compute.
    pub device: DeviceChoice,
    /// Folder of the runs.
    pub runs: PathBuf,
    /// Folder with the snapshots of a GAN to start from. A resumed run takes its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init_from: Option<PathBuf>,
    /// Checkpoint to continue from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resume: Option<PathBuf>,
}

impl PretrainGanSettings {
    /// Settings of the command in a project.
    ///
    /// # Errors
    /// When neither images nor the NSD root is set, or no CLIP is there.
    pub fn resolve(
        project: &Project,
        pretrain_gan: &PretrainGanConfig,
        resume: Option<PathBuf>,
    ) -> Result<Self, RunError> {
        let paths = &project.paths;
        let images = match &paths.images {
            Some(images) => {
                PretrainImages::Collection { images: images.clone(), annotations: paths.annotations.clone() }
            }
            None if paths.annotations.is_some() => {
                return Err(RunError::missing("paths.images", "`--annotations`: set it with `--images DIR`"));
            }
            None => PretrainImages::Stimuli {
                nsd: project.nsd()?,
                prepared: project.prepared(),
                captions: project.captions(),
                split: project.split.clone(),
                view: project.stimulus_view,
            },
        };
        Ok(Self {
            images,
            clip: project.clip()?,
            resnet: project.low_level_resnet(&pretrain_gan.train)?,
            features: project.snapshot_features(&pretrain_gan.snapshots)?,
            pretrain_gan: pretrain_gan.clone(),
            cache: project.cache(),
            device: project.device,
            runs: project.runs(),
            init_from: None,
            resume,
        })
    }
    /// The same with what other settings, or the run that is resumed, decide.
    ///
    /// # Errors
    /// When the settings of the run that is resumed cannot be read.
    pub(super) fn completed(&self) -> Result<Self, RunError> {
        let mut settings = self.clone();
        let config = &mut settings.pretrain_gan;
        config.train = config.train.resolved();
        let noise = &mut config.train.condition_noise;
        let is_supervised = config.first_condition == FirstCondition::Captions;
        noise.mixing_probability.get_or_insert(if is_supervised { 0.0 } else { 1.0 });
        let is_pseudo = config.second_condition == SecondCondition::Pseudo;
        noise.second_mixing_probability.get_or_insert(if is_pseudo { 1.0 } else { 0.0 });
        if let Some(checkpoint) = &settings.resume {
            settings.init_from = stored_start(checkpoint)?;
        }
        Ok(settings)
    }
}

/// What came out.
#[derive(Clone, Debug, Serialize)]
pub struct PretrainGanSummary {
    /// The run's folder.
    pub run: PathBuf,
    /// Distinct images trained on.
    pub num_images: usize,
    /// Images with conditions trained on.
    pub num_samples: usize,
    /// The training.
    pub training: GanTrainSummary,
    /// Generators on the way.
    pub snapshots: SnapshotSummary,
}

/// The GAN that an interrupted run started from: it decides how the averaged generator is warmed up.
fn stored_start(checkpoint: &Path) -> Result<Option<PathBuf>, RunError> {
    let path = checkpoint.with_file_name("config.toml");
    let bytes = RunError::read(&path, "`--resume`: what the run started from")?;
    let table: toml::Table = std::str::from_utf8(&bytes)
        .map_err(|error| error.to_string())
        .and_then(|text| toml::from_str(text).map_err(|error| toml_reason(text, &error)))
        .map_err(|error| RunError::invalid(&path, "settings", "TOML", error.trim_end()))?;
    Ok(table.get("init_from").and_then(toml::Value::as_str).map(PathBuf::from))
}
