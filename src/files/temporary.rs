//! Temporary files beside their targets, and what killed runs left of them.
//!
//! Whoever makes a temporary file keeps it locked, so one that nobody holds is a stray: its process is gone, on whatever
//! machine it ran. The first write into a folder removes the strays in it. Where a file system has no locks, nobody can tell,
//! and everything stays.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tempfile::{NamedTempFile, TempDir};

/// Begins the names of temporary files and folders.
const PREFIX: &str = ".partial-mindreader-";
/// Begins those of older versions, which wrote nothing but HDF5 under such names.
const OLDER_PREFIX: &str = ".partial-";
/// Begins every HDF5 file.
const HDF5_SIGNATURE: [u8; 8] = *b"\x89HDF\r\n\x1a\n";
/// Letters and digits behind the prefix.
const SUFFIX_LEN: usize = 6;
/// Where a folder cannot be locked, a file may have been made but not locked yet; none is that old.
const MAKING_AT_MOST: Duration = Duration::from_secs(600);

/// Folders whose strays are gone.
static SWEPT: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// A locked temporary file in `folder`, with the permissions of an ordinary new file.
pub(super) fn file_in(folder: &Path) -> io::Result<NamedTempFile> {
    sweep_once(folder);
    let _making = making(folder);
    let mut builder = tempfile::Builder::new();
    builder.prefix(PREFIX).rand_bytes(SUFFIX_LEN);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // The umask still applies.
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    let file = builder.tempfile_in(folder)?;
    hold(file.as_file());
    Ok(file)
}

/// A locked temporary folder in `folder`, and what holds the lock.
///
/// # Errors
/// The system's, when it cannot be made.
pub(super) fn folder_in(folder: &Path) -> io::Result<(TempDir, Option<File>)> {
    sweep_once(folder);
    let _making = making(folder);
    let made = tempfile::Builder::new().prefix(PREFIX).rand_bytes(SUFFIX_LEN).tempdir_in(folder)?;
    let lock = File::open(made.path()).ok();
    lock.iter().for_each(hold);
    Ok((made, lock))
}

fn hold(file: &File) {
    if file.try_lock().is_err() {
        // No locks here: then nobody removes it either.
    }
}

/// Removes the temporary files of killed processes in `folder`, at the first call for it.
fn sweep_once(folder: &Path) {
    if SWEPT.lock().unwrap_or_else(PoisonError::into_inner).insert(folder.to_path_buf()) {
        sweep(folder);
    }
}

fn sweep(folder: &Path) {
    let lock = File::open(folder).ok().filter(|folder| folder.try_lock().is_ok());
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let Ok(kind) = entry.file_type() else { continue };
        let (name, path) = (entry.file_name(), entry.path());
        let name = name.to_string_lossy();
        let is_old = || {
            let modified = entry.metadata().and_then(|metadata| metadata.modified()).ok();
            let age = modified.and_then(|modified| modified.elapsed().ok());
            age.is_some_and(|age| age > MAKING_AT_MOST)
        };
        if !is_temporary(&name) || kind.is_symlink() || (lock.is_none() && !is_old()) {
            continue;
        }
        let removed = match File::options().read(true).write(kind.is_file()).open(&path) {
            Ok(file) if is_ours(&name, &file) && file.try_lock().is_ok() => match kind.is_dir() {
                true => fs::remove_dir_all(&path),
                false => fs::remove_file(&path),
            },
            _ => continue,
        };
        if removed.is_err() {
            // Another user's, perhaps: it is in nobody's way.
        }
    }
}

/// Held while a temporary file is made, until that is locked: a sweep, which takes the whole lock, waits for its turn.
fn making(folder: &Path) -> Option<File> {
    File::open(folder).ok().filter(|folder| folder.try_lock_shared().is_ok())
}

/// `.partial-mindreader-x7Kp2a`, or `.partial-x7Kp2a` of older versions.
pub fn is_temporary(name: &str) -> bool {
    let suffix = name.strip_prefix(PREFIX).or_else(|| name.strip_prefix(OLDER_PREFIX));
    suffix.is_some_and(|suffix| {
        suffix.len() == SUFFIX_LEN && suffix.bytes().all(|byte| byte.is_ascii_alphanumeric())
    })
}

/// Other programs, too, may name files as older versions did.
fn is_ours(name: &str, mut file: &File) -> bool {
    if name.starts_with(PREFIX) {
        return true;
    }
    let mut start = Vec::new();
    let is_read = file.by_ref().take(HDF5_SIGNATURE.len() as u64).read_to_end(&mut start).is_ok();
    is_read && (start.is_empty() || start == HDF5_SIGNATURE)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names in a folder.
    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap().flatten();
        let mut names: Vec<String> =
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn what_nobody_holds_goes_and_what_is_held_or_of_others_stays() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
        write(".partial-mindreader-aB3dE6", b"{\"half\"");
        write(".partial-x7Kp2a", b"\x89HDF\r\n\x1a\nhalf of it");
        write(".partial-x7Kp2b", b"");
        fs::create_dir_all(folder.path().join(".partial-mindreader-aB3dE7/nsddata")).unwrap();
        for (name, bytes) in [
            (".partial-x7Kp2c", &b"of another program"[..]),
            (".partial-mindreader-notes", b"mine"),
            (".subj01.json.x7Kp2a", b"of rsync"),
            ("subj01.json", b"{}"),
        ] {
            write(name, bytes);
        }
        // As a process that is alive holds its own.
        let held = folder.path().join(".partial-mindreader-aB3dE8");
        write(".partial-mindreader-aB3dE8", b"half");
        let owner = File::options().write(true).open(&held).unwrap();
        owner.lock().unwrap();

        sweep(folder.path());
        let kept = [
            ".partial-mindreader-aB3dE8",
            ".partial-mindreader-notes",
            ".partial-x7Kp2c",
            ".subj01.json.x7Kp2a",
            "subj01.json",
        ];
        assert_eq!(names(folder.path()), kept);
        drop(owner);
        sweep(folder.path());
        assert_eq!(names(folder.path()), &kept[1..]);
    }

    #[test]
    fn files_and_folders_under_way_survive_another_process() {
        let folder = tempfile::tempdir().unwrap();
        let file = file_in(folder.path()).unwrap();
        let (tree, lock) = folder_in(folder.path()).unwrap();
        sweep(folder.path());
        assert!(file.path().is_file() && tree.path().is_dir() && lock.is_some());
    }
}
