//! Label volumes: which ROI every voxel belongs to.
//!
//! In surface-derived files −1 is "not cortex" (in an `lh.`/`rh.` file also the other hemisphere), 0 is unlabelled cortex
//! and 1, 2, … are labels, the same numbers in both hemispheres. `MTL` and `thalamus` were drawn in the volume: 0 is
//! background and there is no −1. A voxel belongs to an ROI when its label is **positive**.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::betas::named_voxel;
use super::space::VolumeSpace;
use super::tree::{Hemisphere, NsdTree};
use crate::data::error::DataError;
use crate::data::formats::nifti;
use crate::data::subject::{NsdSubject, Resolution};
use crate::error::FileError;
use crate::files::file_is_there;

/// Labels of one file.
#[derive(Clone, Debug, PartialEq)]
pub struct RoiVolume {
    /// The file.
    pub path: PathBuf,
    /// Its order of voxels.
    pub space: VolumeSpace,
    /// One label per voxel, x fastest.
    pub labels: Vec<i32>,
}

impl RoiVolume {
    /// Reads a label volume of any numeric type, rounds its values and brings them into the order of `space`, if that is known.
    ///
    /// # Errors
    /// [`DataError::missing`], [`DataError::unreadable`], or [`DataError::Invalid`] for a fourth axis, a label that is not
    /// finite, or a volume that does not lie as `space` (see [`VolumeSpace::align`]).
    pub fn read(path: &Path, space: Option<&VolumeSpace>) -> Result<Self, DataError> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let volume = nifti::read_volume(path, &format!("the region of interest `{name}`"))?;
        if volume.dims.len() != 3 {
            return Err(DataError::invalid(path, "dim", "three axes", format!("{:?}", volume.dims)));
        }
        let volume = match space {
            Some(space) => space.align(path, volume)?,
            None => volume,
        };
        let grid = volume.grid();
        let label = |(voxel, value): (usize, &f64)| {
            let rounded = value.round();
            if rounded.abs() <= f64::from(i32::MAX) {
                Ok(rounded as i32)
            } else {
                Err(DataError::invalid(
                    path,
                    format!("label of {}", named_voxel(voxel, grid)),
                    "a whole number",
                    value,
                ))
            }
        };
        let labels = volume.data.iter().enumerate().map(label).collect::<Result<_, _>>()?;
        let own = VolumeSpace {
            path: path.to_path_buf(),
            grid: volume.grid(),
            affine: volume.affine,
            is_of_betas: false,
        };
        Ok(Self { path: path.to_path_buf(), space: space.cloned().unwrap_or(own), labels })
    }

    /// Reads the labels of both hemispheres: the combined file, or `lh.` and `rh.` put together.
    ///
    /// # Errors
    /// Those of [`RoiVolume::read`]; [`DataError::Invalid`] when the hemispheres do not lie alike.
    pub fn read_combined(
        tree: &NsdTree,
        subject: NsdSubject,
        resolution: Resolution,
        name: &str,
        space: Option<&VolumeSpace>,
    ) -> Result<Self, DataError> {
        let combined = tree.roi(subject, resolution, name, None);
        let sides =
            [Hemisphere::Left, Hemisphere::Right].map(|side| tree.roi(subject, resolution, name, Some(side)));
        let both_sides = || Ok::<_, FileError>(file_is_there(&sides[0])? && file_is_there(&sides[1])?);
        if file_is_there(&combined)? || !both_sides()? {
            return Self::read(&combined, space);
        }
        let mut left = Self::read(&sides[0], space)?;
        let right = Self::read(&sides[1], Some(&left.space))?;
        for (label, other) in left.labels.iter_mut().zip(&right.labels) {
            // -1 means "not here"; 0 means only "without a label".
            if *label == -1 || (*label == 0 && *other > 0) {
                *label = *other;
            }
        }
        Ok(left)
    }

    /// Positive labels that occur.
    pub fn positive_labels(&self) -> BTreeSet<i32> {
        self.labels.iter().copied().filter(|label| *label > 0).collect()
    }

    /// Whether the file follows the surface convention, in which −1 is "not cortex here".
    pub fn marks_cortex(&self) -> bool {
        self.labels.contains(&-1)
    }
}

