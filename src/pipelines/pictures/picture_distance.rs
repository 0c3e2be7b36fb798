//! Fréchet distances between sets of pictures, from their features (docs/spec/metrics.md §1).

use ndarray::{Array2, Axis};
use serde::Serialize;

use crate::metrics::feature_stats::{CovarianceDivisor, FeatureStats, MeanCovariance};
use crate::metrics::frechet::frechet_distance;

/// Rows added to the statistics at a time.
const STATISTICS_ROWS: usize = 1024;

/// Statistics of one set, with the number of its pictures.
#[derive(Clone, Debug)]
pub struct SetStatistics {
    count: usize,
    num_distinct: usize,
    moments: MeanCovariance,
}

/// A distance between two sets of pictures.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Distance {
    /// The squared Fréchet distance.
    pub value: f64,
    /// Real pictures, repeats counted.
    pub num_real: usize,
    /// Pictures on the other side.
    pub num_other: usize,
    /// Whether a set has too few different pictures for a covariance of full rank; the distance is then biased upwards.
    pub is_rank_deficient: bool,
}

impl SetStatistics {
    /// Statistics of the given rows of `features`; a row may come several times.
    ///
    /// # Errors
    /// Features that are not finite; too few rows for the divisor.
    pub fn of_rows(
        features: &Array2<f32>,
        rows: impl Iterator<Item = usize>,
        divisor: CovarianceDivisor,
    ) -> crate::error::Result<Self> {
        let mut stats = FeatureStats::new(features.ncols());
        let rows: Vec<usize> = rows.collect();
        for rows in rows.chunks(STATISTICS_ROWS) {
            stats.add(features.select(Axis(0), rows).view())?;
        }
        Self::finished(&stats, divisor)
    }

    /// Statistics that were gathered batch by batch.
    ///
    /// # Errors
    /// Too few rows for the divisor.
    pub fn finished(stats: &FeatureStats, divisor: CovarianceDivisor) -> crate::error::Result<Self> {
        Ok(Self { count: stats.count(), num_distinct: stats.num_distinct(), moments: stats.finish(divisor)? })
    }

    /// Number of pictures, repeats counted.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The distance of another set from this one, whose pictures are real.
    ///
    /// # Errors
    /// Features of another width; covariances that cannot be decomposed.
    pub fn distance(&self, other: &Self) -> crate::error::Result<Distance> {
        let width = self.moments.mean.nrows();
        Ok(Distance {
            value: frechet_distance(&self.moments, &other.moments)?,
            num_real: self.count,
            num_other: other.count,
            // N different rows around their mean span N − 1 directions; a repeat adds none.
            is_rank_deficient: self.num_distinct.min(other.num_distinct) <= width,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn rows_that_come_twice_count_twice() {
        let features = array![[0.0_f32], [2.0], [4.0]];
        let of = |rows: &[usize]| {
            SetStatistics::of_rows(&features, rows.iter().copied(), CovarianceDivisor::Samples).unwrap()
        };
        // Means 2 and 1, variances 8/3 and 1.
        let distance = of(&[0, 1, 2]).distance(&of(&[0, 1])).unwrap();
        let expected = 1.0 + (8.0_f64 / 3.0).sqrt().mul_add(1.0, -1.0).powi(2);
        assert!((distance.value - expected).abs() < 1e-9, "{distance:?}");
        assert_eq!((distance.num_real, distance.num_other, distance.is_rank_deficient), (3, 2, false));
        assert!(of(&[1, 1, 0, 0]).distance(&of(&[0, 1])).unwrap().value.abs() < 1e-9);
        assert!(of(&[0, 1]).distance(&of(&[1])).unwrap().is_rank_deficient);
    }

    #[test]
    fn repeats_give_no_rank() {
        // Three pictures in three features, each four times: 12 rows, rank 2.
        let features = array![[0.0_f32, 1.0, 2.0], [2.0, 0.0, 5.0], [4.0, 7.0, 1.0], [3.0, 3.0, 8.0]];
        let of = |rows: std::ops::Range<usize>, of: usize| {
            let rows = rows.map(|row| row % of);
            SetStatistics::of_rows(&features, rows, CovarianceDivisor::Samples).unwrap()
        };
        assert!(of(0..4, 4).distance(&of(0..12, 3)).unwrap().is_rank_deficient);
        assert!(!of(0..4, 4).distance(&of(0..12, 4)).unwrap().is_rank_deficient);
    }
}
