//! Mean and covariance of features that arrive in batches, in f64 (docs/spec/metrics.md §1).
//!
//! Batches are merged around their own means (Chan, Golub and LeVeque 1983): sums of squares, from which the mean is
//! taken off at the end, lose the digits that a small variance around a large mean needs.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hasher};

use faer::linalg::matmul::matmul;
use faer::{Accum, Col, Mat, get_global_parallelism};
use ndarray::{ArrayView1, ArrayView2};

use crate::error::{Classified, ErrorClass};

/// What the sum of squared deviations is divided by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CovarianceDivisor {
    /// N: StyleGAN2-ADA, Lafite, Mind Reader.
    #[default]
    Samples,
    /// N − 1: pytorch-fid.
    SamplesLessOne,
}

/// Why there are no statistics.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FeatureStatsError {
    /// A batch of another width.
    #[error("feature statistics: found {found} features per row, expected {expected}")]
    Width {
        /// Features per row of the batch.
        found: usize,
        /// Features per row that the statistics were made for.
        expected: usize,
    },
    /// A feature that is not a number.
    #[error("feature statistics: row {row} is not finite")]
    NotFinite {
        /// Row since the first batch.
        row: usize,
    },
    /// Not enough rows for the divisor.
    #[error("feature statistics: found {found} rows, expected at least {expected}")]
    TooFew {
        /// Rows so far.
        found: usize,
        /// Rows needed.
        expected: usize,
    },
}

impl Classified for FeatureStatsError {
    fn class(&self) -> ErrorClass {
        match self {
            // Too few pictures in a set that the user chose.
            Self::TooFew { .. } => ErrorClass::BadInput,
            Self::Width { .. } | Self::NotFinite { .. } => ErrorClass::Failure,
        }
    }
}

/// Statistics of the rows seen so far.
#[derive(Clone, Debug)]
pub struct FeatureStats {
    count: usize,
    /// Digests of the rows: repeats of a picture add to the count and not to the rank.
    seen: HashSet<u64>,
    mean: Col<f64>,
    /// Sum of outer products of deviations from the mean.
    scatter: Mat<f64>,
}

/// Mean and covariance of a set of features.
#[derive(Clone, Debug)]
pub struct MeanCovariance {
    /// Mean of every feature over the rows, `[features]`.
    pub mean: Col<f64>,
    /// `[features, features]`, symmetric
    pub covariance: Mat<f64>,
}

impl FeatureStats {
    /// No rows yet, of `width` features.
    pub fn new(width: usize) -> Self {
        Self { count: 0, seen: HashSet::new(), mean: Col::zeros(width), scatter: Mat::zeros(width, width) }
    }

    /// Rows seen.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Rows that differ from each other.
    pub fn num_distinct(&self) -> usize {
        self.seen.len()
    }

    /// Adds a batch `[rows, features]`.
    ///
    /// # Errors
    /// [`FeatureStatsError::Width`] and [`FeatureStatsError::NotFinite`]; nothing is added then.
    pub fn add(&mut self, features: ArrayView2<'_, f32>) -> Result<(), FeatureStatsError> {
        let (rows, width) = features.dim();
        let expected = self.mean.nrows();
        if width != expected {
            return Err(FeatureStatsError::Width { found: width, expected });
        }
        let bad = features.rows().into_iter().position(|row| row.iter().any(|value| !value.is_finite()));
        if let Some(row) = bad {
            return Err(FeatureStatsError::NotFinite { row: self.count + row });
        }
        if rows == 0 {
            return Ok(());
        }
        // Checked for everything before anything is added: a refused batch leaves the statistics as they were.
        self.seen.extend(features.rows().into_iter().map(digest));
        let mean = Col::from_fn(width, |column| {
            features.column(column).iter().map(|value| f64::from(*value)).sum::<f64>() / rows as f64
        });
        let centred =
            Mat::from_fn(rows, width, |row, column| f64::from(features[[row, column]]) - mean[column]);
        let par = get_global_parallelism();
        matmul(&mut self.scatter, Accum::Add, centred.transpose(), &centred, 1.0, par);
        // The way between the two means, seen as one more deviation.
        let total = self.count + rows;
        let step = &mean - &self.mean;
        // `S = S₁ + S₂ + (n₁ n₂ / n) d dᵀ`, d the difference of the two means.
        let weight = self.count as f64 * rows as f64 / total as f64;
        matmul(&mut self.scatter, Accum::Add, step.as_mat(), step.as_mat().transpose(), weight, par);
        self.mean += faer::Scale(rows as f64 / total as f64) * &step;
        self.count = total;
        Ok(())
    }

