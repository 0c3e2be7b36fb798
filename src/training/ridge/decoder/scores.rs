//! What cross-validation found: errors of every candidate for every output.

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, get_global_parallelism};
use ndarray::{Array2, ArrayView2, s};

use super::candidates::Candidates;
use super::equations::{Equations, Reduced};
use crate::interrupt;
use crate::training::ridge::RidgeError;

/// Sums over all held-out rows, `[candidates, outputs]`.
pub(super) struct Scores {
    /// Squared errors.
    pub(super) errors: Array2<f64>,
    /// Predictions less the mean of the fitted targets, and their squares.
    predictions: Array2<f64>,
    squares: Array2<f64>,
    /// Squared errors of the mean of the fitted targets, for every output: what knows nothing about the brain.
    pub(super) floor: Vec<f64>,
    num_rows: usize,
}

impl Scores {
    /// Every fold predicted by the others.
    pub(super) fn cross_validated(
        equations: &Equations<'_>,
        y: ArrayView2<'_, f32>,
        folds: &[std::ops::Range<usize>],
        candidates: Candidates<'_>,
    ) -> Result<Self, RidgeError> {
        let zeros = || Array2::zeros((candidates.grid.len(), y.ncols()));
        let [errors, predictions, squares] = [zeros(), zeros(), zeros()];
        let mut scores =
            Self { errors, predictions, squares, floor: vec![0.0; y.ncols()], num_rows: y.nrows() };
        for fold in folds {
            let reduced = equations.without(fold.clone())?;
            let penalties = candidates.penalties(&reduced, equations.unit)?;
            let truth = centred(y.slice(s![fold.clone(), ..]), &reduced.mean_y);
            scores.add_floor(&truth);
            for (candidate, penalties) in penalties.iter().enumerate() {
                interrupt::check()?;
                scores.add(candidate, &predicted(&reduced, candidates.solve(&reduced, penalties)?), &truth);
            }
        }
        Ok(scores)
    }

    fn add_floor(&mut self, truth: &Mat<f64>) {
        for (floor, column) in self.floor.iter_mut().zip(truth.col_iter()) {
            *floor += column.iter().map(|value| value * value).sum::<f64>();
        }
    }

    fn add(&mut self, candidate: usize, predicted: &Mat<f64>, truth: &Mat<f64>) {
        for (output, (predicted, truth)) in predicted.col_iter().zip(truth.col_iter()).enumerate() {
            let place = [candidate, output];
            for (predicted, truth) in predicted.iter().zip(truth.iter()) {
                self.errors[place] += (predicted - truth).powi(2);
                self.predictions[place] += predicted;
                self.squares[place] += predicted * predicted;
            }
        }
    }

    /// The candidate of every output: that with the least error, for it or for all outputs together; among equals the first.
    pub(super) fn best(&self, per_target: bool) -> Vec<usize> {
        let least = |errors: &mut dyn Iterator<Item = f64>| {
            let start = (0, f64::INFINITY);
            errors
                .enumerate()
                .fold(start, |best, (at, error)| if error < best.1 { (at, error) } else { best })
                .0
        };
        if per_target {
            return self
                .errors
                .columns()
                .into_iter()
                .map(|column| least(&mut column.iter().copied()))
                .collect();
        }
        let of_all = least(&mut self.errors.rows().into_iter().map(|row| row.sum()));
        vec![of_all; self.floor.len()]
    }

    /// Sum of squared errors of all outputs with their candidates.
    pub(super) fn error_of(&self, chosen: &[usize]) -> f64 {
        chosen.iter().enumerate().map(|(output, candidate)| self.errors[[*candidate, output]]).sum()
    }

    /// Per candidate the squared error of a value, over all rows and outputs.
    pub(super) fn mean_squared_errors(&self) -> Vec<f64> {
        let count = (self.num_rows * self.floor.len()) as f64;
        self.errors.rows().into_iter().map(|row| row.sum() / count).collect()
    }

    /// 1 − error / floor of every output with its candidate; none where targets do not vary.
    pub(super) fn r2(&self, chosen: &[usize]) -> Vec<Option<f64>> {
        let of_output = |(output, candidate): (usize, &usize)| {
            let floor = self.floor[output];
            (floor > 0.0).then(|| 1.0 - self.errors[[*candidate, output]] / floor)
        };
        chosen.iter().enumerate().map(of_output).collect()
    }

    /// Standard deviation of the held-out predictions of every output with its candidate.
    pub(super) fn prediction_deviations(&self, chosen: &[usize]) -> Vec<f64> {
        let count = self.num_rows as f64;
        let of_output = |(output, candidate): (usize, &usize)| {
            let place = [*candidate, output];
            let mean = self.predictions[place] / count;
            (self.squares[place] / count - mean * mean).max(0.0).sqrt()
        };
        chosen.iter().enumerate().map(of_output).collect()
    }
}

/// Predictions for the rows left out, less the mean of the fitted targets: `[rows, outputs]`.
fn predicted(reduced: &Reduced, solution: Mat<f64>) -> Mat<f64> {
    let mut predicted = Mat::zeros(reduced.held_out.ncols(), solution.ncols());
    let left = reduced.held_out.transpose();
    matmul(predicted.as_mut(), Accum::Replace, left, &solution, 1.0, get_global_parallelism());
    predicted
}

fn centred(y: ArrayView2<'_, f32>, means: &[f64]) -> Mat<f64> {
    Mat::from_fn(y.nrows(), y.ncols(), |row, output| f64::from(y[[row, output]]) - means[output])
}
