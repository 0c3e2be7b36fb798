//! What `train-mapper` refuses: one clear error, exit code 2, before any work, and nothing written or lost.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use mindreader::data::prepared::PreparedSubject;
use safetensors::SafeTensors;

use crate::phantom::{TINY, assert_refused, files, mapper_work, mindreader, phantom, replace, runs, stderr};

/// Folders of image mappers' runs end so.
const RUN: &str = "train-mapper-image-subj01";

fn command(name: &str, work: &Path) -> assert_cmd::Command {
    let mut command = mindreader();
    command.args([name, "--config", TINY, "--nsd"]).arg(phantom()).arg("--work").arg(work);
    command
}

fn train(work: &Path, more: &[&str]) -> Output {
    command("train-mapper", work).args(["--target", "image"]).args(more).output().unwrap()
}

/// Trains; the new run's folder.
fn trained(work: &Path, more: &[&str]) -> PathBuf {
    let output = train(work, more);
    assert!(output.status.success(), "{}", stderr(&output));
    runs(work, RUN).pop().unwrap()
}

fn prepared(work: &Path) -> PathBuf {
    let [path] = files(&work.join("prepared")).try_into().unwrap();
    path
}

/// The weights alone: the file also names the network of its targets.
fn weights(run: &Path) -> BTreeMap<String, Vec<u8>> {
    let bytes = fs::read(run.join("last.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    file.iter().map(|(name, view)| (name.to_string(), view.data().to_vec())).collect()
}

#[test]
fn settings_that_do_not_go_with_the_data() {
    let root = tempfile::tempdir().unwrap();
    let work = mapper_work(root.path());
    let own = prepared(&work);
    let name = own.file_name().unwrap().to_str().unwrap();
    fs::copy(&own, own.with_file_name(name.replace("subj01", "subj02"))).unwrap();
    let before = files(&work);

    let clip = runs(&work, "pretrain-clip-subj01").pop().unwrap().join("best.safetensors");
    let output = train(&work, &["--subject", "2", "--clip", clip.to_str().unwrap()]);
    assert_refused(&output, &["subj02", "subject is subj01, expected subj02 as configured"]);
    let output = train(&work, &["--set", "train_mapper.train.phase2.batch=100000"]);
    assert_refused(&output, &["`train_mapper.train.phase2.batch`: found 100000, expected 1 to "]);
    let output = train(&work, &["--set", "train_mapper.train.phase1.batch=0"]);
    assert_refused(&output, &["`train_mapper.train.phase1.batch`: found 0, expected 1 to "]);
    let output = train(&work, &["--set", "train_mapper.train.checkpoint_every_minutes=-1.0"]);
    assert_refused(
        &output,
        &["`train_mapper.train.checkpoint_every_minutes`: found -1, expected 0 to 1000000"],
    );
    assert_eq!(files(&work), before, "refused before anything is written");
}

/// Puts `value` in the place of one beta.
fn poison(path: &Path, trial: usize, voxel: usize, value: f32) {
    let betas = PreparedSubject::open(path).unwrap().betas_of(&[trial]).unwrap();
    let row: Vec<u8> = betas.iter().flat_map(|beta| beta.to_le_bytes()).collect();
    let mut bytes = fs::read(path).unwrap();
    let at = bytes.windows(row.len()).position(|window| window == row).unwrap() + 4 * voxel;
    bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
    replace(path, &bytes);
}

#[test]
fn betas_that_are_no_numbers_are_named_by_file_trial_and_voxel() {
    let root = tempfile::tempdir().unwrap();
    let work = mapper_work(root.path());
    // Nothing of the targets is there yet: betas must be looked at first.
    fs::remove_dir_all(work.join("cache")).unwrap();
    let path = prepared(&work);
    let whole = fs::read(&path).unwrap();
    let before = files(&work);
    let places = PreparedSubject::open(&path).unwrap().flat_index().to_vec();
    for (trial, voxel, value) in [(3, 5, f32::NAN), (0, 0, f32::INFINITY)] {
        poison(&path, trial, voxel, value);
        let field = format!("betas of trial {trial}, voxel {} of the volume (x ", places[voxel]);
        let found = format!(" from 0) is {value}, expected a finite number");
        assert_refused(&train(&work, &[]), &[&path.display().to_string(), &field, &found]);
        replace(&path, &whole);
    }
    assert_eq!(files(&work), before);
}

/// The cache's files with their bytes.
fn cached(work: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    files(&work.join("cache")).into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

#[test]
fn embeddings_of_another_clip_and_damaged_ones_are_never_used() {
    let root = tempfile::tempdir().unwrap();
    let work = mapper_work(root.path());
    let first = trained(&work, &[]);
    let of_first = cached(&work);
    let output =
        command("pretrain-clip", &work).args(["--set", "pretrain_clip.train.epochs=1"]).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));

    let second = trained(&work, &[]);
    let of_both = cached(&work);
    assert!(of_both.len() > of_first.len());
    assert!(of_first.iter().all(|(path, bytes)| of_both[path] == *bytes), "a cache is never edited");
    fs::remove_dir_all(work.join("cache")).unwrap();
    let alone = trained(&work, &[]);
    assert!(weights(&second) == weights(&alone) && weights(&second) != weights(&first));

    for (path, bytes) in cached(&work) {
        replace(&path, &bytes[..bytes.len() / 2]);
    }
    assert!(weights(&trained(&work, &[])) == weights(&alone));
}

#[test]
fn a_checkpoint_that_is_missing_cut_short_or_of_another_run() {
    let root = tempfile::tempdir().unwrap();
    let work = mapper_work(root.path());
    let run = trained(&work, &[]);
    let whole = weights(&run);
    let resume = |checkpoint: &str, more: &[&str]| {
        let mut command = command("train-mapper", &work);
        command.current_dir(&run).args(["--target", "image", "--resume", checkpoint]).args(more);
        command.output().unwrap()
    };
    assert_refused(&resume("none.mpk", &[]), &["`none.mpk` is missing", "--resume"]);
    let bytes = fs::read(run.join("checkpoint.mpk")).unwrap();
    fs::write(run.join("cut.mpk"), &bytes[..bytes.len() / 2]).unwrap();
    assert_refused(&resume("cut.mpk", &[]), &["`cut.mpk`: digest"]);
    let output = resume("checkpoint.mpk", &["--set", "train_mapper.train.seed=7"]);
    assert_refused(&output, &["settings.mapper.train.seed: found 42, expected 7 as in this run"]);
    assert_eq!(fs::read(run.join("checkpoint.mpk")).unwrap(), bytes);

    // How often checkpoints are written is not a matter of results.
    let half_written = run.join(".checkpoint.mpk.x7Kp2a");
    fs::write(&half_written, &bytes[..bytes.len() / 2]).unwrap();
    let output = resume("checkpoint.mpk", &["--set", "train_mapper.train.checkpoint_every_minutes=3"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(weights(&run) == whole && !half_written.exists());
    assert_eq!(runs(&work, RUN), [run]);
}

#[test]
fn a_run_is_continued_on_the_betas_and_captions_that_it_was_begun_with() {
    let root = tempfile::tempdir().unwrap();
    let work = mapper_work(root.path());
    let train = |target: &str, more: &[&str]| {
        command("train-mapper", &work).args(["--target", target]).args(more).output().unwrap()
    };
    let begun = |target: &str| {
        let output = train(target, &[]);
        assert!(output.status.success(), "{}", stderr(&output));
        let run = runs(&work, &format!("train-mapper-{target}-subj01")).pop().unwrap();
        run.join("checkpoint.mpk").display().to_string()
    };
    let (image, caption) = (begun("image"), begun("caption"));
    let (betas, captions) = (prepared(&work), work.join("captions/subj01.json"));
    let whole = fs::read(&betas).unwrap();
    // As many trials, as many voxels, one other beta.
    poison(&betas, 3, 5, 0.25);
    assert_refused(
        &train("image", &["--resume", &image]),
        &["checkpoint.mpk`: betas: found SHA-256 ", "begun"],
    );
    replace(&betas, &whole);
    let text = fs::read_to_string(&captions).unwrap();
    replace(&captions, text.replacen(" a ", " the ", 1).as_bytes());
    assert_refused(
        &train("caption", &["--resume", &caption]),
        &["checkpoint.mpk`: captions: found SHA-256 "],
    );
    replace(&captions, text.as_bytes());
    for (target, checkpoint) in [("image", &image), ("caption", &caption)] {
        let output = train(target, &["--resume", checkpoint]);
        assert!(output.status.success(), "{}", stderr(&output));
    }
    // Of a version that did not say on what: it is taken at its word, with a warning.
    fs::remove_file(Path::new(&image).with_file_name("inputs.json")).unwrap();
    let output = train("image", &["--resume", &image]);
    assert!(output.status.success() && stderr(&output).starts_with("warning: "), "{}", stderr(&output));
}
