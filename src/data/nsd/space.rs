//! Where the voxels of a subject lie, and other volumes brought into that order.
//!
//! A voxel is known by its place in the betas' grid. A mask of the same size that is stored from the other side (FSL and
//! nilearn write such) holds the same voxels in another order: applied as it lies it would select mirrored ones.

use std::path::{Path, PathBuf};

use super::betas::{BetasFormat, SessionFile};
use super::tree::NsdTree;
use crate::data::error::DataError;
use crate::data::formats::nifti::{Affine, NiftiReader, Volume};
use crate::data::subject::{NsdSubject, Resolution};
use crate::files::file_is_there;

/// The order of voxels that other volumes are brought into.
#[derive(Clone, Debug, PartialEq)]
pub struct VolumeSpace {
    /// The file that says so.
    pub path: PathBuf,
    /// `[X, Y, Z]`.
    pub grid: [usize; 3],
    /// Millimetres of every voxel; nothing when the file does not say.
    pub affine: Option<Affine>,
    /// Whether this is the order of the betas. Without a file that tells it, volumes are only held against each other.
    pub is_of_betas: bool,
}

impl VolumeSpace {
    /// The order of the betas: a session's own header, or, as HDF5 has none, that of the `ncsnr` volume written with them.
    /// Nothing when neither is there.
    ///
    /// # Errors
    /// Those of [`NiftiReader::open`]; [`DataError::Invalid`] for sessions that lie in different ways.
    pub fn of_betas(
        tree: &NsdTree,
        subject: NsdSubject,
        resolution: Resolution,
        version: &str,
        sessions: &[SessionFile],
    ) -> Result<Option<Self>, DataError> {
        let mut known: Option<Self> = None;
        for session in sessions.iter().filter(|session| session.format == BetasFormat::Nifti) {
            let space = Self::of_file(&session.path, "the brain's responses")?;
            if let Some(known) = &known {
                known.require_same(&space)?;
            } else {
                known = Some(space);
            }
        }
        let ncsnr = tree.ncsnr(subject, resolution, version);
        match known {
            None if file_is_there(&ncsnr)? => Self::of_file(&ncsnr, "the position of the voxels").map(Some),
            known => Ok(known),
        }
    }

    fn of_file(path: &Path, needed_for: &str) -> Result<Self, DataError> {
        let reader = NiftiReader::open(path, needed_for)?;
        let header = reader.header();
        Ok(Self { path: path.to_path_buf(), grid: header.grid(), affine: header.affine, is_of_betas: true })
    }

    /// The volume in this order: as it is, or with its axes flipped and permuted.
    ///
    /// # Errors
    /// [`DataError::Invalid`] for another size, or a position that flips and permutations do not explain.
    pub fn align(&self, path: &Path, mut volume: Volume) -> Result<Volume, DataError> {
        if let (Some(wanted), Some(stored)) = (&self.affine, &volume.affine) {
            let grid = volume.grid();
            let turn = stored.turn_to(grid, wanted, self.grid);
            // Without the order of the betas there is no saying which of two volumes to turn.
            let Some(turn) = turn.filter(|turn| self.is_of_betas || turn.is_none_needed()) else {
                self.require_grid(path, grid)?;
                let expected = if self.is_of_betas {
                    format!("{wanted} as in `{}`, up to flipped or permuted axes", self.path.display())
                } else {
                    format!(
                        "{wanted} as in `{}`; which of the two fits the betas, only a `ncsnr.nii.gz` beside them would tell",
                        self.path.display()
                    )
                };
                return Err(DataError::invalid(path, "affine", expected, stored));
            };
            if !turn.is_none_needed() {
                // Frame by frame: only the axes of space are turned.
                let frames = volume.data.chunks_exact(grid.iter().product::<usize>().max(1));
                volume.data = frames.flat_map(|frame| turn.apply(frame)).collect();
                volume.dims[..3].copy_from_slice(&self.grid);
                volume.affine = self.affine;
            }
        }
        self.require_grid(path, volume.grid())?;
        Ok(volume)
    }

    fn require_grid(&self, path: &Path, grid: [usize; 3]) -> Result<(), DataError> {
        if grid == self.grid {
            return Ok(());
        }
        let expected =
            format!("{:?} as in `{}` (same subject and resolution?)", self.grid, self.path.display());
        Err(DataError::invalid(path, "size of the volume", expected, format!("{grid:?}")))
    }

    /// Refuses a session that lies in another way than the first: its betas are not turned.
    ///
    /// # Errors
    /// [`DataError::Invalid`] naming the other's file.
    pub fn require_same(&self, other: &Self) -> Result<(), DataError> {
        self.require_grid(&other.path, other.grid)?;
        if let (Some(wanted), Some(found)) = (&self.affine, &other.affine)
            && !found.turn_to(other.grid, wanted, self.grid).is_some_and(|turn| turn.is_none_needed())
        {
            let expected = format!("{wanted} as in `{}`", self.path.display());
            return Err(DataError::invalid(&other.path, "affine", expected, found));
        }
        Ok(())
    }
}
