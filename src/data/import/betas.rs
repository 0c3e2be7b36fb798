//! Responses of trials from one or several files, joined in the order given: arrays `[trials, voxels]`, or volumes of four axes with a
//! mask.

use std::path::{Path, PathBuf};

use ndarray::Array2;

use super::array::ArrayInput;
use super::array_name::ArrayName;
use crate::data::error::DataError;
use crate::data::formats::element::Real;
use crate::data::formats::nifti::NiftiReader;
use crate::data::nsd::betas::named_voxel;
use crate::data::nsd::space::VolumeSpace;

/// Numbers of rows that are read together: 64 MiB.
const NUMBERS_AT_ONCE: usize = 1 << 24;

/// The voxels of volumes that are taken.
#[derive(Clone, Debug, PartialEq)]
pub struct MaskedVoxels {
    /// How the volumes lie.
    pub space: VolumeSpace,
    /// Positions in them, ascending, `x + X·(y + Y·z)`.
    pub voxels: Vec<usize>,
}

/// Files of betas, checked against each other, of which no beta was read yet.
#[derive(Debug)]
pub struct BetaFiles {
    files: Vec<BetaFile>,
    num_voxels: usize,
}

/// One of them.
#[derive(Debug)]
pub struct BetaFile {
    name: PathBuf,
    num_trials: usize,
    source: Source,
}

#[derive(Debug)]
enum Source {
    Array(Box<ArrayInput>),
    Volumes { path: PathBuf, needs_double: bool },
}

/// Whether a file holds a volume, by its name.
pub fn is_volume(path: &Path) -> bool {
    let name = path.to_string_lossy().to_ascii_lowercase();
    name.ends_with(".nii") || name.ends_with(".nii.gz")
}

impl BetaFiles {
    /// Opens every file; `mask` tells the voxels of volumes.
    ///
    /// # Errors
    /// [`DataError`] for a file that is missing or cannot be read, for volumes without a mask or a mask without volumes, and for files of
    /// another number of voxels than the first.
    pub fn open(names: &[ArrayName], mask: Option<&MaskedVoxels>) -> Result<Self, DataError> {
        let mut files: Vec<BetaFile> = Vec::new();
        let mut num_voxels = None;
        for name in names {
            let (file, voxels) = match (is_volume(&name.path), mask) {
                (true, Some(mask)) => (volumes(&name.path, mask)?, mask.voxels.len()),
                (true, None) => {
                    return Err(DataError::missing("--mask", "betas that are volumes: it tells the voxels"));
                }
                (false, Some(_)) => {
                    let expected =
                        "volumes (.nii, .nii.gz) where there is a mask; arrays have one column a voxel";
                    return Err(DataError::invalid(&name.path, "format of the betas", expected, "an array"));
                }
                (false, None) => array(name)?,
            };
            if let (Some(expected), Some(first)) =
                (num_voxels.filter(|first| *first != voxels), files.first())
            {
                let expected = format!("{expected} as in `{}`", first.name.display());
                return Err(DataError::invalid(&file.name, "number of voxels", expected, voxels));
            }
            num_voxels = Some(voxels);
            files.push(file);
        }
        match num_voxels {
            Some(num_voxels) => Ok(Self { files, num_voxels }),
            None => Err(DataError::missing("--betas", "an import: the responses, one row a trial")),
        }
    }

    /// The files.
    pub fn files(&self) -> &[BetaFile] {
        &self.files
    }

    /// Rows of all files.
    pub fn num_trials(&self) -> usize {
        self.files.iter().map(|file| file.num_trials).sum()
    }

    /// Columns of every file.
    pub fn num_voxels(&self) -> usize {
        self.num_voxels
    }

    /// The file that a row is from (0-based, over all files), and its row there.
    pub fn place_of(&self, row: usize) -> Option<(&BetaFile, usize)> {
        let mut left = row;
        for file in &self.files {
            if left < file.num_trials {
                return Some((file, left));
            }
            left -= file.num_trials;
        }
        None
    }

    /// Whether a file has numbers that single precision does not hold.
    pub fn needs_double(&self) -> bool {
        self.files.iter().any(|file| match &file.source {
            Source::Array(array) => array.needs_double(),
            Source::Volumes { needs_double, .. } => *needs_double,
        })
    }

