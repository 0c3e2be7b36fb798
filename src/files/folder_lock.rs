//! A folder or a file that one process at a time may write.
//!
//! The lock is the system's and ends with its process, however that ends. The file that is locked says who holds it; it goes
//! when the lock is given back, and what a killed process leaves of it locks nobody out.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use super::input::{InputKind, open_input};
use super::parent_folder::create_parent;
use super::said::warn_once;
use super::unfinished::Unfinished;
use crate::error::{FileError, one_line};

/// Name of the file that is locked.
const LOCK_FILE: &str = "run.lock";
/// Longest note of a holder that is shown, in bytes.
const LONGEST_NOTE: u64 = 200;
/// A lock that is given back just as it is taken is tried again so often.
const TRIES: usize = 20;

/// A lock; dropping it gives it back.
#[derive(Debug)]
pub struct FolderLock {
    /// Closed last: the file of its name goes before the lock.
    file: File,
    path: PathBuf,
    /// A process that is ended from outside takes its locks away, too.
    _unfinished: Unfinished,
}

impl FolderLock {
    /// Takes the lock of `folder`; `holder` says who does, for those who come later. None, with a warning, where the file system
    /// has no locks.
    ///
    /// # Errors
    /// [`FileError::Unwritable`] that names the holder, when there is one, or when the folder cannot be written.
    pub fn take(folder: &Path, holder: &str) -> Result<Option<Self>, FileError> {
        Self::take_by(&folder.join(LOCK_FILE), folder, holder)
    }

    /// Takes the lock of `target`, which need not be there: the file that is locked lies beside it. None, with a warning, where the
    /// file system has no locks.
    ///
    /// # Errors
    /// As [`FolderLock::take`].
    pub fn take_beside(target: &Path, holder: &str) -> Result<Option<Self>, FileError> {
        create_parent(target)?;
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        Self::take_by(&target.with_file_name(format!(".{name}.lock")), target, holder)
    }

    /// Locks the file at `path`, which stands for `what`.
    fn take_by(path: &Path, what: &Path, holder: &str) -> Result<Option<Self>, FileError> {
        let unwritable = |error: std::io::Error| FileError::unwritable(path, error);
        for _ in 0..TRIES {
            let options = OpenOptions::new().read(true).write(true).create(true).truncate(false).clone();
            let mut file = options.open(path).map_err(unwritable)?;
            match file.try_lock() {
                Ok(()) if is_at(&file, path) => {
                    let mut lock =
                        Self { file, path: path.to_path_buf(), _unfinished: Unfinished::note(path) };
                    let noted = lock.file.set_len(0).and_then(|()| lock.file.write_all(holder.as_bytes()));
                    return noted.map(|()| Some(lock)).map_err(unwritable);
                }
                // Given back, and its file removed, between opening and locking.
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    let reason = format!("{} uses it; wait until that ends, or stop it", note(&mut file));
                    return Err(FileError::unwritable(what, reason));
                }
                Err(TryLockError::Error(error)) => {
                    warn_once(&format!(
                        "`{}` cannot be locked ({error}): make sure that no other process writes there",
                        what.display()
                    ));
                    return Ok(None);
                }
            }
        }
        Err(FileError::unwritable(what, "its lock changes hands all the time"))
    }

    /// Whether a process that is alive holds the lock of `folder`.
    pub fn is_held(folder: &Path) -> bool {
        open_input(&folder.join(LOCK_FILE), InputKind::Text)
            .is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }
}

impl Drop for FolderLock {
    fn drop(&mut self) {
        // While it is locked, so that nobody's lock is on a file without a name.
        if std::fs::remove_file(&self.path).is_err() {
            // It stays behind and locks nobody out.
        }
    }
}

/// Who holds the lock, as far as the file tells.
fn note(file: &mut File) -> String {
    let mut text = Vec::new();
    let read = file.rewind().and_then(|()| Read::take(&mut *file, LONGEST_NOTE).read_to_end(&mut text));
    match read {
        Ok(length) if length > 0 => one_line(String::from_utf8_lossy(&text)),
        _ => "another process".into(),
    }
}

/// Whether the open file is still the one of that name.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let key = |metadata: std::fs::Metadata| (metadata.dev(), metadata.ino());
    let same = file.metadata().and_then(|open| Ok(key(open) == key(std::fs::metadata(path)?)));
    same.unwrap_or(false)
}

/// Whether the open file is still the one of that name: it cannot be removed while it is open.
#[cfg(not(unix))]
fn is_at(_file: &File, path: &Path) -> bool {
    path.exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_yet_is_locked_from_beside_it() {
        let root = tempfile::tempdir().unwrap();
        let target = root.path().join("imported/alice");
        let _first = FolderLock::take_beside(&target, "process 7").unwrap().unwrap();
        let _other = FolderLock::take_beside(&target.with_file_name("bob"), "process 8").unwrap().unwrap();
        let error = FolderLock::take_beside(&target, "process 8").unwrap_err().to_string();
        assert!(error.contains("imported/alice` cannot be written: process 7 uses it"), "{error}");
        assert!(!target.exists());
    }

    #[test]
    fn the_second_is_told_who_the_first_is_and_gets_it_afterwards() {
        let root = tempfile::tempdir().unwrap();
        assert!(!FolderLock::is_held(root.path()));
        let first = FolderLock::take(root.path(), "process 7 on node3 since noon").unwrap().unwrap();
        assert!(FolderLock::is_held(root.path()));
        let error = FolderLock::take(root.path(), "process 8").unwrap_err().to_string();
        let expected = format!(
            "`{}` cannot be written: process 7 on node3 since noon uses it; wait until that ends, or stop it",
            root.path().display()
        );
        assert_eq!(error, expected);
        drop(first);
        assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 0, "nothing is left");
        // What a killed process leaves.
        std::fs::write(root.path().join(LOCK_FILE), "process 7 on node3 since noon, a long story").unwrap();
        assert!(!FolderLock::is_held(root.path()));
        let _second = FolderLock::take(root.path(), "process 8").unwrap().unwrap();
        let error = FolderLock::take(root.path(), "process 9").unwrap_err().to_string();
        assert!(error.contains("written: process 8 uses it"), "{error}");
    }
}
