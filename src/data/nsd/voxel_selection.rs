//! From the names of regions to voxels: the union of the selections, with the labels of every ROI file.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::ctab::LabelTable;
use super::roi::{RoiVolume, hemispheres, roi_names};
use super::roi_pattern::{RoiSelection, RoiTables, parts_of};
use super::space::VolumeSpace;
use super::tree::{Hemisphere, NsdTree};
use crate::data::error::DataError;
use crate::data::prepared::{RoiLabels, VoxelTable};
use crate::data::subject::{NsdSubject, Resolution};

/// The selected voxels and what is known of them.
#[derive(Clone, Debug, PartialEq)]
pub struct VoxelSelection {
    /// Size and position of all volumes.
    pub space: VolumeSpace,
    /// The voxels in NIfTI order, x fastest.
    pub table: VoxelTable,
    /// Label volumes that were read.
    pub files: Vec<PathBuf>,
}

/// Selects the union of some regions, each of which may be a union itself (see [`RoiSelection`] for how they are named). Volumes are brought into the order of
/// `space`, where the betas' is known.
///
/// # Errors
/// [`DataError::Unknown`] for a name that no file has; [`DataError::missing`] without ROI files;
/// [`DataError::Invalid`] for volumes that do not lie alike; [`DataError::Empty`] when no voxel is selected.
pub fn select_voxels(
    tree: &NsdTree,
    subject: NsdSubject,
    resolution: Resolution,
    patterns: &[String],
    space: Option<VolumeSpace>,
) -> Result<VoxelSelection, DataError> {
    let mut tables = RoiTables::new();
    for name in roi_names(tree, subject, resolution)? {
        let names = LabelTable::find(tree, subject, &name)?.names;
        tables.insert(name, names);
    }
    let selections = patterns
        .iter()
        .flat_map(|pattern| parts_of(pattern))
        .map(|pattern| RoiSelection::resolve(&pattern, &tables))
        .collect::<Result<Vec<_>, _>>()?;

    let mut volumes: BTreeMap<String, RoiVolume> = BTreeMap::new();
    let mut known = space;
    for name in tables.keys() {
        let volume = RoiVolume::read_combined(tree, subject, resolution, name, known.as_ref())?;
        known.get_or_insert_with(|| volume.space.clone());
        volumes.insert(name.clone(), volume);
    }
    let Some(space) = known else {
        return Err(DataError::empty("the list of regions", "their folder needs label volumes"));
    };
    let flat_index = union(tree, subject, resolution, &selections, &volumes, &space)?;
    if flat_index.is_empty() {
        let what = format!("the selection {} of {subject}", patterns.join(" + "));
        return Err(DataError::empty(what, "none of the volumes has such a label; choose another ROI"));
    }

    // Selected files first: they know the side of most voxels.
    let order = selections.iter().map(|selection| &selection.file).chain(tables.keys());
    let hemisphere = sides_of(tree, subject, resolution, order, &flat_index, &space)?;
    let mut rois = BTreeMap::new();
    let files = volumes.values().map(|volume| volume.path.clone()).collect();
    for (name, volume) in volumes {
        let mut names = tables.remove(&name).unwrap_or_default();
        for label in volume.positive_labels() {
            names.entry(label).or_insert_with(|| format!("label-{label}"));
        }
        let labels = flat_index.iter().map(|voxel| volume.labels[*voxel]).collect();
        rois.insert(name, RoiLabels { labels, names });
    }
    Ok(VoxelSelection {
        space,
        table: VoxelTable { flat_index, hemisphere, rois, noise_ceiling: None },
        files,
    })
}

/// Flat indices of all voxels that at least one selection holds, ascending.
fn union(
    tree: &NsdTree,
    subject: NsdSubject,
    resolution: Resolution,
    selections: &[RoiSelection],
    volumes: &BTreeMap<String, RoiVolume>,
    space: &VolumeSpace,
) -> Result<Vec<usize>, DataError> {
    let num_voxels = volumes.values().next().map_or(0, |volume| volume.labels.len());
    let mut is_selected = vec![false; num_voxels];
    for selection in selections {
        let sides = match selection.hemisphere {
            None => None,
            Some(side) => {
                Some(hemispheres(tree, subject, resolution, &selection.file, space)?.ok_or_else(|| {
                    let path = tree.roi(subject, resolution, &selection.file, Some(side));
                    DataError::missing(path, format!("the voxels of `{selection}`"))
                })?)
            }
        };
        for (voxel, label) in volumes[&selection.file].labels.iter().enumerate() {
            let side = sides.as_ref().and_then(|sides| sides.get(voxel).copied().flatten());
            is_selected[voxel] |= selection.holds(*label, side);
        }
    }
    Ok((0..num_voxels).filter(|voxel| is_selected[*voxel]).collect())
}

