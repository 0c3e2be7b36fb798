//! A file as it was: size, time and content.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::FileError;
use crate::files::{InputKind, open_input};
use crate::interrupt;
use crate::run::error::RunError;
use crate::run::snapshot::hex;

/// Files above this size are known by size and time alone: a step reads all of NSD's images and betas, tens of gigabytes.
const LARGEST_HASHED: u64 = 4 << 30;
/// The same for files of the NSD tree, of which a session of betas has more than one gigabyte.
const LARGEST_HASHED_OF_NSD: u64 = 512 << 20;
/// Bytes read at a time.
const BLOCK: usize = 1 << 20;

/// A file as a step read or wrote it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileRecord {
    /// Relative to the work folder where it lies below it, else absolute.
    pub path: PathBuf,
    /// Size.
    pub bytes: u64,
    /// When it was last written, in nanoseconds since 1970; 0 where the system does not tell.
    pub modified_ns: u64,
    /// SHA-256 in hexadecimal; none for large files, which are known by size and time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

/// Folders that a record knows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Places<'a> {
    /// The work folder.
    pub work: &'a Path,
    /// The NSD tree, if there is one.
    pub nsd: Option<&'a Path>,
}

impl Places<'_> {
    /// A path as a record spells it.
    pub fn spelling(&self, path: &Path) -> PathBuf {
        match path.strip_prefix(self.work) {
            Ok(below) => below.to_path_buf(),
            Err(_) => std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf()),
        }
    }
}

impl FileRecord {
    /// The file as it is now; one that is as large and as old as the `known` one has its content. `needed_for` stands in the error.
    /// Above 4 GiB, or 512 MiB below `nsd`, a file has no hash.
    ///
    /// # Errors
    /// A file that is missing or cannot be read.
    pub(crate) fn of(
        places: &Places<'_>,
        path: &Path,
        known: Option<&Self>,
        needed_for: &str,
    ) -> Result<Self, RunError> {
        let unreadable = |error: std::io::Error| FileError::from_io(path, needed_for, &error);
        let metadata = std::fs::metadata(path).map_err(unreadable)?;
        let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let now = Self {
            path: places.spelling(path),
            bytes: metadata.len(),
            modified_ns: modified.and_then(|time| u64::try_from(time.as_nanos()).ok()).unwrap_or(0),
            sha256: None,
        };
        let is_same = |known: &&Self| {
            (known.bytes, known.modified_ns) == (now.bytes, now.modified_ns) && now.modified_ns > 0
        };
        let is_of_nsd = places.nsd.is_some_and(|nsd| path.starts_with(nsd));
        let largest = if is_of_nsd { LARGEST_HASHED_OF_NSD } else { LARGEST_HASHED };
        let sha256 = match known.filter(is_same).and_then(|known| known.sha256.clone()) {
            Some(sha256) => Some(sha256),
            None if now.bytes > largest => None,
            None => Some(sha256_of(path, needed_for)?),
        };
        Ok(Self { sha256, ..now })
    }

    /// What decides whether a reader of the file gets the same: its content, or size and time of a file too large to be hashed.
    pub(crate) fn content(&self) -> String {
        match &self.sha256 {
            Some(sha256) => sha256.clone(),
            None => format!("{} bytes of {} ns", self.bytes, self.modified_ns),
        }
    }
}

fn sha256_of(path: &Path, needed_for: &str) -> Result<String, RunError> {
    let unreadable = |error: std::io::Error| FileError::from_io(path, needed_for, &error);
    let mut file = open_input(path, InputKind::Parts).map_err(unreadable)?;
    let (mut hash, mut block) = (Sha256::new(), vec![0; BLOCK]);
    loop {
        interrupt::check()?;
        match file.read(&mut block).map_err(unreadable)? {
            0 => return Ok(hex(&hash.finalize())),
            read => hash.update(&block[..read]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_known_by_its_content_and_hashed_once() {
        let root = tempfile::tempdir().unwrap();
        let work = root.path().join("work");
        std::fs::create_dir(&work).unwrap();
        let (inside, outside) = (work.join("a"), root.path().join("b"));
        std::fs::write(&inside, "abc").unwrap();
        std::fs::write(&outside, "abc").unwrap();
        let places = Places { work: &work, nsd: None };
        let of = |path: &Path, known| FileRecord::of(&places, path, known, "a test").unwrap();
        let first = of(&inside, None);
        // FIPS 180-2, appendix B.1.
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!((first.path.as_path(), first.content().as_str()), (Path::new("a"), abc));
        let other = of(&outside, Some(&first));
        assert!(other.path.is_absolute() && other.content() == first.content());
        // The same size and time: what is known is believed. Another time: it is not.
        let lie = FileRecord { sha256: Some("ff".into()), ..first.clone() };
        assert_eq!(of(&inside, Some(&lie)).content(), "ff");
        assert_eq!(of(&inside, Some(&FileRecord { modified_ns: 1, ..lie.clone() })).content(), abc);
        let error = FileRecord::of(&places, &work.join("none"), None, "a test");
        let error = error.unwrap_err().to_string();
        assert!(error.ends_with("none` is missing; it is needed for a test"), "{error}");
    }
}
