//! Settings of the commands around a generator: its training, what it draws, how that is judged.

use std::path::{Path, PathBuf};

use super::Project;
use crate::commands::evaluate_images::{EvaluateImagesSettings, FeatureSource};
use crate::commands::finetune_gan::FinetuneGanSettings;
use crate::commands::microstim::MicrostimSettings;
use crate::commands::pretrain_gan::{PretrainGanSettings, PretrainImages};
use crate::commands::reconstruct::ReconstructSettings;
use crate::data::nsd::tree::NsdTree;
use crate::models::mapper::MapperTarget;
use crate::run::error::RunError;

/// List of a run's pictures.
const MANIFEST_FILE: &str = "manifest.json";

impl Project {
    /// Settings of `pretrain-gan`.
    ///
    /// # Errors
    /// When neither images nor the NSD root is set, or no CLIP is there.
    pub fn pretrain_gan(&self, resume: Option<PathBuf>) -> Result<PretrainGanSettings, RunError> {
        let images = match &self.config.paths.images {
            Some(images) => PretrainImages::Collection {
                images: images.clone(),
                annotations: self.config.paths.annotations.clone(),
            },
            None if self.config.paths.annotations.is_some() => {
                return Err(RunError::missing("paths.images", "`--annotations`: set it with `--images DIR`"));
            }
            None => PretrainImages::Stimuli {
                nsd: self.nsd()?,
                prepared: self.prepared(),
                captions: self.captions(),
                split: self.config.split.clone(),
            },
        };
        Ok(PretrainGanSettings {
            images,
            clip: self.clip()?,
            resnet: self.low_level_resnet(&self.config.pretrain_gan.train)?,
            features: self.snapshot_features(&self.config.pretrain_gan.snapshots)?,
            pretrain_gan: self.config.pretrain_gan.clone(),
            cache: self.cache(),
            device: self.config.device,
            runs: self.runs(),
            init_from: None,
            resume,
        })
    }

    /// Settings of `finetune-gan`.
    ///
    /// # Errors
    /// When the NSD root is not set or a network is missing.
    pub fn finetune_gan(&self, resume: Option<PathBuf>) -> Result<FinetuneGanSettings, RunError> {
        Ok(FinetuneGanSettings {
            nsd: self.nsd()?,
            prepared: self.prepared(),
            clip: self.clip()?,
            resnet: self.config.finetune_gan.needs_resnet().then(|| self.resnet()).transpose()?,
            features: self.snapshot_features(&self.config.finetune_gan.snapshots)?,
            image_mapper: self.mapper(MapperTarget::Image)?,
            caption_mapper: self.second_mapper(self.config.finetune_gan.condition.second_target())?,
            captions: self.captions(),
            gan: self.pretrained_gan()?,
            split: self.config.split.clone(),
            finetune_gan: self.config.finetune_gan.clone(),
            cache: self.cache(),
            device: self.config.device,
            runs: self.runs(),
            resume,
        })
    }

    /// Settings of `reconstruct`.
    ///
    /// # Errors
    /// When the NSD root is not set or a network is missing.
    pub fn reconstruct(&self) -> Result<ReconstructSettings, RunError> {
        Ok(ReconstructSettings {
            prepared: self.prepared(),
            stimuli: NsdTree::new(self.nsd()?).stimuli(),
            networks: self.networks(self.config.reconstruct.condition.second_target())?,
            split: self.config.split.clone(),
            reconstruct: self.config.reconstruct.clone(),
            seed: self.config.seed,
            device: self.config.device,
            precision: self.config.precision,
            runs: self.runs(),
        })
    }

    /// Settings of `evaluate-images`; without `run` that of the newest `reconstruct`.
    ///
    /// # Errors
    /// When there is no run, or neither an Inception, a classifier nor a CLIP.
    pub fn evaluate_images(&self, run: Option<PathBuf>) -> Result<EvaluateImagesSettings, RunError> {
        let evaluated = match run {
            Some(run) => run,
            None => {
                let manifest = self.newest(None, "reconstruct", MANIFEST_FILE, "reconstruct")?;
                manifest.parent().map(Path::to_path_buf).unwrap_or_default()
            }
        };
        let features = match self.picture_features() {
            Some(features) => features,
            None => FeatureSource::Clip(self.clip()?),
        };
        Ok(EvaluateImagesSettings {
            evaluated,
            classifier: self.config.paths.classifier.clone(),
            features,
            evaluate_images: self.config.evaluate_images.clone(),
            cache: self.cache(),
            device: self.config.device,
            runs: self.runs(),
        })
    }

    /// Settings of `microstim`.
    ///
    /// # Errors
    /// When the NSD root is not set or a network is missing.
    pub fn microstim(&self) -> Result<MicrostimSettings, RunError> {
        Ok(MicrostimSettings {
            prepared: self.prepared(),
            stimuli: NsdTree::new(self.nsd()?).stimuli(),
            networks: self.networks(MapperTarget::Caption)?,
            clip: self.clip()?,
            split: self.config.split.clone(),
            microstim: self.config.microstim.clone(),
            seed: self.config.seed,
            device: self.config.device,
            precision: self.config.precision,
            runs: self.runs(),
        })
    }
}
