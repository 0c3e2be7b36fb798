//! Files that a library opens by their path.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use tempfile::TempPath;

use super::parent_folder::{create_parent, parent};
use crate::error::FileError;

/// A temporary file beside `target` for libraries that insist on opening a path themselves.
#[derive(Debug)]
pub struct PendingFile {
    temporary: TempPath,
    target: PathBuf,
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
        let mut builder = tempfile::Builder::new();
        builder.prefix(".partial-");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // As an ordinary new file would get; the umask still applies.
            builder.permissions(fs::Permissions::from_mode(0o666));
        }
        let temporary = builder
            .tempfile_in(parent(target))
            .map_err(|error| FileError::unwritable(target, error))?
            .into_temp_path();
        Ok(Self { temporary, target: target.to_path_buf() })
    }

    /// Where to write.
    pub fn path(&self) -> &Path {
        &self.temporary
    }

    /// The name the file will have.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// Syncs the file and gives it its name.
    ///
    /// # Errors
    /// [`FileError::Unwritable`].
    pub fn commit(self) -> Result<(), FileError> {
        let Self { temporary, target } = self;
        File::open(&temporary)
            .and_then(|file| file.sync_all())
            .map_err(|error| FileError::unwritable(&target, error))?;
        temporary.persist(&target).map_err(|error| FileError::unwritable(&target, error.error))
    }
}

#[cfg(test)]
mod tests {
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
