//! Reduced-rank regression: what a few directions of a fitted regression's predictions keep (Izenman 1975, *Reduced-rank
//! regression for the multivariate linear model*).
//!
//! The predictions of the training rows less their means are decomposed, `P = U S Vᵀ`. Of all linear maps of rank L, applied behind the
//! regression, `V_L V_Lᵀ` changes its predictions of the training rows least. The code of a row is `z = p V_L`, L numbers that
//! are linear in its predictors.

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatRef, get_global_parallelism};
use ndarray::{Array2, ArrayView2};

use super::{BLOCK, RidgeError, centred, means, transposed_product};

/// Directions whose predictions spread less than this share of the first's are rounding of single precision.
const LEAST_SPREAD: f64 = 1e-5;

/// Directions of a regression's outputs, those in which its predictions of the training rows spread most first.
#[derive(Clone, Debug)]
pub struct ReducedRank {
    /// Mean prediction of the training rows, `[outputs]`.
    means: Vec<f64>,
    /// V: `[outputs, rank]`, orthonormal.
    directions: Mat<f64>,
    /// S: root of the summed squares of the training rows' codes.
    spreads: Vec<f64>,
}

impl ReducedRank {
    /// Decomposes `predicted`, `[training rows, outputs]`.
    ///
    /// # Errors
    /// [`RidgeError`] of predictions without a decomposition: values that are not finite.
    pub fn new(predicted: ArrayView2<'_, f32>) -> Result<Self, RidgeError> {
        let not_finite = |row| RidgeError::NotFinite { what: "predictions", row };
        let is_broken = |row: &usize| predicted.row(*row).iter().any(|value| !value.is_finite());
        if let Some(row) = (0..predicted.nrows()).find(is_broken) {
            return Err(not_finite(row));
        }
        let rows: Vec<usize> = (0..predicted.nrows()).collect();
        let means = means(predicted, &rows);
        let of_rows = centred(predicted, &rows, &means);
        let found = of_rows.thin_svd().map_err(|_| not_finite(0))?;
        let all: Vec<f64> = found.S().column_vector().iter().copied().collect();
        let least = all.first().map_or(0.0, |first| first * LEAST_SPREAD);
        let spreads: Vec<f64> = all.into_iter().take_while(|spread| *spread > least).collect();
        let directions = found.V().subcols(0, spreads.len()).to_owned();
        Ok(Self { means, directions, spreads })
    }

    /// Directions in which predictions spread at all: with so many nothing is left out.
    pub fn rank(&self) -> usize {
        self.spreads.len()
    }

    /// Codes of predictions: `[rows, outputs]` to `[rows, rank]`.
    pub fn codes(&self, predicted: ArrayView2<'_, f32>) -> Codes {
        let mut codes = Mat::zeros(predicted.nrows(), self.rank());
        for first in (0..predicted.nrows()).step_by(BLOCK) {
            let rows: Vec<usize> = (first..predicted.nrows().min(first + BLOCK)).collect();
            let part = codes.as_mut().subrows_mut(first, rows.len());
            let rows = centred(predicted, &rows, &self.means);
            matmul(part, Accum::Replace, &rows, &self.directions, 1.0, get_global_parallelism());
        }
        Codes(codes)
    }

    /// Predictions that the first `dimensions` numbers of the codes make, `[rows, outputs]`; all where there are fewer.
    pub fn predictions(&self, codes: &Codes, dimensions: usize) -> Array2<f32> {
        let kept = dimensions.min(self.rank());
        back(codes.0.as_ref(), self.directions.as_ref().subcols(0, kept).transpose(), &self.means)
    }
}

/// Rows as the numbers of the bottleneck, `[rows, rank]`.
#[derive(Clone, Debug)]
pub struct Codes(Mat<f64>);

impl Codes {
    /// Those of `count` rows from `first` on.
    pub fn rows(&self, first: usize, count: usize) -> Self {
        Self(self.0.subrows(first, count).to_owned())
    }
}

/// The predictors that codes stand for: the least-squares prediction of the training rows' predictors from their codes.
///
/// Codes of the training rows are uncorrelated, so their regressions do not depend on each other: those of the first L make the best
/// prediction from L numbers for every L. A regression behind it predicts what [`ReducedRank::predictions`] does.
#[derive(Clone, Debug)]
pub struct PredictorPatterns {
    means: Vec<f64>,
    /// `[dimensions, predictors]`
    patterns: Mat<f64>,
}

impl PredictorPatterns {
    /// Patterns of the first `dimensions` numbers.
    ///
    /// # Shapes
    /// - x: `[training rows, predictors]`; predicted: `[training rows, outputs]`, those `rank` was made of
    pub fn new(
        rank: &ReducedRank,
        x: ArrayView2<'_, f32>,
        predicted: ArrayView2<'_, f32>,
        dimensions: usize,
    ) -> Self {
        let kept = dimensions.min(rank.rank());
        let mut codes = rank.codes(predicted).0.subcols(0, kept).to_owned();
        for (column, spread) in codes.col_iter_mut().zip(&rank.spreads) {
            column.iter_mut().for_each(|value| *value /= spread * spread);
        }
        let rows: Vec<usize> = (0..x.nrows()).collect();
        let means = means(x, &rows);
        let patterns = transposed_product(x, &rows, &means, &codes).transpose().to_owned();
        Self { means, patterns }
    }

