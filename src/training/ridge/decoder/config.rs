//! Settings of the ridge decoder and their ranges.

use serde::{Deserialize, Serialize};

use crate::error::{SettingError, above_to, all_in_range, in_range};
use crate::training::ridge::config::{LEAST_PENALTY, MOST_PENALTY};

/// Most candidates on a grid: each costs the predictions of every fold.
const MOST_CANDIDATES: usize = 200;
/// Most folds, and most draws of bands' scales: each costs a whole fit.
const MOST_FITS: usize = 1000;

/// How a ridge decoder is fitted and how its penalty is chosen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RidgeDecoderConfig {
    /// Penalties to try, as multiples of the mean squared length of a centred row of (weighted) predictors: 1 to 200 numbers, 1e-9
    /// to 1e12.
    pub penalties: Vec<f64>,
    /// Where not empty, tried instead of penalties: the length of an output's weights as a share of that without a penalty,
    /// above 0 and at most 1 (Rokem & Kay 2020, *Fractional ridge regression*).
    pub fractions: Vec<f64>,
    /// Parts of the training images, 2 to 1000; each is predicted by a fit to the others.
    pub folds: usize,
    /// A penalty for each output in place of one for all.
    pub per_target: bool,
    /// What counts as a row in training.
    pub trials: TrainingTrials,
    /// What voxels are multiplied by.
    pub weighting: VoxelWeighting,
    /// Leaves out voxels with a reliability below this, at least 0 and below 1; 0 keeps all.
    pub select: f64,
    /// Draws of the scales of bands, 1 to 1000, the first of which has them equal; counts only where there are bands.
    pub band_draws: usize,
    /// Whether predictions get back the variance that the penalty takes from them.
    pub rescale: Rescale,
    /// Decides the draws of the scales of bands.
    pub seed: u64,
}

/// What counts as a row in training.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TrainingTrials {
    /// Every trial.
    #[default]
    Single,
    /// The mean of an image's trials.
    Averaged,
}

/// What voxels are multiplied by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VoxelWeighting {
    /// 1.
    #[default]
    None,
    /// The root of the reliability, see [`voxel_reliability`](crate::training::ridge::reliability::voxel_reliability): the
    /// penalty then weighs more on voxels that do not repeat themselves.
    Reliability,
}

/// Whether the predictions of an output get the deviation that its targets have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rescale {
    /// They stay as they are.
    #[default]
    None,
    /// By the deviation of the predictions of held-out training rows; part of the weights.
    Train,
    /// By mean and deviation of the predictions themselves, of all that are decoded together: the one that predicts calls
    /// [`restore_variance`](super::restore_variance). Predictions then depend on each other; results must say so.
    Test,
}

impl Default for RidgeDecoderConfig {
    fn default() -> Self {
        Self {
            // Two to a factor of ten, from 0.001 to 1000.
            penalties: (-6..=6).map(|half_decades| 10_f64.powf(f64::from(half_decades) / 2.0)).collect(),
            fractions: Vec::new(),
            folds: 5,
            per_target: true,
            trials: TrainingTrials::Single,
            weighting: VoxelWeighting::None,
            select: 0.0,
            band_draws: 20,
            rescale: Rescale::None,
            seed: 0,
        }
    }
}

impl RidgeDecoderConfig {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`SettingError`] that names the first key out of range.
    pub fn validate(&self) -> Result<(), SettingError> {
        all_in_range("penalties", &self.penalties, 1..=MOST_CANDIDATES, LEAST_PENALTY..=MOST_PENALTY)?;
        all_in_range("fractions", &self.fractions, 0..=MOST_CANDIDATES, above_to(0.0, 1.0))?;
        in_range("folds", self.folds, 2..=MOST_FITS)?;
        in_range("select", self.select, 0.0..1.0)?;
        in_range("band_draws", self.band_draws, 1..=MOST_FITS)
    }

    /// The numbers that are tried.
    pub fn grid(&self) -> &[f64] {
        if self.fractions.is_empty() { &self.penalties } else { &self.fractions }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_grid_has_thirteen_penalties() {
        let config = RidgeDecoderConfig::default();
        assert_eq!(config.validate(), Ok(()));
        assert_eq!((config.penalties.len(), config.penalties[6]), (13, 1.0));
        assert!((config.penalties[0] - 1e-3).abs() < 1e-12 && (config.penalties[12] - 1e3).abs() < 1e-9);
        assert_eq!(config.grid(), config.penalties);
    }

    #[test]
    fn what_is_out_of_range_is_named() {
        let key = |change: fn(&mut RidgeDecoderConfig)| {
            let mut config = RidgeDecoderConfig::default();
            change(&mut config);
            config.validate().unwrap_err().field
        };
        assert_eq!(key(|config| config.penalties.clear()), "penalties");
        assert_eq!(key(|config| config.penalties = vec![1.0, f64::NAN]), "penalties");
        assert_eq!(key(|config| config.penalties = vec![0.0]), "penalties");
        assert_eq!(key(|config| config.fractions = vec![0.5, 1.5]), "fractions");
        assert_eq!(key(|config| config.folds = 1), "folds");
        assert_eq!(key(|config| config.select = f64::NAN), "select");
        assert_eq!(key(|config| config.select = 1.0), "select");
        assert_eq!(key(|config| config.band_draws = 0), "band_draws");
    }

    #[test]
    fn settings_are_read_by_name() {
        let text = "folds = 3\ntrials = \"averaged\"\nweighting = \"reliability\"\nrescale = \"train\"\nfractions = [0.5]";
        let config: RidgeDecoderConfig = toml::from_str(text).unwrap();
        assert_eq!(config.trials, TrainingTrials::Averaged);
        assert_eq!(config.weighting, VoxelWeighting::Reliability);
        assert_eq!((config.rescale, config.folds, config.grid()), (Rescale::Train, 3, [0.5].as_slice()));
        assert!(toml::from_str::<RidgeDecoderConfig>("penalty = 1.0").is_err());
    }
}
