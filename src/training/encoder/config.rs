//! Settings of the encoding network's training; the default is the mapper's first phase (docs/spec/mapper.md §5.1, §8).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::{SettingError, in_range, limits};
use crate::training::frame::epoch_loop::{Clock, Plan};
use crate::training::frame::optimiser::OptimiserConfig;

/// Longest time between checkpoints: two years, in minutes.
const MOST_MINUTES: f64 = 1e6;

/// Loss, length and optimiser.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EncoderTrainConfig {
    /// Seed of weights and order of trials.
    pub seed: u64,
    /// Passes over the trials, 1 to 1e6.
    pub epochs: usize,
    /// Trials per step, 1 to 1e6; the last batch of an epoch may be smaller.
    pub batch: usize,
    /// ω: weight of the cosine distance against the mean squared error, 0 to 1.
    pub cosine_weight: f64,
    /// Optimiser and schedule.
    pub optimiser: OptimiserConfig,
    /// Share of the training images, at least 0 and below 1, whose trials choose the epoch and are not fitted; 0: all are fitted, and
    /// the network of the last epoch counts.
    pub tuning_fraction: f64,
    /// Ends after so many epochs without a lower loss on those; none: it runs its full length.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patience_epochs: Option<usize>,
    /// Minutes between checkpoints inside an epoch, 0 to 1e6. There is one after five minutes in any case, or after 20 times what
    /// writing one takes.
    pub checkpoint_every_minutes: f64,
}

impl Default for EncoderTrainConfig {
    fn default() -> Self {
        Self {
            seed: 42,
            epochs: 40,
            batch: 32,
            cosine_weight: 0.6,
            optimiser: OptimiserConfig::default(),
            tuning_fraction: 0.15,
            patience_epochs: None,
            checkpoint_every_minutes: 10.0,
        }
    }
}

impl EncoderTrainConfig {
    /// Checks every range.
    ///
    /// # Errors
    /// [`SettingError`] that names the first key out of range.
    pub fn validate(&self) -> Result<(), SettingError> {
        in_range("epochs", self.epochs, 1..=limits::EPOCHS)?;
        in_range("batch", self.batch, 1..=limits::BATCH)?;
        in_range("cosine_weight", self.cosine_weight, 0.0..=1.0)?;
        in_range("tuning_fraction", self.tuning_fraction, 0.0..1.0)?;
        if let Some(epochs) = self.patience_epochs {
            in_range("patience_epochs", epochs, 0..=limits::EPOCHS)?;
        }
        in_range("checkpoint_every_minutes", self.checkpoint_every_minutes, 0.0..=MOST_MINUTES)?;
        self.optimiser.check_ranges().map_err(|error| error.within("optimiser"))
    }

    /// How long the frame runs it.
    pub fn plan(&self) -> Plan {
        Plan {
            epochs: vec![self.epochs],
            evaluate_every_epochs: 1,
            // Without tuning trials the length is fixed.
            patience_epochs: self.patience_epochs.filter(|_| self.tuning_fraction > 0.0),
            // In range, so that a duration holds it.
            checkpoint_every: Duration::try_from_secs_f64(60.0 * self.checkpoint_every_minutes)
                .unwrap_or_default(),
            clock: Clock::Epochs,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_out_of_range_are_named() {
        let of = |text: &str| {
            toml::from_str::<EncoderTrainConfig>(text).unwrap().validate().map_err(|error| error.key())
        };
        assert_eq!(of(""), Ok(()));
        assert_eq!(of("tuning_fraction = 0.0"), Ok(()));
        for (text, key) in [
            ("epochs = 0", "epochs"),
            ("batch = 0", "batch"),
            ("cosine_weight = 1.5", "cosine_weight"),
            ("tuning_fraction = 1.0", "tuning_fraction"),
            ("tuning_fraction = nan", "tuning_fraction"),
            ("checkpoint_every_minutes = inf", "checkpoint_every_minutes"),
            ("optimiser.beta_1 = 1.0", "optimiser.beta_1"),
        ] {
            assert_eq!(of(text), Err(key.to_string()), "{text}");
        }
        assert!(toml::from_str::<EncoderTrainConfig>("omega = 0.6").is_err());
    }
}
