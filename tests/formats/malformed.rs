//! One bad file per kind of error: the message names file and field, and no output appears.

use std::fs;

use mindreader::commands::prepare::{self, PrepareSettings};
use mindreader::data::formats::csv::{Delimiter, write_table};
use mindreader::data::formats::hdf5::H5Writer;
use mindreader::data::formats::nifti::{Frame, write_volume};
use mindreader::data::nsd::{responses, roi::RoiVolume};
use mindreader::data::subject::NsdSubject;
use mindreader::run::existing_output::ExistingOutput;
use mindreader::run::progress::Silent;

use crate::small_tree::{GRID, NUM_GRID_VOXELS, SmallTree};

/// Damages a tree or its settings, prepares, and returns the message; nothing may be left beside the tree.
fn message(damage: impl FnOnce(&SmallTree, &mut PrepareSettings)) -> String {
    let small = SmallTree::write();
    let mut settings = small.settings();
    damage(&small, &mut settings);
    let error = prepare::run(&settings, &mut Silent).unwrap_err();
    assert!(error.downcast_ref::<mindreader::data::error::DataError>().is_some(), "untyped: {error}");
    assert!(!settings.out.is_file());
    let left: Vec<_> =
        fs::read_dir(small.folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| name == "nsd" || name == "folder"), "left behind: {left:?}");
    error.to_string()
}

fn truncate(path: &std::path::Path, share: usize) {
    let bytes = fs::read(path).unwrap();
    fs::write(path, &bytes[..bytes.len() / share]).unwrap();
}

fn assert_says(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
}

#[test]
fn missing_files() {
    let text = message(|small, _| fs::remove_file(small.tree.experiment_design()).unwrap());
    assert_says(&text, &["nsd_expdesign.mat` is missing", "needed for the image shown in every trial"]);
    let text = message(|small, _| {
        for session in crate::small_tree::SESSIONS {
            fs::remove_file(small.betas_path(session)).unwrap();
        }
    });
    assert_says(&text, &["betas_session01.hdf5` is missing", "needed for the brain's responses"]);
    let text = message(|_, settings| settings.nsd_root = "nowhere".into());
    assert_says(&text, &["nowhere", "is missing"]);
}

#[test]
fn truncated_hdf5_nifti_and_mat() {
    let text = message(|small, _| truncate(&small.betas_path(4), 2));
    assert_says(&text, &["betas_session04.hdf5` cannot be read: it is truncated: "]);
    let text = message(|small, _| truncate(&small.betas_path(2), 2));
    assert_says(&text, &["betas_session02.nii.gz` cannot be read: the file ends inside the values"]);
    let text = message(|small, _| truncate(&small.roi_path("nsdgeneral"), 3));
    assert_says(&text, &["nsdgeneral.nii.gz` cannot be read: the file ends inside the"]);
    let text = message(|small, _| truncate(&small.tree.experiment_design(), 2));
    assert_says(&text, &["nsd_expdesign.mat` cannot be read: as a MATLAB v5 file: it is cut off"]);
}

#[test]
fn files_of_another_kind() {
    let text = message(|small, _| fs::write(small.betas_path(1), b"<html>404</html>").unwrap());
    assert_says(&text, &["betas_session01.hdf5` cannot be read: it is no HDF5 file"]);
    let text = message(|small, _| fs::write(small.roi_path("nsdgeneral"), [b'x'; 400]).unwrap());
    assert_says(&text, &["nsdgeneral.nii.gz` cannot be read: not a NIfTI-1 file"]);
}

#[test]
fn betas_of_another_shape_type_or_name() {
    let write = |small: &SmallTree, name: &str, shape: &[usize]| {
        let writer = H5Writer::create(&small.betas_path(1)).unwrap();
        drop(writer.dataset::<i16>(name, shape, None).unwrap());
        writer.finish().unwrap();
    };
    let text = message(|small, _| write(small, "betas", &[750, 4, 5, 7]));
    assert_says(&text, &["shape of `/betas` is [750, 4, 5, 7], expected [750, 4, 5, 6]"]);
    let text = message(|small, _| write(small, "betas", &[749, 4, 5, 6]));
    assert_says(&text, &["session01.hdf5", "[749, 4, 5, 6]"]);
    let text = message(|small, _| write(small, "data", &[750, 4, 5, 6]));
    assert_says(&text, &["dataset `/betas` is not among: data"]);
    let text = message(|small, _| {
        let writer = H5Writer::create(&small.betas_path(1)).unwrap();
        drop(writer.dataset::<u8>("betas", &[750, 4, 5, 6], None).unwrap());
        writer.finish().unwrap();
    });
    assert_says(&text, &["type of `/betas` is uint8, expected int16, float16, float32 or float64"]);
}

#[test]
fn betas_that_are_not_finite() {
    let text = message(|small, _| {
        let writer = H5Writer::create(&small.betas_path(1)).unwrap();
        let output = writer.dataset::<f32>("betas", &[750, 4, 5, 6], Some(&[750, 1, 1, 1])).unwrap();
        output.write_block(&[10..11, 0..1, 0..1, 2..3], &[f32::NAN]).unwrap();
        drop(output);
        writer.finish().unwrap();
    });
    assert_says(
        &text,
        &[
            "betas_session01.hdf5`: beta of trial 10, voxel 2 of the volume (x 2, y 0, z 0 from 0) is NaN, expected a finite number",
        ],
    );
}