/// The half of the brain of some voxels, from as few files as it takes.
fn sides_of<'a>(
    tree: &NsdTree,
    subject: NsdSubject,
    resolution: Resolution,
    files: impl Iterator<Item = &'a String>,
    voxels: &[usize],
    space: &VolumeSpace,
) -> Result<Vec<Option<Hemisphere>>, DataError> {
    let mut known = vec![None; voxels.len()];
    for file in files {
        if known.iter().all(Option::is_some) {
            break;
        }
        if let Some(sides) = hemispheres(tree, subject, resolution, file, space)? {
            for (known, voxel) in known.iter_mut().zip(voxels) {
                *known = known.or(sides.get(*voxel).copied().flatten());
            }
        }
    }
    Ok(known)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::formats::nifti::{Frame, write_volume};

    fn tree_with(volumes: &[(&str, &[f64])]) -> (tempfile::TempDir, NsdTree) {
        let folder = tempfile::tempdir().unwrap();
        let tree = NsdTree::new(folder.path());
        for (name, labels) in volumes {
            let path = tree.roi_dir(subject(), Resolution::Func1pt8mm).join(format!("{name}.nii.gz"));
            write_volume(&path, &[labels.len(), 1, 1], Frame::F64(labels), 1.8, 1.0).unwrap();
        }
        (folder, tree)
    }

    fn subject() -> NsdSubject {
        NsdSubject::new(2).unwrap()
    }

    fn select(tree: &NsdTree, patterns: &[&str]) -> Result<VoxelSelection, DataError> {
        let patterns: Vec<String> = patterns.iter().map(ToString::to_string).collect();
        select_voxels(tree, subject(), Resolution::Func1pt8mm, &patterns, None)
    }

    #[test]
    fn unions_regions_and_hemispheres_are_selected_in_order() {
        let (_folder, tree) = tree_with(&[
            ("nsdgeneral", &[1.0, 1.0, 1.0, 0.0, -1.0, 1.0]),
            ("lh.nsdgeneral", &[1.0, 1.0, -1.0, 0.0, -1.0, -1.0]),
            ("rh.nsdgeneral", &[-1.0, -1.0, 1.0, -1.0, -1.0, 1.0]),
            ("floc-faces", &[0.0, 1.0, 2.0, 2.0, -1.0, 0.0]),
            ("own", &[0.0, 0.0, 0.0, 4.0, 0.0, 0.0]),
        ]);
        let faces = select(&tree, &["floc-faces"]).unwrap();
        assert_eq!(faces.table.flat_index, [1, 2, 3]);
        let (left, right) = (Some(Hemisphere::Left), Some(Hemisphere::Right));
        assert_eq!(faces.table.hemisphere, [left, right, left]);
        assert_eq!(faces.table.rois["nsdgeneral"].labels, [1, 1, 0]);
        assert_eq!(faces.table.rois["own"].names[&4], "label-4");
        assert_eq!(faces.table.rois["floc-faces"].names[&2], "FFA-1");
        assert_eq!(select(&tree, &["lh.nsdgeneral", "FFA-1"]).unwrap().table.flat_index, [0, 1, 2, 3]);
        assert_eq!(select(&tree, &["lh.nsdgeneral + FFA-1"]).unwrap().table.flat_index, [0, 1, 2, 3]);
        assert_eq!(select(&tree, &["own"]).unwrap().table.flat_index, [3]);

        let error = select(&tree, &["V1"]).unwrap_err().to_string();
        assert!(error.starts_with("unknown ROI `V1`; known: floc-faces, nsdgeneral, own"), "{error}");
        let error = select(&tree, &["aTL-faces"]).unwrap_err().to_string();
        assert!(error.starts_with("the selection aTL-faces of subj02 is empty"), "{error}");
        let error = select(&tree, &["lh.own"]).unwrap_err().to_string();
        assert!(error.contains("lh.own.nii.gz` is missing"), "{error}");
    }

    #[test]
    fn volumes_of_different_size_are_refused() {
        let (_folder, tree) = tree_with(&[("nsdgeneral", &[1.0, 1.0]), ("streams", &[1.0, 1.0, 1.0])]);
        let error = select(&tree, &["nsdgeneral"]).unwrap_err().to_string();
        assert!(error.contains("size of the volume is [3, 1, 1], expected [2, 1, 1]"), "{error}");
    }
}
