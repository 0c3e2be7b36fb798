//! A symmetric matrix as `Q B Qᵀ` with orthogonal `Q` and a narrow band `B`: done once, it serves every penalty and target.
//!
//! What an eigendecomposition gives here, the band gives, too: with `B`, a penalty costs `size · width²` and a right side
//! `size · width` operations. But the way there is matrix products all along (4/3 · size³ operations), where the reduction to
//! three diagonals reads the whole matrix from memory once per column, and eigenvectors need not be made. It is the first stage
//! of a two-stage eigensolver (Bischof, Lang & Sun 2000, *A framework for symmetric band reduction*).

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::matmul::matmul;
use faer::linalg::matmul::triangular::{self, BlockStructure};
use faer::linalg::qr::no_pivoting::factor::{qr_in_place, qr_in_place_scratch};
use faer::{Accum, Mat, MatRef, get_global_parallelism};

use super::band_matrix::BandMatrix;
use crate::interrupt::{self, Stopped};

/// Distance of the farthest element of the band from the diagonal: wide enough for products to be fast.
const WIDTH: usize = 64;

/// A symmetric matrix in the basis where it is a band.
#[derive(Debug)]
pub(super) struct BandReduction {
    pub(super) band: BandMatrix,
    /// Reflections below the band, as [`Reflection`] reads them.
    matrix: Mat<f64>,
    /// Per panel the triangle `S` of `Q = I − Y S Yᵀ`.
    triangles: Vec<Mat<f64>>,
    width: usize,
}

/// `I − Y S Yᵀ`, on the rows from `first` on.
struct Reflection<'a> {
    first: usize,
    y: Mat<f64>,
    s: &'a Mat<f64>,
}

impl BandReduction {
    /// Reduces a matrix of which the lower half is read; it is worked on in place.
    ///
    /// # Errors
    /// [`Stopped`] between two panels.
    pub(super) fn new(matrix: Mat<f64>) -> Result<Self, Stopped> {
        Self::with_width(matrix, WIDTH)
    }

    fn with_width(mut matrix: Mat<f64>, width: usize) -> Result<Self, Stopped> {
        let size = matrix.nrows();
        let mut triangles = Vec::new();
        // A panel of one row is inside the band already.
        for first in (width..size.saturating_sub(1)).step_by(width) {
            interrupt::check()?;
            let s = factor_panel(&mut matrix, first, width);
            let y = reflectors(&matrix, first, width);
            reflect_both_sides(&mut matrix, first, &y, &s);
            triangles.push(s);
        }
        let width = width.min(size.saturating_sub(1));
        Ok(Self { band: BandMatrix::of(&matrix, width), matrix, triangles, width })
    }

    /// `Qᵀ b`, in place.
    pub(super) fn rotate(&self, b: &mut Mat<f64>) {
        for panel in 0..self.triangles.len() {
            self.reflection(panel).apply(b, true);
        }
    }

    /// `Q b`, in place.
    pub(super) fn rotate_back(&self, b: &mut Mat<f64>) {
        for panel in (0..self.triangles.len()).rev() {
            self.reflection(panel).apply(b, false);
        }
    }

    fn reflection(&self, panel: usize) -> Reflection<'_> {
        let first = (panel + 1) * self.width;
        Reflection { first, y: reflectors(&self.matrix, first, self.width), s: &self.triangles[panel] }
    }
}

impl Reflection<'_> {
    /// `b ← (I − Y S Yᵀ) b`, or with `Sᵀ`.
    fn apply(&self, b: &mut Mat<f64>, is_transposed: bool) {
        let rows = b.nrows() - self.first;
        let part = b.as_mut().subrows_mut(self.first, rows);
        let inner = self.y.transpose() * part.as_ref();
        let inner = if is_transposed { self.s.transpose() * inner } else { self.s * inner };
        matmul(part, Accum::Add, &self.y, &inner, -1.0, get_global_parallelism());
    }
}

/// QR of the `width` columns in front of `first`, from row `first` on; reflectors and `R` stay in their place. Returns `S`.
fn factor_panel(matrix: &mut Mat<f64>, first: usize, width: usize) -> Mat<f64> {
    let rows = matrix.nrows() - first;
    let rank = rows.min(width);
    let mut panel = matrix.as_mut().submatrix_mut(first, first - width, rows, width);
    let mut factors = Mat::zeros(rank, rank);
    let parallelism = get_global_parallelism();
    let scratch = qr_in_place_scratch::<f64>(rows, width, rank, parallelism, Default::default());
    let mut buffer = MemBuffer::new(scratch);
    qr_in_place(
        panel.as_mut(),
        factors.as_mut(),
        parallelism,
        MemStack::new(&mut buffer),
        Default::default(),
    );
    inverse_triangle(&factors)
}

/// The inverse of an upper triangle; an infinite element of the diagonal, a reflection that is none, has the inverse 0.
fn inverse_triangle(upper: &Mat<f64>) -> Mat<f64> {
    let size = upper.nrows();
    let mut inverse = Mat::zeros(size, size);
    for column in 0..size {
        inverse[(column, column)] = upper[(column, column)].recip();
        for row in (0..column).rev() {
            let sum: f64 = (row + 1..=column).map(|at| upper[(row, at)] * inverse[(at, column)]).sum();
            inverse[(row, column)] = -sum / upper[(row, row)];
        }
    }
    inverse
}