    /// Predictors of the first `dimensions` numbers of codes, `[rows, predictors]`.
    pub fn predictors(&self, codes: &Codes, dimensions: usize) -> Array2<f32> {
        let kept = dimensions.min(self.patterns.nrows());
        back(codes.0.as_ref(), self.patterns.as_ref().subrows(0, kept), &self.means)
    }
}

/// `means + codes · vectors` with as many numbers of the codes as there are vectors.
fn back(codes: MatRef<'_, f64>, vectors: MatRef<'_, f64>, means: &[f64]) -> Array2<f32> {
    let mut out = Array2::zeros((codes.nrows(), vectors.ncols()));
    for first in (0..codes.nrows()).step_by(BLOCK) {
        let codes = codes.subrows(first, BLOCK.min(codes.nrows() - first)).subcols(0, vectors.nrows());
        let mut part = Mat::zeros(codes.nrows(), vectors.ncols());
        matmul(part.as_mut(), Accum::Replace, codes, vectors, 1.0, get_global_parallelism());
        for (column, values) in part.col_iter().enumerate() {
            for (row, value) in values.iter().enumerate() {
                out[[first + row, column]] = (value + means[column]) as f32;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_ops::random::keyed_rng;
    use crate::training::ridge::fit_ridge;
    use ndarray::{Axis, array};
    use rand::RngExt;

    fn draw(rows: usize, columns: usize, seed: u64) -> Array2<f32> {
        let mut rng = keyed_rng(seed, "reduced rank", 0);
        Array2::from_shape_fn((rows, columns), |_| rng.random::<f32>() - 0.5)
    }

    fn largest(a: &Array2<f32>, b: &Array2<f32>) -> f32 {
        (a - b).iter().fold(0.0_f32, |most, value| most.max(value.abs()))
    }

    #[test]
    fn a_direction_by_hand() {
        // Less the mean (1, 1): ±(3, 4), whose only direction is (0.6, 0.8), and ±(0.8, −0.6)/10.
        let predicted = array![[4.0, 5.0], [-2.0, -3.0], [1.08, 0.94], [0.92, 1.06]];
        let rank = ReducedRank::new(predicted.view()).unwrap();
        assert_eq!(rank.rank(), 2);
        let codes = rank.codes(predicted.view());
        let one = rank.predictions(&codes, 1);
        let expected = array![[4.0, 5.0], [-2.0, -3.0], [1.0, 1.0], [1.0, 1.0]];
        assert!(largest(&one, &expected) < 1e-5, "{one}");
        assert!(largest(&rank.predictions(&codes, 9), &predicted) < 1e-5);
        // Squares: 2 · 25 and 2 · 0.01.
        assert!((rank.spreads[0] - 50_f64.sqrt()).abs() < 1e-5, "{:?}", rank.spreads);
    }

    #[test]
    fn targets_of_three_dimensions_need_three() {
        let x = draw(60, 20, 1);
        let y = x.dot(&draw(20, 3, 2)).dot(&draw(3, 12, 3));
        let rows: Vec<usize> = (0..60).collect();
        let fit = fit_ridge(x.view(), y.view(), &rows, 1e-6).unwrap();
        let predicted = fit.predict(x.view());
        let rank = ReducedRank::new(predicted.view()).unwrap();
        assert_eq!(rank.rank(), 3);
        let unseen = fit.predict(draw(15, 20, 4).view());
        let codes = rank.codes(unseen.view());
        assert!(largest(&rank.predictions(&codes, 3), &unseen) < 1e-4);
        assert!(largest(&rank.predictions(&codes, 2), &unseen) > 0.01);
    }

    #[test]
    fn a_regression_behind_the_bottleneck_predicts_what_the_bottleneck_behind_it_keeps() {
        for predictors in [12, 90] {
            let (x, y) = (draw(50, predictors, 5), draw(50, 8, 6));
            let rows: Vec<usize> = (0..50).collect();
            let fit = fit_ridge(x.view(), y.view(), &rows, 0.1).unwrap();
            let predicted = fit.predict(x.view());
            let rank = ReducedRank::new(predicted.view()).unwrap();
            let patterns = PredictorPatterns::new(&rank, x.view(), predicted.view(), 8);
            let unseen = draw(9, predictors, 7);
            let codes = rank.codes(fit.predict(unseen.view()).view());
            for dimensions in [1, 4, 8] {
                let through = fit.predict(patterns.predictors(&codes, dimensions).view());
                let kept = rank.predictions(&codes, dimensions);
                assert!(largest(&through, &kept) < 1e-4, "{predictors} predictors, {dimensions} dimensions");
            }
        }
    }

    #[test]
    fn predictions_that_never_change_have_no_direction() {
        let rank = ReducedRank::new(array![[2.0, 1.0], [2.0, 1.0], [2.0, 1.0]].view()).unwrap();
        assert_eq!(rank.rank(), 0);
        let codes = rank.codes(array![[5.0, 5.0]].view());
        assert_eq!(rank.predictions(&codes, 3), array![[2.0, 1.0]]);
        let broken = ReducedRank::new(array![[f32::NAN, 1.0], [2.0, 1.0]].view());
        assert!(broken.is_err());
        let one = draw(4, 3, 8);
        assert_eq!(ReducedRank::new(one.select(Axis(0), &[0]).view()).unwrap().rank(), 0);
    }
}
