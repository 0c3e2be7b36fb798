//! The large products: `X Xᵀ`, `Xᵀ X`, `Xᵀ B`.

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, get_global_parallelism};
use ndarray::{Array2, ArrayView2};

use crate::tensor_ops::wide_products::{Matrix, Wanted, add_wide_product};

/// Rows or columns converted to f64 at a time.
const BLOCK: usize = 1024;

/// How a Gram matrix is summed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Precision {
    /// Products in f32, 512 of which are summed before they are added in f64: errors of 1e-7 of the diagonal.
    Fast,
    /// All in f64, which penalties below 1e-4 and weights without penalty need.
    Double,
}

/// A symmetric matrix, whole, column by column.
pub(super) struct Gram {
    values: Vec<f64>,
    pub(super) side: usize,
}

impl Gram {
    /// `X Xᵀ`: `[rows, rows]`.
    pub(super) fn of_rows(x: ArrayView2<'_, f32>, precision: Precision) -> Self {
        let x = x.as_standard_layout();
        let (rows, depth) = x.dim();
        let values = x.as_slice().unwrap_or_default();
        let factors = [Matrix::row_major(values, depth), Matrix::transposed(values, depth)];
        Self::new(factors, [rows, depth], precision)
    }

    /// `Xᵀ X`: `[columns, columns]`.
    pub(super) fn of_columns(x: ArrayView2<'_, f32>, precision: Precision) -> Self {
        let x = x.as_standard_layout();
        let (depth, columns) = x.dim();
        let values = x.as_slice().unwrap_or_default();
        let factors = [Matrix::transposed(values, columns), Matrix::row_major(values, columns)];
        Self::new(factors, [columns, depth], precision)
    }

    fn new(factors: [Matrix<'_>; 2], [side, depth]: [usize; 2], precision: Precision) -> Self {
        let mut values = vec![0.0; side * side];
        match precision {
            Precision::Fast => {
                let sizes = [side, depth, side];
                add_wide_product(factors[0], factors[1], sizes, Wanted::UpperTriangle, &mut values);
            }
            Precision::Double => add_double_product(factors[0], [side, depth], &mut values),
        }
        let mut gram = Self { values, side };
        gram.mirror();
        gram
    }

    /// A column, which is a row, too.
    pub(super) fn column(&self, column: usize) -> &[f64] {
        &self.values[column * self.side..(column + 1) * self.side]
    }

    /// Copies the upper triangle, as rows see it, to the lower one; in squares, because one of the two sides jumps.
    fn mirror(&mut self) {
        const SQUARE: usize = 64;
        let side = self.side;
        for first in (0..side).step_by(SQUARE) {
            for second in (first..side).step_by(SQUARE) {
                for row in first..side.min(first + SQUARE) {
                    for column in second.max(row + 1)..side.min(second + SQUARE) {
                        self.values[column * side + row] = self.values[row * side + column];
                    }
                }
            }
        }
    }
}

/// `out += M Mᵀ` in f64, a block of the depth at a time.
fn add_double_product(of: Matrix<'_>, [side, depth]: [usize; 2], out: &mut [f64]) {
    let mut out = faer::MatMut::from_column_major_slice_mut(out, side, side);
    for first in (0..depth).step_by(BLOCK) {
        let block = Mat::from_fn(side, BLOCK.min(depth - first), |row, column| {
            f64::from(of.values[row * of.row_stride + (first + column) * of.column_stride])
        });
        matmul(out.as_mut(), Accum::Add, &block, block.transpose(), 1.0, get_global_parallelism());
    }
}

/// `Xᵀ B`: `[columns of X, columns of B]`, row by row; sums of 512 products in f32.
pub(super) fn transposed_product(x: ArrayView2<'_, f32>, b: ArrayView2<'_, f32>) -> Vec<f64> {
    let (x, b) = (x.as_standard_layout(), b.as_standard_layout());
    let (columns, outputs) = (x.ncols(), b.ncols());
    let mut out = vec![0.0; columns * outputs];
    let left = Matrix::transposed(x.as_slice().unwrap_or_default(), columns);
    let right = Matrix::row_major(b.as_slice().unwrap_or_default(), outputs);
    add_wide_product(left, right, [columns, x.nrows(), outputs], Wanted::All, &mut out);
    out
}

/// A matrix in f32, `[rows, columns]`.
pub(super) fn single(of: &Mat<f64>) -> Array2<f32> {
    Array2::from_shape_fn((of.nrows(), of.ncols()), |(row, column)| of[(row, column)] as f32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_ops::random::keyed_rng;
    use rand::RngExt;

    #[test]
    fn fast_products_are_those_of_double_precision_but_for_rounding() {
        let mut rng = keyed_rng(1, "test of products", 0);
        let x = Array2::from_shape_fn((70, 1300), |_| rng.random::<f32>() - 0.5);
        for (fast, double) in [
            (Gram::of_rows(x.view(), Precision::Fast), Gram::of_rows(x.view(), Precision::Double)),
            (Gram::of_columns(x.t(), Precision::Fast), Gram::of_columns(x.t(), Precision::Double)),
        ] {
            let diagonal = double.column(0)[0];
            for (row, column) in [(0, 0), (69, 3), (3, 69), (64, 65)] {
                let (a, b) = (fast.column(column)[row], double.column(column)[row]);
                let exact: f64 = (0..1300).map(|k| f64::from(x[[row, k]]) * f64::from(x[[column, k]])).sum();
                assert!((b - exact).abs() < 1e-11, "{b} against {exact}");
                assert!((a - exact).abs() < 1e-6 * diagonal, "{a} against {exact}");
            }
        }
    }
}
