//! Settings of the residual decoder's training. The values are this program's own, from trials on a phantom and two data sets.

use std::f64::consts::PI;
use std::ops::RangeInclusive;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::{SettingError, all_in_range, in_range, limits};
use crate::losses::bank_contrastive::BankContrastiveConfig;
use crate::models::mapper::{MOST_MEMBERS, ResidualConfig};
use crate::training::frame::epoch_loop::{Clock, Plan};
use crate::training::ridge::RidgeConfig;

/// Longest time between checkpoints: two years, in minutes.
const MOST_MINUTES: f64 = 1e6;
/// Largest share that is dropped: hardly anything is left beyond it.
const MOST_DROPPED: f64 = 0.99;
/// Smallest rate: below it lies what single precision does not hold.
const LEAST_RATE: f64 = 1e-30;
/// τ: outside of it the logarithm of the softmax is rounded to 0 or to that of equal logits.
const TEMPERATURES: RangeInclusive<f64> = 1e-3..=1e3;
/// Most candidates for the blend: each is a count.
const MOST_BLENDS: usize = 1000;

/// Network, loss, optimiser and protocol of the residual decoder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ResidualTrainConfig {
    /// Seed of weights, order of trials and dropout.
    pub seed: u64,
    /// Networks from different draws whose predictions are averaged, 1 to 64.
    pub num_members: usize,
    /// Hidden units, 1 to 65,536.
    pub hidden: usize,
    /// Residual blocks, 0 to 1000.
    pub num_blocks: usize,
    /// Share of voxels that a step does not see, 0 to 0.99; likewise the others.
    pub voxel_dropout: f64,
    /// Of the units of the first hidden layer.
    pub hidden_dropout: f64,
    /// Of what a block adds.
    pub block_dropout: f64,
    /// Passes over the trials, 1 to 1e6.
    pub epochs: usize,
    /// Trials per step, at most; 2 to 1e6. Trials beyond the last whole batch wait for another epoch.
    pub batch: usize,
    /// Highest rate of AdamW, 1e-30 to 1e30.
    pub learning_rate: f64,
    /// Rate of the linear skip over that of the rest, 0 to 1000.
    pub skip_rate: f64,
    /// Decay of matrices but the skip's, 0 to 1000; biases and norms have none.
    pub weight_decay: f64,
    /// Share of the steps over which the rate rises, 0 to below 1; then half a cosine to 0.
    pub warm_up: f64,
    /// τ, 0.001 to 1000, and weight of the contrastive terms.
    pub contrastive: BankContrastiveConfig,
    /// α to choose from: shares of the network against ridge, each 0 to 1.
    pub blends: Vec<f64>,
    /// Ridge's penalties to choose from, and the share of the training images, the tuning images, that chooses them and α.
    pub ridge: RidgeConfig,
    /// Epochs between rows of the event log, each with a checkpoint; 1 to 1e6.
    pub evaluate_every_epochs: usize,
    /// Minutes between checkpoints in between, 0 to 1e6. There is one after five minutes in any case, or after 20 times what writing one
    /// takes.
    pub checkpoint_every_minutes: f64,
}

impl Default for ResidualTrainConfig {
    fn default() -> Self {
        let network = ResidualConfig::default();
        Self {
            seed: 42,
            num_members: 1,
            hidden: network.hidden,
            num_blocks: network.num_blocks,
            voxel_dropout: 0.2,
            hidden_dropout: 0.5,
            block_dropout: 0.15,
            epochs: 30,
            batch: 128,
            learning_rate: 5e-4,
            skip_rate: 0.1,
            weight_decay: 1e-2,
            warm_up: 0.15,
            contrastive: BankContrastiveConfig::default(),
            blends: vec![0.0, 0.25, 0.5, 0.75, 1.0],
            ridge: RidgeConfig::default(),
            evaluate_every_epochs: 5,
            checkpoint_every_minutes: 10.0,
        }
    }
}

