//! `phantom.json`: says that a folder is a phantom and how it was made; and the folder's all-or-nothing birth.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::super::config::PhantomConfig;
use crate::data::error::DataError;
use crate::files::{InputKind, PendingFolder, ReplacedFolder, read_text, write_through};
use crate::interrupt::Shelter;
use crate::run::run_dir::this_process;

/// Name of the marker in the root of a phantom.
pub const MARKER: &str = "phantom.json";
/// What a marker says it is.
const FORMAT: &str = "mindreader phantom";

/// Content of the marker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Marker {
    /// Always the same text.
    pub format: String,
    /// Version of the program that wrote it.
    pub version: String,
    /// Everything it was made from.
    pub config: PhantomConfig,
    /// Files that were written, below the folder, with `/`; the marker itself is not among them. Empty in phantoms of version 0.1.
    #[serde(default)]
    pub files: Vec<String>,
}

impl Marker {
    /// For a phantom made now.
    pub fn new(config: PhantomConfig) -> Self {
        Self {
            format: FORMAT.to_string(),
            version: env!("CARGO_PKG_VERSION").to_string(),
            config,
            files: vec![],
        }
    }

    /// Reads the marker of a phantom.
    ///
    /// # Errors
    /// [`DataError::missing`] where the folder is no phantom; [`DataError::unreadable`] or [`DataError::Invalid`].
    pub fn read(root: &Path) -> Result<Self, DataError> {
        let path = root.join(MARKER);
        let text = read_text(&path, InputKind::Text)
            .map_err(|error| DataError::from_io(&path, "telling a phantom from real data", &error))?;
        let marker: Self =
            serde_json::from_str(&text).map_err(|error| DataError::unreadable(&path, error))?;
        if marker.format != FORMAT {
            return Err(DataError::invalid(&path, "format", FORMAT, marker.format));
        }
        Ok(marker)
    }

    /// Whether a file of the folder is the phantom's own. Without a list, everything in the folders that NSD has is.
    fn wrote(&self, file: &str) -> bool {
        const TOPS: [&str; 4] = ["nsddata/", "nsddata_betas/", "nsddata_stimuli/", "truth"];
        file == MARKER
            || if self.files.is_empty() {
                TOPS.iter().any(|top| file.starts_with(top))
            } else {
                self.files.iter().any(|own| own == file)
            }
    }

    fn write(&self, root: &Path) -> Result<(), DataError> {
        let path = root.join(MARKER);
        let text = serde_json::to_string_pretty(self).map_err(|error| DataError::unwritable(&path, error))?;
        Ok(write_through(&path, |out| writeln!(out, "{text}"))?)
    }
}

/// What to do with a phantom that is already there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// Leave it and fail.
    Keep,
    /// Put the new one in its place once that is complete.
    Replace,
}

/// A phantom under a temporary name beside its target, which nobody else may write meanwhile.
#[derive(Debug)]
pub struct PendingTree {
    folder: PendingFolder,
    target: PathBuf,
}

impl PendingTree {
    /// Checks that the target may be written and starts the temporary folder.
    ///
    /// # Errors
    /// [`DataError::unwritable`] when the target is a file, a folder with anything but a phantom, a phantom
    /// that is to be kept, or one that another process writes.
    pub fn create(target: &Path, existing: Existing) -> Result<Self, DataError> {
        require_writable(target, existing)?;
        let folder = PendingFolder::create(target, &this_process())?;
        // Once more: another process may have written it since.
        require_writable(target, existing)?;
        Ok(Self { folder, target: target.to_path_buf() })
    }

    /// Where to write.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes the marker and moves the folder to its target; an older phantom goes only when the new one is there. Files that it did
    /// not write (notes, a work folder) stay where they are.
    ///
    /// # Errors
    /// [`DataError::unwritable`].
    pub fn commit(self, marker: &Marker) -> Result<(), DataError> {
        let Self { folder, target } = self;
        // Between two renames there is no phantom at all: not a moment to be stopped at.
        let _shelter = Shelter::new();
        // Listed before the marker is written, which is known by its name.
        let files = files_below(folder.path())?;
        Marker { files, ..marker.clone() }.write(folder.path())?;
        match folder.commit(|| Ok::<(), DataError>(()))? {
            Some(old) => keep_foreign_files(old, &target),
            None => Ok(()),
        }
    }
}