    /// Reads all files in order, in single or double precision, and hands blocks of rows, `[rows, voxels]`, to `take`.
    ///
    /// # Errors
    /// Those of the files and of `take`; [`DataError::Invalid`] for an infinite beta. What is no number at all is handed on.
    pub fn read<R: Real>(
        &mut self,
        mask: Option<&MaskedVoxels>,
        take: &mut dyn FnMut(Array2<R>) -> Result<(), DataError>,
    ) -> Result<(), DataError> {
        let num_voxels = self.num_voxels;
        for file in &mut self.files {
            let BetaFile { name, num_trials, source } = file;
            let num_trials = *num_trials;
            let mut first = 0;
            let mut checked = |block: Array2<R>| {
                check_infinite(name, first, &block, mask)?;
                first += block.nrows();
                take(block)
            };
            match (source, mask) {
                (Source::Volumes { path, .. }, Some(mask)) => read_volumes(path, mask, &mut checked)?,
                (Source::Volumes { path, .. }, None) => {
                    return Err(DataError::missing("--mask", path.to_string_lossy()));
                }
                (Source::Array(array), _) => {
                    let at_once = (NUMBERS_AT_ONCE / num_voxels.max(1)).max(1);
                    for start in (0..num_trials).step_by(at_once) {
                        let rows = start..num_trials.min(start + at_once);
                        let shape = (rows.len(), num_voxels);
                        let values = array.rows(rows)?;
                        let block = Array2::from_shape_vec(shape, values);
                        checked(block.map_err(|error| DataError::unreadable(array.name(), error))?)?;
                    }
                }
            }
        }
        Ok(())
    }
}

impl BetaFile {
    /// File and array, for errors.
    pub fn name(&self) -> &Path {
        &self.name
    }

    /// The file.
    pub fn path(&self) -> &Path {
        match &self.source {
            Source::Array(array) => array.path(),
            Source::Volumes { path, .. } => path,
        }
    }

    /// Its rows.
    pub fn num_trials(&self) -> usize {
        self.num_trials
    }

    /// Whether its rows are volumes.
    pub fn is_of_volumes(&self) -> bool {
        matches!(self.source, Source::Volumes { .. })
    }
}

/// An array, and how many voxels its rows have.
fn array(name: &ArrayName) -> Result<(BetaFile, usize), DataError> {
    let array = ArrayInput::open(name, &[2], "the responses")?;
    let [num_trials, num_voxels] = array.shape()[..] else {
        return Err(array.invalid("shape", "[trials, voxels]", format!("{:?}", array.shape())));
    };
    let name = array.name().to_path_buf();
    Ok((BetaFile { name, num_trials, source: Source::Array(Box::new(array)) }, num_voxels))
}

/// Volumes of four axes that lie as the mask does.
fn volumes(path: &Path, mask: &MaskedVoxels) -> Result<BetaFile, DataError> {
    let reader = NiftiReader::open(path, "the responses")?;
    let header = reader.header();
    let space = VolumeSpace {
        path: path.to_path_buf(),
        grid: header.grid(),
        affine: header.affine,
        is_of_betas: true,
    };
    mask.space.require_same(&space)?;
    // An intercept far from 0 takes digits from the response in single precision.
    let needs_double = header.element.needs_double() || header.intercept != 0.0;
    let source = Source::Volumes { path: path.to_path_buf(), needs_double };
    Ok(BetaFile { name: path.to_path_buf(), num_trials: header.num_frames(), source })
}

/// One volume after the other; memory holds one of them.
fn read_volumes<R: Real>(
    path: &Path,
    mask: &MaskedVoxels,
    take: &mut dyn FnMut(Array2<R>) -> Result<(), DataError>,
) -> Result<(), DataError> {
    let mut reader = NiftiReader::open(path, "the responses")?;
    let mut frame = Vec::new();
    for _ in 0..reader.header().num_frames() {
        crate::interrupt::check()?;
        reader.read_frame(&mut frame)?;
        let row = mask.voxels.iter().map(|voxel| R::nearest(frame[*voxel])).collect();
        let row = Array2::from_shape_vec((1, mask.voxels.len()), row);
        take(row.map_err(|error| DataError::unreadable(path, error))?)?;
    }
    Ok(())
}

/// Refuses an infinite beta of rows from `first` on.
fn check_infinite<R: Real>(
    name: &Path,
    first: usize,
    block: &Array2<R>,
    mask: Option<&MaskedVoxels>,
) -> Result<(), DataError> {
    match block.indexed_iter().find(|(_, beta)| Into::<f64>::into(**beta).is_infinite()) {
        None => Ok(()),
        Some(((row, column), beta)) => {
            let field = format!("row {}, {}", first + row + 1, named_column(column, mask));
            Err(DataError::invalid(name, field, "a finite number", Into::<f64>::into(*beta)))
        }
    }
}

/// A column in errors: the voxel of a volume, or the number of the column from 1.
pub(super) fn named_column(column: usize, mask: Option<&MaskedVoxels>) -> String {
    match mask.and_then(|mask| Some((mask.voxels.get(column)?, mask.space.grid))) {
        Some((voxel, grid)) => named_voxel(*voxel, grid),
        None => format!("column {}", column + 1),
    }
}
