//! Settings of the snapshots of a GAN in training.

use serde::{Deserialize, Serialize};

use crate::error::{SettingError, in_range, limits};
use crate::metrics::feature_stats::CovarianceDivisor;
use crate::models::inception::InceptionPreprocessing;

/// Most pictures of a distance: their features are in memory together.
const MOST_PICTURES: usize = 10_000_000;

/// Which snapshots stay, and how they are measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SnapshotConfig {
    /// Newest snapshots that stay, beside the best one (5), up to 1e6; 0 for all.
    pub keep: usize,
    /// Reports between Fréchet distances (50), where there is a feature network; the last report always has one. 0 for
    /// none, at most 1e9.
    pub frechet_ticks: u64,
    /// Pictures drawn for a distance; 0 for as many as there are real ones, at most 50,000. No more than 1e7.
    pub frechet_samples: usize,
    /// Whether features are those of the run's CLIP (off), and not of an Inception or a classifier.
    pub clip_features: bool,
    /// How pictures enter the Inception.
    pub preprocessing: InceptionPreprocessing,
    /// What sums of squares are divided by.
    pub divisor: CovarianceDivisor,
}

impl Default for SnapshotConfig {
    fn default() -> Self {
        Self {
            keep: 5,
            frechet_ticks: 50,
            frechet_samples: 0,
            clip_features: false,
            preprocessing: InceptionPreprocessing::default(),
            divisor: CovarianceDivisor::default(),
        }
    }
}

impl SnapshotConfig {
    /// Checks every range.
    ///
    /// # Errors
    /// [`SettingError`] that names the first key out of range.
    pub fn validate(&self) -> Result<(), SettingError> {
        in_range("keep", self.keep, 0..=limits::ITEMS)?;
        in_range("frechet_ticks", self.frechet_ticks, 0..=limits::INTERVAL)?;
        in_range("frechet_samples", self.frechet_samples, 0..=MOST_PICTURES)
    }
}
