//! Settings of the kernel ridge decoder.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use crate::error::{SettingError, all_in_range, in_range};
use crate::training::ridge::RidgeConfig;

/// Most penalties to choose from: each costs a factorisation.
const MOST_PENALTIES: usize = 1000;
/// Penalties: below them the kernel's single precision decides, above them every prediction is the mean.
const PENALTIES: RangeInclusive<f64> = 1e-6..=1e6;
/// Widths of the kernel: below them it holds nothing but rounding beside a line, above them no trial resembles another.
const GAMMAS: RangeInclusive<f64> = 1e-3..=1e3;

/// Kernel and penalties.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KernelRidgeConfig {
    /// γ of `exp(−γ |a − b|² / mean squared distance)`, 0.001 to 1000.
    pub gamma: f64,
    /// Penalties to try, added to the kernel's diagonal of ones: 1 to 1000, each 1e-6 to 1e6.
    pub penalties: Vec<f64>,
    /// Penalties of the linear ridge regression whose weights scale the voxels, and the share of the training images, the
    /// tuning images, on which both penalties are chosen.
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
        in_range("gamma", self.gamma, GAMMAS)?;
        all_in_range("penalties", &self.penalties, 1..=MOST_PENALTIES, PENALTIES)?;
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
            ("gamma = 1e-300", "gamma"),
            ("gamma = 1e5", "gamma"),
            ("penalties = []", "penalties"),
            ("penalties = [0.1, -1.0]", "penalties"),
            ("penalties = [0.1, 1e-12]", "penalties"),
            ("ridge.tuning_fraction = 0.0", "ridge.tuning_fraction"),
        ] {
            assert_eq!(of(text), Err(key.to_string()), "{text}");
        }
    }
}
