//! Files written in one go or as a stream.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use atomic_write_file::AtomicWriteFile;

use super::parent_folder::create_parent;
use crate::error::FileError;

/// A file that takes its name on [`AtomicFile::commit`]; dropped before, it leaves what was there as it was.
#[derive(Debug)]
pub struct AtomicFile {
    file: AtomicWriteFile,
    path: PathBuf,
}

impl AtomicFile {
    /// Starts the file at `path` and makes its folder.
    ///
    /// # Errors
    /// [`FileError::Unwritable`] with the system's words.
    pub fn create(path: &Path) -> Result<Self, FileError> {
        create_parent(path)?;
        let file = AtomicWriteFile::open(path).map_err(|error| FileError::unwritable(path, error))?;
        Ok(Self { file, path: path.to_path_buf() })
    }

    /// Syncs the file and gives it its name.
    ///
    /// # Errors
    /// [`FileError::Unwritable`].
    pub fn commit(self) -> Result<(), FileError> {
        let Self { file, path } = self;
        file.commit().map_err(|error| FileError::unwritable(path, error))
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Writes `bytes` in one step and makes the folder of `path`.
///
/// # Errors
/// [`FileError::Unwritable`].
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let mut file = AtomicFile::create(path)?;
    file.write_all(bytes).map_err(|error| FileError::unwritable(path, error))?;
    file.commit()
}

/// Writes a file through `fill`; on any error the old file, if any, stays as it was.
///
/// # Errors
/// [`FileError::Unwritable`] with the system's words.
pub fn write_through(
    path: &Path,
    fill: impl FnOnce(&mut BufWriter<&mut File>) -> io::Result<()>,
) -> Result<(), FileError> {
    let mut file = AtomicFile::create(path)?;
    let mut buffer = BufWriter::with_capacity(1 << 20, file.file.as_file_mut());
    let filled = fill(&mut buffer).and_then(|()| buffer.flush());
    drop(buffer);
    filled.map_err(|error| FileError::unwritable(path, error))?;
    file.commit()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sub/out.txt");
        write_through(&path, |out| out.write_all(b"old")).unwrap();
        let failed = write_through(&path, |out| {
            out.write_all(b"new")?;
            Err(io::Error::other("disk full"))
        });
        assert!(failed.unwrap_err().to_string().contains("cannot be written: disk full"));
        let mut dropped = AtomicFile::create(&path).unwrap();
        dropped.write_all(b"newer").unwrap();
        drop(dropped);
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        write_atomic(&path, b"newest").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"newest");
    }
}
