//! A tiny phantom with everything that can be made of it: what trials damage.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const TINY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/configs/phantom-tiny.toml");
/// Files from here on are linked, smaller ones copied: a program may append to its own.
const LINKED_BYTES: u64 = 1 << 20;

/// The program under test.
pub fn binary() -> PathBuf {
    std::env::var_os("MINDREADER_MUTATION_BINARY")
        .map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_mindreader")), PathBuf::from)
}

/// A command with the flags that make it short.
pub struct Step {
    pub name: &'static str,
    pub args: &'static [&'static str],
}

pub const PHANTOM: Step = Step { name: "phantom", args: &["--overwrite"] };
pub const PREPARE: Step = Step { name: "prepare", args: &["--overwrite"] };
pub const CHECK: Step = Step { name: "prepare", args: &["--check"] };
pub const DOCTOR: Step = Step { name: "doctor", args: &[] };
pub const CLIP: Step = Step { name: "pretrain-clip", args: &["--set", "pretrain_clip.train.epochs=1"] };
pub const CLASSIFIER: Step =
    Step { name: "pretrain-classifier", args: &["--set", "pretrain_classifier.train.epochs=1"] };
pub const SCREEN: Step = Step { name: "screen-captions", args: &[] };
pub const IMAGE_MAPPER: Step = Step { name: "train-mapper", args: &["--target", "image", SET, FEW] };
pub const CAPTION_MAPPER: Step = Step { name: "train-mapper", args: &["--target", "caption", SET, FEW] };
pub const PRETRAIN: Step = Step {
    name: "pretrain-gan",
    args: &[SET, "pretrain_gan.train.total_kimg=0.016", SET, "pretrain_gan.train.tick_kimg=0.008"],
};
pub const FINETUNE: Step = Step {
    name: "finetune-gan",
    args: &[SET, "finetune_gan.train.total_kimg=0.016", SET, "finetune_gan.train.tick_kimg=0.008"],
};
pub const RECONSTRUCT: Step = Step { name: "reconstruct", args: &["--limit", "4"] };
pub const INTERPOLATE: Step = Step { name: "interpolate", args: &["--frames", "2"] };
pub const MICROSTIM: Step = Step { name: "microstim", args: &["--limit", "1"] };
pub const ENCODE: Step = Step { name: "encode", args: &[] };
pub const EVALUATE: Step =
    Step { name: "evaluate", args: &[SET, "train_mapper.train.retrieval.bootstrap.resamples=10"] };
pub const SCORE: Step = Step { name: "score", args: &[] };
pub const JUDGE: Step = Step { name: "evaluate-images", args: &[] };

const SET: &str = "--set";
const FEW: &str = "train_mapper.train.retrieval.bootstrap.resamples=10";

/// In the order in which each finds what it needs.
const MADE_BY: &[Step] = &[
    Step { name: "phantom", args: &[] },
    Step { name: "prepare", args: &[] },
    CLIP,
    CLASSIFIER,
    SCREEN,
    IMAGE_MAPPER,
    CAPTION_MAPPER,
    PRETRAIN,
    FINETUNE,
    RECONSTRUCT,
];

/// The folders of a phantom and of what was made of it.
pub struct Project {
    pub nsd: PathBuf,
    pub work: PathBuf,
}

impl Project {
    fn below(root: &Path) -> Self {
        Self { nsd: root.join("nsd"), work: root.join("work") }
    }

    /// Runs the whole chain.
    pub fn make(root: &Path) -> Self {
        let project = Self::below(root);
        for step in MADE_BY {
            let output = Command::new(binary()).args(project.command(step, &[])).output().unwrap();
            let text = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{}: {text}", step.name);
        }
        project
    }

    /// A copy that can be damaged. A linked file must be replaced, not edited.
    pub fn copy(&self, root: &Path) -> Self {
        let copy = Self::below(root);
        copy_tree(&self.nsd, &copy.nsd);
        copy_tree(&self.work, &copy.work);
        copy
    }

    /// The arguments of a step on this project.
    pub fn command(&self, step: &Step, more: &[&str]) -> Vec<OsString> {
        let mut args: Vec<OsString> =
            ["--device", "cpu", "--quiet", step.name, "--config", TINY].map(Into::into).into();
        args.extend(["--nsd".into(), self.nsd.clone().into(), "--work".into(), self.work.clone().into()]);
        args.extend(step.args.iter().chain(more).map(Into::into));
        args
    }

    /// The newest run folder whose name ends so.
    pub fn run(&self, ending: &str) -> PathBuf {
        let entries = fs::read_dir(self.work.join("runs")).unwrap().flatten().map(|entry| entry.path());
        entries.filter(|path| path.to_string_lossy().ends_with(ending)).max().expect(ending)
    }

    /// All files of phantom and work, sorted by their path relative to the project.
    pub fn files(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        collect(&self.nsd, &mut found);
        collect(&self.work, &mut found);
        found.sort();
        found
    }
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() { collect(&path, found) } else { found.push(path) }
    }
}

fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy_tree(&path, &target);
        } else if entry.metadata().unwrap().len() < LINKED_BYTES || fs::hard_link(&path, &target).is_err() {
            fs::copy(&path, &target).unwrap();
        }
    }
}

/// Puts other bytes in the place of a file.
pub fn replace(path: &Path, bytes: &[u8]) {
    let _ = fs::remove_file(path);
    fs::write(path, bytes).unwrap();
}
