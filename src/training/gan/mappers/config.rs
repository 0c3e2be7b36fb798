//! Settings of mappers that are finetuned with the GAN (docs/spec/gan-training.md §2, §4.5 and §6).

use serde::{Deserialize, Serialize};

use crate::error::{SettingError, above_to, in_range, limits};
use crate::models::condition_source::ConditionSource;
use crate::training::gan::config::GanTrainConfig;
use crate::training::mapper::targets::CaptionChoice;

/// What happens to the mappers in stage two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MapperMode {
    /// They stay as they are and every condition is computed once: the published loop, and the paper's best setting.
    #[default]
    Frozen,
    /// They are trained too, in phases of their own behind those of the GAN.
    EndToEnd,
}

/// How a mapper's output enters the perturbation (docs/spec/open-questions.md OQ-22).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MapperOutput {
    /// At unit norm, as conditions are everywhere else.
    #[default]
    UnitNorm,
    /// As it is, unless the second mapper is a ResNet mapper: the published end-to-end code. Vectors shorter than 1 get more
    /// noise.
    Raw,
}

/// Settings of mappers in stage two; all but `mode` are read in end-to-end mode only. Weights are 0 to 1e6, intervals 1 to 1e9,
/// the rate is above 0 and at most 1000.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GanMapperConfig {
    /// Whether they are trained.
    pub mode: MapperMode,
    /// Weight of the generator's adversarial loss against the mapper's own (0.1; docs/spec/open-questions.md OQ-53).
    pub gan_weight: f64,
    /// Adam's rate before the lazy correction; the GAN's when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub learning_rate: Option<f64>,
    /// Weight of the mean squared error (0.2).
    pub squared_error_weight: f64,
    /// Weight of the cosine distance (0.3).
    pub cosine_weight: f64,
    /// Weight of the contrastive term (0.5); its temperature and direction are those of `train.loss.contrastive`.
    pub contrastive_weight: f64,
    /// Steps between phases of a mapper (1).
    pub interval: u64,
    /// Steps between the published regularisation phases (10). They have no content; Adam's rate and decays are corrected for
    /// them.
    pub regularisation_interval: u64,
    /// Scale at which outputs meet the noise.
    pub output: MapperOutput,
    /// Which caption of the image the caption mapper aims at.
    pub caption_choice: CaptionChoice,
}

/// What decides the training of mappers; a resumed run must have it in common with its checkpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct MapperIdentity {
    /// Settings but the rate, which may change.
    pub config: GanMapperConfig,
    /// What the conditions are made of.
    pub source: ConditionSource,
    /// SHA-256 of the snapshots that training started from.
    pub sha256: [String; 2],
}

impl Default for GanMapperConfig {
    fn default() -> Self {
        Self {
            mode: MapperMode::Frozen,
            gan_weight: 0.1,
            learning_rate: None,
            squared_error_weight: 0.2,
            cosine_weight: 0.3,
            contrastive_weight: 0.5,
            interval: 1,
            regularisation_interval: 10,
            output: MapperOutput::UnitNorm,
            caption_choice: CaptionChoice::Random,
        }
    }
}

impl GanMapperConfig {
    /// Adam's rate before the lazy correction.
    pub fn learning_rate_in(&self, train: &GanTrainConfig) -> f64 {
        self.learning_rate.unwrap_or(train.learning_rate)
    }

    /// Checks every value.
    ///
    /// # Errors
    /// [`SettingError`] naming the key.
    pub fn validate(&self) -> Result<(), SettingError> {
        in_range("interval", self.interval, 1..=limits::INTERVAL)?;
        in_range("regularisation_interval", self.regularisation_interval, 1..=limits::INTERVAL)?;
        if let Some(rate) = self.learning_rate {
            in_range("learning_rate", rate, above_to(0.0, limits::LEARNING_RATE))?;
        }
        for (field, value) in [
            ("gan_weight", self.gan_weight),
            ("squared_error_weight", self.squared_error_weight),
            ("cosine_weight", self.cosine_weight),
            ("contrastive_weight", self.contrastive_weight),
        ] {
            in_range(field, value, 0.0..=limits::WEIGHT)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_the_published_objective_with_frozen_mappers() {
        let config = GanMapperConfig::default();
        assert_eq!(config.mode, MapperMode::Frozen);
        let weights = (config.squared_error_weight, config.cosine_weight, config.contrastive_weight);
        assert_eq!((weights, config.gan_weight), ((0.2, 0.3, 0.5), 0.1));
        assert_eq!(config.learning_rate_in(&GanTrainConfig::default()), 0.0025);
        assert_eq!(
            toml::from_str::<GanMapperConfig>("mode = \"end-to-end\"").unwrap().mode,
            MapperMode::EndToEnd
        );
        assert!(toml::from_str::<GanMapperConfig>("weight = 1.0").is_err());
    }

    #[test]
    fn values_out_of_range_are_named() {
        let field = |config: GanMapperConfig| config.validate().unwrap_err().field;
        assert!(GanMapperConfig::default().validate().is_ok());
        assert_eq!(field(GanMapperConfig { interval: 0, ..Default::default() }), "interval");
        assert_eq!(field(GanMapperConfig { gan_weight: -1.0, ..Default::default() }), "gan_weight");
        let rate = GanMapperConfig { learning_rate: Some(f64::INFINITY), ..Default::default() };
        assert_eq!(field(rate), "learning_rate");
    }
}
