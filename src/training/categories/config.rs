//! Settings of a category classifier's training.

use serde::{Deserialize, Serialize};

use crate::error::{SettingError, in_range, limits};
use crate::training::frame::optimiser::OptimiserConfig;

/// How a category classifier is trained; the defaults are stage one's constants at a rate of 2e−4 (docs/spec/open-questions.md OQ-45).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CategoryTrainConfig {
    /// Seed of weights and of the order of trials.
    pub seed: u64,
    /// Passes over the training trials, 1 to 1e6; the last network counts.
    pub epochs: usize,
    /// Trials per step, 1 to 1e6; the last step of an epoch may have fewer.
    pub batch: usize,
    /// Optimiser and schedule.
    pub optimiser: OptimiserConfig,
}

impl Default for CategoryTrainConfig {
    fn default() -> Self {
        let optimiser = OptimiserConfig { learning_rate: 2e-4, ..OptimiserConfig::default() };
        Self { seed: 0, epochs: 40, batch: 32, optimiser }
    }
}

impl CategoryTrainConfig {
    /// Checks every range.
    ///
    /// # Errors
    /// [`SettingError`] that names the first key out of range.
    pub fn validate(&self) -> Result<(), SettingError> {
        in_range("epochs", self.epochs, 1..=limits::EPOCHS)?;
        in_range("batch", self.batch, 1..=limits::BATCH)?;
        self.optimiser.check_ranges().map_err(|error| error.within("optimiser"))
    }
}
