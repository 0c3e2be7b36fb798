//! Voxels without a response in a whole session: invalid ones, which NSD stores as 0, and what stands where data are missing.
//!
//! A few constant voxels are normal at the border of the slab. A session that is constant throughout was never written, or comes
//! from a file whose source is gone: HDF5 then hands out its fill value without a word.

use std::collections::BTreeMap;
use std::path::Path;

use ndarray::Array2;

use crate::data::error::DataError;
use crate::data::prepared::VoxelTable;

/// Voxels of a region below which a dead half says nothing: small regions lie at the border of the slab.
const MIN_REGION_VOXELS: usize = 20;

/// Which voxels do not change over the trials of a session.
pub fn constant_voxels(betas: &Array2<f32>) -> Vec<bool> {
    betas.columns().into_iter().map(|column| column.iter().all(|beta| *beta == column[0])).collect()
}

/// Refuses a session of which every voxel, or more than half of a region of at least 20 selected voxels, is constant. `trials` names the
/// session's trials in the file, `key` the setting that allows it.
///
/// # Errors
/// [`DataError::Invalid`] that names the session's file, the region and the setting that allows it.
pub fn refuse_dead_session(
    path: &Path,
    trials: &str,
    key: &str,
    is_constant: &[bool],
    voxels: &VoxelTable,
) -> Result<(), DataError> {
    let dead = |members: &[usize]| members.iter().filter(|voxel| is_constant[**voxel]).count();
    let all: Vec<usize> = (0..is_constant.len()).collect();
    let refuse = |of: String, dead: usize, size: usize| {
        let expected = format!("a session with responses (`--set {key}=true` takes it as it is)");
        Err(DataError::invalid(
            path,
            format!("betas of {of}"),
            expected,
            format!("constant in {dead} of {size} voxels"),
        ))
    };
    if dead(&all) == all.len() {
        return refuse(trials.into(), all.len(), all.len());
    }
    for (name, members) in regions(voxels) {
        let constant = dead(&members);
        if members.len() >= MIN_REGION_VOXELS && constant * 2 > members.len() {
            return refuse(format!("region `{name}` in {trials}"), constant, members.len());
        }
    }
    Ok(())
}

/// Columns of every labelled region, by `file:region`.
fn regions(voxels: &VoxelTable) -> BTreeMap<String, Vec<usize>> {
    let mut members: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (file, roi) in &voxels.rois {
        for (column, label) in roi.labels.iter().enumerate() {
            if let Some(name) = roi.names.get(label) {
                members.entry(format!("{file}:{name}")).or_default().push(column);
            }
        }
    }
    members
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::prepared::RoiLabels;

    /// 60 voxels, the first 20 of them V1.
    fn voxels() -> VoxelTable {
        let labels = (0..60).map(|voxel| i32::from(voxel < 20)).collect();
        let roi = RoiLabels { labels, names: BTreeMap::from([(1, "V1".to_string())]) };
        VoxelTable { rois: BTreeMap::from([("visual".to_string(), roi)]), ..VoxelTable::default() }
    }

    fn check(dead: usize) -> Result<(), DataError> {
        let betas =
            Array2::from_shape_fn((4, 60), |(trial, voxel)| if voxel < dead { 0.5 } else { trial as f32 });
        refuse_dead_session(
            Path::new("s.hdf5"),
            "all trials",
            "prepare.allow_constant",
            &constant_voxels(&betas),
            &voxels(),
        )
    }

    #[test]
    fn a_dead_session_or_region_is_refused_and_a_few_voxels_are_not() {
        assert_eq!(check(10), Ok(()));
        let error = check(11).unwrap_err().to_string();
        assert!(
            error.contains(
                "s.hdf5`: betas of region `visual:V1` in all trials is constant in 11 of 20 voxels"
            ),
            "{error}"
        );
        let error = check(60).unwrap_err().to_string();
        assert!(error.contains("constant in 60 of 60 voxels") && error.contains("allow_constant"), "{error}");
    }
}
