//! Bad input: one clear error with file and field, exit code 2, nothing half-written.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use mindreader::data::formats::nifti::{Frame, write_volume};

use crate::phantom::{
    TINY, assert_refused, copy_of_phantom, files, mapper_work, mindreader, phantom, replace,
};

const BETAS: &str = "nsddata_betas/ppdata/subj01/func1pt8mm/betas_fithrf_GLMdenoise_RR/betas_session01.hdf5";
const NSDGENERAL: &str = "nsddata/ppdata/subj01/func1pt8mm/roi/nsdgeneral.nii.gz";

fn prepare(nsd: &Path, work: &Path, more: &[&str]) -> Output {
    mindreader()
        .args(["prepare", "--config", TINY, "--nsd"])
        .arg(nsd)
        .arg("--work")
        .arg(work)
        .args(more)
        .output()
        .unwrap()
}

#[test]
fn files_that_are_missing_truncated_or_of_another_shape() {
    let root = tempfile::tempdir().unwrap();
    let work = root.path().join("work");
    let nsd = copy_of_phantom(root.path());
    let whole = fs::read(nsd.join(BETAS)).unwrap();

    replace(&nsd.join(BETAS), &whole[..whole.len() / 2]);
    assert_refused(&prepare(&nsd, &work, &[]), &["betas_session01.hdf5"]);
    replace(&nsd.join(BETAS), b"not hdf5");
    assert_refused(&prepare(&nsd, &work, &[]), &["betas_session01.hdf5"]);
    fs::remove_file(nsd.join(BETAS)).unwrap();
    assert_refused(&prepare(&nsd, &work, &[]), &["betas"]);
    fs::write(nsd.join(BETAS), &whole).unwrap();

    let roi = fs::read(nsd.join(NSDGENERAL)).unwrap();
    replace(&nsd.join(NSDGENERAL), &roi[..roi.len() / 2]);
    assert_refused(&prepare(&nsd, &work, &[]), &["nsdgeneral.nii.gz"]);
    replace(&nsd.join(NSDGENERAL), &nifti_of_another_grid());
    assert_refused(&prepare(&nsd, &work, &[]), &["nsdgeneral.nii.gz", "[3, 4, 5]"]);
    // The two hemispheres can stand in for the combined file; without them nothing can.
    for name in ["nsdgeneral", "lh.nsdgeneral", "rh.nsdgeneral"] {
        fs::remove_file(nsd.join(NSDGENERAL).with_file_name(format!("{name}.nii.gz"))).unwrap();
    }
    assert_refused(&prepare(&nsd, &work, &[]), &["nsdgeneral"]);

    assert_refused(&prepare(&root.path().join("nowhere"), &work, &[]), &["nowhere"]);
    assert_eq!(files(&work), Vec::<PathBuf>::new(), "nothing half-written may stay");
}

/// A volume of 3 × 4 × 5 voxels.
fn nifti_of_another_grid() -> Vec<u8> {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("other.nii.gz");
    write_volume(&path, &[3, 4, 5], Frame::F64(&[1.0; 60]), 1.8, 1.0).unwrap();
    fs::read(path).unwrap()
}

#[test]
fn unknown_regions_and_subjects() {
    let root = tempfile::tempdir().unwrap();
    let work = root.path().join("work");
    assert_refused(&prepare(phantom(), &work, &["--roi", "floc-hands"]), &["floc-hands", "floc-faces"]);
    assert_refused(&prepare(phantom(), &work, &["--subject", "9"]), &["subject", "9"]);
    assert_refused(&prepare(phantom(), &work, &["--subject", "2"]), &["subj02"]);
    assert_eq!(files(&work), Vec::<PathBuf>::new());
}

#[test]
fn outputs_that_cannot_be_written() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("file");
    fs::write(&file, b"in the way").unwrap();
    assert_refused(&prepare(phantom(), &file, &[]), &["file", "cannot be written"]);
    let output = mindreader().args(["phantom", "--config", TINY, "--nsd"]).arg(root.path()).output().unwrap();
    assert_refused(&output, &[&root.path().display().to_string()]);
    assert_eq!(fs::read(&file).unwrap(), b"in the way");
}

#[test]
fn commands_say_which_command_must_come_first() {
    let root = tempfile::tempdir().unwrap();
    for (arguments, needle) in [
        (&["screen-captions"][..], "pretrain-clip"),
        (&["pretrain-classifier"], "subj01-nsdgeneral-func1pt8mm.h5"),
        (&["train-mapper", "--target", "image"], "pretrain-clip"),
        (&["train-mapper", "--target", "image", "--subject", "all"], "mindreader prepare"),
        (&["train-mapper", "--target", "resnet"], "--resnet FILE"),
        (&["reconstruct", "--subject", "all"], "mindreader prepare"),
        (&["ablate", "--table", "3", "--subject", "all"], "does not go through subjects"),
        (&["evaluate"], "train-mapper --target image"),
        (&["finetune-gan"], "pretrain-clip"),
        (&["reconstruct"], "train-mapper --target image"),
        (&["evaluate-images"], "mindreader reconstruct"),
        (&["interpolate"], "train-mapper --target image"),
        (&["microstim", "--roi", "floc-faces"], "train-mapper --target image"),
    ] {
        let output = mindreader()
            .args(arguments)
            .args(["--config", TINY, "--nsd"])
            .arg(phantom())
            .arg("--work")
            .arg(root.path())
            .output()
            .unwrap();
        assert_refused(&output, &[needle]);
    }
}

