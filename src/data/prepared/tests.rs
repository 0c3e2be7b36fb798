use crate::error::FileError;
use std::collections::BTreeMap;
use std::path::Path;

use ndarray::{Array2, s};

use super::*;
use crate::data::error::DataError;
use crate::data::formats::hdf5::H5Writer;
use crate::data::formats::nifti::Affine;
use crate::data::nsd::tree::Hemisphere;
use crate::data::standardize::Standardization;
use crate::data::subject::{Resolution, SubjectId};
use crate::data::trial::{CocoId, NsdId, Trial};

fn provenance() -> Provenance {
    Provenance {
        subject: SubjectId::new(3).unwrap(),
        resolution: Resolution::Func1pt8mm,
        betas_version: "betas_fithrf".to_string(),
        selection: vec!["nsdgeneral".to_string()],
        standardization: Standardization::ZscorePerSession,
        grid: [4, 3, 2],
        position: Some(VoxelPosition {
            affine: Affine { rows: [[-1.8, 0.0, 0.0, 70.3], [0.0, 1.8, 0.0, -0.1], [0.0, 0.0, 1.8, 0.25]] },
            source: "a/ncsnr.nii.gz".to_string(),
            is_of_betas: true,
        }),
        sources: vec![SourceFile { path: "a/b".to_string(), bytes: 7, modified_unix_secs: 1 }],
        program_version: "0.1.0".to_string(),
    }
}

fn tables() -> (TrialTable, VoxelTable) {
    let trial = |nsd_id, session, repetition| Trial { nsd_id: NsdId(nsd_id), session, repetition };
    let trials = TrialTable {
        trials: vec![trial(5, 1, 0), trial(9, 1, 0), trial(5, 2, 1)],
        is_shared: vec![true, false, true],
        coco_ids: Some(vec![CocoId(50), CocoId(90), CocoId(50)]),
        is_test: Some(vec![false, true, false]),
        image_names: Some((0..10).map(|image| format!("{image}.png")).collect()),
    };
    let names =
        |pairs: &[(i32, &str)]| pairs.iter().map(|(label, name)| (*label, name.to_string())).collect();
    let faces =
        RoiLabels { labels: vec![-1, 1, 2, 2], names: names(&[(1, "OFA"), (2, "FFA-1"), (3, "FFA-2")]) };
    let general = RoiLabels { labels: vec![1, 1, 1, 1], names: names(&[(1, "nsdgeneral")]) };
    let voxels = VoxelTable {
        flat_index: vec![0, 3, 7, 20],
        hemisphere: vec![Some(Hemisphere::Left), Some(Hemisphere::Left), Some(Hemisphere::Right), None],
        rois: BTreeMap::from([("floc-faces".to_string(), faces), ("nsdgeneral".to_string(), general)]),
        noise_ceiling: Some(vec![0.0, 12.5, 100.0, 50.0]),
    };
    (trials, voxels)
}

fn betas() -> Array2<f32> {
    Array2::from_shape_fn((3, 4), |(trial, voxel)| trial as f32 + voxel as f32 / 8.0)
}

fn write(path: &Path) {
    let (trials, voxels) = tables();
    let mut writer = PreparedWriter::create(path, &provenance(), &trials, &voxels).unwrap();
    writer.append(&betas().slice(s![..2, ..]).to_owned()).unwrap();
    writer.append(&betas().slice(s![2.., ..]).to_owned()).unwrap();
    writer.finish().unwrap();
}

#[test]
fn everything_written_is_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("subj03.h5");
    write(&path);
    let subject = PreparedSubject::open(&path).unwrap();
    let (trials, voxels) = tables();
    assert_eq!(subject.provenance(), &provenance());
    let space = subject.space();
    assert_eq!(
        (space.grid, space.affine),
        ([4, 3, 2], provenance().position.map(|position| position.affine))
    );
    assert_eq!(subject.trials(), trials.trials);
    assert_eq!(subject.is_shared(), trials.is_shared);
    assert_eq!(subject.coco_ids(), trials.coco_ids.as_deref());
    assert_eq!(subject.require_is_test().unwrap(), [false, true, false]);
    assert_eq!(
        (subject.image_name(NsdId(9)).as_str(), subject.image_name(NsdId(10)).as_str()),
        ("9.png", "nsd 10")
    );
    assert_eq!(subject.noise_ceiling(), voxels.noise_ceiling.as_deref());
    assert!(subject.has_volume() && PreparedSubject::has_given_split(&path));
    assert_eq!(subject.split_groups(), [50, 90, 50]);
    assert_eq!(subject.flat_index(), voxels.flat_index);
    assert_eq!(subject.rois(), ["floc-faces", "nsdgeneral"]);
    assert_eq!(subject.roi("floc-faces"), voxels.rois.get("floc-faces"));
    assert_eq!(subject.betas().unwrap(), betas());
    let some = subject.betas_of(&[2, 0, 1, 1]).unwrap();
    for (row, trial) in [2, 0, 1, 1].into_iter().enumerate() {
        assert_eq!(some.row(row), betas().row(trial));
    }
    assert!(subject.betas_of(&[3]).is_err());
}

#[test]
fn a_file_that_does_not_say_where_its_voxels_lie_is_one_of_earlier_versions() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("subj03.h5");
    let (trials, voxels) = tables();
    let unplaced = Provenance { position: None, ..provenance() };
    let mut writer = PreparedWriter::create(&path, &unplaced, &trials, &voxels).unwrap();
    writer.append(&betas()).unwrap();
    writer.finish().unwrap();
    let subject = PreparedSubject::open(&path).unwrap();
    assert_eq!(subject.provenance(), &unplaced);
    assert_eq!((subject.space().affine, subject.space().is_of_betas), (None, false));
}

