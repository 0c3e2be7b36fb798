//! How many dimensions an output has: a decoder that can only say a few things gives few.
//!
//! With λ the eigenvalues of the covariance the participation ratio is `(Σλ)²/Σλ²`: k for k equal ones, 1 for a line. Shirakawa et
//! al. (2024) call it collapse where the output of a regression lies in few dimensions, those that the training targets span.

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, Side, get_global_parallelism};
use ndarray::{Array2, ArrayView2, Axis};
use serde::{Deserialize, Serialize};

/// Principal components whose shares are told.
const SHOWN: usize = 10;
/// Rows beyond which principal components are computed of so many, evenly spread.
const MOST_ROWS: usize = 2000;
/// Eigenvalues below this share of the largest are rounding.
const LEAST_SHARE: f64 = 1e-10;

/// Eigenvalues and eigenvectors of a covariance, largest first.
#[derive(Clone, Debug)]
pub struct Components {
    /// Variances, none that is rounding.
    variances: Vec<f64>,
    /// Unit directions, `[components, dimensions]`.
    directions: Array2<f64>,
}

/// Dimensions of a set of vectors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// `(Σλ)²/Σλ²`, at least 1 and at most the number of vectors less one; 0 where they do not vary.
    pub participation_ratio: f64,
    /// Shares of the variance of the first ten principal components, largest first.
    pub shares: Vec<f64>,
    /// Their sums: of the first, of the first two, …
    pub cumulated: Vec<f64>,
}

impl Components {
    /// Principal components of the rows of `vectors`, of 2,000 of them at most; `None` where the decomposition fails.
    ///
    /// # Shapes
    /// - vectors: `[rows, dimensions]`, at least one row
    pub fn of(vectors: ArrayView2<'_, f32>) -> Option<Self> {
        let rows: Vec<usize> = spread_evenly(vectors.nrows(), MOST_ROWS);
        let chosen = vectors.select(Axis(0), &rows).mapv(f64::from);
        let mean = chosen.mean_axis(Axis(0))?;
        let centred = chosen - mean;
        let (count, width) = centred.dim();
        let matrix = Mat::from_fn(count, width, |row, column| centred[[row, column]]);
        // Both products have the same eigenvalues; the smaller one is the cheaper.
        let is_dual = count < width;
        let side = count.min(width);
        let mut product = Mat::<f64>::zeros(side, side);
        let (left, right) = if is_dual {
            (matrix.as_ref(), matrix.transpose())
        } else {
            (matrix.transpose(), matrix.as_ref())
        };
        matmul(product.as_mut(), Accum::Replace, left, right, 1.0 / count as f64, get_global_parallelism());
        let eigen = product.self_adjoint_eigen(Side::Lower).ok()?;
        let (vectors, values) = (eigen.U(), eigen.S());
        // faer sorts them ascending.
        let value = |at: usize| values[side - 1 - at];
        let kept = (0..side).take_while(|at| value(*at) > LEAST_SHARE * value(0) && value(*at) > 0.0).count();
        let vector = Mat::from_fn(side, kept, |row, at| vectors[(row, side - 1 - at)]);
        let axes = if is_dual { matrix.transpose() * &vector } else { vector };
        let mut directions = Array2::from_shape_fn((kept, width), |(at, column)| axes[(column, at)]);
        for mut direction in directions.rows_mut() {
            let length = direction.dot(&direction).sqrt();
            direction /= length;
        }
        Some(Self { variances: (0..kept).map(value).collect(), directions })
    }

    /// Participation ratio and the shares of the first components.
    pub fn spread(&self) -> Spread {
        let total: f64 = self.variances.iter().sum();
        let squares: f64 = self.variances.iter().map(|variance| variance * variance).sum();
        let shares: Vec<f64> = self.variances.iter().take(SHOWN).map(|variance| variance / total).collect();
        let mut sum = 0.0;
        let cumulated = shares.iter().map(|share| {
            sum += share;
            sum
        });
        Spread {
            participation_ratio: if squares > 0.0 { total * total / squares } else { 0.0 },
            cumulated: cumulated.collect(),
            shares,
        }
    }

    /// Components whose variances make up `share` of all, 0..1.
    pub fn explaining(&self, share: f64) -> usize {
        let total: f64 = self.variances.iter().sum();
        let mut left = share * total;
        let is_needed = |variance: &&f64| {
            let needed = left > 0.0;
            left -= **variance;
            needed
        };
        self.variances.iter().take_while(is_needed).count()
    }

    /// Share of the variance of `vectors` about their own mean that lies in the span of the first `count` components, 0..1; `None` where
    /// they do not vary.
    ///
    /// # Shapes
    /// - vectors: `[rows, dimensions]`
    pub fn share_in_span(&self, vectors: ArrayView2<'_, f32>, count: usize) -> Option<f64> {
        let vectors = vectors.mapv(f64::from);
        let centred = &vectors - &vectors.mean_axis(Axis(0))?;
        let total: f64 = centred.iter().map(|value| value * value).sum();
        let span = self.directions.slice(ndarray::s![..count.min(self.directions.nrows()), ..]);
        let inside: f64 = centred.dot(&span.t()).iter().map(|value| value * value).sum();
        (total > 0.0).then(|| (inside / total).min(1.0))
    }
}

/// `most` positions of `count`, evenly spread; all where there are no more.
pub fn spread_evenly(count: usize, most: usize) -> Vec<usize> {
    if count <= most {
        return (0..count).collect();
    }
    (0..most).map(|at| at * count / most).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn a_cross_has_two_dimensions_and_a_line_one() {
        // Variances 2 and 1/2: (2.5)²/4.25.
        let cross = array![[2.0_f32, 0.0], [-2.0, 0.0], [0.0, 1.0], [0.0, -1.0]];
        let components = Components::of(cross.view()).unwrap();
        let spread = components.spread();
        assert!((spread.participation_ratio - 6.25 / 4.25).abs() < 1e-12, "{spread:?}");
        assert!((spread.shares[0] - 0.8).abs() < 1e-12 && (spread.cumulated[1] - 1.0).abs() < 1e-12);
        assert_eq!((components.explaining(0.8), components.explaining(0.9)), (1, 2));
        assert!((components.share_in_span(cross.view(), 1).unwrap() - 0.8).abs() < 1e-12);
        let line = array![[1.0_f32, 1.0, 5.0, 0.0], [2.0, 2.0, 5.0, 0.0], [4.0, 4.0, 5.0, 0.0]];
        let of_line = Components::of(line.view()).unwrap();
        assert!((of_line.spread().participation_ratio - 1.0).abs() < 1e-9, "fewer rows than dimensions");
        assert!((of_line.share_in_span(line.view(), 1).unwrap() - 1.0).abs() < 1e-9);
    }

    #[test]
    fn what_does_not_vary_has_no_dimension() {
        let components = Components::of(Array2::ones((3, 2)).view()).unwrap();
        assert_eq!(components.spread().participation_ratio, 0.0);
        assert_eq!((components.explaining(0.9), components.spread().shares.len()), (0, 0));
        assert_eq!(components.share_in_span(Array2::ones((3, 2)).view(), 1), None);
        assert_eq!(spread_evenly(3, 5), [0, 1, 2]);
        assert_eq!(spread_evenly(10, 4), [0, 2, 5, 7]);
    }
}