#[test]
fn a_classifier_needs_annotations_and_settings_in_range() {
    let root = tempfile::tempdir().unwrap();
    let work = root.path().join("work");
    let nsd = copy_of_phantom(root.path());
    assert!(prepare(&nsd, &work, &[]).status.success());
    let train = |options: &[&str]| {
        let mut command = mindreader();
        command.args(["pretrain-classifier", "--config", TINY, "--nsd"]).arg(&nsd).arg("--work").arg(&work);
        command.args(options).output().unwrap()
    };
    assert_refused(
        &train(&["--set", "pretrain_classifier.network.side=61"]),
        &["`pretrain_classifier.network.side`", "multiple of 2"],
    );
    assert_refused(&train(&["--set", "pretrain_classifier.min_share=2"]), &["min_share"]);
    assert_refused(&train(&["--set", "pretrain_classifier.min_images=100000"]), &["min_images"]);
    fs::remove_dir_all(nsd.join("nsddata_stimuli/stimuli/nsd/annotations")).unwrap();
    assert_refused(&train(&[]), &["instances_train2017.json", "is missing"]);
    assert_eq!(files(&work.join("runs")), Vec::<PathBuf>::new());
}

#[test]
fn only_snapshots_are_compacted_and_none_is_overwritten_unasked() {
    let root = tempfile::tempdir().unwrap();
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/phantom/discriminator.safetensors");
    let (garbage, out) = (root.path().join("garbage.pt"), root.path().join("out.safetensors"));
    fs::write(&garbage, b"PK\x03\x04").unwrap();
    let compact = |from: &Path, more: &[&str]| {
        let mut command = mindreader();
        command.arg("compact-weights").arg("--from").arg(from).arg("--out").arg(&out);
        command.args(more).output().unwrap()
    };
    assert_refused(&compact(&root.path().join("none"), &[]), &["none", "is missing"]);
    assert_refused(&compact(&garbage, &[]), &["garbage.pt", "safetensors"]);
    assert!(!out.exists());
    assert!(compact(&shipped, &[]).status.success());
    assert_refused(&compact(&shipped, &[]), &["out.safetensors", "--overwrite"]);
    assert!(compact(&shipped, &["--overwrite"]).status.success());
    assert_eq!(files(root.path()), [garbage.clone(), out.clone()]);
}

#[test]
fn a_gan_of_other_sizes_is_no_start() {
    let root = tempfile::tempdir().unwrap();
    let work = mapper_work(root.path());
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/phantom");
    for (folder, needles) in [
        (shipped.as_path(), &["generator.safetensors", "config", "pretrain_gan.network"][..]),
        (root.path(), &["generator.safetensors", "is missing"]),
    ] {
        let output = mindreader()
            .args(["pretrain-gan", "--config", TINY, "--nsd"])
            .arg(phantom())
            .arg("--work")
            .arg(&work)
            .arg("--init-from")
            .arg(folder)
            .output()
            .unwrap();
        assert_refused(&output, needles);
    }
}

#[test]
fn images_without_captions_are_named() {
    let root = tempfile::tempdir().unwrap();
    let work = root.path().join("work");
    let nsd = copy_of_phantom(root.path());
    let annotations = nsd.join("nsddata_stimuli/stimuli/nsd/annotations");
    for entry in fs::read_dir(&annotations).unwrap().flatten() {
        if entry.file_name().to_string_lossy().starts_with("captions") {
            let text = fs::read_to_string(entry.path()).unwrap();
            let mut json: serde_json::Value = serde_json::from_str(&text).unwrap();
            json["annotations"] = serde_json::json!([]);
            replace(&entry.path(), json.to_string().as_bytes());
        }
    }
    assert!(prepare(&nsd, &work, &[]).status.success());
    let output = mindreader()
        .args(["pretrain-clip", "--config", TINY, "--nsd"])
        .arg(&nsd)
        .arg("--work")
        .arg(&work)
        .output()
        .unwrap();
    assert_refused(&output, &["caption"]);
}

#[test]
fn a_setting_out_of_range_is_refused_before_any_file_is_opened() {
    let mut command = mindreader();
    command.args(["finetune-gan", "--nsd", "nowhere", "--set", "finetune_gan.mappers.interval=0"]);
    for path in ["clip", "image_mapper", "caption_mapper", "pretrained_gan"] {
        command.args(["--set", &format!("paths.{path}=nowhere")]);
    }
    let output = command.output().unwrap();
    assert_refused(&output, &["`finetune_gan.mappers.interval`: found 0, expected 1 to 1000000000"]);
}
