//! Folders that appear whole or not at all, written by one process at a time.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::folder_lock::FolderLock;
use super::parent_folder::{create_parent, parent};
use super::temporary;
use super::unfinished::Unfinished;
use crate::error::FileError;

/// Begins the names of folders that wait to be taken away.
const REPLACED_PREFIX: &str = ".replaced-";

/// A folder under a temporary name beside its target, whose lock it holds.
#[derive(Debug)]
pub struct PendingFolder {
    temporary: TempDir,
    /// Held until the folder has its name or is gone.
    held: Option<File>,
    target: PathBuf,
    unfinished: Unfinished,
    lock: Option<FolderLock>,
}

/// The folder that another has taken the place of; it goes when this is dropped.
#[derive(Debug)]
pub struct ReplacedFolder {
    aside: TempDir,
    /// Given back when nothing of the older folder is left.
    _lock: Option<FolderLock>,
}

impl PendingFolder {
    /// Starts a folder that is to become `target`; `holder` says who writes it, for those who come meanwhile.
    ///
    /// # Errors
    /// [`FileError::Unwritable`], which names the holder where another process writes the same folder.
    pub fn create(target: &Path, holder: &str) -> Result<Self, FileError> {
        if target.file_name().is_none() {
            return Err(FileError::unwritable(
                target,
                "it has no name of its own that another folder could take",
            ));
        }
        create_parent(target)?;
        let lock = FolderLock::take_beside(target, holder)?;
        let (temporary, held) =
            temporary::folder_in(parent(target)).map_err(|error| FileError::unwritable(target, error))?;
        let unfinished = Unfinished::note(temporary.path());
        Ok(Self { temporary, held, target: target.to_path_buf(), unfinished, lock })
    }

    /// Where to write.
    pub fn path(&self) -> &Path {
        self.temporary.path()
    }

    /// Gives the folder its name and runs `then` in the same breath; where that fails all is as it was. Returns the older folder of
    /// that name, if there was one. Between two renames there is none at all: the caller holds a shelter from requests to stop.
    ///
    /// # Errors
    /// [`FileError::Unwritable`], and those of `then`.
    pub fn commit<E: From<FileError>>(
        self,
        then: impl FnOnce() -> Result<(), E>,
    ) -> Result<Option<ReplacedFolder>, E> {
        let Self { temporary, held: _held, target, unfinished: _unfinished, lock } = self;
        let unwritable = |error: std::io::Error| FileError::unwritable(&target, error);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // Temporary folders are private; this one is an ordinary folder.
            fs::set_permissions(temporary.path(), fs::Permissions::from_mode(0o755)).map_err(unwritable)?;
        }
        let aside = tempfile::Builder::new().prefix(REPLACED_PREFIX).tempdir_in(parent(&target));
        let replaced = ReplacedFolder { aside: aside.map_err(unwritable)?, _lock: lock };
        let has_old = target.exists();
        if has_old {
            fs::rename(&target, replaced.path()).map_err(unwritable)?;
        }
        let renamed = fs::rename(temporary.path(), &target);
        match renamed.map_err(|error| unwritable(error).into()).and_then(|()| then()) {
            Ok(()) => {
                // It has another name now: there is nothing left to take away.
                let _renamed = temporary.keep();
                Ok(has_old.then_some(replaced))
            }
            Err(error) => {
                if target.exists() {
                    fs::rename(&target, temporary.path()).map_err(unwritable)?;
                }
                if has_old {
                    fs::rename(replaced.path(), &target).map_err(unwritable)?;
                }
                Err(error)
            }
        }
    }
}

impl ReplacedFolder {
    /// Where the older folder is now.
    pub fn path(&self) -> PathBuf {
        self.aside.path().join("old")
    }

    /// Leaves it there for good.
    pub fn keep(self) -> PathBuf {
        self.aside.keep().join("old")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes the folder with one file, then does `then`.
    fn write(
        target: &Path,
        text: &str,
        then: Result<(), FileError>,
    ) -> Result<Option<ReplacedFolder>, FileError> {
        let pending = PendingFolder::create(target, "a test")?;
        fs::write(pending.path().join("x"), text).unwrap();
        pending.commit(|| then)
    }

    #[test]
    fn the_older_folder_goes_only_when_all_is_done() {
        let root = tempfile::tempdir().unwrap();
        let target = root.path().join("a/digits");
        let text = || fs::read_to_string(target.join("x")).unwrap();
        assert!(write(&target, "first", Ok(())).unwrap().is_none());
        assert!(write(&target, "second", Err(FileError::unwritable("b", "full"))).is_err());
        assert_eq!(text(), "first");
        let replaced = write(&target, "third", Ok(())).unwrap().unwrap();
        assert_eq!(text(), "third");
        assert_eq!(fs::read_to_string(replaced.path().join("x")).unwrap(), "first");
        drop(replaced);
        assert_eq!(fs::read_dir(root.path().join("a")).unwrap().count(), 1, "nothing else is left");
    }

    #[test]
    fn the_second_writer_is_told_who_the_first_is() {
        let root = tempfile::tempdir().unwrap();
        let target = root.path().join("digits");
        let first = PendingFolder::create(&target, "process 7").unwrap();
        let error = PendingFolder::create(&target, "process 8").unwrap_err().to_string();
        assert!(error.contains("digits` cannot be written: process 7 uses it"), "{error}");
        drop(first);
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0, "nothing is left");
        drop(PendingFolder::create(&target, "process 8").unwrap());
    }

    #[test]
    fn a_folder_without_a_name_is_refused() {
        for path in ["..", "/", "."] {
            let error = PendingFolder::create(Path::new(path), "a test").unwrap_err().to_string();
            assert!(error.contains("no name of its own"), "{error}");
        }
    }
}
