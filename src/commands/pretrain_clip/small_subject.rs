//! For tests of commands: a subject of one silent voxel that saw every stimulus once.

use std::collections::BTreeMap;
use std::path::Path;

use ndarray::Array2;

use crate::data::formats::hdf5::H5Writer;
use crate::data::nsd::stimuli::IMAGE_SIDE;
use crate::data::nsd::tree::NsdTree;
use crate::data::prepared::{PreparedWriter, Provenance, TrialTable, VoxelTable};
use crate::data::standardize::Standardization;
use crate::data::subject::{Resolution, SubjectId};
use crate::data::trial::{CocoId, NsdId, Trial};

/// Writes the tree's stimuli: the pixels of every image, row by row.
pub(crate) fn write_stimuli(tree: &NsdTree, num_images: usize, pixels: impl Fn(usize) -> Vec<u8>) {
    let writer = H5Writer::create(&tree.stimuli()).unwrap();
    let shape = [num_images, IMAGE_SIDE, IMAGE_SIDE, 3];
    let brick = writer.dataset::<u8>("imgBrick", &shape, Some(&[1, IMAGE_SIDE, IMAGE_SIDE, 3])).unwrap();
    for image in 0..num_images {
        brick.write_block(&[image..image + 1, 0..IMAGE_SIDE, 0..IMAGE_SIDE, 0..3], &pixels(image)).unwrap();
    }
    drop(brick);
    writer.finish().unwrap();
}

/// Writes the prepared subject, whose images are of the given photographs.
pub(crate) fn write_prepared(path: &Path, photographs: impl Iterator<Item = u64>) {
    let provenance = Provenance {
        subject: SubjectId::new(1).unwrap(),
        resolution: Resolution::Func1pt8mm,
        betas_version: "betas".into(),
        selection: vec!["nsdgeneral".into()],
        standardization: Standardization::ZscorePerSession,
        grid: [1, 1, 1],
        sources: Vec::new(),
        program_version: "0".into(),
    };
    let coco_ids: Vec<CocoId> = photographs.map(CocoId).collect();
    let num_images = coco_ids.len();
    let trial = |image: usize| Trial { nsd_id: NsdId(image as u32), session: 1, repetition: 0 };
    let trials = TrialTable {
        trials: (0..num_images).map(trial).collect(),
        is_shared: vec![false; num_images],
        coco_ids: Some(coco_ids),
    };
    let voxels = VoxelTable { flat_index: vec![0], hemisphere: vec![None], rois: BTreeMap::new() };
    let mut writer = PreparedWriter::create(path, &provenance, &trials, &voxels).unwrap();
    writer.append(&Array2::zeros((num_images, 1))).unwrap();
    writer.finish().unwrap();
}