#[test]
fn patterns_select_columns() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("subj03.h5");
    write(&path);
    let subject = PreparedSubject::open(&path).unwrap();
    assert_eq!(subject.select("floc-faces").unwrap(), [1, 2, 3]);
    assert_eq!(subject.select("FFA").unwrap(), [2, 3]);
    assert_eq!(subject.select("FFA + lh.floc-faces").unwrap(), [1, 2, 3]);
    assert_eq!(subject.select("lh.floc-faces").unwrap(), [1]);
    let error = subject.select("FFA-2").unwrap_err().to_string();
    assert!(error.starts_with("the ROI `FFA-2` of subj03 is empty"), "{error}");
    let error = subject.select("V1").unwrap_err().to_string();
    assert_eq!(
        error,
        "unknown ROI `V1`; known: floc-faces, nsdgeneral, floc-faces:OFA, floc-faces:FFA-1, floc-faces:FFA-2, \
         nsdgeneral:nsdgeneral"
    );
}

#[test]
fn an_unfinished_file_never_appears() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("subj03.h5");
    let (trials, voxels) = tables();
    let mut writer = PreparedWriter::create(&path, &provenance(), &trials, &voxels).unwrap();
    writer.append(&betas().slice(s![..2, ..]).to_owned()).unwrap();
    assert!(writer.append(&betas()).is_err());
    assert!(writer.finish().unwrap_err().to_string().contains("2 of 3 trials were written"));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn foreign_and_damaged_files_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("subj03.h5");
    let writer = H5Writer::create(&path).unwrap();
    writer.text_attribute("format", "something else").unwrap();
    writer.finish().unwrap();
    let error = PreparedSubject::open(&path).unwrap_err().to_string();
    assert!(error.contains("attribute `format` is `something else`"), "{error}");

    write(&path);
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let error = PreparedSubject::open(&path).unwrap_err();
    assert!(matches!(error, DataError::File(FileError::Unreadable { .. })), "{error}");
    let error = PreparedSubject::open(&folder.path().join("absent.h5")).unwrap_err().to_string();
    assert!(error.contains("is missing; it is needed for a prepared subject"), "{error}");
}

#[test]
fn a_beta_that_is_no_number_is_named_by_trial_and_voxel() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.h5");
    let (trials, voxels) = tables();
    let mut betas = betas();
    betas[[2, 1]] = f32::NAN;
    let mut writer = PreparedWriter::create(&path, &provenance(), &trials, &voxels).unwrap();
    writer.append(&betas).unwrap();
    writer.finish().unwrap();
    let subject = PreparedSubject::open(&path).unwrap();
    assert!(subject.betas_of(&[0, 1]).is_ok());
    for error in [subject.betas_of(&[0, 2]).unwrap_err(), subject.betas().unwrap_err()] {
        let text = error.to_string();
        assert!(text.contains("betas of trial 2, voxel 3 of the volume (x 3, y 0, z 0 from 0) is NaN, expected a finite number"), "{text}");
    }
}

#[test]
fn positions_outside_of_the_volume_and_falling_ones_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (trials, voxels) = tables();
    let mut number = 0;
    let mut open = |flat_index: Vec<usize>, grid: [usize; 3]| {
        number += 1;
        let path = folder.path().join(format!("{number}.h5"));
        let voxels = VoxelTable { flat_index, ..voxels.clone() };
        let provenance = Provenance { grid, ..provenance() };
        let mut writer = PreparedWriter::create(&path, &provenance, &trials, &voxels).unwrap();
        writer.append(&betas()).unwrap();
        writer.finish().unwrap();
        PreparedSubject::open(&path).map(drop).map_err(|error| error.to_string())
    };
    assert_eq!(open(vec![0, 3, 7, 20], [3, 7, 1]), Ok(()));
    let error = open(vec![0, 3, 7, 21], [3, 7, 1]).unwrap_err();
    assert!(error.contains("`/flat_index` is 21, expected ascending positions below 21"), "{error}");
    assert!(open(vec![0, 7, 3, 20], [3, 7, 1]).unwrap_err().contains("/flat_index"));
    assert!(open(vec![0, 3, 3, 20], [3, 7, 1]).unwrap_err().contains("/flat_index"));
    for grid in [[0, 7, 3], [1 << 40, 1, 1], [usize::MAX, usize::MAX, 3], [1 << 20, 1 << 20, 1 << 24]] {
        let error = open(vec![0, 3, 7, 20], grid).unwrap_err();
        assert!(error.contains("attribute `grid`"), "{error}");
    }
}

#[test]
fn a_name_of_many_regions_is_cut_and_still_tells_them_apart() {
    let name = |regions: usize| {
        let roi = (0..regions).map(|region| format!("floc-places:region-{region}")).collect();
        let choice =
            PreparedChoice { roi, betas_version: Some("b".repeat(300)), ..PreparedChoice::default() };
        file_name(SubjectId::new(1).unwrap(), Resolution::Func1pt8mm, &choice)
    };
    assert!(name(1).starts_with("subj01-floc-places_region-0-func1pt8mm-bbb"), "{}", name(1));
    assert!(name(23).starts_with("subj01-floc-places_region-0+floc-places_region-1+"), "{}", name(23));
    assert!(name(23).len() < 230 && name(23).is_ascii(), "{}", name(23));
    assert_ne!(name(23), name(24));
    assert_eq!(name(23), name(23));
}
