//! Outputs appear whole or not at all: written under a temporary name beside the target, synced, renamed.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use atomic_write_file::AtomicWriteFile;
use tempfile::TempPath;

use crate::data::error::DataError;

/// Writes a file through `fill`; on any error the old file, if any, stays as it was.
///
/// # Errors
/// [`DataError::Unwritable`] with the system's words.
pub fn write_file(
    path: &Path,
    fill: impl FnOnce(&mut BufWriter<&mut File>) -> std::io::Result<()>,
) -> Result<(), DataError> {
    let unwritable = |error: std::io::Error| DataError::unwritable(path, error);
    create_parent(path)?;
    let mut file = AtomicWriteFile::open(path).map_err(unwritable)?;
    let mut buffer = BufWriter::with_capacity(1 << 20, file.as_file_mut());
    fill(&mut buffer).and_then(|()| buffer.flush()).map_err(unwritable)?;
    drop(buffer);
    file.commit().map_err(unwritable)
}

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
    /// [`DataError::Unwritable`].
    pub fn create(target: &Path) -> Result<Self, DataError> {
        create_parent(target)?;
        if target.is_dir() {
            return Err(DataError::unwritable(target, "it is a folder"));
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
            .map_err(|error| DataError::unwritable(target, error))?
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
    /// [`DataError::Unwritable`].
    pub fn commit(self) -> Result<(), DataError> {
        let Self { temporary, target } = self;
        File::open(&temporary)
            .and_then(|file| file.sync_all())
            .map_err(|error| DataError::unwritable(&target, error))?;
        temporary.persist(&target).map_err(|error| DataError::unwritable(&target, error.error))
    }
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

fn create_parent(path: &Path) -> Result<(), DataError> {
    fs::create_dir_all(parent(path)).map_err(|error| DataError::unwritable(path, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sub/out.txt");
        write_file(&path, |out| out.write_all(b"old")).unwrap();
        let failed = write_file(&path, |out| {
            out.write_all(b"new")?;
            Err(std::io::Error::other("disk full"))
        });
        assert!(failed.unwrap_err().to_string().contains("cannot be written: disk full"));
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

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
