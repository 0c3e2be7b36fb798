//! Matrix products of single precision whose long sums are in double precision.
//!
//! A sum of thousands of products in single precision loses digits that a Gram matrix needs. Here 512 products at a time go through
//! the tile in single precision, and their sums are added up in double precision: nearly the tile's speed, errors of 1e-7.

use rayon::prelude::*;

use super::panels::{Matrix, pack_columns, pack_rows};
use super::tile::{COLUMNS, ROWS, Rows, add_product};

/// Products that are added up in single precision.
const DEPTH: usize = 512;
/// Rows that one thread takes at a time: their panels and one column panel fit the second cache.
const ROWS_PER_TASK: usize = 96;

/// Which elements of a product are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// All of them.
    All,
    /// Those on the diagonal and right of it; others may or may not be added to.
    UpperTriangle,
}

/// `out += left · right`.
///
/// # Shapes
/// - left: `[rows, depth]`, right: `[depth, columns]`, out: `[rows, columns]`, row by row
///
/// # Panics
/// When `out` is not of that size, or a factor ends early.
pub fn add_wide_product(
    left: Matrix<'_>,
    right: Matrix<'_>,
    [rows, depth, columns]: [usize; 3],
    wanted: Wanted,
    out: &mut [f64],
) {
    assert_eq!(out.len(), rows * columns, "elements of a product");
    if out.is_empty() {
        return;
    }
    let mut packed = Vec::new();
    for first in (0..depth).step_by(DEPTH) {
        let depth = DEPTH.min(depth - first);
        let left = Matrix { values: &left.values[first * left.column_stride..], ..left };
        let right = Matrix { values: &right.values[first * right.row_stride..], ..right };
        packed.resize(columns.div_ceil(COLUMNS) * depth * COLUMNS, 0.0);
        packed.par_chunks_exact_mut(depth * COLUMNS).enumerate().for_each(|(index, panel)| {
            let column = index * COLUMNS;
            pack_columns(right, column, COLUMNS.min(columns - column), panel);
        });
        let tasks = out.par_chunks_mut(ROWS_PER_TASK * columns).enumerate();
        tasks.for_each_init(Vec::new, |panels, (task, out)| {
            let (first, count) = (task * ROWS_PER_TASK, out.len() / columns);
            pack_rows(left, first, count, depth, panels);
            let skipped = if wanted == Wanted::All { 0 } else { first / COLUMNS };
            let column_panels = packed.chunks_exact(depth * COLUMNS).enumerate().skip(skipped);
            for (index, column_panel) in column_panels {
                add_column_panel(panels, column_panel, depth, index * COLUMNS, columns, out);
            }
        });
    }
}

/// Adds the products of some rows with one column panel.
fn add_column_panel(
    panels: &[f32],
    column_panel: &[f32],
    depth: usize,
    column: usize,
    columns: usize,
    out: &mut [f64],
) {
    let columns_here = COLUMNS.min(columns - column);
    for (index, row_panel) in panels.chunks_exact(depth * ROWS).enumerate() {
        let mut tile = [0.0; ROWS * COLUMNS];
        add_product(Rows::packed(row_panel), column_panel, &mut tile);
        let lines = out.chunks_exact_mut(columns).skip(index * ROWS);
        for (sums, line) in tile.as_chunks::<COLUMNS>().0.iter().zip(lines) {
            let place = &mut line[column..column + columns_here];
            place.iter_mut().zip(sums).for_each(|(out, sum)| *out += f64::from(*sum));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(count: usize, step: usize) -> Vec<f32> {
        (0..count).map(|index| ((index * step) % 13) as f32 - 6.0).collect()
    }

    #[test]
    fn products_of_whole_numbers_are_exact() {
        // Sizes that fill no tile, and sums longer than one part.
        for [rows, depth, columns] in [[1, 1, 1], [7, 513, 65], [97, 3, 130]] {
            let (a, b) = (values(rows * depth, 5), values(depth * columns, 7));
            let mut out = vec![1.0; rows * columns];
            let factors = [Matrix::row_major(&a, depth), Matrix::row_major(&b, columns)];
            add_wide_product(factors[0], factors[1], [rows, depth, columns], Wanted::All, &mut out);
            for row in 0..rows {
                for column in 0..columns {
                    let products =
                        (0..depth).map(|k| f64::from(a[row * depth + k] * b[k * columns + column]));
                    assert_eq!(out[row * columns + column], 1.0 + products.sum::<f64>());
                }
            }
        }
    }

    #[test]
    fn the_upper_triangle_is_that_of_the_whole() {
        let (size, depth) = (200, 20);
        let a = values(size * depth, 5);
        let factors = [Matrix::row_major(&a, depth), Matrix::transposed(&a, depth)];
        let [mut whole, mut upper] = [vec![0.0; size * size], vec![0.0; size * size]];
        add_wide_product(factors[0], factors[1], [size, depth, size], Wanted::All, &mut whole);
        add_wide_product(factors[0], factors[1], [size, depth, size], Wanted::UpperTriangle, &mut upper);
        for row in 0..size {
            assert_eq!(upper[row * size + row..(row + 1) * size], whole[row * size + row..(row + 1) * size]);
        }
    }
}