/// `Y` of a panel: ones on the diagonal, the reflectors below.
fn reflectors(matrix: &Mat<f64>, first: usize, width: usize) -> Mat<f64> {
    let rows = matrix.nrows() - first;
    Mat::from_fn(rows, rows.min(width), |row, column| match row.cmp(&column) {
        std::cmp::Ordering::Less => 0.0,
        std::cmp::Ordering::Equal => 1.0,
        std::cmp::Ordering::Greater => matrix[(first + row, first - width + column)],
    })
}

/// `A ← Qᵀ A Q` of the block from `first` on, its lower half alone: `A − Y Wᵀ − W Yᵀ` with `Z = A Y S` and
/// `W = Z − ½ Y Sᵀ Yᵀ Z`.
fn reflect_both_sides(matrix: &mut Mat<f64>, first: usize, y: &Mat<f64>, s: &Mat<f64>) {
    let rows = matrix.nrows() - first;
    let mut block = matrix.as_mut().submatrix_mut(first, first, rows, rows);
    let mut w = symmetric_product(block.as_ref(), y) * s;
    let inner = s.transpose() * (y.transpose() * &w);
    matmul(w.as_mut(), Accum::Add, y, &inner, -0.5, get_global_parallelism());
    // Both updates in one pass through the block, which is larger than any cache.
    let rank = y.ncols();
    let left = Mat::from_fn(rows, 2 * rank, |row, column| match column.checked_sub(rank) {
        None => y[(row, column)],
        Some(column) => w[(row, column)],
    });
    let right = Mat::from_fn(2 * rank, rows, |row, column| match row.checked_sub(rank) {
        None => w[(column, row)],
        Some(row) => y[(column, row)],
    });
    triangular::matmul(
        block.as_mut(),
        BlockStructure::TriangularLower,
        Accum::Add,
        &left,
        BlockStructure::Rectangular,
        &right,
        BlockStructure::Rectangular,
        -1.0,
        get_global_parallelism(),
    );
}

/// `A Y` of a symmetric `A` whose lower half is read.
fn symmetric_product(a: MatRef<'_, f64>, y: &Mat<f64>) -> Mat<f64> {
    let mut product = Mat::zeros(y.nrows(), y.ncols());
    let halves =
        [(a, BlockStructure::TriangularLower), (a.transpose(), BlockStructure::StrictTriangularUpper)];
    for (half, structure) in halves {
        triangular::matmul(
            product.as_mut(),
            BlockStructure::Rectangular,
            Accum::Add,
            half,
            structure,
            y,
            BlockStructure::Rectangular,
            1.0,
            get_global_parallelism(),
        );
    }
    product
}

#[cfg(test)]
mod tests {
    use super::*;

    fn symmetric(size: usize) -> Mat<f64> {
        let x = Mat::from_fn(size, size + 3, |row, column| ((row * 31 + column * 17) % 23) as f64 - 11.0);
        &x * x.transpose()
    }

    #[test]
    fn equations_in_the_basis_of_the_band_are_those_of_the_matrix() {
        // No panel, whole ones, and a last one that is lower than wide or of one row.
        for size in [1, 3, 4, 5, 8, 9, 11, 18] {
            let dense = symmetric(size);
            let reduced = BandReduction::with_width(dense.clone(), 4).unwrap();
            let b = Mat::from_fn(size, 3, |row, column| ((row * 5 + column * 7) % 13) as f64 - 6.0);
            let mut rotated = b.clone();
            reduced.rotate(&mut rotated);
            let mut z = reduced.band.solve(&[0.5, 3.0, 1.5], &rotated).unwrap();
            reduced.rotate_back(&mut z);
            for (column, penalty) in [0.5, 3.0, 1.5].iter().enumerate() {
                let product = &dense * &z;
                for row in 0..size {
                    let left = product[(row, column)] + penalty * z[(row, column)];
                    assert!((left - b[(row, column)]).abs() < 1e-9, "{size}: {left}");
                }
            }
        }
    }

    #[test]
    fn a_matrix_of_few_ranks_is_reduced_too() {
        let column: Vec<f64> = (0..12).map(|row| f64::from(row) - 5.0).collect();
        let dense = Mat::from_fn(12, 12, |a, b| column[a] * column[b]);
        let reduced = BandReduction::with_width(dense, 4).unwrap();
        let mut b = Mat::from_fn(12, 1, |row, _| column[row]);
        reduced.rotate(&mut b);
        let mut z = reduced.band.solve(&[2.0], &b).unwrap();
        reduced.rotate_back(&mut z);
        // (v vᵀ + 2) z = v: z = v / (|v|² + 2).
        let square: f64 = column.iter().map(|value| value * value).sum();
        (0..12).for_each(|row| assert!((z[(row, 0)] - column[row] / (square + 2.0)).abs() < 1e-12));
    }
}
