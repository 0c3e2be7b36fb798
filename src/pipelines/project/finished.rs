//! Which runs are finished: what a killed training left is not taken for a result.

use std::path::Path;

use serde::Deserialize;

use super::Project;
use crate::files::{file_is_there, warn_once};
use crate::pipelines::drawing_manifest::MANIFEST_FILE;
use crate::run::error::RunError;
use crate::run::event_log::{EventLog, Position};
use crate::run::run_dir::{FoundRuns, NewestRun, RunDir, SUMMARY_FILE};

/// What an evaluation writes last.
const EVALUATION_FILE: &str = "evaluation.json";

impl Project {
    /// The project's runs whose name behind the number is wanted.
    ///
    /// # Errors
    /// [`RunError::File`] for runs that are there and cannot be looked at.
    pub fn found_runs(&self, is_wanted: impl Fn(&str) -> bool) -> Result<FoundRuns, RunError> {
        let mut found = FoundRuns::default();
        for run in RunDir::all(&self.runs(), is_wanted)? {
            let kind = if is_finished(&run)? { &mut found.finished } else { &mut found.unfinished };
            kind.push(run);
        }
        Ok(found)
    }

    /// The newest finished run of a kind that holds `file`. Newer ones that are not finished are passed over, and said to be.
    ///
    /// # Errors
    /// As [`Project::found_runs`].
    pub(super) fn newest_finished(&self, description: &str, file: &str) -> Result<NewestRun, RunError> {
        let newest = RunDir::newest(&self.runs(), description, file, is_finished)?;
        if let (Some(file), [.., _]) = (&newest.file, &newest.unfinished[..]) {
            warn_once(&format!(
                "passed over as not finished: {}; `{}` is taken (what is named is taken in any case)",
                listed(&newest),
                file.display()
            ));
        }
        Ok(newest)
    }
}

/// The unfinished runs in words.
pub(super) fn listed(newest: &NewestRun) -> String {
    let of_run = |run: &std::path::PathBuf| {
        let state = if RunDir::is_under_way(run) { " (under way)" } else { "" };
        format!("`{}`{state}", run.display())
    };
    newest.unfinished.iter().map(of_run).collect::<Vec<_>>().join(", ")
}

/// Whether the run in this folder came to its end: its summary, its evaluation or the manifest of its pictures is written last.
fn is_finished(run: &Path) -> Result<bool, RunError> {
    for file in [SUMMARY_FILE, MANIFEST_FILE, EVALUATION_FILE] {
        if file_is_there(&run.join(file))? {
            return Ok(true);
        }
    }
    Ok(is_whole_clip(run))
}

/// The part of `config.toml` that says how long a CLIP is trained.
#[derive(Deserialize)]
struct ClipRun {
    pretrain_clip: ClipSection,
}

#[derive(Deserialize)]
struct ClipSection {
    train: ClipTrain,
}

#[derive(Deserialize)]
struct ClipTrain {
    epochs: u64,
}

/// Older versions wrote no summary of a CLIP's training: then its last epoch must have been logged.
fn is_whole_clip(run: &Path) -> bool {
    let epochs = || {
        let bytes = RunError::read(&run.join("config.toml"), "").ok()?;
        let config: ClipRun = toml::from_slice(&bytes).ok()?;
        let events: Vec<Position> = EventLog::new(run.join("metrics.jsonl")).read().ok()?;
        Some((config.pretrain_clip.train.epochs, events.last()?.epoch?))
    };
    epochs().is_some_and(|(planned, done)| done >= planned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::mapper::MapperTarget;
    use crate::pipelines::project::ProjectPaths;

    fn project(work: &Path) -> Project {
        let paths = ProjectPaths { work: Some(work.to_path_buf()), ..ProjectPaths::default() };
        Project { paths, ..Project::default() }
    }

    fn write(run: &Path, file: &str, text: &str) {
        std::fs::create_dir_all(run).unwrap();
        std::fs::write(run.join(file), text).unwrap();
    }

    #[test]
    fn a_killed_run_is_no_result_unless_it_is_named() {
        let root = tempfile::tempdir().unwrap();
        let mut project = project(root.path());
        let run = |number: u32| root.path().join(format!("runs/{number:05}-train-mapper-image-subj01"));
        let error = project.mapper(MapperTarget::Image).unwrap_err().to_string();
        assert!(error.contains("train-mapper --target image` first") && !error.contains("finish"), "{error}");
        write(&run(0), "best.safetensors", "half-trained");
        let error = project.mapper(MapperTarget::Image).unwrap_err().to_string();
        assert!(error.contains("not finished") && error.contains("00000-train-mapper-image"), "{error}");
        write(&run(1), "best.safetensors", "trained");
        write(&run(1), SUMMARY_FILE, "{}");
        write(&run(2), "best.safetensors", "half-trained");
        assert_eq!(project.mapper(MapperTarget::Image).unwrap(), run(1).join("best.safetensors"));
        let newest = project.newest_finished("train-mapper-image-subj01", "best.safetensors").unwrap();
        assert_eq!(listed(&newest), format!("`{}`", run(2).display()));
        // There, and no file: not the same as absent, or an older run would be taken without a word.
        std::fs::create_dir(run(3)).unwrap();
        std::os::unix::fs::symlink("gone", run(3).join("best.safetensors")).unwrap();
        let error = project.mapper(MapperTarget::Image).unwrap_err().to_string();
        assert!(error.contains("00003-train-mapper-image") && error.contains("a link to `gone`"), "{error}");
        project.paths.image_mapper = Some(run(2).join("best.safetensors"));
        assert_eq!(project.mapper(MapperTarget::Image).unwrap(), run(2).join("best.safetensors"));
    }

    #[test]
    fn a_clip_of_an_older_version_is_finished_with_its_last_epoch() {
        let root = tempfile::tempdir().unwrap();
        let run = root.path().join("runs/00000-pretrain-clip-subj01");
        write(&run, "best.safetensors", "");
        write(&run, "config.toml", "nsd = \"x\"\n[pretrain_clip.train]\nepochs = 3\nseed = 1\n");
        for (rows, is_taken) in [
            ("{\"step\":5,\"epoch\":1,\"train_loss\":0.5}\n", false),
            ("{\"step\":5,\"epoch\":1}\n{\"step\":15,\"epoch\":3}\n", true),
            ("{\"step\":5,\"epoch\":1}\n{\"step\":15,\"epoch\":3}", false),
            ("", false),
        ] {
            write(&run, "metrics.jsonl", rows);
            assert_eq!(project(root.path()).clip().is_ok(), is_taken, "{rows}");
        }
        write(&run, SUMMARY_FILE, "{}");
        assert!(project(root.path()).clip().is_ok());
    }
}
