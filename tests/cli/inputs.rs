//! Inputs that are no regular files: refused in one line, without waiting, wherever an input is named.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::phantom::{TINY, assert_refused, copy_of_phantom, mapper_work, mindreader, phantom, stderr};

/// Far longer than any refusal takes.
const LONG: Duration = Duration::from_secs(300);

fn pipe(at: PathBuf) -> PathBuf {
    if at.exists() {
        std::fs::remove_file(&at).unwrap();
    }
    assert!(Command::new("mkfifo").arg(&at).status().unwrap().success());
    at
}

/// The arguments, with the input's path at the end, are refused by its name.
fn assert_no_input(arguments: &[&str], input: &Path, work: &Path) {
    let mut command = mindreader();
    command.args(arguments).arg(input).arg("--nsd").arg(phantom()).arg("--work").arg(work);
    let output = command.timeout(LONG).output().unwrap();
    let name = input.file_name().unwrap().to_string_lossy();
    assert_refused(&output, &[&name, "expected a regular file"]);
    assert_eq!(
        stderr(&output).lines().filter(|line| !line.starts_with("hint: ")).count(),
        1,
        "{arguments:?}"
    );
}

#[test]
fn pipes_devices_and_folders_are_no_inputs() {
    let root = tempfile::tempdir().unwrap();
    let work = mapper_work(root.path());
    let out = work.join("out.safetensors");
    let out = out.to_str().unwrap();
    let pipe = pipe(root.path().join("pipe"));
    let folder = root.path().join("folder");
    std::fs::create_dir(&folder).unwrap();
    for input in [&pipe, Path::new("/dev/zero"), &folder] {
        for arguments in [
            &["config", "--config"][..],
            &["compact-weights", "--out", out, "--from"],
            &["ablate", "--list", "--rows"],
            &["--config", TINY, "screen-captions", "--clip"],
        ] {
            assert_no_input(arguments, input, &work);
        }
    }
    for input in [&pipe, Path::new("/dev/zero")] {
        for arguments in [
            &["import-weights", "--out", out, "--from"][..],
            &["weights"],
            &["--config", TINY, "pretrain-clip", "--resume"],
            &["--config", TINY, "pretrain-gan", "--resume"],
            &["--config", TINY, "pretrain-gan", "--images"],
        ] {
            assert_no_input(arguments, input, &work);
        }
    }
}

#[test]
fn files_of_a_tree_are_no_pipes() {
    let root = tempfile::tempdir().unwrap();
    let nsd = copy_of_phantom(root.path());
    for file in [
        "nsddata/experiments/nsd/nsd_expdesign.mat",
        "nsddata_betas/ppdata/subj01/func1pt8mm/betas_fithrf_GLMdenoise_RR/betas_session01.hdf5",
    ] {
        let path = nsd.join(file);
        let aside = root.path().join("aside");
        std::fs::rename(&path, &aside).unwrap();
        pipe(path.clone());
        let mut command = mindreader();
        command
            .args(["prepare", "--config", TINY, "--nsd"])
            .arg(&nsd)
            .arg("--work")
            .arg(root.path().join("work"));
        let output = command.timeout(LONG).output().unwrap();
        // A session that is a pipe is missing, or no regular file.
        assert_refused(&output, &[path.file_name().unwrap().to_str().unwrap()]);
        std::fs::remove_file(&path).unwrap();
        std::fs::rename(&aside, &path).unwrap();
    }
}

#[test]
fn a_terabyte_of_settings_is_refused_unread() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("large.toml");
    std::fs::File::create(&path).unwrap().set_len(1 << 40).unwrap();
    let output = mindreader().args(["config", "--config"]).arg(&path).timeout(LONG).output().unwrap();
    assert_refused(&output, &["large.toml", "it has 1099511627776 bytes, expected at most 16777216"]);
}
