//! A run's folder that goes again unless the run comes to its end: of work that keeps no checkpoint.

use std::path::PathBuf;

use super::run_dir::RunDir;
use crate::files::Unfinished;

/// Removes the folder of a run when it is dropped, or when the process is ended from outside; not if it was kept.
#[derive(Debug)]
pub struct DraftRun {
    path: PathBuf,
    /// None as soon as the folder is to stay.
    unfinished: Option<Unfinished>,
}

impl DraftRun {
    /// The folder of `run`, from now on.
    pub fn of(run: &RunDir) -> Self {
        Self { path: run.path().to_path_buf(), unfinished: Some(Unfinished::note(run.path())) }
    }

    /// The run has come to its end: its folder stays.
    pub fn keep(mut self) {
        self.unfinished = None;
    }
}

impl Drop for DraftRun {
    fn drop(&mut self) {
        if self.unfinished.is_some() && std::fs::remove_dir_all(&self.path).is_err() {
            // It stays behind without a summary, as that of a killed run does, and nothing takes it for a finished one.
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_came_to_its_end_stays() {
        let runs = tempfile::tempdir().unwrap();
        for (number, is_kept) in [(0, false), (0, true), (1, false)] {
            let run = RunDir::create(runs.path(), "fit").unwrap();
            let draft = DraftRun::of(&run);
            run.write_atomic("config.toml", b"x = 1").unwrap();
            assert!(run.path().ends_with(format!("{number:05}-fit")));
            if is_kept {
                draft.keep();
            }
        }
        let left: Vec<_> =
            std::fs::read_dir(runs.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(left, [runs.path().join("00000-fit")]);
        let files: Vec<_> =
            std::fs::read_dir(&left[0]).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(files, ["config.toml"], "no lock either");
    }
}
