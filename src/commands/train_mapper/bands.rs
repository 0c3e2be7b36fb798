//! Regions as bands of a banded ridge regression.

use crate::data::prepared::PreparedSubject;
use crate::data::subject::SubjectId;

/// Regions of NSD in the order in which a voxel is given to one: retinotopic areas before localisers, which overlap with them.
const NSD_REGIONS: [&str; 8] =
    ["V1", "V2", "V3", "hV4", "floc-faces", "floc-bodies", "floc-places", "floc-words"];

/// Voxels of a region that no region before it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Band {
    pub name: String,
    /// Columns of the betas.
    pub voxels: Vec<usize>,
}

/// The regions that the subject has, each voxel in one of them at most. Voxels of none are a band of their own, which the fit adds.
pub(super) fn regions_as_bands(subject: &PreparedSubject) -> Vec<Band> {
    let names: Vec<&str> = match subject.subject() {
        SubjectId::Nsd(_) => NSD_REGIONS.to_vec(),
        SubjectId::Own(_) => subject.rois(),
    };
    let mut is_taken = vec![false; subject.num_voxels()];
    let mut bands = Vec::new();
    for name in names {
        // A subject need not have every region: one that is not known or empty is no band.
        let Ok(mut voxels) = subject.select(name) else { continue };
        voxels.retain(|voxel| !std::mem::replace(&mut is_taken[*voxel], true));
        if !voxels.is_empty() {
            bands.push(Band { name: name.into(), voxels });
        }
    }
    bands
}
