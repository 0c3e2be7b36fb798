//! Betas: the response of every voxel in every trial of a session.
//!
//! Stored as `int16`, 300 × percent signal change, 0 where a voxel is invalid in the whole session; HDF5 `[750, Z, Y, X]`
//! (one voxel per chunk) or NIfTI `[X, Y, Z, 750]`. Floating-point files are percent signal change already. A
//! two-dimensional HDF5 dataset `[750, voxels]` is a session already cut down to the voxels of the selection.
//! A voxel that is NaN in the whole session is invalid there, as GLMsingle's masks write it, and is read as 0.
//! Only what the selected voxels need is read.

use std::ops::Range;
use std::path::{Path, PathBuf};

use hdf5_metno::types::{FloatSize, IntSize, TypeDescriptor};
use ndarray::Array2;

use super::tree::NsdTree;
use super::{betas_chunks, betas_hyperslabs};
use crate::data::error::DataError;
use crate::data::formats::hdf5::{H5Dataset, H5File, H5Writer};
use crate::data::formats::nifti::{self, ElementType, NiftiReader};
use crate::data::subject::{NsdSubject, Resolution};
use crate::data::trial::TRIALS_PER_SESSION;
use crate::files::file_is_there;

/// Stored number per percent signal change, in files of whole numbers.
pub const BETAS_SCALE: f32 = 300.0;

const DATASET: &str = "betas";
const NEEDED_FOR: &str = "the brain's responses";

/// Container of a session's betas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BetasFormat {
    /// `betas_sessionNN.hdf5`
    Hdf5,
    /// `betas_sessionNN.nii.gz`
    Nifti,
}

/// The file of one session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionFile {
    /// 1-based.
    pub session: u16,
    /// Path of the file.
    pub path: PathBuf,
    /// Container of the betas.
    pub format: BetasFormat,
}

/// The sessions that are there, in order; HDF5 is preferred where both formats are.
///
/// # Errors
/// [`DataError::missing`] when the folder or every session is missing; [`DataError::unreadable`] for a session that is there and
/// cannot be looked at, such as a link that leads nowhere.
pub fn find_sessions(
    tree: &NsdTree,
    subject: NsdSubject,
    resolution: Resolution,
    version: &str,
) -> Result<Vec<SessionFile>, DataError> {
    let mut files = Vec::new();
    for session in 1..=subject.num_sessions() as u16 {
        files.extend(find_session(tree, subject, resolution, version, session)?);
    }
    if files.is_empty() {
        return Err(DataError::missing(tree.betas_hdf5(subject, resolution, version, 1), NEEDED_FOR));
    }
    Ok(files)
}

/// The file of one session, if there is one.
///
/// # Errors
/// [`DataError::unreadable`] for one that is there and cannot be looked at.
pub fn find_session(
    tree: &NsdTree,
    subject: NsdSubject,
    resolution: Resolution,
    version: &str,
    session: u16,
) -> Result<Option<SessionFile>, DataError> {
    let hdf5 = tree.betas_hdf5(subject, resolution, version, session);
    if file_is_there(&hdf5)? {
        return Ok(Some(SessionFile { session, path: hdf5, format: BetasFormat::Hdf5 }));
    }
    let nifti = tree.betas_nifti(subject, resolution, version, session);
    let is_there = file_is_there(&nifti)?;
    Ok(is_there.then_some(SessionFile { session, path: nifti, format: BetasFormat::Nifti }))
}

/// Checks that a session file is whole, whatever its grid: its header goes with its size, and its last value can be read.
/// What lies between shows when the session is read.
///
/// # Errors
/// Those of [`read_session`], but for the shape.
pub fn check_whole(file: &SessionFile) -> Result<(), DataError> {
    match file.format {
        BetasFormat::Nifti => nifti::check_size(&file.path, NEEDED_FOR),
        BetasFormat::Hdf5 => {
            // A file that was cut off is refused here already: it knows its own length.
            let source = H5File::open(&file.path, NEEDED_FOR)?;
            let dataset = source.dataset(DATASET)?;
            let shape = dataset.shape()?;
            if shape.is_empty() || shape.contains(&0) {
                return Err(dataset.invalid("shape", "trials of voxels", format!("{shape:?}")));
            }
            let last: Vec<Range<usize>> = shape.iter().map(|size| size - 1..*size).collect();
            dataset.read_block::<f32>(&last).map(|_| ())
        }
    }
}

/// Checks a session file's shape and type without reading a value.
///
/// # Errors
/// Those of [`read_session`].
pub fn check_session(file: &SessionFile, grid: [usize; 3], num_voxels: usize) -> Result<(), DataError> {
    match file.format {
        BetasFormat::Hdf5 => open_hdf5(&file.path, grid, num_voxels).map(|_| ()),
        BetasFormat::Nifti => open_nifti(&file.path, grid).map(|_| ()),
    }
}

