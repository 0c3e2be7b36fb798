//! `mindreader config`: every setting of every command, in layers: which keys there are and which share a value.

use serde::{Deserialize, Serialize};

use super::classify::ClassifyConfig;
use super::cycle::CycleConfig;
use super::encode::EncodeConfig;
use super::evaluate::EvaluateConfig;
use super::evaluate_images::EvaluateImagesConfig;
use super::finetune_gan::FinetuneGanConfig;
use super::import::ImportConfig;
use super::interpolate::InterpolateConfig;
use super::microstim::MicrostimConfig;
use super::prepare::PrepareConfig;
use super::pretrain_classifier::PretrainClassifierConfig;
use super::pretrain_clip::PretrainClipConfig;
use super::pretrain_gan::PretrainGanConfig;
use super::reconstruct::ReconstructConfig;
use super::run::config::RunConfig;
use super::screen_captions::ScreenCaptionsConfig;
use super::train_mapper::TrainMapperConfig;
use crate::data::split::SplitConfig;
use crate::data::subject::{Resolution, SubjectId};
use crate::error::SettingError;
use crate::phantom::PhantomConfig;
use crate::pipelines::project::{Project, ProjectPaths};
use crate::run::device::DeviceChoice;
use crate::run::precision::Precision;

/// Every setting of every command. A section is named like its command.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProjectConfig {
    /// NSD subject, 1 to 8, or the name of an imported one.
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
    /// Files of a subject of one's own.
    pub import: ImportConfig,
    /// A CLIP of one's own.
    pub pretrain_clip: PretrainClipConfig,
    /// A judge of pictures.
    pub pretrain_classifier: PretrainClassifierConfig,
    /// Which captions are kept.
    pub screen_captions: ScreenCaptionsConfig,
    /// Stage one.
    pub train_mapper: TrainMapperConfig,
    /// Encoding models.
    pub encode: EncodeConfig,
    /// Categories told from betas and embeddings.
    pub classify: ClassifyConfig,
    /// Pictures to betas to pictures.
    pub cycle: CycleConfig,
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
    /// The way between trials.
    pub interpolate: InterpolateConfig,
    /// A region driven or silenced.
    pub microstim: MicrostimConfig,
    /// The whole pipeline.
    pub run: RunConfig,
}

impl ProjectConfig {
    /// Complains of the first number out of range in any section, before work begins. What depends on the data, or on settings that
    /// only one command reads, is checked by the commands.
    ///
    /// # Errors
    /// [`SettingError`] that names the key.
    pub fn validate(&self) -> Result<(), SettingError> {
        self.split.validate().map_err(|error| error.within("split"))?;
        self.phantom.check_ranges().map_err(|error| error.within("phantom"))?;
        self.prepare.validate()?;
        self.import.validate()?;
        self.pretrain_clip.validate()?;
        self.pretrain_classifier.validate()?;
        self.screen_captions.validate()?;
        self.train_mapper.check_ranges()?;
        self.encode.validate()?;
        self.classify.validate()?;
        self.cycle.validate()?;
        self.evaluate.validate()?;
        self.pretrain_gan.validate()?;
        self.finetune_gan.validate()?;
        self.reconstruct.validate()?;
        self.evaluate_images.validate()?;
        self.interpolate.validate()?;
        self.microstim.validate()?;
        self.run.validate()
    }

    /// Paths and choices that the commands share.
    pub fn project(&self) -> Project {
        let mut project = Project {
            subject: self.subject,
            resolution: self.resolution,
            seed: self.seed,
            device: self.device,
            precision: self.precision,
            paths: self.paths.clone(),
            split: self.split.clone(),
            choice: self.prepare.choice(),
            stimulus_view: self.train_mapper.stimulus_view(),
        };
        project.split = project.split.clone().with_file_of_name(|name| project.split_file(name));
        project
    }
}

/// Keys that take the top-level `seed` unless they are set.
pub const SEED_KEYS: &[&str] = &[
    "phantom.seed",
    "pretrain_clip.train.seed",
    "pretrain_classifier.train.seed",
    "train_mapper.train.seed",
    "train_mapper.ridge.seed",
    "train_mapper.residual.seed",
    "classify.train.seed",
    "encode.train.seed",
    "pretrain_gan.train.seed",
    "finetune_gan.train.seed",
    "evaluate_images.identification.seed",
];

