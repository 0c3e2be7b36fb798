//! Where voxels lie in space, and how one volume is turned so that its voxels lie as another's.
//!
//! The header gives a position in one of two ways: `sform` (an affine as it is) or `qform` (a quaternion, an offset, voxel
//! edges). `sform` wins where its code is positive, as in nibabel; a volume with neither says nothing of its position.

use nifti::NiftiHeader;
use serde::{Deserialize, Serialize};

/// Largest distance, in voxels, by which two volumes that are "the same" may lie apart.
const TOLERANCE_VOXELS: f64 = 0.1;

/// Millimetres of a voxel's centre: `rows[axis] · [i, j, k, 1]`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Affine {
    /// Rows x, y, z; columns i, j, k, offset.
    pub rows: [[f64; 4]; 3],
}

/// For each axis of the wanted grid: the axis of the stored grid, and whether it runs backwards there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    axes: [(usize, bool); 3],
    stored_grid: [usize; 3],
}

impl Affine {
    /// The position that a header states; nothing without a positive code, or with numbers that place no voxel.
    pub(super) fn of_header(raw: &NiftiHeader) -> Option<Self> {
        let rows = if raw.sform_code > 0 {
            [raw.srow_x, raw.srow_y, raw.srow_z].map(|row| row.map(f64::from))
        } else if raw.qform_code > 0 {
            quaternion_rows(raw)
        } else {
            return None;
        };
        let affine = Self { rows };
        let is_usable = rows.iter().flatten().all(|value| value.is_finite()) && affine.inverse().is_some();
        is_usable.then_some(affine)
    }

    /// How a grid that lies by `self` is turned to lie by `other` on `grid`; nothing when more than flipped or permuted axes
    /// lies between them.
    pub fn turn_to(&self, stored_grid: [usize; 3], other: &Self, grid: [usize; 3]) -> Option<Turn> {
        let inverse = self.inverse()?;
        // Voxel of the wanted grid -> millimetres -> voxel of the stored grid.
        let step = |axis: usize, column: usize| -> f64 {
            (0..3).map(|mm| inverse.rows[axis][mm] * other.rows[mm][column]).sum()
        };
        let mut axes = [(0, false); 3];
        for (column, target) in axes.iter_mut().enumerate() {
            let steps = [0, 1, 2].map(|axis| step(axis, column));
            // One step along a wanted axis must be about one step along a stored one; the corners below hold it to
            // the tolerance.
            let stored = (0..3).find(|axis| steps[*axis].abs() > 0.5)?;
            *target = (stored, steps[stored] < 0.0);
        }
        let turn = Turn { axes, stored_grid };
        // Corners suffice: both maps are affine.
        let lies_there = turn.grid() == Some(grid)
            && corners(grid).all(|voxel| {
                let found = inverse.apply(other.apply(voxel));
                let meant = turn.stored_voxel(voxel.map(|at| at as usize)).map(|at| at as f64);
                found.iter().zip(meant).all(|(found, meant)| (found - meant).abs() <= TOLERANCE_VOXELS)
            });
        lies_there.then_some(turn)
    }

    /// Edges of a voxel in millimetres: the lengths of the columns.
    pub(super) fn voxel_edges(&self) -> [f64; 3] {
        [0, 1, 2].map(|axis: usize| self.rows.iter().map(|row| row[axis] * row[axis]).sum::<f64>().sqrt())
    }

    fn apply(&self, at: [f64; 3]) -> [f64; 3] {
        self.rows.map(|row| row[0] * at[0] + row[1] * at[1] + row[2] * at[2] + row[3])
    }

    fn inverse(&self) -> Option<Self> {
        let m = self.rows;
        let cofactor = |row: usize, column: usize| {
            let (a, b) = ((row + 1) % 3, (row + 2) % 3);
            let (c, d) = ((column + 1) % 3, (column + 2) % 3);
            m[a][c] * m[b][d] - m[a][d] * m[b][c]
        };
        let determinant: f64 = (0..3).map(|column| m[0][column] * cofactor(0, column)).sum();
        // Zero, not finite, or too small to divide by.
        if !determinant.is_normal() {
            return None;
        }
        let mut rows = [[0.0; 4]; 3];
        for (row, target) in rows.iter_mut().enumerate() {
            for (column, value) in target[..3].iter_mut().enumerate() {
                *value = cofactor(column, row) / determinant;
            }
            target[3] = -(0..3).map(|axis| target[axis] * m[axis][3]).sum::<f64>();
        }
        Some(Self { rows })
    }
}

impl std::fmt::Display for Affine {
    /// One line: `[[1.8, 0, 0, -72], …]`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.rows.map(|row| row.map(|value| (value * 1e4).round() / 1e4)))
    }
}

impl Turn {
    /// Whether voxels lie as wanted already.
    pub fn is_none_needed(&self) -> bool {
        self.axes == [(0, false), (1, false), (2, false)]
    }

    /// The wanted grid, if each stored axis serves once.
    fn grid(&self) -> Option<[usize; 3]> {
        let mut used = [false; 3];
        for (stored, _) in self.axes {
            used[stored] = true;
        }
        (used == [true; 3]).then(|| self.axes.map(|(stored, _)| self.stored_grid[stored]))
    }

    fn stored_voxel(&self, voxel: [usize; 3]) -> [usize; 3] {
        let mut at = [0; 3];
        for (wanted, (stored, is_backwards)) in self.axes.into_iter().enumerate() {
            at[stored] =
                if is_backwards { self.stored_grid[stored] - 1 - voxel[wanted] } else { voxel[wanted] };
        }
        at
    }

