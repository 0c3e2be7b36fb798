//! Settings of the GAN training; defaults are those of the published script (docs/spec/gan-training.md §7), or the
//! paper's.

use serde::{Deserialize, Serialize};

use super::augmentation::AugmentConfig;
use super::condition_noise::ConditionNoiseConfig;
use super::image_view::CropConfig;
use super::loss::GanLossConfig;
use super::loss_scale::LossScaleConfig;
use super::regularizers::path_length::PathLengthConfig;
use crate::error::{SettingError, above_to, in_range, limits};
use crate::training::frame::schedule::FinalDecay;

/// Images of a step on one GPU, as published.
const IMAGES_PER_GPU: usize = 16;

/// What is fed to the mapping network in training (docs/spec/open-questions.md OQ-18).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LatentSource {
    /// N(0, I): StyleGAN2 and Lafite.
    #[default]
    Normal,
    /// Zeros: Mind Reader's published loop; only style mixing then brings variety.
    Zero,
}

/// Most resolutions of a network, 4 to 4096.
const MOST_RESOLUTIONS: usize = 11;

/// Settings of the training of generator and discriminator.
///
/// Weights, half-lives and the temperature are 0 to 1e6, shares and probabilities 0 to 1, rates above 0 and at most 1e30, β at
/// least 0 and below 1, ε above 0 and at most 1, batches 1 to 1e6, intervals 1 to 1e9, thousands of images above 0 and at most 1e9,
/// GPUs 1 to 64.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GanTrainConfig {
    /// Decides every random number of the training and the initial weights.
    pub seed: u64,
    /// Length of the training in thousands of real images shown (25000).
    pub total_kimg: f64,
    /// Images per step, those of all GPUs; 16 per GPU when absent, as published.
    pub batch_size: Option<usize>,
    /// Images per forward and backward pass; a phase adds up the gradients of its rounds. 0: as many as the GPU's memory should
    /// hold, and all that a GPU gets where they fit or the memory is unknown.
    pub micro_batch_size: usize,
    /// GPUs that share every batch (1; the paper 2): the first is the run's device, the others follow it by number.
    pub gpus: usize,
    /// Highest resolutions of both networks whose features are in half precision in the main phases (0; published 4). GPUs only.
    pub half_resolutions: usize,
    /// Factor on losses that pass through half precision.
    pub loss_scale: LossScaleConfig,
    /// Adam's rate before the lazy correction (0.0025).
    pub learning_rate: f64,
    /// How every network's rate falls at the end of `total_kimg`; constant by default, as published.
    pub learning_rate_decay: FinalDecay,
    /// Adam's first decay (0).
    pub beta_1: f64,
    /// Adam's second decay (0.99).
    pub beta_2: f64,
    /// Adam's ε (1e-8).
    pub epsilon: f64,
    /// Weight γ of R1; 0.0002 · resolution² / batch when absent (docs/spec/open-questions.md OQ-28). 0 leaves it out.
    pub r1_gamma: Option<f64>,
    /// Path-length penalty.
    pub path_length: PathLengthConfig,
    /// Steps between path-length phases (4).
    pub generator_interval: u64,
    /// Steps between R1 phases (16).
    pub discriminator_interval: u64,
    /// Chance that a batch's later layers get the w of another latent (0.9).
    pub style_mixing_probability: f64,
    /// Latents in training.
    pub latent: LatentSource,
    /// Main losses.
    pub loss: GanLossConfig,
    /// Perturbation of the conditions.
    pub condition_noise: ConditionNoiseConfig,
    /// Crops of generated images for CLIP.
    pub crop: CropConfig,
    /// Augmentation of what the discriminator sees; off by default.
    pub augment: AugmentConfig,
    /// Layers of the discriminator that keep their weights, from the image on (Freeze-D; 0): fromRGB, then two convolutions
    /// and a skip per resolution.
    pub frozen_discriminator_layers: usize,
    /// Half-life of the averaged generator in thousands of images; batch · 10 / 32 when absent.
    pub ema_half_life_kimg: Option<f64>,
    /// The half-life is at most this share of the images seen; 0 for no limit. When absent: 0.05 from scratch, none from
    /// trained weights (docs/spec/open-questions.md OQ-49).
    pub ema_rampup: Option<f64>,
    /// Whether every image also enters mirrored, with the conditions of the original (off).
    pub mirror_images: bool,
    /// Thousands of images between reports (4).
    pub tick_kimg: f64,
    /// Reports between checkpoints (50); the end and an interruption always write one, and so does the time: after five minutes, or 20
    /// times what writing one takes.
    pub checkpoint_ticks: u64,
    /// Phases in a row whose gradient may hold non-finite values before training gives up (16).
    pub max_non_finite_phases: u64,
}

