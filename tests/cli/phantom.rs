//! A tiny phantom that the tests of this target share, and copies of it to damage.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::OnceLock;

use assert_cmd::Command;
use tempfile::TempDir;

/// The program, on the CPU.
pub fn mindreader() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mindreader"));
    command.env_remove("MINDREADER_LOG").args(["--device", "cpu", "--quiet"]);
    command
}

/// Sets of small networks and short trainings.
pub const TINY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/configs/phantom-tiny.toml");

/// Root of a tiny phantom, written once.
pub fn phantom() -> &'static Path {
    static ROOT: OnceLock<TempDir> = OnceLock::new();
    let root = ROOT.get_or_init(|| {
        let root = tempfile::tempdir().unwrap();
        let nsd = root.path().join("nsd");
        let output = mindreader().args(["phantom", "--config", TINY, "--nsd"]).arg(nsd).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        root
    });
    // The folder lives as long as the process.
    Box::leak(root.path().join("nsd").into_boxed_path())
}

/// A copy of the phantom: large files as links, so that a damaged one must be replaced, not edited.
pub fn copy_of_phantom(to: &Path) -> PathBuf {
    let copy = to.join("nsd");
    copy_tree(phantom(), &copy);
    copy
}

/// A work folder with everything that a mapper needs, made once; the copy's large files are links.
pub fn mapper_work(to: &Path) -> PathBuf {
    static WORK: OnceLock<TempDir> = OnceLock::new();
    let made = WORK.get_or_init(|| {
        let work = tempfile::tempdir().unwrap();
        for command in ["prepare", "pretrain-clip", "screen-captions"] {
            let output = mindreader()
                .args([command, "--config", TINY, "--nsd"])
                .arg(phantom())
                .arg("--work")
                .arg(work.path())
                .output()
                .unwrap();
            assert!(output.status.success(), "{}", stderr(&output));
        }
        work
    });
    let copy = to.join("work");
    copy_tree(made.path(), &copy);
    copy
}

/// Run folders whose names end so, oldest first.
pub fn runs(work: &Path, ending: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(work.join("runs")).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| path.file_name().unwrap().to_string_lossy().ends_with(ending))
        .collect();
    found.sort();
    found
}

/// Paths of all files below a folder, sorted.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut found: Vec<PathBuf> =
        entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect();
    found.sort();
    found
}

fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            fs::hard_link(entry.path(), &target)
                .or_else(|_| fs::copy(entry.path(), &target).map(drop))
                .unwrap();
        }
    }
}

/// Puts other bytes in the place of a file of the copy.
pub fn replace(path: &Path, bytes: &[u8]) {
    fs::remove_file(path).unwrap();
    fs::write(path, bytes).unwrap();
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Fails with exit code 2 and one clear line, a hint aside, that holds every needle.
pub fn assert_refused(output: &Output, needles: &[&str]) {
    let text = stderr(output);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.starts_with("error: "), "{text}");
    assert!(!text.contains("panicked"), "{text}");
    assert!(text.lines().filter(|line| !line.starts_with("hint: ")).count() == 1, "{text}");
    for needle in needles {
        assert!(text.contains(needle), "`{needle}` is missing in: {text}");
    }
}
