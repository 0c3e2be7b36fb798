//! Fréchet distances between drawn pictures, their ground truth and what was trained on.

use ndarray::Array2;

use super::summary::FrechetSummary;
use crate::interrupt;
use crate::metrics::feature_stats::CovarianceDivisor;
use crate::pipelines::pictures::picture_distance::SetStatistics;
use crate::run::progress::Progress;

/// Features of the pictures that are compared.
pub(super) struct ComparedSets {
    /// Drawn pictures, one a row.
    pub generated: Array2<f32>,
    /// Their ground truth, in the same order.
    pub truth: Array2<f32>,
    /// Training stimuli, and the row of every training trial.
    pub train: Option<(Array2<f32>, Vec<usize>)>,
}

impl ComparedSets {
    /// Distances under the name that they may have.
    ///
    /// # Errors
    /// Features that are not finite; too few rows for the divisor.
    pub fn distances(
        &self,
        name: &'static str,
        divisor: CovarianceDivisor,
        progress: &mut dyn Progress,
    ) -> crate::error::Result<FrechetSummary> {
        progress.start("distances", 3);
        let stats = |features: &Array2<f32>| SetStatistics::of_rows(features, 0..features.nrows(), divisor);
        let (generated, truth) = (stats(&self.generated)?, stats(&self.truth)?);
        let test = truth.distance(&generated)?;
        interrupt::check()?;
        progress.advance(1, "");
        let (train, train_floor) = match &self.train {
            Some((features, rows)) => {
                let train = SetStatistics::of_rows(features, rows.iter().copied(), divisor)?;
                progress.advance(2, "");
                (Some(train.distance(&generated)?), Some(train.distance(&truth)?))
            }
            None => (None, None),
        };
        progress.finish("");
        Ok(FrechetSummary { name, test, train, train_floor })
    }
}
