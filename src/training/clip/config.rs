//! Settings of CLIP's training. Defaults: Radford et al. 2021, table 18 and 20, unless said otherwise.

use serde::{Deserialize, Serialize};

use super::batch::ClipAugment;
use crate::models::clip::tokenizer::LongText;

/// How a CLIP is trained from nothing.
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
    /// Bound on exp(logit scale). Paper: 100.
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

/// A setting that cannot be trained with.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("clip training: `{field}`: found {found}, expected {expected}")]
pub struct ClipTrainConfigError {
    /// The offending field.
    pub field: &'static str,
    /// What would be right.
    pub expected: &'static str,
    /// What it is.
    pub found: f64,
}

impl ClipTrainConfig {
    /// Checks every range.
    ///
    /// # Errors
    /// [`ClipTrainConfigError`] that names the first field out of range.
    pub fn validate(&self) -> Result<(), ClipTrainConfigError> {
        let positive = |value: f64| value.is_finite() && value > 0.0;
        let share = |value: f64| (0.0..1.0).contains(&value);
        let checks = [
            ("epochs", self.epochs as f64, self.epochs > 0, "at least 1"),
            ("batch_size", self.batch_size as f64, self.batch_size > 1, "at least 2"),
            (
                "evaluate_every_epochs",
                self.evaluate_every_epochs as f64,
                self.evaluate_every_epochs > 0,
                "at least 1",
            ),
            ("learning_rate", self.learning_rate, positive(self.learning_rate), "a number above 0"),
            (
                "weight_decay",
                self.weight_decay,
                self.weight_decay.is_finite() && self.weight_decay >= 0.0,
                "0 or more",
            ),
            ("beta_1", self.beta_1, share(self.beta_1), "a number in [0, 1)"),
            ("beta_2", self.beta_2, share(self.beta_2), "a number in [0, 1)"),
            ("epsilon", self.epsilon, positive(self.epsilon), "a number above 0"),
            ("max_logit_scale", self.max_logit_scale, self.max_logit_scale >= 1.0, "at least 1"),
            (
                "max_gradient_norm",
                self.max_gradient_norm.unwrap_or(1.0),
                positive(self.max_gradient_norm.unwrap_or(1.0)),
                "a number above 0",
            ),
            (
                "augment.min_area",
                self.augment.min_area,
                (0.05..=1.0).contains(&self.augment.min_area),
                "a number in [0.05, 1]",
            ),
            (
                "augment.flip_probability",
                self.augment.flip_probability,
                (0.0..=1.0).contains(&self.augment.flip_probability),
                "a number in [0, 1]",
            ),
        ];
        match checks.into_iter().find(|(_, _, holds, _)| !holds) {
            Some((field, found, _, expected)) => Err(ClipTrainConfigError { field, expected, found }),
            None => Ok(()),
        }
    }

    /// Learning rate of a step, counted from 0, of a run of `total_steps`: linear up, cosine down to 0.
    pub fn learning_rate_at(&self, step: u64, total_steps: u64) -> f64 {
        let warmup = self.warmup_steps as f64;
        let step = step as f64;
        if step < warmup {
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
        assert_eq!(
            one.validate().unwrap_err().to_string(),
            "clip training: `batch_size`: found 1, expected at least 2"
        );
        let nan = ClipTrainConfig { learning_rate: f64::NAN, ..ClipTrainConfig::default() };
        assert_eq!(nan.validate().unwrap_err().field, "learning_rate");
    }
}