#[test]
fn volumes_of_another_size_than_the_betas() {
    let text = message(|small, _| {
        // HDF5 alone does not tell where its voxels lie: only the sizes are compared.
        fs::remove_file(small.betas_path(2)).unwrap();
        for name in
            ["nsdgeneral", "floc-faces", "lh.nsdgeneral", "rh.nsdgeneral", "lh.floc-faces", "rh.floc-faces"]
        {
            write_volume(&small.roi_path(name), &[7, 5, 4], Frame::F64(&[1.0; 140]), 1.8, 1.0).unwrap();
        }
    });
    assert_says(&text, &["session01.hdf5", "is [750, 4, 5, 6], expected [750, 4, 5, 7]"]);
    let text = message(|small, _| {
        write_volume(&small.roi_path("floc-faces"), &[7, 5, 4], Frame::F64(&[1.0; 140]), 1.8, 1.0).unwrap();
    });
    assert_says(&text, &["size of the volume", "[7, 5, 4]", "[6, 5, 4]"]);
}

#[test]
fn unknown_and_empty_rois() {
    let text = message(|_, settings| settings.prepare.roi = vec!["V9".to_string()]);
    assert_says(&text, &["unknown ROI `V9`; known: floc-faces, nsdgeneral", "floc-faces:FFA-1"]);
    let text = message(|small, _| small.write_volume("nsdgeneral", None, &[0.0; NUM_GRID_VOXELS]));
    assert_says(&text, &["the selection nsdgeneral of subj03 is empty"]);
    let text = message(|_, settings| settings.prepare.sessions = Some(0));
    assert_says(&text, &["the list of sessions of subj03 up to 0 is empty", "the first that is there is 1"]);
}

#[test]
fn labels_that_are_no_numbers_and_broken_label_tables() {
    let text = message(|small, _| small.write_volume("floc-faces", None, &[f64::NAN; NUM_GRID_VOXELS]));
    assert_says(&text, &["floc-faces.nii.gz`: label of voxel 0 of the volume (x 0, y 0, z 0 from 0) is NaN"]);
    let text = message(|small, _| {
        fs::write(&small.tree.label_tables(small.subject, "floc-faces")[0], "one OFA\n").unwrap();
    });
    assert_says(&text, &["floc-faces.mgz.ctab`: line 1 is `one OFA`, expected `NUMBER NAME`"]);
}

#[test]
fn stimulus_tables_that_are_short_or_wrong() {
    let text = message(|small, _| small.write_stim_info(10));
    assert_says(&text, &["nsd_stim_info_merged.csv`: number of rows is 10, expected at least"]);
    let text = message(|small, _| fs::write(small.tree.stim_info(), "cocoId,nsdId\n1,0\n").unwrap());
    assert_says(&text, &["column `cocoSplit` is not among: cocoId, nsdId"]);
}

#[test]
fn behaviour_that_contradicts_the_design() {
    let text = message(|small, _| {
        let cells = "3 1 1 1 73000 1 0.5 0 1 900 0 NaN NaN 0 1 1 0 1 0";
        let path = small.tree.responses(small.subject);
        write_table(&path, Delimiter::Tab, &responses::COLUMNS, [cells.split(' ').collect()]).unwrap();
    });
    assert_says(
        &text,
        &["responses.tsv`: `73KID` in run 1, trial 1 of session 1 is 73000", "nsd_expdesign.mat"],
    );
}

#[test]
fn outputs_that_cannot_be_written() {
    let text = message(|small, settings| {
        settings.out = small.folder.path().join("folder");
        fs::create_dir(&settings.out).unwrap();
        settings.existing = ExistingOutput::Replace;
    });
    assert_says(&text, &["folder` cannot be written: it is a folder"]);
    let text = message(|small, settings| {
        // A file where a folder would have to be.
        settings.out = small.betas_path(1).join("prepared.h5");
    });
    assert_says(&text, &["prepared.h5` cannot be written"]);
}

#[test]
fn subject_nine_does_not_exist() {
    assert_says(
        &NsdSubject::new(9).unwrap_err().to_string(),
        &["unknown subject `9`; known: 1, 2, 3, 4, 5, 6, 7, 8"],
    );
}

#[test]
fn nifti_headers_that_lie() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("v.nii");
    write_volume(&path, &GRID, Frame::I16(&[1; NUM_GRID_VOXELS]), 1.8, 1.0).unwrap();
    let bytes = fs::read(&path).unwrap();
    let read = |at: usize, value: &[u8]| {
        let mut changed = bytes.clone();
        changed[at..at + value.len()].copy_from_slice(value);
        fs::write(&path, changed).unwrap();
        RoiVolume::read(&path, None).unwrap_err().to_string()
    };
    assert_says(
        &read(42, &30_000_i16.to_le_bytes()),
        &["v.nii`: dim is [30000, 5, 4]", "fit into 592 bytes"],
    );
    assert_says(&read(44, &0_i16.to_le_bytes()), &["dim is [3, 6, 0, 4"]);
    assert_says(&read(46, &(-4_i16).to_le_bytes()), &["v.nii`: dim is"]);
    assert_says(&read(40, &8_i16.to_le_bytes()), &["v.nii`"]);
    assert_says(&read(70, &128_i16.to_le_bytes()), &["datatype is 128, expected a real numeric type"]);
    assert_says(&read(72, &64_i16.to_le_bytes()), &["bitpix is 64, expected 16 for datatype 4"]);
    assert_says(&read(108, &f32::NAN.to_le_bytes()), &["vox_offset is NaN"]);
    assert_says(&read(108, &9e8_f32.to_le_bytes()), &["v.nii`"]);
    assert_says(&read(344, b"ni1\0"), &["magic is ni1, expected n+1"]);
    assert_says(&read(0, &540_i32.to_le_bytes()), &["sizeof_hdr is 540, expected 348"]);
}
