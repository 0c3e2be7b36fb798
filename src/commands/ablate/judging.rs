//! Pictures of a finetuned GAN: drawn from the validation trials, and judged.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::folder::{hex, read_json};
use super::pictures::PictureNumbers;
use super::settings::AblateSettings;
use crate::commands::evaluate_images::{self, EvaluateImagesConfig, EvaluateImagesSettings};
use crate::commands::finetune_gan::{FinetuneGanSettings, FinetuneGanSummary};
use crate::commands::reconstruct::{self, ReconstructConfig, ReconstructSettings};
use crate::files::write_atomic;
use crate::models::mapper::MapperTarget;
use crate::pipelines::brain_decoder::{DecoderPaths, PixelNoise};
use crate::pipelines::pictures::picture_features::FeatureSource;
use crate::pipelines::trial_choice::TrialChoice;
use crate::run::precision::Precision;
use crate::run::progress::Progress;
use crate::run::snapshot::Snapshot;
use crate::training::gan::mappers::outputs::mapper_file;

/// A finetuned GAN whose pictures are wanted.
pub(super) struct Judging<'a> {
    pub settings: &'a AblateSettings,
    /// How it was finetuned.
    pub finetuned: &'a FinetuneGanSettings,
    pub summary: &'a FinetuneGanSummary,
    /// Key of the finetuning's folder.
    pub key: &'a str,
}

/// Everything that decides the numbers of a GAN's pictures; the order of the fields is part of the name of their file.
#[derive(Serialize)]
struct Protocol<'a> {
    reconstruct: &'a ReconstructConfig,
    seed: u64,
    precision: Precision,
    evaluate_images: &'a EvaluateImagesConfig,
    /// SHA-256 of the network.
    features: String,
}

impl Judging<'_> {
    /// Numbers of the pictures, from their file where it is there.
    ///
    /// # Errors
    /// Whatever drawing and judging fail with.
    pub fn numbers(&self, progress: &mut dyn Progress) -> crate::error::Result<PictureNumbers> {
        let sources = &self.settings.finetuning;
        let reconstruct = ReconstructConfig {
            condition: Some(self.finetuned.finetune_gan.condition),
            // A project that draws several conditions draws the row's own here.
            conditions: vec![],
            trials: TrialChoice::Validation,
            noise: PixelNoise::Random,
            samples: 1,
            ..sources.reconstruct.clone()
        };
        let clip = || FeatureSource::Clip(self.settings.data.target_network.clone());
        let features = sources.features.clone().unwrap_or_else(clip);
        let path = self.path(&Protocol {
            reconstruct: &reconstruct,
            seed: sources.seed,
            precision: sources.precision,
            evaluate_images: &sources.evaluate_images,
            features: Snapshot::open_any(features.path())?.network_sha256()?,
        })?;
        if path.is_file() {
            return Ok(read_json(&path, "judged pictures", "numbers of pictures")?);
        }
        let run = self.draw(reconstruct, progress)?;
        let numbers = self.judge(run, features, progress)?;
        write_atomic(&path, &serde_json::to_vec_pretty(&numbers)?)?;
        Ok(numbers)
    }

    /// The file of the numbers.
    fn path(&self, protocol: &Protocol<'_>) -> serde_json::Result<PathBuf> {
        let key = hex(serde_json::to_value(protocol)?.to_string().as_bytes());
        Ok(self.summary.run.join(format!("pictures-{}.json", &key[..8])))
    }

    /// The folder of the pictures, drawn now.
    fn draw(&self, config: ReconstructConfig, progress: &mut dyn Progress) -> crate::error::Result<PathBuf> {
        let Self { settings, finetuned, summary, key } = self;
        let second = self.finetuned.finetune_gan.condition.second_target();
        let settings = ReconstructSettings {
            prepared: finetuned.prepared.clone(),
            stimuli: settings.data.stimuli.clone(),
            networks: DecoderPaths {
                image_mapper: self.mapper(MapperTarget::Image, &finetuned.image_mapper),
                second_mapper: self.mapper(second, &finetuned.second_mapper),
                generator: summary.training.generator.clone(),
            },
            split: finetuned.split.clone(),
            reconstruct: config,
            seed: settings.finetuning.seed,
            device: finetuned.device,
            precision: settings.finetuning.precision,
            is_control: false,
            runs: settings.ablations.join("pictures").join(key),
        };
        Ok(reconstruct::run(&settings, progress)?.run)
    }

    /// The mapper that was trained with the GAN, or else that of stage one.
    fn mapper(&self, target: MapperTarget, stage_one: &Path) -> PathBuf {
        let path = self.summary.run.join(mapper_file(target));
        if self.summary.training.mappers.contains(&path) { path } else { stage_one.to_path_buf() }
    }

    fn judge(
        &self,
        evaluated: PathBuf,
        features: FeatureSource,
        progress: &mut dyn Progress,
    ) -> crate::error::Result<PictureNumbers> {
        let sources = &self.settings.finetuning;
        let settings = EvaluateImagesSettings {
            evaluated,
            classifier: sources.classifier.clone(),
            features,
            evaluate_images: sources.evaluate_images.clone(),
            cache: self.finetuned.cache.clone(),
            device: self.finetuned.device,
            runs: self.settings.ablations.join("evaluations"),
        };
        Ok(PictureNumbers::of(&evaluate_images::run(&settings, progress)?))
    }
}