/// Keys that take the top-level `subject` unless they are set.
pub const SUBJECT_KEYS: &[&str] = &["phantom.subject"];

#[cfg(test)]
mod paper_settings;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Classified, ErrorClass, SettingError};

    /// What the commands refuse before any work, section by section.
    fn refused(config: &ProjectConfig) -> Vec<SettingError> {
        let some_trials = 1000;
        [
            config.phantom.validate().map_err(|error| error.within("phantom")),
            config.pretrain_clip.validate(),
            config.pretrain_classifier.validate(),
            config.screen_captions.validate(),
            config.train_mapper.validate(some_trials),
            config.encode.validate(),
            config.classify.validate(),
            config.cycle.validate(),
            config.evaluate.validate(),
            config.pretrain_gan.validate(),
            config.finetune_gan.validate(),
            config.reconstruct.validate(),
            config.evaluate_images.validate(),
            config.interpolate.validate(),
        ]
        .into_iter()
        .filter_map(Result::err)
        .collect()
    }

    #[test]
    fn a_value_out_of_range_in_any_section_is_bad_input_with_the_key_as_it_is_written() {
        assert_eq!(refused(&ProjectConfig::default()), []);
        for (section, key, value) in [
            ("phantom", "signal", "-1.0"),
            ("phantom", "sessions", "0"),
            ("pretrain_clip", "held_out_fraction", "1.0"),
            ("pretrain_clip.network", "vision_heads", "0"),
            ("pretrain_clip.train", "batch_size", "1"),
            ("pretrain_clip.train", "max_gradient_norm", "0.0"),
            ("pretrain_classifier", "held_out_fraction", "0.0"),
            ("pretrain_classifier", "min_share", "1.0"),
            ("pretrain_classifier.network", "side", "0"),
            ("pretrain_classifier.train", "learning_rate", "nan"),
            ("screen_captions.screen", "share_of_best", "1.0"),
            ("train_mapper.augment", "hue", "0.6"),
            ("train_mapper.train", "expander_width", "0"),
            ("train_mapper.train.phase1", "batch", "0\nloss = \"vicreg\""),
            ("train_mapper.train.optimiser", "beta_1", "1.0"),
            ("train_mapper.train.critic", "weight", "-1.0"),
            ("encode.ridge_fit", "tuning_fraction", "1.0"),
            ("classify.mask", "masks", "0"),
            ("classify.train", "batch", "0"),
            ("encode.network", "hidden", "0"),
            ("encode.train", "epochs", "0"),
            ("encode.bootstrap", "confidence", "1.0"),
            ("cycle", "batch", "0"),
            ("cycle.bootstrap", "confidence", "0.0"),
            ("evaluate.ridge_fit", "penalties", "[]"),
            ("pretrain_gan.train", "batch_size", "0"),
            ("pretrain_gan.train", "total_kimg", "inf"),
            ("pretrain_gan.train.augment", "target", "2.0"),
            ("pretrain_gan.train.loss_scale", "initial", "3.0"),
            ("finetune_gan.train", "style_mixing_probability", "1.5"),
            ("finetune_gan.train.loss", "clip_image_weight", "-1.0"),
            ("finetune_gan.mappers", "interval", "0"),
            ("finetune_gan.mappers", "learning_rate", "0.0"),
            ("reconstruct", "truncation_psi", "nan"),
            ("interpolate", "frames", "1"),
            ("interpolate", "trials", "[3]"),
            ("interpolate", "truncation_psi", "11.0"),
            ("evaluate_images.identification", "ways", "[1]"),
            ("evaluate_images.identification", "repeats", "0"),
        ] {
            let config: ProjectConfig = toml::from_str(&format!("[{section}]\n{key} = {value}")).unwrap();
            let errors = refused(&config);
            let [error] = &errors[..] else { panic!("{section}.{key} = {value}: {errors:?}") };
            assert_eq!(error.key(), format!("{section}.{key}"));
            assert_eq!(error.class(), ErrorClass::BadInput);
        }
    }
}