/// Names of the ROIs in a subject's folder, without hemisphere prefix and ending, sorted.
///
/// # Errors
/// [`DataError::missing`] when there is no such folder, [`DataError::unreadable`] when it cannot be listed, [`DataError::Empty`] when it
/// holds no volume.
pub fn roi_names(
    tree: &NsdTree,
    subject: NsdSubject,
    resolution: Resolution,
) -> Result<Vec<String>, DataError> {
    let folder = tree.roi_dir(subject, resolution);
    let entries = std::fs::read_dir(&folder)
        .map_err(|error| DataError::from_io(&folder, "the choice of voxels", &error))?;
    let entries: Vec<_> =
        entries.collect::<Result<_, _>>().map_err(|error| DataError::unreadable(&folder, error))?;
    let names: BTreeSet<String> = entries
        .iter()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter_map(|file| {
            let name = file.strip_suffix(".nii.gz")?;
            let name = name.strip_prefix("lh.").or_else(|| name.strip_prefix("rh.")).unwrap_or(name);
            // Hidden files are left-overs of archive tools.
            (!name.is_empty() && !name.starts_with('.')).then(|| name.to_string())
        })
        .collect();
    if names.is_empty() {
        let what = format!("the ROI folder `{}`", folder.display());
        return Err(DataError::empty(what, "it needs label volumes such as `nsdgeneral.nii.gz`"));
    }
    Ok(names.into_iter().collect())
}

