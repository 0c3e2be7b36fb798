//! Settings of the kernel ridge decoder.

use serde::{Deserialize, Serialize};

use crate::error::{SettingError, above_to, in_range, limits};
use crate::training::ridge::RidgeConfig;

/// Most penalties to choose from: each costs a factorisation.
const MOST_PENALTIES: usize = 1000;
/// Largest penalty: with it every prediction is the mean.
const MOST_PENALTY: f64 = 1e12;

/// Kernel and penalties.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KernelRidgeConfig {
    /// γ of `exp(−γ |a − b|² / mean squared distance)`, above 0 and at most 1e6.
    pub gamma: f64,
    /// Penalties to try, added to the kernel's diagonal of ones: up to 1000, above 0 and at most 1e12.
    pub penalties: Vec<f64>,
    /// Penalties of the linear ridge regression whose weights scale the voxels, and the share of the training images, those first seen
    /// last, on which both penalties are chosen.
    pub ridge: RidgeConfig,
}

impl Default for KernelRidgeConfig {
    fn default() -> Self {
        Self { gamma: 0.7, penalties: vec![0.03, 0.1, 0.3, 1.0, 3.0], ridge: RidgeConfig::default() }
    }
}

impl KernelRidgeConfig {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`SettingError`] that names the first key out of range.
    pub fn validate(&self) -> Result<(), SettingError> {
        in_range("gamma", self.gamma, above_to(0.0, limits::WEIGHT))?;
        let is_penalty = |penalty: &f64| *penalty > 0.0 && *penalty <= MOST_PENALTY;
        if !(1..=MOST_PENALTIES).contains(&self.penalties.len()) || !self.penalties.iter().all(is_penalty) {
            let expected = format!("1 to {MOST_PENALTIES} numbers, all above 0 and at most {MOST_PENALTY}");
            let found = self.penalties.iter().map(f64::to_string).collect::<Vec<_>>().join(", ");
            return Err(SettingError::new("penalties", expected, found));
        }
        self.ridge.validate().map_err(|error| error.within("ridge"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_out_of_range_are_named() {
        let of = |text: &str| {
            let config: KernelRidgeConfig = toml::from_str(text).unwrap();
            config.validate().map_err(|error| error.key())
        };
        assert_eq!(of(""), Ok(()));
        for (text, key) in [
            ("gamma = 0.0", "gamma"),
            ("gamma = nan", "gamma"),
            ("penalties = []", "penalties"),
            ("penalties = [0.1, -1.0]", "penalties"),
            ("ridge.tuning_fraction = 0.0", "ridge.tuning_fraction"),
        ] {
            assert_eq!(of(text), Err(key.to_string()), "{text}");
        }
    }
}
