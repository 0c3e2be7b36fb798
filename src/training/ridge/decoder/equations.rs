//! The normal equations of all rows, and from them those of all but one fold.
//!
//! The Gram matrix is made once. Leaving rows out is a part of it in the dual form and a difference in the primal one, and the mean
//! of the rows that are left is taken out of the Gram matrix itself, not out of the predictors.

use std::ops::Range;

use faer::Mat;
use ndarray::{ArrayView2, s};
use rayon::prelude::*;

use super::band_reduction::BandReduction;
use super::columns::filled;
use super::design::column_means;
use super::products::{Gram, Precision, single, transposed_product};
use crate::interrupt::Stopped;

/// Gram matrix and right side of all rows.
pub(super) struct Equations<'a> {
    x: ArrayView2<'a, f32>,
    y: ArrayView2<'a, f32>,
    gram: Gram,
    /// `Xᵀ Y`, `[predictors, outputs]`; only of the primal form.
    right: Option<Vec<f64>>,
    precision: Precision,
    /// Mean squared length of a row: the unit of penalties.
    pub(super) unit: f64,
}

/// The equations of some rows, ready for any penalty.
pub(super) struct Reduced {
    pub(super) reduction: BandReduction,
    /// `Y` or `Xᵀ Y`, centred, in the basis of the band: `[side, outputs]`.
    pub(super) right: Mat<f64>,
    /// Mean of the targets over these rows.
    pub(super) mean_y: Vec<f64>,
    /// Whether solutions weigh rows; else they weigh predictors.
    pub(super) is_dual: bool,
    /// Products of the rows left out with what solutions weigh, in the basis of the band: `[side, rows left out]`.
    pub(super) held_out: Mat<f64>,
}

impl<'a> Equations<'a> {
    /// # Shapes
    /// - x: `[rows, predictors]`, centred; y: `[rows, outputs]`
    pub(super) fn new(x: ArrayView2<'a, f32>, y: ArrayView2<'a, f32>, precision: Precision) -> Self {
        // Both forms have the same solution; the smaller square matrix is the cheaper.
        let is_dual = x.nrows() < x.ncols();
        let gram = if is_dual { Gram::of_rows(x, precision) } else { Gram::of_columns(x, precision) };
        let right = (!is_dual).then(|| transposed_product(x, y));
        let trace: f64 = (0..gram.side).map(|at| gram.column(at)[at]).sum();
        Self { x, y, gram, right, precision, unit: trace / x.nrows() as f64 }
    }

    /// The equations of all rows but those of `left_out`.
    pub(super) fn without(&self, left_out: Range<usize>) -> Result<Reduced, Stopped> {
        let left = self.x.nrows() - left_out.len();
        let mean_y = mean_without(self.y, &left_out);
        let (matrix, right, held_out) = match &self.right {
            None => self.dual_without(&left_out, &mean_y),
            Some(right) => self.primal_without(&left_out, &mean_y, right, left as f64),
        };
        let reduction = BandReduction::new(matrix)?;
        let (mut right, mut held_out) = (right, held_out);
        reduction.rotate(&mut right);
        reduction.rotate(&mut held_out);
        Ok(Reduced { reduction, right, mean_y, is_dual: self.right.is_none(), held_out })
    }

