//! Which temporary files and folders are under way: what a program that is stopped from outside takes away.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

static UNFINISHED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

fn unfinished() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Says that a temporary file or folder is under way, until it is dropped.
#[derive(Debug)]
pub struct Unfinished(PathBuf);

impl Unfinished {
    /// Notes the temporary `path`.
    pub fn note(path: &Path) -> Self {
        // What removes it may run after the working folder has changed.
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
        unfinished().insert(path.clone());
        Self(path)
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        unfinished().remove(&self.0);
    }
}

/// Holds whoever is about to make a file or a folder in a process that is about to end.
pub(super) fn wait_while_ending() {
    drop(unfinished());
}

/// Removes every temporary file and folder that is under way. Only for a process that is about to end: whoever still writes to
/// them will fail, and whoever would make further ones waits for the end.
pub fn remove_unfinished() {
    let paths = std::mem::ManuallyDrop::new(unfinished());
    for path in paths.iter() {
        // Somebody may be adding to a folder just now.
        for _ in 0..5 {
            let removed =
                if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
            if removed.is_ok() || !path.exists() {
                break;
            }
        }
    }
}
