//! Where the columns of the betas lie in a volume, if anything says so.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use ndarray::{Array2, Axis};

use super::betas::{MaskedVoxels, is_volume};
use super::number_table::NumberTable;
use super::trials::read_table;
use crate::data::error::DataError;
use crate::data::formats::nifti::{Affine, NiftiReader};
use crate::data::nsd::roi::RoiVolume;
use crate::data::nsd::space::VolumeSpace;
use crate::data::prepared::VoxelPosition;

/// Longest axis of a grid.
const LONGEST_AXIS: u64 = 512;

/// The prepared voxels: positions in a volume, ascending, and the column of the betas behind each.
#[derive(Clone, Debug, PartialEq)]
pub struct VoxelPlaces {
    /// `[X, Y, Z]`; all voxels in a row where nothing tells their places.
    pub grid: [usize; 3],
    /// Where the volume lies in space; nothing where the voxels have no places.
    pub position: Option<VoxelPosition>,
    /// Position of every prepared voxel, `x + X·(y + Y·z)`, ascending.
    pub flat_index: Vec<usize>,
    /// The file that tells the places; empty where none does.
    pub told_by: PathBuf,
    /// Voxels of volumes.
    pub mask: Option<MaskedVoxels>,
    /// Column of the betas of every prepared voxel, where they are in another order.
    order: Option<Vec<usize>>,
}

impl VoxelPlaces {
    /// No places: the columns in their order.
    pub fn unknown(num_voxels: usize) -> Self {
        let flat_index = (0..num_voxels).collect();
        Self {
            grid: [num_voxels, 1, 1],
            position: None,
            flat_index,
            told_by: PathBuf::new(),
            mask: None,
            order: None,
        }
    }

    /// The voxels that are not 0 in a mask.
    ///
    /// # Errors
    /// Those of [`RoiVolume::read`]; [`DataError::Empty`] for a mask without a voxel.
    pub fn of_mask(path: &Path) -> Result<Self, DataError> {
        let RoiVolume { labels, space, .. } = RoiVolume::read(path, None)?;
        let voxels: Vec<usize> = (0..labels.len()).filter(|voxel| labels[*voxel] != 0).collect();
        if voxels.is_empty() {
            return Err(DataError::empty(
                format!("the mask `{}`", path.display()),
                "expected voxels that are not 0",
            ));
        }
        let position = space.affine.map(|affine| position(affine, path));
        let space = VolumeSpace { is_of_betas: true, ..space };
        Ok(Self {
            grid: space.grid,
            position,
            flat_index: voxels.clone(),
            told_by: path.to_path_buf(),
            mask: Some(MaskedVoxels { space, voxels }),
            order: None,
        })
    }

    /// The voxels of a table with the columns `i`, `j`, `k` (from 0), one row a column of the betas, in the space of `affine`: a table of 3
    /// or 4 rows of 4 numbers, or a volume.
    ///
    /// # Errors
    /// [`DataError`] for files that cannot be read, naming row and column of a place that is none or is taken.
    pub fn of_coordinates(path: &Path, affine: &Path, num_voxels: usize) -> Result<Self, DataError> {
        let table = read_table(path, "the places of the voxels")?;
        if table.num_rows() != num_voxels {
            let expected = format!("{num_voxels}, one a voxel");
            return Err(DataError::invalid(path, "number of rows", expected, table.num_rows()));
        }
        let columns = [table.column("i")?, table.column("j")?, table.column("k")?];
        let (known_grid, affine) = space_of(affine)?;
        let mut places = Vec::with_capacity(num_voxels);
        for row in 0..num_voxels {
            let mut place = [0_usize; 3];
            for (axis, column) in columns.into_iter().enumerate() {
                let found = table.count(row, column)?;
                let most = known_grid.map_or(LONGEST_AXIS, |grid| grid[axis] as u64);
                if found >= most {
                    return Err(table.wrong(
                        row,
                        column,
                        &format!("a place from 0 to {}", most - 1),
                        &found.to_string(),
                    ));
                }
                place[axis] = found as usize;
            }
            places.push(place);
        }
        let largest = |axis: usize| places.iter().map(|place| place[axis] + 1).max().unwrap_or(1);
        let grid = known_grid.unwrap_or([largest(0), largest(1), largest(2)]);
        let flat = |[i, j, k]: [usize; 3]| i + grid[0] * (j + grid[1] * k);
        let mut row_of = HashMap::new();
        for (row, place) in places.iter().enumerate() {
            if let Some(first) = row_of.insert(flat(*place), row) {
                let expected = "a place of its own";
                let found = format!("that of row {} ({place:?})", first + 1);
                return Err(DataError::invalid(path, format!("row {}", row + 1), expected, found));
            }
        }
        let mut order: Vec<usize> = (0..num_voxels).collect();
        order.sort_by_key(|column| flat(places[*column]));
        let flat_index = order.iter().map(|column| flat(places[*column])).collect();
        Ok(Self {
            grid,
            position: Some(position(affine.0, &affine.1)),
            flat_index,
            told_by: affine.1,
            mask: None,
            order: Some(order),
        })
    }

    /// Number of voxels.
    pub fn num_voxels(&self) -> usize {
        self.flat_index.len()
    }

    /// Whether voxels have places in a volume.
    pub fn has_volume(&self) -> bool {
        self.position.is_some() || self.mask.is_some()
    }

    /// How volumes of the subject lie, by the mask or the affine.
    pub fn space(&self) -> VolumeSpace {
        VolumeSpace {
            path: self.told_by.clone(),
            grid: self.grid,
            affine: self.position.as_ref().map(|position| position.affine),
            is_of_betas: true,
        }
    }

