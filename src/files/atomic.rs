//! Files written in one go or as a stream.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::parent_folder::{create_parent, parent};
use super::temporary;
use super::unfinished::Unfinished;
use crate::error::FileError;

/// A file that takes its name on [`AtomicFile::commit`]; dropped before, it leaves what was there as it was.
#[derive(Debug)]
pub struct AtomicFile {
    file: NamedTempFile,
    path: PathBuf,
    unfinished: Unfinished,
}

impl AtomicFile {
    /// Starts the file at `path` and makes its folder.
    ///
    /// # Errors
    /// [`FileError::Unwritable`] with the system's words.
    pub fn create(path: &Path) -> Result<Self, FileError> {
        create_parent(path)?;
        let unwritable = |error: io::Error| FileError::unwritable(path, error);
        if path.is_dir() {
            return Err(FileError::unwritable(path, "it is a folder"));
        }
        let file = temporary::file_in(parent(path)).map_err(unwritable)?;
        keep_access(path, file.as_file()).map_err(unwritable)?;
        let unfinished = Unfinished::note(file.path());
        Ok(Self { file, path: path.to_path_buf(), unfinished })
    }

    /// Syncs the file and gives it its name.
    ///
    /// # Errors
    /// [`FileError::Unwritable`].
    pub fn commit(self) -> Result<(), FileError> {
        let Self { file, path, unfinished: _unfinished } = self;
        file.as_file().sync_all().map_err(|error| FileError::unwritable(&path, error))?;
        match file.persist(&path) {
            Ok(_) => Ok(()),
            Err(error) => Err(FileError::unwritable(path, error.error)),
        }
    }
}

/// Gives a new file the permissions of the one that it will replace and, where that is allowed, its owner.
#[cfg(unix)]
fn keep_access(path: &Path, new: &File) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, fchown};
    let Ok(old) = std::fs::symlink_metadata(path) else { return Ok(()) };
    if !old.is_file() {
        return Ok(());
    }
    if fchown(new, Some(old.uid()), Some(old.gid())).is_err() {
        // Only the owner's own files may change hands: it is the writer's from now on.
    }
    new.set_permissions(old.permissions())
}

/// Gives a new file the permissions of the one that it will replace.
#[cfg(not(unix))]
fn keep_access(_path: &Path, _new: &File) -> io::Result<()> {
    Ok(())
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

    #[test]
    fn two_that_write_the_same_file_at_once_both_end_right() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("clip-0.safetensors");
        let whole = [vec![1_u8; 1 << 16], vec![2; 1 << 16]];
        std::thread::scope(|scope| {
            for bytes in &whole {
                scope.spawn(|| (0..50).for_each(|_| write_atomic(&path, bytes).unwrap()));
            }
        });
        assert!(whole.contains(&fs::read(&path).unwrap()));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn permissions_are_those_of_the_file_before_or_of_a_new_one() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (path, plain) = (folder.path().join("a.json"), folder.path().join("b.json"));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        fs::write(&plain, "x").unwrap();
        write_atomic(&path, b"old").unwrap();
        assert_eq!(mode(&path), mode(&plain), "the umask's");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        write_atomic(&path, b"new").unwrap();
        assert_eq!(mode(&path), 0o640);
        assert!(write_atomic(folder.path(), b"x").unwrap_err().to_string().contains("it is a folder"));
    }
}