impl Default for GanTrainConfig {
    fn default() -> Self {
        Self {
            seed: 0,
            total_kimg: 25_000.0,
            batch_size: None,
            micro_batch_size: 0,
            gpus: 1,
            half_resolutions: 0,
            loss_scale: LossScaleConfig::default(),
            learning_rate: 0.0025,
            learning_rate_decay: FinalDecay::default(),
            beta_1: 0.0,
            beta_2: 0.99,
            epsilon: 1e-8,
            r1_gamma: None,
            path_length: PathLengthConfig::default(),
            generator_interval: 4,
            discriminator_interval: 16,
            style_mixing_probability: 0.9,
            latent: LatentSource::Normal,
            loss: GanLossConfig::default(),
            condition_noise: ConditionNoiseConfig::default(),
            crop: CropConfig::default(),
            augment: AugmentConfig::default(),
            frozen_discriminator_layers: 0,
            ema_half_life_kimg: None,
            ema_rampup: None,
            mirror_images: false,
            tick_kimg: 4.0,
            checkpoint_ticks: 50,
            max_non_finite_phases: 16,
        }
    }
}

impl GanTrainConfig {
    /// Images per step, those of all GPUs.
    pub fn images_per_step(&self) -> usize {
        self.batch_size.unwrap_or(IMAGES_PER_GPU.saturating_mul(self.gpus.max(1)))
    }

    /// The same with the batch that follows from the GPUs written down.
    pub fn resolved(&self) -> Self {
        Self { batch_size: Some(self.images_per_step()), ..self.clone() }
    }

    /// γ of R1: as set, or by the published heuristic (docs/spec/gan-training.md §7).
    pub fn r1_gamma_for(&self, resolution: usize) -> f64 {
        let pixels = (resolution * resolution) as f64;
        self.r1_gamma.unwrap_or(0.0002 * pixels / self.images_per_step() as f64)
    }

    /// Half-life of the averaged generator in thousands of images.
    pub fn ema_half_life(&self) -> f64 {
        self.ema_half_life_kimg.unwrap_or(self.images_per_step() as f64 * 10.0 / 32.0)
    }

    /// Images per pass.
    pub fn round_size(&self) -> usize {
        // The projection term sums over a round, and the minibatch deviation groups within one: the size of a round
        // is part of what is learnt, not only of the memory that is needed.
        if self.micro_batch_size == 0 { self.images_per_gpu() } else { self.micro_batch_size }
    }

    /// Images of a step that one GPU gets.
    pub fn images_per_gpu(&self) -> usize {
        self.images_per_step() / self.gpus.max(1)
    }

    /// Images to be shown in total.
    pub fn total_images(&self) -> u64 {
        (self.total_kimg * 1000.0).ceil() as u64
    }

    /// Factor on every network's rate in the step that follows `images_seen`.
    pub fn rate_factor(&self, images_seen: u64) -> f64 {
        self.learning_rate_decay.factor_at(images_seen as f64 / self.total_images() as f64)
    }

    /// Checks every value that does not depend on networks or data.
    pub fn validate(&self) -> Result<(), SettingError> {
        self.check_counts()?;
        self.loss_scale.validate().map_err(|error| error.within("loss_scale"))?;
        for (field, value, most) in [
            ("total_kimg", self.total_kimg, limits::KIMG),
            ("learning_rate", self.learning_rate, limits::LEARNING_RATE),
            ("learning_rate_decay.factor", self.learning_rate_decay.factor, limits::RATE),
            ("epsilon", self.epsilon, 1.0),
            ("tick_kimg", self.tick_kimg, limits::KIMG),
        ] {
            in_range(field, value, above_to(0.0, most))?;
        }
        // At 1 Adam divides by 0.
        in_range("beta_1", self.beta_1, 0.0..1.0)?;
        in_range("beta_2", self.beta_2, 0.0..1.0)?;
        for (field, value) in [
            ("learning_rate_decay.share", self.learning_rate_decay.share),
            ("style_mixing_probability", self.style_mixing_probability),
            ("condition_noise.condition_noise", self.condition_noise.condition_noise),
            ("condition_noise.pseudo_noise", self.condition_noise.pseudo_noise),
            ("condition_noise.mixing_probability", self.condition_noise.mixing_probability.unwrap_or(0.0)),
            (
                "condition_noise.second_mixing_probability",
                self.condition_noise.second_mixing_probability.unwrap_or(0.0),
            ),
            ("path_length.decay", self.path_length.decay),
            ("loss.contrastive.row_share", self.loss.contrastive.row_share),
            ("crop.smallest_share", self.crop.smallest_share),
        ] {
            in_range(field, value, 0.0..=1.0)?;
        }
        for (field, value) in [
            ("r1_gamma", self.r1_gamma.unwrap_or(0.0)),
            ("ema_half_life_kimg", self.ema_half_life_kimg.unwrap_or(0.0)),
            ("ema_rampup", self.ema_rampup.unwrap_or(0.0)),
            ("path_length.weight", self.path_length.weight),
            ("loss.contrastive.temperature", self.loss.contrastive.temperature),
            ("loss.clip_condition_weight", self.loss.clip_condition_weight),
            ("loss.clip_image_weight", self.loss.clip_image_weight),
            ("loss.semantic_condition_weight", self.loss.semantic_condition_weight),
            ("loss.semantic_image_weight", self.loss.semantic_image_weight),
            ("loss.low_level_weight", self.loss.low_level_weight),
        ] {
            in_range(field, value, 0.0..=limits::WEIGHT)?;
        }
        self.augment.validate().map_err(|error| error.within("augment"))
    }

