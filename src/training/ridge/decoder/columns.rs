//! Columns of a matrix as slices, for threads to share.

use faer::Mat;
use rayon::prelude::*;

/// Every column of a matrix.
pub(super) fn columns_mut(matrix: &mut Mat<f64>) -> Vec<&mut [f64]> {
    matrix
        .col_iter_mut()
        .filter_map(|column| column.try_as_col_major_mut())
        .map(|column| column.as_slice_mut())
        .collect()
}

/// A matrix whose columns `fill(column, values)` writes, on all cores; they come as zeros.
pub(super) fn filled(rows: usize, columns: usize, fill: impl Fn(usize, &mut [f64]) + Sync) -> Mat<f64> {
    let mut matrix = Mat::zeros(rows, columns);
    columns_mut(&mut matrix).into_par_iter().enumerate().for_each(|(column, values)| fill(column, values));
    matrix
}