/// Refuses a target that is no phantom, or one that is to be kept.
fn require_writable(target: &Path, existing: Existing) -> Result<(), DataError> {
    let unwritable = |error: std::io::Error| DataError::unwritable(target, error);
    if target.exists() && !target.is_dir() {
        return Err(DataError::unwritable(target, "it is a file"));
    }
    if target.is_dir() && fs::read_dir(target).map_err(unwritable)?.next().is_some() {
        if Marker::read(target).is_err() {
            let reason = format!("the folder is neither empty nor a phantom (it has no valid `{MARKER}`)");
            return Err(DataError::unwritable(target, reason));
        }
        if existing == Existing::Keep {
            return Err(DataError::unwritable(
                target,
                "there is a phantom already; allow it to be replaced with `--overwrite`",
            ));
        }
    }
    Ok(())
}

/// Moves what is not the phantom's own from the folder of the older one into the new one.
fn keep_foreign_files(old: ReplacedFolder, target: &Path) -> Result<(), DataError> {
    let folder = old.path();
    if !folder.join(MARKER).exists() {
        // An empty folder was there, or nothing would have been replaced.
        return Ok(());
    }
    let marker = Marker::read(&folder)?;
    let foreign: Vec<String> = files_below(&folder)?.into_iter().filter(|file| !marker.wrote(file)).collect();
    for file in &foreign {
        let to = target.join(file);
        let moved = match to.parent() {
            Some(parent) => fs::create_dir_all(parent).and_then(|()| fs::rename(folder.join(file), &to)),
            None => Ok(()),
        };
        if let Err(error) = moved {
            // What could not be moved must not go with the rest.
            let kept = old.keep().join(file);
            let reason = format!("{error}; the file is at `{}` now", kept.display());
            return Err(DataError::unwritable(to, reason));
        }
    }
    Ok(())
}

/// Every file below a folder, links among them, by its path with `/`, ascending.
fn files_below(root: &Path) -> Result<Vec<String>, DataError> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let here = root.join(&folder);
        let unreadable = |error: std::io::Error| DataError::unreadable(&here, error);
        for entry in fs::read_dir(&here).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            let path = folder.join(entry.file_name());
            if entry.file_type().map_err(unreadable)?.is_dir() {
                folders.push(path);
            } else {
                found.push(path.to_string_lossy().replace('\\', "/"));
            }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_phantoms_are_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("nsd");
        fs::create_dir(&target).unwrap();
        fs::write(target.join("precious.txt"), "x").unwrap();
        for existing in [Existing::Keep, Existing::Replace] {
            let error = PendingTree::create(&target, existing).err().unwrap().to_string();
            assert!(error.contains("neither empty nor a phantom"), "{error}");
        }
        assert!(target.join("precious.txt").is_file());

        fs::remove_file(target.join("precious.txt")).unwrap();
        let marker = Marker::new(PhantomConfig::default());
        let first = PendingTree::create(&target, Existing::Keep).unwrap();
        fs::write(first.path().join("one"), "1").unwrap();
        first.commit(&marker).unwrap();
        assert_eq!(Marker::read(&target).unwrap().files, ["one"]);
        // Written by somebody else, beside and between the phantom's own files.
        fs::write(target.join("notes.txt"), "mine").unwrap();
        fs::create_dir_all(target.join("work/runs")).unwrap();
        fs::write(target.join("work/runs/summary.json"), "{}").unwrap();
        assert!(PendingTree::create(&target, Existing::Keep).is_err());

        let second = PendingTree::create(&target, Existing::Replace).unwrap();
        fs::write(second.path().join("two"), "2").unwrap();
        assert!(target.join("one").is_file(), "the old phantom stays until the new one is complete");
        second.commit(&marker).unwrap();
        assert!(target.join("two").is_file() && !target.join("one").exists());
        assert_eq!(fs::read_to_string(target.join("notes.txt")).unwrap(), "mine");
        assert!(target.join("work/runs/summary.json").is_file());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left");
    }

    #[test]
    fn an_abandoned_tree_vanishes_and_files_are_no_folders() {
        let folder = tempfile::tempdir().unwrap();
        let pending = PendingTree::create(&folder.path().join("nsd"), Existing::Keep).unwrap();
        let error =
            PendingTree::create(&folder.path().join("nsd"), Existing::Replace).unwrap_err().to_string();
        assert!(error.contains("nsd` cannot be written: process") && error.contains(" uses it"), "{error}");
        drop(pending);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        let file = folder.path().join("file");
        fs::write(&file, "x").unwrap();
        assert!(PendingTree::create(&file, Existing::Replace).is_err());
        assert!(PendingTree::create(&file.join("below"), Existing::Keep).is_err());
    }
}
