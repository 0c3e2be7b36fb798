//! The numbered folder of a run: `runs/00007-train-mapper-image-subj01/`.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use atomic_write_file::AtomicWriteFile;

use super::error::RunError;
use super::event_log::EventLog;

/// A folder that belongs to one run. It is made when the run starts and never overwritten.
#[derive(Debug, Clone)]
pub struct RunDir {
    path: PathBuf,
}

impl RunDir {
    /// Makes the next free folder `NNNNN-description` under `runs`.
    ///
    /// # Errors
    /// [`RunError::Unwritable`] when the folder cannot be made.
    pub fn create(runs: &Path, description: &str) -> Result<Self, RunError> {
        fs::create_dir_all(runs).map_err(|error| RunError::unwritable(runs, error))?;
        let mut number = numbered(runs).into_iter().map(|(number, _)| number + 1).max().unwrap_or(0);
        loop {
            let path = runs.join(format!("{number:05}-{description}"));
            match fs::create_dir(&path) {
                Ok(()) => return Ok(Self { path }),
                // Another run took the number between the look and the making.
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => number += 1,
                Err(error) => return Err(RunError::unwritable(&path, error)),
            }
        }
    }

    /// Opens the folder that holds `checkpoint`, to continue in it. What a killed write left there is removed.
    ///
    /// # Errors
    /// [`RunError::Missing`] when the folder is not there.
    pub fn of_checkpoint(checkpoint: &Path) -> Result<Self, RunError> {
        let folder = checkpoint.parent().filter(|folder| folder.is_dir());
        match folder {
            Some(folder) => {
                remove_leftovers(folder);
                Ok(Self { path: folder.to_path_buf() })
            }
            None => Err(RunError::missing(checkpoint, "`--resume`")),
        }
    }

    /// The newest finished run under `runs` whose name is `NNNNN-description` and that holds `file`.
    pub fn newest(runs: &Path, description: &str, file: &str) -> Option<PathBuf> {
        let mut found = numbered(runs);
        found.retain(|(_, path)| {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            name.split_once('-').is_some_and(|(_, rest)| rest == description) && path.join(file).is_file()
        });
        found.into_iter().max().map(|(_, path)| path.join(file))
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A path inside the folder.
    pub fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Writes a file inside the folder in one step: it is there whole or not at all.
    ///
    /// # Errors
    /// [`RunError::Unwritable`].
    pub fn write_atomic(&self, name: &str, bytes: &[u8]) -> Result<PathBuf, RunError> {
        let path = self.join(name);
        write_atomic(&path, bytes)?;
        Ok(path)
    }

    /// The run's metrics, one JSON object a line.
    pub fn events(&self) -> EventLog {
        EventLog::new(self.join("metrics.jsonl"))
    }
}

/// Writes a file in one step, making its folder: temporary name, sync, rename.
///
/// # Errors
/// [`RunError::Unwritable`].
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), RunError> {
    let unwritable = |error| RunError::unwritable(path, error);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|error| RunError::unwritable(folder, error))?;
    }
    let mut file = AtomicWriteFile::open(path).map_err(unwritable)?;
    file.write_all(bytes).map_err(unwritable)?;
    file.commit().map_err(unwritable)
}

/// Removes temporary files of [`write_atomic`]: `.NAME.XXXXXX`, six letters or digits.
fn remove_leftovers(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_leftover = name
            .strip_prefix('.')
            .and_then(|rest| rest.rsplit_once('.'))
            .is_some_and(|(_, tail)| tail.len() == 6 && tail.chars().all(|c| c.is_ascii_alphanumeric()));
        if is_leftover {
            // One that cannot be removed is in nobody's way.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Folders named `NNNNN-…` with their numbers.
fn numbered(runs: &Path) -> Vec<(u32, PathBuf)> {
    let Ok(entries) = fs::read_dir(runs) else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            let number = name.split_once('-')?.0.parse().ok()?;
            Some((number, entry.path()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_up_and_the_newest_run_with_the_file_is_found() {
        let root = tempfile::tempdir().unwrap();
        let first = RunDir::create(root.path(), "train-mapper-image-subj01").unwrap();
        let second = RunDir::create(root.path(), "train-mapper-image-subj01").unwrap();
        let unfinished = RunDir::create(root.path(), "train-mapper-image-subj01").unwrap();
        assert!(first.path().ends_with("00000-train-mapper-image-subj01"));
        first.write_atomic("best.safetensors", b"1").unwrap();
        second.write_atomic("best.safetensors", b"2").unwrap();
        assert!(unfinished.path().ends_with("00002-train-mapper-image-subj01"));
        let newest = RunDir::newest(root.path(), "train-mapper-image-subj01", "best.safetensors");
        assert_eq!(newest, Some(second.join("best.safetensors")));
        assert_eq!(RunDir::newest(root.path(), "train-mapper", "best.safetensors"), None);
    }

    #[test]
    fn what_a_killed_write_left_goes_when_the_run_goes_on() {
        let root = tempfile::tempdir().unwrap();
        for name in [".checkpoint.mpk.7kOoK8", "checkpoint.mpk", ".hidden", ".notes.txt"] {
            fs::write(root.path().join(name), b"x").unwrap();
        }
        RunDir::of_checkpoint(&root.path().join("checkpoint.mpk")).unwrap();
        let mut left: Vec<String> = fs::read_dir(root.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        left.sort();
        assert_eq!(left, [".hidden", ".notes.txt", "checkpoint.mpk"]);
    }

    #[test]
    fn an_unwritable_place_is_named() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("file");
        fs::write(&file, b"not a folder").unwrap();
        let error = RunDir::create(&file, "x").unwrap_err();
        assert!(error.to_string().contains("file` cannot be written"), "{error}");
    }
}