    /// The values in the wanted order, x fastest; `values` hold one frame of the stored grid.
    pub fn apply<T: Copy>(&self, values: &[T]) -> Vec<T> {
        let [x_len, y_len, z_len] = self.axes.map(|(stored, _)| self.stored_grid[stored]);
        let [stored_x, stored_y, _] = self.stored_grid;
        let mut turned = Vec::with_capacity(values.len());
        for z in 0..z_len {
            for y in 0..y_len {
                for x in 0..x_len {
                    let [i, j, k] = self.stored_voxel([x, y, z]);
                    turned.push(values[i + stored_x * (j + stored_y * k)]);
                }
            }
        }
        turned
    }
}

/// The eight corners of a grid, as voxel numbers.
fn corners(grid: [usize; 3]) -> impl Iterator<Item = [f64; 3]> {
    let last = grid.map(|len| len.saturating_sub(1) as f64);
    (0..8_usize).map(move |corner| {
        [0, 1, 2].map(|axis: usize| if corner >> axis & 1 == 1 { last[axis] } else { 0.0 })
    })
}

/// NIfTI-1, "method 2": rotation by a unit quaternion, times the voxel edges, the third with the sign of `pixdim[0]`.
fn quaternion_rows(raw: &NiftiHeader) -> [[f64; 4]; 3] {
    let [b, c, d] = [raw.quatern_b, raw.quatern_c, raw.quatern_d].map(f64::from);
    // Only b, c and d are stored; rounding may leave the sum of their squares above 1.
    let a = (1.0 - b * b - c * c - d * d).max(0.0).sqrt();
    let sign = if raw.pixdim[0] < 0.0 { -1.0 } else { 1.0 };
    let edges = [f64::from(raw.pixdim[1]), f64::from(raw.pixdim[2]), sign * f64::from(raw.pixdim[3])];
    let rotation = [
        [a * a + b * b - c * c - d * d, 2.0 * (b * c - a * d), 2.0 * (b * d + a * c)],
        [2.0 * (b * c + a * d), a * a + c * c - b * b - d * d, 2.0 * (c * d - a * b)],
        [2.0 * (b * d - a * c), 2.0 * (c * d + a * b), a * a + d * d - b * b - c * c],
    ];
    let offsets = [raw.quatern_x, raw.quatern_y, raw.quatern_z].map(f64::from);
    [0, 1, 2].map(|axis: usize| {
        let [i, j, k] = [0, 1, 2].map(|column: usize| rotation[axis][column] * edges[column]);
        [i, j, k, offsets[axis]]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Affine =
        Affine { rows: [[1.8, 0.0, 0.0, -3.6], [0.0, 1.8, 0.0, -1.8], [0.0, 0.0, 1.8, 0.0]] };

    #[test]
    fn a_volume_stored_the_other_way_round_is_turned() {
        // x backwards: voxel 0 lies where voxel 4 lay.
        let mut flipped = PLAIN;
        flipped.rows[0] = [-1.8, 0.0, 0.0, 3.6];
        let turn = flipped.turn_to([5, 3, 1], &PLAIN, [5, 3, 1]).unwrap();
        assert!(!turn.is_none_needed());
        let stored: Vec<usize> = (0..15).collect();
        assert_eq!(turn.apply(&stored), [4, 3, 2, 1, 0, 9, 8, 7, 6, 5, 14, 13, 12, 11, 10]);
        assert!(PLAIN.turn_to([5, 3, 1], &PLAIN, [5, 3, 1]).unwrap().is_none_needed());
    }

    #[test]
    fn permuted_axes_are_put_back() {
        // Stored as [y, x, z].
        let swapped = Affine { rows: PLAIN.rows.map(|[i, j, k, offset]| [j, i, k, offset]) };
        let turn = swapped.turn_to([3, 2, 1], &PLAIN, [2, 3, 1]).unwrap();
        assert_eq!(turn.apply(&[0, 1, 2, 10, 11, 12]), [0, 10, 1, 11, 2, 12]);
    }

    #[test]
    fn shifts_other_edges_and_oblique_volumes_are_not_the_same() {
        let mut shifted = PLAIN;
        shifted.rows[1][3] += 1.8;
        let mut finer = PLAIN;
        finer.rows[0][0] = 1.0;
        let mut oblique = PLAIN;
        oblique.rows[0] = [1.8 * 0.9, 1.8 * 0.43, 0.0, -3.6];
        for other in [shifted, finer, oblique] {
            assert_eq!(other.turn_to([5, 3, 1], &PLAIN, [5, 3, 1]), None, "{other}");
        }
        let flat = Affine { rows: [[0.0; 4]; 3] };
        assert_eq!(flat.turn_to([1, 1, 1], &PLAIN, [1, 1, 1]), None);
    }

    #[test]
    fn a_quaternion_gives_the_affine_that_nibabel_gives() {
        // nibabel: quatern (0, 0, 1), pixdim [-1, 2, 3, 4], offsets (5, 6, 7).
        let raw = NiftiHeader {
            qform_code: 1,
            sform_code: 0,
            quatern_d: 1.0,
            quatern_x: 5.0,
            quatern_y: 6.0,
            quatern_z: 7.0,
            pixdim: [-1.0, 2.0, 3.0, 4.0, 0.0, 0.0, 0.0, 0.0],
            ..NiftiHeader::default()
        };
        let affine = Affine::of_header(&raw).unwrap();
        assert_eq!(affine.rows, [[-2.0, 0.0, 0.0, 5.0], [0.0, -3.0, 0.0, 6.0], [0.0, 0.0, -4.0, 7.0]]);
    }
}