    /// `K − r 1ᵀ − 1 rᵀ + m` of the rows that are left, `r` the means of its rows and `m` of all: what `X Xᵀ` would be, had `X` been
    /// centred on these rows. Of the rows left out only `k − r`: the rest is the same for all weighted rows, whose weights
    /// add up to 0.
    fn dual_without(&self, left_out: &Range<usize>, mean_y: &[f64]) -> (Mat<f64>, Mat<f64>, Mat<f64>) {
        let rows: Vec<usize> = (0..left_out.start).chain(left_out.end..self.x.nrows()).collect();
        let mean_of = |row: &usize| {
            let column = self.gram.column(*row);
            rows.iter().map(|row| column[*row]).sum::<f64>() / rows.len() as f64
        };
        let means: Vec<f64> = rows.par_iter().map(mean_of).collect();
        let mean = means.iter().sum::<f64>() / rows.len() as f64;
        let matrix = filled(rows.len(), rows.len(), |column, out| {
            let of_gram = self.gram.column(rows[column]);
            for (at, out) in out.iter_mut().enumerate().skip(column) {
                *out = of_gram[rows[at]] - means[at] - means[column] + mean;
            }
        });
        let held_out = filled(rows.len(), left_out.len(), |column, out| {
            let of_gram = self.gram.column(left_out.start + column);
            for (at, out) in out.iter_mut().enumerate() {
                *out = of_gram[rows[at]] - means[at];
            }
        });
        let right = filled(rows.len(), self.y.ncols(), |output, out| {
            let targets = self.y.column(output);
            out.iter_mut().zip(&rows).for_each(|(out, row)| *out = f64::from(targets[*row]) - mean_y[output]);
        });
        (matrix, right, held_out)
    }

    /// `Xᵀ X − X_oᵀ X_o − n m mᵀ`, `o` the rows left out and `m` the mean of the `n` others, and so the right side.
    fn primal_without(
        &self,
        left_out: &Range<usize>,
        mean_y: &[f64],
        right: &[f64],
        left: f64,
    ) -> (Mat<f64>, Mat<f64>, Mat<f64>) {
        let (side, outputs) = (self.x.ncols(), self.y.ncols());
        let mean_x = mean_without(self.x, left_out);
        let rows = self.x.slice(s![left_out.clone(), ..]);
        let of_rows = (!left_out.is_empty()).then(|| Gram::of_columns(rows, self.precision));
        let matrix = filled(side, side, |column, out| {
            let whole = self.gram.column(column);
            for (at, out) in out.iter_mut().enumerate().skip(column) {
                *out = whole[at] - left * mean_x[at] * mean_x[column];
            }
            if let Some(gram) = &of_rows {
                out.iter_mut().zip(gram.column(column)).skip(column).for_each(|(out, part)| *out -= part);
            }
        });
        let right_of_rows = transposed_product(rows, self.y.slice(s![left_out.clone(), ..]));
        let right = filled(side, outputs, |output, out| {
            for (at, out) in out.iter_mut().enumerate() {
                let place = at * outputs + output;
                *out = right[place] - right_of_rows[place] - left * mean_x[at] * mean_y[output];
            }
        });
        let held_out = filled(side, rows.nrows(), |column, out| {
            let row = rows.row(column);
            out.iter_mut()
                .zip(row)
                .zip(&mean_x)
                .for_each(|((out, value), mean)| *out = f64::from(*value) - mean);
        });
        (matrix, right, held_out)
    }

    /// Weights of the predictors, `[predictors, outputs]`, from a solution for all rows in the basis of the band.
    pub(super) fn weights(&self, reduced: &Reduced, mut solution: Mat<f64>) -> Mat<f64> {
        reduced.reduction.rotate_back(&mut solution);
        if !reduced.is_dual {
            return solution;
        }
        let outputs = solution.ncols();
        let weights = transposed_product(self.x, single(&solution).view());
        filled(self.x.ncols(), outputs, |output, out| {
            out.iter_mut().enumerate().for_each(|(at, out)| *out = weights[at * outputs + output]);
        })
    }

    /// What the weights make of the mean of the predictors, which rounding alone keeps from being 0: `[outputs]`.
    pub(super) fn offsets(&self, weights: &Mat<f64>) -> Vec<f64> {
        let means = column_means(self.x);
        weights.col_iter().map(|column| column.iter().zip(&means).map(|(a, b)| a * b).sum()).collect()
    }
}

/// The means of columns over all rows but some.
fn mean_without(of: ArrayView2<'_, f32>, left_out: &Range<usize>) -> Vec<f64> {
    let parts = [of.slice(s![..left_out.start, ..]), of.slice(s![left_out.end.., ..])];
    let total = (of.nrows() - left_out.len()) as f64;
    let [a, b] = parts.map(|part| (part.nrows() as f64 / total, column_means(part)));
    a.1.iter().zip(&b.1).map(|(first, second)| a.0 * first + b.0 * second).collect()
}