    /// Columns of the betas in the order in which they are prepared.
    pub fn arrange<R: Copy>(&self, betas: Array2<R>) -> Array2<R> {
        match &self.order {
            None => betas,
            Some(order) => betas.select(Axis(1), order),
        }
    }

    /// One value per column of the betas, in the order in which they are prepared.
    pub fn arrange_values<T: Copy>(&self, values: Vec<T>) -> Vec<T> {
        match &self.order {
            None => values,
            Some(order) => order.iter().map(|column| values[*column]).collect(),
        }
    }
}

fn position(affine: Affine, path: &Path) -> VoxelPosition {
    let source = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    VoxelPosition { affine, source, is_of_betas: true }
}

/// An affine with the file that tells it.
type ToldAffine = (Affine, PathBuf);

/// The grid, if the file tells one, and the affine.
fn space_of(path: &Path) -> Result<(Option<[usize; 3]>, ToldAffine), DataError> {
    let needed = "the places of the voxels in millimetres";
    let (grid, affine) = if is_volume(path) {
        let reader = NiftiReader::open(path, needed)?;
        let affine = reader.header().affine.ok_or_else(|| {
            DataError::invalid(path, "affine", "a position in space (sform or qform)", "none")
        })?;
        (Some(reader.header().grid()), affine)
    } else {
        let table = NumberTable::read(path, needed)?;
        if !matches!((table.num_rows, table.num_columns), (3 | 4, 4)) {
            let found = format!("{} rows of {}", table.num_rows, table.num_columns);
            return Err(DataError::invalid(path, "affine", "3 or 4 rows of 4 numbers", found));
        }
        if let Some(last) = table.values.get(12..16).filter(|last| **last != [0.0, 0.0, 0.0, 1.0]) {
            return Err(DataError::invalid(
                path,
                "row 4",
                "0, 0, 0, 1, as in every affine",
                format!("{last:?}"),
            ));
        }
        let mut rows = [[0.0; 4]; 3];
        for (row, values) in rows.iter_mut().zip(table.values.chunks_exact(4)) {
            row.copy_from_slice(values);
        }
        (None, Affine { rows })
    };
    let probe = [2, 2, 2];
    // What cannot be turned back places no voxel.
    if affine.turn_to(probe, &affine, probe).is_none() {
        return Err(DataError::invalid(path, "affine", "one that can be inverted", affine));
    }
    Ok((grid, (affine, path.to_path_buf())))
}

#[cfg(test)]
mod tests {
    use super::*;

    const AFFINE: &str = "2,0,0,-10\n0,2,0,5\n0,0,2,1\n0,0,0,1\n";

    fn places(coordinates: &str, affine: &str, num_voxels: usize) -> Result<VoxelPlaces, String> {
        let folder = tempfile::tempdir().unwrap();
        let [table, matrix] = ["places.csv", "affine.csv"].map(|name| folder.path().join(name));
        std::fs::write(&table, coordinates).unwrap();
        std::fs::write(&matrix, affine).unwrap();
        VoxelPlaces::of_coordinates(&table, &matrix, num_voxels).map_err(|error| error.to_string())
    }

    #[test]
    fn columns_are_brought_into_the_order_of_the_volume() {
        let found = places("k,j,i\n1,0,0\n0,1,2\n0,0,1\n", AFFINE, 3).unwrap();
        assert_eq!((found.grid, found.flat_index.clone()), ([3, 2, 2], vec![1, 5, 6]));
        assert_eq!(found.arrange_values(vec!['a', 'b', 'c']), ['c', 'b', 'a']);
        let betas = Array2::from_shape_vec((1, 3), vec![1.0_f32, 2.0, 3.0]).unwrap();
        assert_eq!(found.arrange(betas).into_raw_vec_and_offset().0, [3.0, 2.0, 1.0]);
        assert_eq!(found.position.unwrap().affine.rows[0], [2.0, 0.0, 0.0, -10.0]);
    }

    #[test]
    fn places_that_are_none_or_taken_are_named() {
        for (coordinates, affine, needle) in [
            ("i,j,k\n0,0,0\n", AFFINE, "number of rows is 1, expected 2"),
            ("i,j,k\n0,0,0\n0,0,0\n", AFFINE, "row 2 is that of row 1"),
            ("i,j,k\n0,0,0\n0,-1,0\n", AFFINE, "column `j`, row 2 is `-1`"),
            ("i,j,k\n0,0,0\n0,0,512\n", AFFINE, "column `k`, row 2 is `512`, expected a place from 0 to 511"),
            ("x,j,k\n0,0,0\n0,0,1\n", AFFINE, "column `i` is not among"),
            ("i,j,k\n0,0,0\n0,0,1\n", "1,0,0\n0,1,0\n", "3 or 4 rows of 4 numbers"),
            ("i,j,k\n0,0,0\n0,0,1\n", "1,0,0,0\n0,0,0,0\n0,0,0,0\n", "one that can be inverted"),
            (
                "i,j,k\n0,0,0\n0,0,1\n",
                "2,0,0,0\n0,2,0,0\n0,0,2,0\n0,1,0,1\n",
                "affine.csv`: row 4 is [0.0, 1.0, 0.0, 1.0], expected 0, 0, 0, 1",
            ),
            ("i,j,k\n0,0,0\n0,0,1\n", "1,0,0,nan\n0,1,0,0\n0,0,1,0\n", "one that can be inverted"),
        ] {
            let error = places(coordinates, affine, 2).unwrap_err();
            assert!(error.contains(needle), "{needle}: {error}");
        }
    }
}