/// The hemisphere of every voxel, from the `lh.` and `rh.` volumes of one ROI; `None` where neither claims the voxel.
///
/// # Errors
/// Those of [`RoiVolume::read`]. A pair of files that is not there gives `Ok(None)`.
pub fn hemispheres(
    tree: &NsdTree,
    subject: NsdSubject,
    resolution: Resolution,
    name: &str,
    space: &VolumeSpace,
) -> Result<Option<Vec<Option<Hemisphere>>>, DataError> {
    let mut sides: Option<Vec<Option<Hemisphere>>> = None;
    for side in [Hemisphere::Left, Hemisphere::Right] {
        let path = tree.roi(subject, resolution, name, Some(side));
        if !file_is_there(&path)? {
            return Ok(None);
        }
        let volume = RoiVolume::read(&path, Some(space))?;
        // In a file with -1, 0 is cortex of this side; without it only labels tell.
        let threshold = if volume.marks_cortex() { 0 } else { 1 };
        let known = sides.get_or_insert_with(|| vec![None; volume.labels.len()]);
        for (known, label) in known.iter_mut().zip(&volume.labels) {
            if *label >= threshold {
                *known = Some(side);
            }
        }
    }
    Ok(sides)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::formats::nifti::{Frame, write_volume};

    fn subject() -> NsdSubject {
        NsdSubject::new(1).unwrap()
    }

    #[test]
    fn hemispheres_are_joined_and_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let tree = NsdTree::new(folder.path());
        let resolution = Resolution::Func1pt8mm;
        let write = |side, labels: &[f64]| {
            let path = tree.roi(subject(), resolution, "floc-faces", side);
            write_volume(&path, &[4, 1, 1], Frame::F64(labels), 1.8, 1.0).unwrap();
        };
        write(Some(Hemisphere::Left), &[2.0, 0.0, -1.0, -1.0]);
        write(Some(Hemisphere::Right), &[-1.0, -1.0, 1.0, -1.0]);
        let joined = RoiVolume::read_combined(&tree, subject(), resolution, "floc-faces", None).unwrap();
        assert_eq!(joined.labels, [2, 0, 1, -1]);
        let sides = hemispheres(&tree, subject(), resolution, "floc-faces", &joined.space).unwrap().unwrap();
        assert_eq!(sides, [Some(Hemisphere::Left), Some(Hemisphere::Left), Some(Hemisphere::Right), None]);
        assert_eq!(roi_names(&tree, subject(), resolution).unwrap(), ["floc-faces"]);
    }

    #[test]
    fn a_label_that_is_no_number_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bad.nii");
        write_volume(&path, &[2, 1, 1], Frame::F32(&[1.0, f32::NAN]), 1.8, 1.0).unwrap();
        let error = RoiVolume::read(&path, None).unwrap_err().to_string();
        assert!(
            error.contains(
                "label of voxel 1 of the volume (x 1, y 0, z 0 from 0) is NaN, expected a whole number"
            ),
            "{error}"
        );
        write_volume(&path, &[1, 1, 1, 2], Frame::F32(&[1.0, 1.0]), 1.8, 1.0).unwrap();
        let error = RoiVolume::read(&path, None).unwrap_err().to_string();
        assert!(error.contains("dim is [1, 1, 1, 2], expected three axes"), "{error}");
    }

    #[test]
    fn a_mask_with_a_fourth_axis_of_one_is_a_mask() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mask.nii");
        write_volume(&path, &[2, 1, 1, 1], Frame::F32(&[0.0, 1.0]), 1.8, 1.0).unwrap();
        assert_eq!(RoiVolume::read(&path, None).unwrap().labels, [0, 1]);
    }

    #[test]
    fn a_mask_stored_from_the_other_side_selects_the_same_voxels() {
        let folder = tempfile::tempdir().unwrap();
        let (plain, flipped) = (folder.path().join("plain.nii"), folder.path().join("flipped.nii"));
        write_volume(&plain, &[3, 1, 1], Frame::F32(&[0.0, 1.0, 2.0]), 2.0, 1.0).unwrap();
        // The centre of the grid is the origin: with x backwards, voxel 0 lies at +2 mm.
        let mut bytes = std::fs::read(&plain).unwrap();
        for (at, value) in [(280, -2.0_f32), (292, 2.0), (352, 2.0), (360, 0.0)] {
            bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        }
        std::fs::write(&flipped, &bytes).unwrap();
        let mut space = RoiVolume::read(&plain, None).unwrap().space;
        let error = RoiVolume::read(&flipped, Some(&space)).unwrap_err().to_string();
        assert!(error.contains("flipped.nii`: affine is") && error.contains("ncsnr.nii.gz"), "{error}");
        space.is_of_betas = true;
        assert_eq!(RoiVolume::read(&flipped, Some(&space)).unwrap().labels, [0, 1, 2]);
        // Shifted by one voxel: no flip explains it.
        bytes[292..296].copy_from_slice(&4.0_f32.to_le_bytes());
        std::fs::write(&flipped, &bytes).unwrap();
        let error = RoiVolume::read(&flipped, Some(&space)).unwrap_err().to_string();
        assert!(error.contains("up to flipped or permuted axes"), "{error}");
    }

    #[test]
    fn other_sizes_are_refused_with_both_files() {
        let folder = tempfile::tempdir().unwrap();
        let (two, three) = (folder.path().join("a.nii"), folder.path().join("b.nii"));
        write_volume(&two, &[1, 1, 2], Frame::F32(&[0.0; 2]), 1.8, 1.0).unwrap();
        write_volume(&three, &[1, 1, 3], Frame::F32(&[0.0; 3]), 1.8, 1.0).unwrap();
        let space = RoiVolume::read(&three, None).unwrap().space;
        let error = RoiVolume::read(&two, Some(&space)).unwrap_err().to_string();
        assert!(
            error.contains("a.nii`: size of the volume is [1, 1, 2], expected [1, 1, 3] as in"),
            "{error}"
        );
    }
}