    /// Mean and covariance of the rows seen.
    ///
    /// # Errors
    /// [`FeatureStatsError::TooFew`] without rows, or with one row and N − 1.
    pub fn finish(&self, divisor: CovarianceDivisor) -> Result<MeanCovariance, FeatureStatsError> {
        let lost = match divisor {
            CovarianceDivisor::Samples => 0,
            CovarianceDivisor::SamplesLessOne => 1,
        };
        if self.count <= lost {
            return Err(FeatureStatsError::TooFew { found: self.count, expected: lost + 1 });
        }
        let divisor = (self.count - lost) as f64;
        Ok(MeanCovariance { mean: self.mean.clone(), covariance: faer::Scale(1.0 / divisor) * &self.scatter })
    }
}

/// A number that equal rows share, and others do but by an accident of 1 in 2⁶⁴.
fn digest(row: ArrayView1<'_, f32>) -> u64 {
    let mut hasher = DefaultHasher::new();
    for value in row {
        hasher.write_u32(value.to_bits());
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, array, s};
    use rand::RngExt;

    #[test]
    fn by_hand_with_both_divisors() {
        let mut stats = FeatureStats::new(2);
        stats.add(array![[1.0_f32, 2.0], [3.0, 6.0]].view()).unwrap();
        let population = stats.finish(CovarianceDivisor::Samples).unwrap();
        assert_eq!((population.mean[0], population.mean[1]), (2.0, 4.0));
        assert_eq!((population.covariance[(0, 0)], population.covariance[(0, 1)]), (1.0, 2.0));
        let sample = stats.finish(CovarianceDivisor::SamplesLessOne).unwrap();
        assert_eq!((sample.covariance[(0, 1)], sample.covariance[(1, 1)]), (4.0, 8.0));
    }

    #[test]
    fn batches_give_what_one_piece_gives_around_a_large_mean() {
        let mut rng = crate::tensor_ops::random::keyed_rng(1, "test", 0);
        let rows = Array2::from_shape_fn((100, 5), |_| 4096.0 + rng.random::<f32>());
        let mut whole = FeatureStats::new(5);
        whole.add(rows.view()).unwrap();
        let mut pieces = FeatureStats::new(5);
        for (from, to) in [(0, 1), (1, 40), (40, 40), (40, 100)] {
            pieces.add(rows.slice(s![from..to, ..])).unwrap();
        }
        let whole = whole.finish(CovarianceDivisor::Samples).unwrap();
        let pieces = pieces.finish(CovarianceDivisor::Samples).unwrap();
        assert!((&whole.mean - &pieces.mean).norm_max() < 1e-10);
        assert!((&whole.covariance - &pieces.covariance).norm_max() < 1e-12);
        // The variance of U(0, 1) is 1/12.
        assert!((whole.covariance[(2, 2)] - 1.0 / 12.0).abs() < 0.02);
    }

    #[test]
    fn what_cannot_be_counted_is_an_error_and_changes_nothing() {
        let mut stats = FeatureStats::new(2);
        assert_eq!(
            stats.finish(CovarianceDivisor::Samples).unwrap_err(),
            FeatureStatsError::TooFew { found: 0, expected: 1 }
        );
        stats.add(array![[1.0_f32, 2.0]].view()).unwrap();
        let error = stats.add(array![[1.0_f32, 2.0, 3.0]].view()).unwrap_err();
        assert_eq!(error.to_string(), "feature statistics: found 3 features per row, expected 2");
        let error = stats.add(array![[1.0_f32, 2.0], [f32::NAN, 0.0]].view()).unwrap_err();
        assert_eq!(error, FeatureStatsError::NotFinite { row: 2 });
        assert_eq!(stats.count(), 1);
        let error = stats.finish(CovarianceDivisor::SamplesLessOne).unwrap_err();
        assert_eq!(error, FeatureStatsError::TooFew { found: 1, expected: 2 });
    }
}
