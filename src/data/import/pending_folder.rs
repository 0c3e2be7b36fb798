//! The folder of an imported subject's pictures and captions, whole or not at all.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::data::error::DataError;
use crate::files::{Unfinished, temporary_folder_in};
use crate::interrupt::Shelter;

/// A folder under a temporary name beside its target.
pub struct PendingFolder {
    temporary: TempDir,
    /// Held until the folder has its name or is gone.
    lock: Option<File>,
    target: PathBuf,
    unfinished: Unfinished,
}

impl PendingFolder {
    /// Starts a folder that is to become `target`.
    ///
    /// # Errors
    /// [`DataError::unwritable`].
    pub fn create(target: &Path) -> Result<Self, DataError> {
        let unwritable = |error: std::io::Error| DataError::unwritable(target, error);
        let parent = target.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(parent).map_err(unwritable)?;
        let (temporary, lock) = temporary_folder_in(parent).map_err(unwritable)?;
        let unfinished = Unfinished::note(temporary.path());
        Ok(Self { temporary, lock, target: target.to_path_buf(), unfinished })
    }

    /// Where to write.
    pub fn path(&self) -> &Path {
        self.temporary.path()
    }

    /// Gives the folder its name, in the place of an older one, and runs `then` in the same breath.
    ///
    /// # Errors
    /// [`DataError::unwritable`], and those of `then`.
    pub fn commit(self, then: impl FnOnce() -> Result<(), DataError>) -> Result<(), DataError> {
        let Self { temporary, lock: _lock, target, unfinished: _unfinished } = self;
        // Between two renames there are no pictures at all: not a moment to be stopped at.
        let _shelter = Shelter::new();
        let unwritable = |error: std::io::Error| DataError::unwritable(&target, error);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // Temporary folders are private; this one is an ordinary folder.
            fs::set_permissions(temporary.path(), fs::Permissions::from_mode(0o755)).map_err(unwritable)?;
        }
        let parent = target.parent().unwrap_or(Path::new("."));
        // Taken away when it goes out of scope, after the new one is in its place.
        let aside = tempfile::Builder::new().prefix(".replaced-").tempdir_in(parent).map_err(unwritable)?;
        let old = aside.path().join("old");
        let has_old = target.exists();
        if has_old {
            fs::rename(&target, &old).map_err(unwritable)?;
        }
        let done = fs::rename(temporary.path(), &target).map_err(unwritable).and_then(|()| then());
        match done {
            Ok(()) => {
                // It has another name now: there is nothing left to take away.
                let _renamed = temporary.keep();
                Ok(())
            }
            Err(error) => {
                if target.exists() {
                    fs::rename(&target, temporary.path()).map_err(unwritable)?;
                }
                if has_old {
                    fs::rename(&old, &target).map_err(unwritable)?;
                }
                Err(error)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_older_folder_goes_only_when_all_is_done() {
        let root = tempfile::tempdir().unwrap();
        let target = root.path().join("a/digits");
        let write = |text: &str, then: Result<(), DataError>| {
            let pending = PendingFolder::create(&target).unwrap();
            fs::write(pending.path().join("x"), text).unwrap();
            pending.commit(|| then)
        };
        write("first", Ok(())).unwrap();
        assert!(write("second", Err(DataError::unwritable("b", "full"))).is_err());
        assert_eq!(fs::read_to_string(target.join("x")).unwrap(), "first");
        write("third", Ok(())).unwrap();
        assert_eq!(fs::read_to_string(target.join("x")).unwrap(), "third");
        assert_eq!(fs::read_dir(root.path().join("a")).unwrap().count(), 1, "nothing else is left");
    }
}