/// Reads the betas of the given voxels (flat indices into `grid` = `[X, Y, Z]`, ascending) in percent signal change.
///
/// # Shapes
/// - output: `[750, voxels]`
///
/// # Errors
/// [`DataError::missing`], [`DataError::unreadable`] for a damaged file, [`DataError::Invalid`] for another shape or
/// type, or a value that is not finite in a voxel that has finite ones.
pub fn read_session(
    file: &SessionFile,
    grid: [usize; 3],
    voxels: &[usize],
) -> Result<Array2<f32>, DataError> {
    let (mut betas, is_scaled) = match file.format {
        BetasFormat::Nifti => read_nifti(&file.path, grid, voxels)?,
        BetasFormat::Hdf5 => {
            let source = open_hdf5(&file.path, grid, voxels.len())?;
            let betas = match &source.layout {
                Layout::Flat => flat(&source.dataset, voxels.len())?,
                Layout::Volume => match betas_chunks::plan(&source.file, &source.dataset, grid, voxels)? {
                    Some(plan) => plan.read(&source.dataset)?,
                    None => betas_hyperslabs::read(&source.dataset, grid, voxels)?,
                },
            };
            (betas, source.is_scaled)
        }
    };
    if is_scaled {
        betas.mapv_inplace(|stored| stored / BETAS_SCALE);
    }
    for (column, mut betas) in betas.columns_mut().into_iter().enumerate() {
        // After the scaling: what counts is what the network would see.
        if betas.iter().all(|beta| beta.is_nan()) {
            betas.fill(0.0);
        } else if let Some((trial, value)) = betas.iter().enumerate().find(|(_, beta)| !beta.is_finite()) {
            let field = format!("beta of trial {trial}, {}", named_voxel(voxels[column], grid));
            return Err(DataError::invalid(&file.path, field, "a finite number", value));
        }
    }
    Ok(betas)
}

/// A voxel as messages name it: by its index in the volume and its place there, which other programs show.
pub fn named_voxel(flat_index: usize, grid: [usize; 3]) -> String {
    let [x_len, y_len, _] = grid.map(|len| len.max(1));
    let [x, y, z] = [flat_index % x_len, flat_index / x_len % y_len, flat_index / x_len / y_len];
    format!("voxel {flat_index} of the volume (x {x}, y {y}, z {z} from 0)")
}

enum Layout {
    Volume,
    Flat,
}

struct Source {
    file: H5File,
    dataset: H5Dataset,
    layout: Layout,
    is_scaled: bool,
}

fn open_hdf5(path: &Path, grid: [usize; 3], num_voxels: usize) -> Result<Source, DataError> {
    let file = H5File::open(path, NEEDED_FOR)?;
    let dataset = file.dataset(DATASET)?;
    // Whole numbers carry a factor of 300, floats are percent already (docs/spec/nsd-format.md §1.3).
    let is_scaled = match dataset.element()? {
        TypeDescriptor::Integer(IntSize::U2 | IntSize::U4) => true,
        TypeDescriptor::Float(FloatSize::U2 | FloatSize::U4 | FloatSize::U8) => false,
        other => return Err(dataset.invalid("type", "int16, float16, float32 or float64", other)),
    };
    let shape = dataset.shape()?;
    let layout = if shape.len() == 2 {
        dataset.require_shape(&[TRIALS_PER_SESSION, num_voxels])?;
        Layout::Flat
    } else {
        let [x, y, z] = grid;
        dataset.require_shape(&[TRIALS_PER_SESSION, z, y, x])?;
        Layout::Volume
    };
    Ok(Source { file, dataset, layout, is_scaled })
}

fn flat(dataset: &H5Dataset, num_voxels: usize) -> Result<Array2<f32>, DataError> {
    let values = dataset.read_all::<f32>()?;
    Array2::from_shape_vec((TRIALS_PER_SESSION, num_voxels), values)
        .map_err(|error| dataset.unreadable(&error))
}

fn open_nifti(path: &Path, grid: [usize; 3]) -> Result<NiftiReader, DataError> {
    let reader = NiftiReader::open(path, NEEDED_FOR)?;
    let expected = [grid[0], grid[1], grid[2], TRIALS_PER_SESSION];
    if reader.header().dims != expected {
        let found = format!("{:?}", reader.header().dims);
        return Err(DataError::invalid(path, "size of the volume", format!("{expected:?}"), found));
    }
    Ok(reader)
}