impl ResidualTrainConfig {
    /// Checks every range.
    ///
    /// # Errors
    /// [`SettingError`] that names the first key out of range.
    pub fn validate(&self) -> Result<(), SettingError> {
        in_range("num_members", self.num_members, 1..=MOST_MEMBERS)?;
        in_range("hidden", self.hidden, 1..=limits::WIDTH)?;
        in_range("num_blocks", self.num_blocks, 0..=limits::LAYERS)?;
        in_range("voxel_dropout", self.voxel_dropout, 0.0..=MOST_DROPPED)?;
        in_range("hidden_dropout", self.hidden_dropout, 0.0..=MOST_DROPPED)?;
        in_range("block_dropout", self.block_dropout, 0.0..=MOST_DROPPED)?;
        in_range("epochs", self.epochs, 1..=limits::EPOCHS)?;
        in_range("batch", self.batch, 2..=limits::BATCH)?;
        in_range("learning_rate", self.learning_rate, LEAST_RATE..=limits::LEARNING_RATE)?;
        in_range("skip_rate", self.skip_rate, 0.0..=limits::RATE)?;
        in_range("weight_decay", self.weight_decay, 0.0..=limits::RATE)?;
        in_range("warm_up", self.warm_up, 0.0..1.0)?;
        in_range("contrastive.temperature", self.contrastive.temperature, TEMPERATURES)?;
        in_range("contrastive.weight", self.contrastive.weight, 0.0..=limits::WEIGHT)?;
        all_in_range("blends", &self.blends, 1..=MOST_BLENDS, 0.0..=1.0)?;
        self.ridge.validate().map_err(|error| error.within("ridge"))?;
        in_range("evaluate_every_epochs", self.evaluate_every_epochs, 1..=limits::EPOCHS)?;
        in_range("checkpoint_every_minutes", self.checkpoint_every_minutes, 0.0..=MOST_MINUTES)
    }

    /// Sizes of the decoder, with a blend that is not chosen yet.
    pub fn network(&self, [num_voxels, embed_dim]: [usize; 2]) -> ResidualConfig {
        let Self { hidden, num_blocks, num_members, .. } = *self;
        ResidualConfig { num_voxels, hidden, num_blocks, embed_dim, num_members, blend: 0.0 }
    }

    /// The tuning fit, then a phase per member.
    pub fn plan(&self) -> Plan {
        Plan {
            epochs: vec![self.epochs; 1 + self.num_members],
            evaluate_every_epochs: self.evaluate_every_epochs,
            patience_epochs: None,
            // In range, so that a duration holds it.
            checkpoint_every: Duration::try_from_secs_f64(60.0 * self.checkpoint_every_minutes)
                .unwrap_or_default(),
            clock: Clock::Epochs,
        }
    }

    /// Rate of a step of `total_steps`, counted from 0.
    pub fn learning_rate_at(&self, step: usize, total_steps: usize) -> f64 {
        let (number, total) = (step as f64 + 1.0, total_steps as f64);
        let warm_up = (self.warm_up * total).floor().max(1.0);
        let share = match number < warm_up {
            true => number / warm_up,
            false => 0.5 * (1.0 + (PI * (number - warm_up) / (total - warm_up + 1.0)).cos()),
        };
        self.learning_rate * share
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_rises_over_its_share_and_falls_to_nearly_nothing() {
        let config = ResidualTrainConfig { learning_rate: 1.0, ..ResidualTrainConfig::default() };
        let at = |step| config.learning_rate_at(step, 100);
        assert!((at(0) - 1.0 / 15.0).abs() < 1e-12 && (at(13) - 14.0 / 15.0).abs() < 1e-12);
        assert_eq!(at(14), 1.0);
        assert!((at(57) - 0.5).abs() < 1e-12, "{}", at(57));
        assert!(at(99) > 0.0 && at(99) < 1e-3);
        assert_eq!(config.learning_rate_at(0, 1), 1.0);
    }

    #[test]
    fn keys_out_of_range_are_named() {
        let of = |text: &str| {
            let config: ResidualTrainConfig = toml::from_str(text).unwrap();
            config.validate().map_err(|error| error.key())
        };
        assert_eq!(of(""), Ok(()));
        for (text, key) in [
            ("epochs = 0", "epochs"),
            ("batch = 1", "batch"),
            ("voxel_dropout = 1.0", "voxel_dropout"),
            ("learning_rate = 1e-300", "learning_rate"),
            ("contrastive.temperature = 1e-300", "contrastive.temperature"),
            ("hidden_dropout = nan", "hidden_dropout"),
            ("warm_up = 1.0", "warm_up"),
            ("blends = []", "blends"),
            ("blends = [0.5, 1.5]", "blends"),
            ("num_members = 65", "num_members"),
            ("ridge.tuning_fraction = 1.0", "ridge.tuning_fraction"),
            ("contrastive.temperature = 0.0", "contrastive.temperature"),
            ("checkpoint_every_minutes = inf", "checkpoint_every_minutes"),
        ] {
            assert_eq!(of(text), Err(key.to_string()), "{text}");
        }
        assert!(toml::from_str::<ResidualTrainConfig>("alphas = [1.0]").is_err());
    }
}
