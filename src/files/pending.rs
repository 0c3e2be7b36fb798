//! Files that a library opens by their path.

use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::parent_folder::{create_parent, parent};
use super::temporary;
use super::unfinished::Unfinished;
use crate::error::FileError;

/// The variable that says whether HDF5 locks the files that it opens; src/main.rs sets it to `FALSE` where it is not set.
const HDF5_LOCKING: &str = "HDF5_USE_FILE_LOCKING";

/// A temporary file beside `target` for libraries that insist on opening a path themselves.
#[derive(Debug)]
pub struct PendingFile {
    temporary: NamedTempFile,
    target: PathBuf,
    unfinished: Unfinished,
}

impl PendingFile {
    /// Reserves the temporary name; fails early when the folder cannot be written.
    ///
    /// # Errors
    /// [`FileError::Unwritable`].
    pub fn create(target: &Path) -> Result<Self, FileError> {
        create_parent(target)?;
        if target.is_dir() {
            return Err(FileError::unwritable(target, "it is a folder"));
        }
        let unwritable = |error: std::io::Error| FileError::unwritable(target, error);
        let temporary = temporary::file_in(parent(target)).map_err(unwritable)?;
        if std::env::var_os(HDF5_LOCKING).is_none_or(|value| value != "FALSE" && value != "0") {
            // The library will take the lock itself, and could not while it is held here.
            temporary.as_file().unlock().map_err(unwritable)?;
        }
        let unfinished = Unfinished::note(temporary.path());
        Ok(Self { temporary, target: target.to_path_buf(), unfinished })
    }

    /// Where to write.
    pub fn path(&self) -> &Path {
        self.temporary.path()
    }

    /// The name the file will have.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// Brings what was written to the disk.
    ///
    /// # Errors
    /// [`FileError::Unwritable`].
    pub fn sync(&self) -> Result<(), FileError> {
        self.temporary.as_file().sync_all().map_err(|error| FileError::unwritable(&self.target, error))
    }

    /// Syncs the file and gives it its name.
    ///
    /// # Errors
    /// [`FileError::Unwritable`].
    pub fn commit(self) -> Result<(), FileError> {
        self.sync()?;
        let Self { temporary, target, unfinished: _unfinished } = self;
        match temporary.persist(&target) {
            Ok(_) => Ok(()),
            Err(error) => Err(FileError::unwritable(&target, error.error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_dropped_pending_file_vanishes_and_a_committed_one_has_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("a.h5");
        let pending = PendingFile::create(&target).unwrap();
        fs::write(pending.path(), b"x").unwrap();
        drop(pending);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);

        let pending = PendingFile::create(&target).unwrap();
        fs::write(pending.path(), b"y").unwrap();
        pending.commit().unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"y");
        assert!(PendingFile::create(folder.path()).is_err());
    }
}