fn read_nifti(path: &Path, grid: [usize; 3], voxels: &[usize]) -> Result<(Array2<f32>, bool), DataError> {
    let mut reader = open_nifti(path, grid)?;
    let is_scaled = !matches!(reader.header().element, ElementType::F32 | ElementType::F64);
    let mut betas = Array2::zeros((TRIALS_PER_SESSION, voxels.len()));
    // Frame by frame: a session of subject 1 in double precision would take 4.2 GB at once.
    let mut frame = Vec::new();
    for mut trial in betas.rows_mut() {
        reader.read_frame(&mut frame)?;
        for (beta, voxel) in trial.iter_mut().zip(voxels) {
            *beta = frame[*voxel] as f32;
        }
    }
    Ok((betas, is_scaled))
}

/// A session file being written plane by plane, in NSD's own layout: `/betas`, `int16`, one voxel per chunk.
#[derive(Debug)]
pub struct SessionWriter {
    // Dropped before the file is closed.
    output: crate::data::formats::hdf5::H5Output,
    writer: H5Writer,
    grid: [usize; 3],
}

impl SessionWriter {
    /// Starts the file of a session on a grid `[X, Y, Z]`.
    ///
    /// # Errors
    /// [`DataError::unwritable`].
    pub fn create(path: &Path, grid: [usize; 3]) -> Result<Self, DataError> {
        let [x, y, z] = grid;
        let writer = H5Writer::create(path)?;
        let shape = [TRIALS_PER_SESSION, z, y, x];
        let output = writer.dataset::<i16>(DATASET, &shape, Some(&[TRIALS_PER_SESSION, 1, 1, 1]))?;
        Ok(Self { output, writer, grid })
    }

    /// Writes all trials of one plane: `[750, Y, X]` in C order, 300 × percent signal change.
    ///
    /// # Errors
    /// [`DataError::unwritable`].
    pub fn write_plane(&self, z: usize, betas_x300: &[i16]) -> Result<(), DataError> {
        let [x, y, _] = self.grid;
        let block: [Range<usize>; 4] = [0..TRIALS_PER_SESSION, z..z + 1, 0..y, 0..x];
        self.output.write_block(&block, betas_x300)
    }

    /// Gives the file its name. Planes never written are 0.
    ///
    /// # Errors
    /// [`DataError::unwritable`].
    pub fn finish(self) -> Result<(), DataError> {
        drop(self.output);
        self.writer.finish()
    }
}

/// Writes a session from the betas of some voxels (flat indices, ascending); all other voxels are 0.
///
/// # Shapes
/// - `betas_x300`: `[750, voxels]`, 300 × percent signal change
///
/// # Errors
/// [`DataError::unwritable`].
pub fn write_session(
    path: &Path,
    grid: [usize; 3],
    voxels: &[usize],
    betas_x300: &Array2<i16>,
) -> Result<(), DataError> {
    if betas_x300.dim() != (TRIALS_PER_SESSION, voxels.len()) {
        let reason = format!("betas {:?} for {} voxels", betas_x300.dim(), voxels.len());
        return Err(DataError::unwritable(path, reason));
    }
    let plane_len = grid[0] * grid[1];
    let writer = SessionWriter::create(path, grid)?;
    let mut plane = vec![0_i16; TRIALS_PER_SESSION * plane_len];
    for z in 0..grid[2] {
        let first = voxels.partition_point(|voxel| *voxel < z * plane_len);
        let last = voxels.partition_point(|voxel| *voxel < (z + 1) * plane_len);
        plane.fill(0);
        for trial in 0..TRIALS_PER_SESSION {
            for column in first..last {
                plane[trial * plane_len + voxels[column] - z * plane_len] = betas_x300[[trial, column]];
            }
        }
        writer.write_plane(z, &plane)?;
    }
    writer.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_session_is_read_back_at_any_voxels() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("betas_session01.hdf5");
        let grid = [3, 4, 2];
        let voxels = [0, 5, 11, 12, 23];
        let betas =
            Array2::from_shape_fn((750, 5), |(trial, voxel)| (trial as i16 - 300) * (voxel as i16 + 1));
        write_session(&path, grid, &voxels, &betas).unwrap();
        let source = open_hdf5(&path, grid, voxels.len()).unwrap();
        assert!(betas_chunks::plan(&source.file, &source.dataset, grid, &voxels).unwrap().is_some());
        let file = SessionFile { session: 1, path, format: BetasFormat::Hdf5 };
        let read = read_session(&file, grid, &[5, 6, 23]).unwrap();
        assert_eq!(read.dim(), (750, 3));
        for trial in 0..750 {
            assert_eq!(read[[trial, 0]], f32::from(betas[[trial, 1]]) / 300.0);
            assert_eq!(read[[trial, 1]], 0.0);
            assert_eq!(read[[trial, 2]], f32::from(betas[[trial, 4]]) / 300.0);
        }
        let error = read_session(&file, [3, 4, 3], &[5]).unwrap_err().to_string();
        assert!(error.contains("shape of `/betas` is [750, 2, 4, 3], expected [750, 3, 4, 3]"), "{error}");
    }
}
