//! Pictures of a finetuned GAN, or of a mapper in front of a pretrained one: drawn from the validation trials, and judged.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::folder::{NetworkHashes, hex, read_json};
use super::pictures::PictureNumbers;
use super::settings::AblateSettings;
use crate::commands::evaluate_images::{self, EvaluateImagesConfig, EvaluateImagesSettings};
use crate::commands::finetune_gan::{FinetuneGanSettings, FinetuneGanSummary};
use crate::commands::reconstruct::{self, ReconstructConfig, ReconstructSettings};
use crate::commands::train_mapper::TrainMapperSummary;
use crate::files::{file_is_there, write_atomic};
use crate::models::condition_source::ConditionSource;
use crate::models::mapper::MapperTarget;
use crate::pipelines::brain_decoder::{DecoderPaths, PixelNoise};
use crate::pipelines::pictures::picture_features::FeatureSource;
use crate::pipelines::trial_choice::TrialChoice;
use crate::run::error::RunError;
use crate::run::precision::Precision;
use crate::run::progress::Progress;
use crate::run::snapshot::Snapshot;
use crate::training::gan::mappers::outputs::mapper_file;
use crate::training::gan::run_files::GENERATOR_FILE;

/// Networks whose pictures of the validation trials are wanted.
pub(super) struct Judging<'a> {
    settings: &'a AblateSettings,
    networks: DecoderPaths,
    condition: ConditionSource,
    /// SHA-256 of a generator that the folder of the numbers does not stand for.
    generator: Option<String>,
    /// Folder of the run that the numbers are kept in.
    kept_in: &'a Path,
    /// Key of the work's folder.
    key: &'a str,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    generator: Option<&'a str>,
}

impl<'a> Judging<'a> {
    /// The pictures of a finetuned GAN.
    pub fn of_finetuning(
        settings: &'a AblateSettings,
        finetuned: &FinetuneGanSettings,
        summary: &'a FinetuneGanSummary,
        key: &'a str,
    ) -> Self {
        let condition = finetuned.finetune_gan.condition;
        // The mapper that was trained with the GAN, or else that of stage one.
        let mapper = |target: MapperTarget, stage_one: &Path| {
            let path = summary.run.join(mapper_file(target));
            if summary.training.mappers.contains(&path) { path } else { stage_one.to_path_buf() }
        };
        let networks = DecoderPaths {
            image_mapper: mapper(MapperTarget::Image, &finetuned.image_mapper),
            second_mapper: mapper(condition.second_target(), &finetuned.second_mapper),
            generator: summary.training.generator.clone(),
        };
        Self { settings, networks, condition, generator: None, kept_in: &summary.run, key }
    }

    /// The pictures that a pretrained generator, not finetuned, draws from a mapper's embeddings: the paper's first criterion
    /// of a mapper (its section 3.2). Nothing for a mapper that predicts no embedding of CLIP.
    ///
    /// # Errors
    /// A generator that cannot be read.
    pub fn of_mapper(
        settings: &'a AblateSettings,
        trained: &'a TrainMapperSummary,
        gan: &Path,
        key: &'a str,
        hashes: &mut NetworkHashes,
    ) -> Result<Option<Self>, RunError> {
        let condition = match trained.target {
            MapperTarget::Image => ConditionSource::Image,
            MapperTarget::Caption => ConditionSource::Caption,
            MapperTarget::Resnet => return Ok(None),
        };
        let generator = gan.join(GENERATOR_FILE);
        let hash = hashes.of(&generator)?;
        // One embedding steers every head; the decoder's other mapper has no part in the condition.
        let networks = DecoderPaths {
            image_mapper: trained.snapshot.clone(),
            second_mapper: trained.snapshot.clone(),
            generator,
        };
        let kept_in = &trained.run_dir;
        Ok(Some(Self { settings, networks, condition, generator: Some(hash), kept_in, key }))
    }

    /// Numbers of the pictures, from their file where it is there.
    ///
    /// # Errors
    /// Whatever drawing and judging fail with.
    pub fn numbers(&self, progress: &mut dyn Progress) -> crate::error::Result<PictureNumbers> {
        let sources = &self.settings.finetuning;
        let reconstruct = ReconstructConfig {
            condition: Some(self.condition),
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
            generator: self.generator.as_deref(),
        })?;
        if file_is_there(&path)? {
            return Ok(read_json(&path, "judged pictures", "numbers of pictures")?);
        }
        let run = self.draw(reconstruct, progress)?;
        let numbers = self.judge(run, features, progress)?;
        write_atomic(&path, &serde_json::to_vec_pretty(&numbers)?)?;
        Ok(numbers)
    }

    /// Where the numbers are kept.
    fn path(&self, protocol: &Protocol<'_>) -> serde_json::Result<PathBuf> {
        let key = hex(serde_json::to_value(protocol)?.to_string().as_bytes());
        Ok(self.kept_in.join(format!("pictures-{}.json", &key[..8])))
    }

    fn draw(&self, config: ReconstructConfig, progress: &mut dyn Progress) -> crate::error::Result<PathBuf> {
        let Self { settings, networks, key, .. } = self;
        let settings = ReconstructSettings {
            prepared: settings.data.prepared.clone(),
            stimuli: settings.data.stimuli.clone(),
            networks: networks.clone(),
            split: settings.data.split.clone(),
            reconstruct: config,
            targets: None,
            cache: settings.data.cache.clone(),
            seed: settings.finetuning.seed,
            device: settings.data.device,
            precision: settings.finetuning.precision,
            is_control: false,
            runs: settings.ablations.join("pictures").join(key),
        };
        Ok(reconstruct::run(&settings, progress)?.run)
    }

    fn judge(
        &self,
        evaluated: PathBuf,
        features: FeatureSource,
        progress: &mut dyn Progress,
    ) -> crate::error::Result<PictureNumbers> {
        let Self { settings, .. } = self;
        let sources = &settings.finetuning;
        let settings = EvaluateImagesSettings {
            evaluated,
            classifier: sources.classifier.clone(),
            features,
            evaluate_images: sources.evaluate_images.clone(),
            cache: settings.data.cache.clone(),
            device: settings.data.device,
            runs: settings.ablations.join("evaluations"),
        };
        Ok(PictureNumbers::of(&evaluate_images::run(&settings, progress)?))
    }
}
