//! Symmetric matrices with a band: their equations with any penalty cost next to nothing.

use faer::Mat;
use rayon::prelude::*;

use super::columns::columns_mut;

/// Right sides that one thread solves at a time: the elements of the band are loaded once for all of them, and no sum waits for the
/// last.
const COLUMNS_PER_TASK: usize = 8;

/// The lower half of a symmetric matrix whose elements further than `width` from the diagonal are 0.
#[derive(Debug)]
pub(super) struct BandMatrix {
    /// `[size, width + 1]`: the diagonal element of a column and those below it; 0 beyond the end.
    values: Vec<f64>,
    size: usize,
    width: usize,
}

impl BandMatrix {
    /// The band of a matrix of which the lower half is read.
    pub(super) fn of(matrix: &Mat<f64>, width: usize) -> Self {
        let size = matrix.nrows();
        let mut values = vec![0.0; size * (width + 1)];
        for (column, out) in values.chunks_exact_mut(width + 1).enumerate() {
            for (below, out) in out.iter_mut().enumerate().take(size - column) {
                *out = matrix[(column + below, column)];
            }
        }
        Self { values, size, width }
    }

    /// The lower factor `L` of `self + penalty I` by Cholesky; none where that is not positive definite.
    fn factor(&self, penalty: f64) -> Option<Self> {
        let step = self.width + 1;
        let mut values = self.values.clone();
        for column in 0..self.size {
            let (head, tail) = values.split_at_mut((column + 1) * step);
            let here = &mut head[column * step..];
            let pivot = here[0] + penalty;
            if !(pivot > 0.0 && pivot.is_finite()) {
                return None;
            }
            let root = pivot.sqrt();
            here[0] = root;
            here[1..].iter_mut().for_each(|value| *value /= root);
            for (offset, next) in tail.chunks_exact_mut(step).take(self.width).enumerate() {
                let factor = here[offset + 1];
                let rest = &here[offset + 1..];
                next.iter_mut().zip(rest).for_each(|(value, below)| *value -= factor * below);
            }
        }
        Some(Self { values, size: self.size, width: self.width })
    }

    /// Solves `L Lᵀ z = b` in place, `self` being `L`, for some right sides at once: `b` is `[size]` of them side by side.
    fn solve_in_place(&self, b: &mut [[f64; COLUMNS_PER_TASK]]) {
        let step = self.width + 1;
        for (column, lower) in self.values.chunks_exact(step).enumerate() {
            let (head, tail) = b.split_at_mut(column + 1);
            let solved = head[column].map(|value| value / lower[0]);
            head[column] = solved;
            for (values, below) in tail.iter_mut().zip(&lower[1..]) {
                values.iter_mut().zip(&solved).for_each(|(value, solved)| *value -= solved * below);
            }
        }
        for (column, lower) in self.values.chunks_exact(step).enumerate().rev() {
            let (head, tail) = b.split_at_mut(column + 1);
            let mut rest = head[column];
            for (values, below) in tail.iter().zip(&lower[1..]) {
                rest.iter_mut().zip(values).for_each(|(rest, value)| *rest -= value * below);
            }
            head[column] = rest.map(|value| value / lower[0]);
        }
    }

    /// As [`Self::solve_in_place`] for columns that lie apart.
    fn solve_columns(&self, columns: &mut [&mut [f64]]) {
        let mut side_by_side = vec![[0.0; COLUMNS_PER_TASK]; self.size];
        for (place, column) in columns.iter().enumerate() {
            side_by_side.iter_mut().zip(column.iter()).for_each(|(values, value)| values[place] = *value);
        }
        self.solve_in_place(&mut side_by_side);
        for (place, column) in columns.iter_mut().enumerate() {
            column.iter_mut().zip(&side_by_side).for_each(|(value, values)| *value = values[place]);
        }
    }

    /// `(self + penalties[j] I)⁻¹ b[:, j]` for every column; none where a sum is not positive definite.
    ///
    /// # Shapes
    /// - b and output: `[size, columns]`; penalties: `[columns]`
    pub(super) fn solve(&self, penalties: &[f64], b: &Mat<f64>) -> Option<Mat<f64>> {
        let mut solution = b.clone();
        let mut order: Vec<usize> = (0..penalties.len()).collect();
        order.sort_by(|a, b| penalties[*a].total_cmp(&penalties[*b]));
        let mut columns: Vec<Option<&mut [f64]>> = columns_mut(&mut solution).into_iter().map(Some).collect();
        for equal in order.chunk_by(|a, b| penalties[*a] == penalties[*b]) {
            let factor = self.factor(penalties[equal[0]])?;
            let mut of_penalty: Vec<&mut [f64]> = equal.iter().filter_map(|at| columns[*at].take()).collect();
            of_penalty.par_chunks_mut(COLUMNS_PER_TASK).for_each(|columns| factor.solve_columns(columns));
        }
        Some(solution)
    }

    /// `zᵀ self z` of every column of `z`.
    pub(super) fn quadratic_forms(&self, z: &Mat<f64>) -> Vec<f64> {
        let step = self.width + 1;
        let of_column = |column: usize| {
            let value = |row: usize| z[(row, column)];
            let rows = self.values.chunks_exact(step).enumerate();
            rows.map(|(row, lower)| {
                let below = lower[1..].iter().enumerate().take(self.size - row - 1);
                let twice: f64 = below.map(|(offset, element)| element * value(row + 1 + offset)).sum();
                value(row) * (lower[0] * value(row) + 2.0 * twice)
            })
            .sum()
        };
        (0..z.ncols()).into_par_iter().map(of_column).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Neighbours at most two apart.
    fn banded() -> Mat<f64> {
        Mat::from_fn(7, 7, |row: usize, column: usize| match row.abs_diff(column) {
            0 => 5.0 + row as f64,
            1 => 1.0 - 0.1 * row.min(column) as f64,
            2 => -0.7,
            _ => 0.0,
        })
    }

    #[test]
    fn solutions_satisfy_their_equations() {
        let dense = banded();
        let band = BandMatrix::of(&dense, 2);
        let b = Mat::from_fn(7, 3, |row, column| (row * 3 + column) as f64 - 4.0);
        let penalties = [2.0, 0.5, 2.0];
        let z = band.solve(&penalties, &b).unwrap();
        let product = &dense * &z;
        for (column, penalty) in penalties.iter().enumerate() {
            for row in 0..7 {
                let left = product[(row, column)] + penalty * z[(row, column)];
                assert!((left - b[(row, column)]).abs() < 1e-12);
            }
        }
        let forms = band.quadratic_forms(&z);
        let expected = z.transpose() * &product;
        (0..3).for_each(|at| assert!((forms[at] - expected[(at, at)]).abs() < 1e-10));
    }

    #[test]
    fn what_is_not_positive_definite_has_no_solution() {
        let band = BandMatrix::of(&banded(), 2);
        let b = Mat::from_fn(7, 1, |_, _| 1.0);
        assert!(band.solve(&[-20.0], &b).is_none());
        assert!(band.solve(&[f64::NAN], &b).is_none());
    }
}
