//! Settings of CLIP's training. Defaults: Radford et al. 2021, table 18 and 20, unless said otherwise.

use serde::{Deserialize, Serialize};

use super::batch::ClipAugment;
use crate::error::{SettingError, above_to, in_range, limits};
use crate::models::clip::tokenizer::LongText;

/// How a CLIP is trained from nothing. Epochs are 1 to 1e6, batches 2 to 1e6, warm-up 0 to 1e6 steps, the rate above 0 and at most
/// 1e30, decay 0 to 1000, β at least 0 and below 1, ε above 0 and at most 1, the bound on the norm above 0 and at most 1e6.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClipTrainConfig {
    /// Passes over all photographs. Paper: 32.
    pub epochs: usize,
    /// Photographs in a batch, at most. The paper's 32 768 need hundreds of GPUs; 256 is ours.
    pub batch_size: usize,
    /// Highest learning rate, for batches of any size. Paper, ViT-B/32: 5e-4.
    pub learning_rate: f64,
    /// Steps of linear warm-up, before a cosine to zero. Paper: 2000.
    pub warmup_steps: usize,
    /// Decoupled weight decay of everything but gains, biases and the logit scale. Paper: 0.2.
    pub weight_decay: f64,
    /// Paper: 0.9.
    pub beta_1: f64,
    /// Paper, vision transformers: 0.98.
    pub beta_2: f64,
    /// Paper, vision transformers: 1e-6.
    pub epsilon: f64,
    /// Bound on the norm of all gradients together; absent: none, as in the paper.
    pub max_gradient_norm: Option<f64>,
    /// Bound on exp(logit scale), 1 to 1e6. Paper: 100.
    pub max_logit_scale: f64,
    /// Random changes of the images.
    pub augment: ClipAugment,
    /// What to do with captions longer than the context.
    pub long_captions: LongText,
    /// Epochs between evaluations on held-out pairs, each with a checkpoint.
    pub evaluate_every_epochs: usize,
    /// Decides weights, order and augmentation.
    pub seed: u64,
}

impl Default for ClipTrainConfig {
    fn default() -> Self {
        Self {
            epochs: 32,
            batch_size: 256,
            learning_rate: 5e-4,
            warmup_steps: 2000,
            weight_decay: 0.2,
            beta_1: 0.9,
            beta_2: 0.98,
            epsilon: 1e-6,
            max_gradient_norm: None,
            max_logit_scale: 100.0,
            augment: ClipAugment::default(),
            long_captions: LongText::Truncate,
            evaluate_every_epochs: 1,
            seed: 0,
        }
    }
}

impl ClipTrainConfig {
    /// Checks every range.
    ///
    /// # Errors
    /// [`SettingError`] that names the first field out of range.
    pub fn validate(&self) -> Result<(), SettingError> {
        in_range("epochs", self.epochs, 1..=limits::EPOCHS)?;
        // Contrast needs another pair.
        in_range("batch_size", self.batch_size, 2..=limits::BATCH)?;
        in_range("evaluate_every_epochs", self.evaluate_every_epochs, 1..=limits::EPOCHS)?;
        in_range("learning_rate", self.learning_rate, above_to(0.0, limits::LEARNING_RATE))?;
        in_range("warmup_steps", self.warmup_steps, 0..=limits::ITEMS)?;
        in_range("weight_decay", self.weight_decay, 0.0..=limits::RATE)?;
        in_range("beta_1", self.beta_1, 0.0..1.0)?;
        in_range("beta_2", self.beta_2, 0.0..1.0)?;
        in_range("epsilon", self.epsilon, above_to(0.0, 1.0))?;
        in_range("max_logit_scale", self.max_logit_scale, 1.0..=limits::WEIGHT)?;
        if let Some(norm) = self.max_gradient_norm {
            in_range("max_gradient_norm", norm, above_to(0.0, limits::WEIGHT))?;
        }
        in_range("augment.min_area", self.augment.min_area, 0.05..=1.0)?;
        in_range("augment.flip_probability", self.augment.flip_probability, 0.0..=1.0)
    }

    /// Learning rate of a step, counted from 0, of a run of `total_steps`: linear up, cosine down to 0.
    pub fn learning_rate_at(&self, step: u64, total_steps: u64) -> f64 {
        let warmup = self.warmup_steps as f64;
        let step = step as f64;
        if step < warmup {
            // The first step has a rate, and the last of the warm-up has the full one.
            return self.learning_rate * (step + 1.0) / warmup;
        }
        let progress = (step - warmup) / (total_steps as f64 - warmup).max(1.0);
        self.learning_rate * 0.5 * (1.0 + (std::f64::consts::PI * progress.min(1.0)).cos())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_rises_to_its_height_and_falls_to_zero() {
        let config = ClipTrainConfig { warmup_steps: 10, learning_rate: 1.0, ..ClipTrainConfig::default() };
        assert!((config.learning_rate_at(0, 110) - 0.1).abs() < 1e-12);
        assert!((config.learning_rate_at(10, 110) - 1.0).abs() < 1e-12);
        assert!((config.learning_rate_at(60, 110) - 0.5).abs() < 1e-12);
        assert!(config.learning_rate_at(110, 110).abs() < 1e-12);
    }

    #[test]
    fn settings_out_of_range_are_named() {
        assert_eq!(ClipTrainConfig::default().validate(), Ok(()));
        let one = ClipTrainConfig { batch_size: 1, ..ClipTrainConfig::default() };
        assert_eq!(one.validate().unwrap_err().to_string(), "`batch_size`: found 1, expected 2 to 1000000");
        let nan = ClipTrainConfig { learning_rate: f64::NAN, ..ClipTrainConfig::default() };
        assert_eq!(nan.validate().unwrap_err().field, "learning_rate");
    }
}
