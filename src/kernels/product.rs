//! Matrix products on all cores, with a finishing touch while the sums are still in the first cache.

use rayon::prelude::*;

use super::panels::{Matrix, pack_columns, pack_rows};
use super::tile::{COLUMNS, ROWS, Rows, add_product};

/// Rows that one thread takes at a time: their panels and one column panel fit the second cache.
const ROWS_PER_TASK: usize = 96;

/// A matrix `[depth, columns]` as column panels `[⌈columns/64⌉, depth, 64]`.
#[derive(Debug)]
pub struct ColumnPanels {
    values: Vec<f32>,
    depth: usize,
    columns: usize,
}

impl ColumnPanels {
    /// Lays out `from`.
    pub fn pack(from: Matrix<'_>, depth: usize, columns: usize) -> Self {
        let mut values = vec![0.0; columns.div_ceil(COLUMNS) * depth * COLUMNS];
        values.par_chunks_exact_mut((depth * COLUMNS).max(1)).enumerate().for_each(|(index, panel)| {
            let first = index * COLUMNS;
            pack_columns(from, first, COLUMNS.min(columns - first), panel);
        });
        Self { values, depth, columns }
    }
}

/// `finish(rows · columns)`, row by row into `out`.
///
/// `finish(row, column, sums, out)` turns the sums of a row from `column` on into elements of the result.
///
/// # Shapes
/// - rows: `[m, depth]`, columns: `[depth, n]`, out: `[m, n]`
pub fn product(
    rows: Matrix<'_>,
    columns: &ColumnPanels,
    out: &mut [f32],
    finish: impl Fn(usize, usize, &[f32], &mut [f32]) + Sync,
) {
    let (depth, width) = (columns.depth, columns.columns);
    if width == 0 {
        return;
    }
    out.par_chunks_mut(ROWS_PER_TASK * width).enumerate().for_each_init(Vec::new, |panels, (task, out)| {
        let (first, count) = (task * ROWS_PER_TASK, out.len() / width);
        // A task packs its rows once and sends them through all columns. Column panels are packed by the caller,
        // because every task reads all of them.
        pack_rows(rows, first, count, depth, panels);
        for (index, column_panel) in columns.values.chunks_exact(depth * COLUMNS).enumerate() {
            let column = index * COLUMNS;
            let columns_here = COLUMNS.min(width - column);
            for (index, row_panel) in panels.chunks_exact(depth * ROWS).enumerate() {
                let mut tile = [0.0; ROWS * COLUMNS];
                add_product(Rows::packed(row_panel), column_panel, &mut tile);
                for (r, sums) in tile.as_chunks::<COLUMNS>().0.iter().enumerate() {
                    let row = index * ROWS + r;
                    if row < count {
                        let out = &mut out[row * width + column..][..columns_here];
                        finish(first + row, column, &sums[..columns_here], out);
                    }
                }
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_that_fill_no_tile() {
        for [m, depth, n] in [[1, 1, 1], [7, 3, 65], [97, 5, 64], [200, 20, 130]] {
            let values = |count: usize, step: usize| -> Vec<f32> {
                (0..count).map(|i| ((i * step) % 13) as f32 - 6.0).collect()
            };
            let (a, b) = (values(m * depth, 5), values(depth * n, 7));
            let columns = ColumnPanels::pack(Matrix::row_major(&b, n), depth, n);
            let mut out = vec![0.5; m * n];
            product(Matrix::row_major(&a, depth), &columns, &mut out, |row, column, sums, out| {
                for (index, (out, sum)) in out.iter_mut().zip(sums).enumerate() {
                    *out += sum + (row * n + column + index) as f32;
                }
            });
            for (at, actual) in out.iter().enumerate() {
                let sum: f32 = (0..depth).map(|k| a[at / n * depth + k] * b[k * n + at % n]).sum();
                assert_eq!(*actual, sum + at as f32 + 0.5, "{m} {depth} {n}: {at}");
            }
        }
    }
}
