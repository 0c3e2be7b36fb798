//! Which run is under way in this process and what its last checkpoint is: what a user is told where the process is ended from
//! outside, in the middle of a step.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// In the order in which they were begun.
static RUNS: Mutex<Vec<RunUnderWay>> = Mutex::new(Vec::new());

fn runs() -> MutexGuard<'static, Vec<RunUnderWay>> {
    RUNS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A run that has begun and not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunUnderWay {
    /// Where it writes.
    pub folder: PathBuf,
    /// What it can go on from; none before the first step.
    pub checkpoint: Option<LastCheckpoint>,
}

/// A checkpoint that is whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastCheckpoint {
    /// The file.
    pub path: PathBuf,
    /// Optimiser steps that are in it, over all phases.
    pub steps: u64,
}

/// The run that was begun last, of those that are under way.
pub fn newest_under_way() -> Option<RunUnderWay> {
    runs().last().cloned()
}

/// Says that the run in a folder is under way, until it is dropped.
#[derive(Debug)]
pub(super) struct UnderWay(PathBuf);

impl UnderWay {
    pub fn begin(folder: &Path) -> Self {
        runs().push(RunUnderWay { folder: folder.to_path_buf(), checkpoint: None });
        Self(folder.to_path_buf())
    }

    /// The checkpoint at `path` holds so many steps.
    pub fn note(&self, path: &Path, steps: u64) {
        let checkpoint = LastCheckpoint { path: path.to_path_buf(), steps };
        for run in runs().iter_mut().filter(|run| run.folder == self.0) {
            run.checkpoint = Some(checkpoint.clone());
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        runs().retain(|run| run.folder != self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The run in a folder: those of other tests are under way in the same process.
    fn of(folder: &Path) -> Option<RunUnderWay> {
        runs().iter().find(|run| run.folder == folder).cloned()
    }

    #[test]
    fn a_run_has_its_last_checkpoint_until_it_ends() {
        let (folder, other) = (Path::new("under-way-test/a"), Path::new("under-way-test/b"));
        let run = UnderWay::begin(folder);
        let other_run = UnderWay::begin(other);
        assert_eq!(of(folder).unwrap().checkpoint, None);
        for steps in [0, 12] {
            run.note(&folder.join("checkpoint.mpk"), steps);
        }
        let last = of(folder).unwrap().checkpoint.unwrap();
        assert_eq!((last.path, last.steps), (folder.join("checkpoint.mpk"), 12));
        assert_eq!(of(other).unwrap().checkpoint, None);
        drop(run);
        assert!(of(folder).is_none() && of(other).is_some());
        drop(other_run);
    }
}