    /// Whole numbers, and those that must divide each other.
    fn check_counts(&self) -> Result<(), SettingError> {
        // First: the batch follows from it where it is not set.
        in_range("gpus", self.gpus, 1..=limits::GPUS)?;
        in_range("batch_size", self.images_per_step(), 1..=limits::BATCH)?;
        for (field, value) in [
            ("generator_interval", self.generator_interval),
            ("discriminator_interval", self.discriminator_interval),
            ("checkpoint_ticks", self.checkpoint_ticks),
        ] {
            in_range(field, value, 1..=limits::INTERVAL)?;
        }
        in_range("max_non_finite_phases", self.max_non_finite_phases, 0..=limits::INTERVAL)?;
        in_range("path_length.batch_shrink", self.path_length.batch_shrink, 1..=limits::BATCH)?;
        in_range("half_resolutions", self.half_resolutions, 0..=MOST_RESOLUTIONS)?;
        in_range("frozen_discriminator_layers", self.frozen_discriminator_layers, 0..=limits::LAYERS)?;
        in_range("micro_batch_size", self.micro_batch_size, 0..=limits::BATCH)?;
        if !self.images_per_step().is_multiple_of(self.gpus) {
            let expected = format!("a divisor of `batch_size` ({})", self.images_per_step());
            return Err(SettingError::new("gpus", expected, self.gpus));
        }
        if !self.images_per_gpu().is_multiple_of(self.round_size()) {
            let expected = format!("0 or a divisor of the {} images of a GPU", self.images_per_gpu());
            return Err(SettingError::new("micro_batch_size", expected, self.micro_batch_size));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heuristics_of_the_published_script() {
        let config = GanTrainConfig::default();
        assert!((config.r1_gamma_for(256) - 0.8192).abs() < 1e-9);
        assert_eq!(config.ema_half_life(), 5.0);
        assert!(config.validate().is_ok());
        assert_eq!((config.images_per_step(), config.resolved().batch_size), (16, Some(16)));
        // The paper's two GPUs have 16 images each; γ and the half-life follow the batch of both.
        let two = GanTrainConfig { gpus: 2, ..Default::default() };
        assert_eq!((two.images_per_step(), two.images_per_gpu(), two.round_size()), (32, 16, 16));
        assert!((two.r1_gamma_for(256) - 0.4096).abs() < 1e-9);
        assert_eq!(two.ema_half_life(), 10.0);
        let shared = GanTrainConfig { batch_size: Some(16), ..two };
        assert_eq!((shared.images_per_gpu(), shared.ema_half_life()), (8, 5.0));
    }

    #[test]
    fn values_out_of_range_are_named() {
        let field = |config: GanTrainConfig| config.validate().unwrap_err().field;
        assert_eq!(field(GanTrainConfig { batch_size: Some(0), ..Default::default() }), "batch_size");
        assert_eq!(field(GanTrainConfig { micro_batch_size: 5, ..Default::default() }), "micro_batch_size");
        assert_eq!(field(GanTrainConfig { gpus: 0, ..Default::default() }), "gpus");
        assert_eq!(field(GanTrainConfig { gpus: 3, batch_size: Some(16), ..Default::default() }), "gpus");
        assert_eq!(
            field(GanTrainConfig { gpus: 2, micro_batch_size: 32, ..Default::default() }),
            "micro_batch_size"
        );
        assert_eq!(field(GanTrainConfig { learning_rate: f64::NAN, ..Default::default() }), "learning_rate");
        let decay = |share, factor| GanTrainConfig {
            learning_rate_decay: FinalDecay { share, factor },
            ..Default::default()
        };
        assert_eq!(field(decay(1.5, 0.1)), "learning_rate_decay.share");
        assert_eq!(field(decay(0.5, 0.0)), "learning_rate_decay.factor");
        assert_eq!(field(GanTrainConfig { beta_2: 1.5, ..Default::default() }), "beta_2");
        assert_eq!(field(GanTrainConfig { r1_gamma: Some(-1.0), ..Default::default() }), "r1_gamma");
    }
}
