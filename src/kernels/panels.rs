//! Matrices laid out for [`super::tile`]: panels of 6 rows or 64 columns, depth outermost, zeros beyond the edge.

use super::tile::{COLUMNS, ROWS};

/// A matrix `[rows, depth]` in memory, row by row or column by column.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a> {
    /// All elements, at the two strides.
    pub values: &'a [f32],
    /// Distance between neighbours in a column.
    pub row_stride: usize,
    /// Distance between neighbours in a row.
    pub column_stride: usize,
}

impl<'a> Matrix<'a> {
    /// Row by row, `columns` to a row.
    pub fn row_major(values: &'a [f32], columns: usize) -> Self {
        Self { values, row_stride: columns, column_stride: 1 }
    }

    /// The transpose of a matrix that lies row by row, `columns` to a row.
    pub fn transposed(values: &'a [f32], columns: usize) -> Self {
        Self { values, row_stride: 1, column_stride: columns }
    }
}

/// Rows `first..first + count` as panels `[⌈count/6⌉, depth, 6]`.
pub fn pack_rows(from: Matrix<'_>, first: usize, count: usize, depth: usize, panels: &mut Vec<f32>) {
    panels.clear();
    panels.resize(count.div_ceil(ROWS) * depth * ROWS, 0.0);
    if depth == 0 {
        return;
    }
    for (index, panel) in panels.chunks_exact_mut(depth * ROWS).enumerate() {
        let rows = ROWS.min(count - index * ROWS);
        let start = (first + index * ROWS) * from.row_stride;
        // Whole rows are interleaved from six slices: bounds are checked once a row, not once a value.
        if from.column_stride == 1 && rows == ROWS {
            let row = |r: usize| &from.values[start + r * from.row_stride..][..depth];
            let lines = [row(0), row(1), row(2), row(3), row(4), row(5)];
            for (k, out) in panel.as_chunks_mut::<ROWS>().0.iter_mut().enumerate() {
                *out = lines.map(|line| line[k]);
            }
            continue;
        }
        for (k, out) in panel.as_chunks_mut::<ROWS>().0.iter_mut().enumerate() {
            for (r, out) in out.iter_mut().enumerate().take(rows) {
                *out = from.values[start + r * from.row_stride + k * from.column_stride];
            }
        }
    }
}

/// One panel `[depth, 64]` of the columns `first..first + count` (at most 64) of a matrix `[depth, columns]`.
pub fn pack_columns(from: Matrix<'_>, first: usize, count: usize, panel: &mut [f32]) {
    for (k, out) in panel.as_chunks_mut::<COLUMNS>().0.iter_mut().enumerate() {
        let start = k * from.row_stride + first * from.column_stride;
        if from.column_stride == 1 {
            out[..count].copy_from_slice(&from.values[start..start + count]);
        } else {
            for (c, out) in out.iter_mut().enumerate().take(count) {
                *out = from.values[start + c * from.column_stride];
            }
        }
        // The panel is used again for other columns; what the last one leaves must not be multiplied.
        out[count..].fill(0.0);
    }
}
