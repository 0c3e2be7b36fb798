//! Settings of the classifier's training. The values are this program's own.

use serde::{Deserialize, Serialize};

use crate::error::{SettingError, above_to, in_range, limits};

/// How a classifier is trained from nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClassifierTrainConfig {
    /// Passes over all images, 1 to 1e6.
    pub epochs: usize,
    /// Images in a batch, at most; 1 to 1e6.
    pub batch_size: usize,
    /// Highest learning rate, above 0 and at most 1e30.
    pub learning_rate: f64,
    /// Steps of linear warm-up, before a cosine to zero; 0 to 1e6.
    pub warmup_steps: usize,
    /// Probability with which left and right are exchanged, 0 to 1.
    pub flip_probability: f64,
    /// Decides weights, order, mirrored images and which photographs are set aside.
    pub seed: u64,
}

impl Default for ClassifierTrainConfig {
    fn default() -> Self {
        Self {
            epochs: 12,
            batch_size: 64,
            learning_rate: 2e-3,
            warmup_steps: 100,
            flip_probability: 0.5,
            seed: 0,
        }
    }
}

impl ClassifierTrainConfig {
    /// Checks every range.
    ///
    /// # Errors
    /// [`SettingError`] that names the first field out of range.
    pub fn validate(&self) -> Result<(), SettingError> {
        in_range("epochs", self.epochs, 1..=limits::EPOCHS)?;
        in_range("batch_size", self.batch_size, 1..=limits::BATCH)?;
        in_range("learning_rate", self.learning_rate, above_to(0.0, limits::LEARNING_RATE))?;
        in_range("warmup_steps", self.warmup_steps, 0..=limits::ITEMS)?;
        in_range("flip_probability", self.flip_probability, 0.0..=1.0)
    }

    /// Learning rate of a step, counted from 0, of a run of `total_steps`: linear up, cosine down to 0.
    pub fn learning_rate_at(&self, step: u64, total_steps: u64) -> f64 {
        // A short run keeps most of its steps for the descent.
        let warmup = (self.warmup_steps as f64).min(total_steps as f64 / 4.0);
        let step = step as f64;
        if step < warmup {
            // The first step learns, too: its rate is one part of the ramp, not 0.
            return self.learning_rate * (step + 1.0) / (warmup + 1.0);
        }
        let share = (step - warmup) / (total_steps as f64 - warmup).max(1.0);
        self.learning_rate * 0.5 * (1.0 + (std::f64::consts::PI * share.min(1.0)).cos())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_rises_to_its_height_and_falls_to_zero() {
        let config =
            ClassifierTrainConfig { warmup_steps: 9, learning_rate: 1.0, ..ClassifierTrainConfig::default() };
        assert!((config.learning_rate_at(0, 109) - 0.1).abs() < 1e-12);
        assert!((config.learning_rate_at(9, 109) - 1.0).abs() < 1e-12);
        assert!((config.learning_rate_at(59, 109) - 0.5).abs() < 1e-12);
        assert!(config.learning_rate_at(109, 109).abs() < 1e-12);
    }

    #[test]
    fn settings_out_of_range_are_named() {
        assert_eq!(ClassifierTrainConfig::default().validate(), Ok(()));
        let nan = ClassifierTrainConfig { learning_rate: f64::NAN, ..ClassifierTrainConfig::default() };
        assert_eq!(nan.validate().unwrap_err().field, "learning_rate");
        let none = ClassifierTrainConfig { epochs: 0, ..ClassifierTrainConfig::default() };
        assert_eq!(none.validate().unwrap_err().to_string(), "`epochs`: found 0, expected 1 to 1000000");
    }
}
