//! Label volumes, label tables, and the maps beside the betas.

use super::super::anatomy::Anatomy;
use super::super::atlas;
use crate::data::error::DataError;
use crate::data::formats::nifti::{Frame, write_volume};
use crate::data::nsd::ctab::LabelTable;
use crate::data::nsd::tree::{Hemisphere, NsdTree};
use crate::data::subject::{NsdSubject, Resolution};
use crate::files::write_through;

/// The resolution that a phantom is written in.
pub const RESOLUTION: Resolution = Resolution::Func1pt8mm;
/// Header of volumes that were saved without a repetition time.
const NO_REPETITION_TIME: f64 = 1.0;

/// Writes every region file in three variants (both hemispheres, left, right), their label tables, and the
/// brain mask.
///
/// # Errors
/// [`DataError::unwritable`].
pub fn write_anatomy(tree: &NsdTree, subject: NsdSubject, anatomy: &Anatomy) -> Result<(), DataError> {
    for table in atlas::region_files() {
        // −1 is "no cortex"; in a hemisphere's file that includes the other hemisphere (docs/spec/nsd-format.md
        // §2.2).
        let mut both = vec![-1.0_f64; anatomy.brain.len()];
        let mut sides = [both.clone(), both.clone()];
        for voxel in &anatomy.cortex {
            let label = f64::from(atlas::label(table.name, voxel));
            both[voxel.flat_index] = label;
            let side = usize::from(voxel.hemisphere == Hemisphere::Right);
            sides[side][voxel.flat_index] = label;
        }
        let [left, right] = &sides;
        for (hemisphere, values) in
            [(None, &both), (Some(Hemisphere::Left), left), (Some(Hemisphere::Right), right)]
        {
            let path = tree.roi(subject, RESOLUTION, table.name, hemisphere);
            let size = RESOLUTION.voxel_size_mm();
            write_volume(&path, &anatomy.grid, Frame::F64(values), size, NO_REPETITION_TIME)?;
        }
        let names = (1..).zip(table.labels.iter().map(ToString::to_string)).collect();
        let text = LabelTable { names }.to_text();
        let [of_subject, of_fsaverage, _] = tree.label_tables(subject, table.name);
        let paths = [Some(of_subject), table.is_on_fsaverage.then_some(of_fsaverage)];
        for path in paths.into_iter().flatten() {
            write_through(&path, |out| std::io::Write::write_all(out, text.as_bytes()))?;
        }
    }
    let mask: Vec<i16> = anatomy.brain.iter().map(|inside| i16::from(*inside)).collect();
    write_map(&tree.brainmask(subject, RESOLUTION), anatomy.grid, Frame::I16(&mask))
}

/// Writes a three-dimensional map with the header of NSD's functional maps.
///
/// # Errors
/// [`DataError::unwritable`].
pub fn write_map(path: &std::path::Path, grid: [usize; 3], values: Frame<'_>) -> Result<(), DataError> {
    write_volume(path, &grid, values, RESOLUTION.voxel_size_mm(), RESOLUTION.repetition_time_secs())
}
