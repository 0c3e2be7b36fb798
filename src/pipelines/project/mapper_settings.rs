//! Settings of the commands around mappers: training, comparison, the linear encoding model.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::Project;
use crate::commands::ablate::{AblateSettings, FinetuningSources};
use crate::commands::encode::EncodeSettings;
use crate::commands::evaluate::EvaluateSettings;
use crate::commands::train_mapper::{BetasControl, TrainMapperSettings};
use crate::data::nsd::tree::NsdTree;
use crate::models::mapper::MapperTarget;
use crate::run::error::RunError;

impl Project {
    /// Settings of `train-mapper`.
    ///
    /// # Errors
    /// When the NSD root is not set or the network of the targets is not there.
    pub fn train_mapper(
        &self,
        target: MapperTarget,
        betas: BetasControl,
        resume: Option<PathBuf>,
    ) -> Result<TrainMapperSettings, RunError> {
        Ok(TrainMapperSettings {
            target,
            subject: self.config.subject,
            prepared: self.prepared(),
            stimuli: NsdTree::new(self.nsd()?).stimuli(),
            captions: self.captions(),
            target_network: match target {
                MapperTarget::Image | MapperTarget::Caption => self.clip()?,
                MapperTarget::Resnet => self.resnet()?,
            },
            cache: self.cache(),
            runs: self.runs(),
            resume,
            init_from: None,
            device: self.config.device,
            betas,
            split: self.config.split.clone(),
            mapper: self.config.train_mapper.clone(),
        })
    }

    /// Settings of `evaluate`; without `mappers` the newest image and caption mappers.
    ///
    /// # Errors
    /// When the NSD root is not set or a network is missing.
    pub fn evaluate(&self, mut mappers: Vec<PathBuf>) -> Result<EvaluateSettings, RunError> {
        if mappers.is_empty() {
            mappers = vec![self.mapper(MapperTarget::Image)?, self.mapper(MapperTarget::Caption)?];
        }
        // Which of the two spaces is read from each mapper's snapshot.
        let data = self.train_mapper(MapperTarget::Image, BetasControl::Measured, None)?;
        let resnet = self.config.paths.resnet.clone();
        Ok(EvaluateSettings { mappers, resnet, evaluate: self.config.evaluate.clone(), data })
    }

    /// Settings of `encode`.
    ///
    /// # Errors
    /// When the NSD root is not set or no CLIP is there.
    pub fn encode(&self) -> Result<EncodeSettings, RunError> {
        Ok(EncodeSettings {
            nsd: self.nsd()?,
            encode: self.config.encode.clone(),
            data: self.train_mapper(MapperTarget::Image, BetasControl::Measured, None)?,
        })
    }

    /// Settings of `ablate` for a file of rows and its content.
    ///
    /// # Errors
    /// When the NSD root is not set or no CLIP is there.
    pub fn ablate(
        &self,
        rows_path: PathBuf,
        rows_text: String,
        only: Vec<String>,
        gans: BTreeMap<String, PathBuf>,
    ) -> Result<AblateSettings, RunError> {
        let newest_gan = self.pretrained_gan().ok();
        let finetuning = FinetuningSources {
            nsd: self.nsd()?,
            // What is not there is missed by the rows that need it.
            image_mapper: self.mapper(MapperTarget::Image).ok(),
            caption_mapper: self.mapper(MapperTarget::Caption).ok(),
            resnet_mapper: self.mapper(MapperTarget::Resnet).ok(),
            gan: newest_gan,
            gans,
            features: self.picture_features(),
            classifier: self.config.paths.classifier.clone(),
            finetune_gan: self.config.finetune_gan.clone(),
            reconstruct: self.config.reconstruct.clone(),
            seed: self.config.seed,
            precision: self.config.precision,
            evaluate_images: self.config.evaluate_images.clone(),
        };
        Ok(AblateSettings {
            rows_path,
            rows_text,
            only,
            data: self.train_mapper(MapperTarget::Image, BetasControl::Measured, None)?,
            resnet: self.config.paths.resnet.clone(),
            evaluate: self.config.evaluate.clone(),
            finetuning,
            ablations: self.work().join("ablations"),
        })
    }
}
