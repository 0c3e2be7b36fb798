//! A zip archive on disk, of any size: its directory in memory, its entries read one by one.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::directory::ZipDirectory;
use super::end::End;
use super::entry_reader::{EntryReader, fault_of_io};
use crate::data::error::DataError;
use crate::error::Fault;
use crate::files::{InputKind, open_input};

/// Bytes of a directory; millions of entries stay below.
const LARGEST_DIRECTORY: u64 = 1 << 29;
/// Unpacked bytes for each byte of the archive: numbers as text pack to a third, flat drawings to a twentieth.
const UNPACKED_PER_BYTE: u64 = 32;
/// Unpacked bytes that even the smallest archive may have.
const FREE_BYTES: u64 = 64 << 20;

/// An open archive.
#[derive(Debug)]
pub struct ZipArchive {
    path: PathBuf,
    file: File,
    directory: ZipDirectory,
}

impl ZipArchive {
    /// Reads the directory and checks it; no entry is unpacked.
    ///
    /// # Errors
    /// [`DataError`] for a file that is missing, no zip archive, damaged, or unpacks into far more than it is.
    pub fn open(path: &Path, needed_for: &str) -> Result<Self, DataError> {
        let failed = |error: io::Error| DataError::from_io(path, needed_for, &error);
        let mut file = open_input(path, InputKind::Parts).map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len();
        let tail_at = length.saturating_sub(End::TAIL as u64);
        let tail = bytes_at(&mut file, tail_at, length - tail_at).map_err(failed)?;
        let end = End::find(&tail, tail_at).map_err(|fault| DataError::faulty(path, fault))?;
        if end.size > LARGEST_DIRECTORY {
            let expected = format!("at most {LARGEST_DIRECTORY} bytes");
            return Err(DataError::invalid(path, "size of the zip directory", expected, end.size));
        }
        let records = bytes_at(&mut file, end.offset, end.size).map_err(failed)?;
        let directory =
            ZipDirectory::parse(&records, &end).map_err(|fault| DataError::faulty(path, fault))?;
        // An archive that claims to unpack into far more than it is gets refused before anything is unpacked.
        let most = length.saturating_mul(UNPACKED_PER_BYTE).saturating_add(FREE_BYTES);
        let unpacked = directory.unpacked_size();
        if unpacked > most {
            let expected = format!("at most {most} from an archive of this size");
            return Err(DataError::invalid(path, "number of unpacked bytes", expected, unpacked));
        }
        Ok(Self { path: path.to_path_buf(), file, directory })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Names of all entries, in no order; those of folders end in `/`.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.directory.names()
    }

    /// Whether there is such an entry.
    pub fn contains(&self, name: &str) -> bool {
        self.directory.contains(name)
    }

    /// Bytes of an entry, of which there may be at most `most`.
    ///
    /// # Errors
    /// [`DataError`] that names the archive and the entry.
    pub fn read(&self, name: &str, most: u64) -> Result<Vec<u8>, DataError> {
        let field = format!("zip entry `{name}`");
        let size = self.directory.entry(name).map_err(|fault| DataError::faulty(&self.path, fault))?.size();
        if size > most {
            let (expected, found) = (format!("at most {most} bytes"), format!("{size} bytes"));
            return Err(DataError::faulty(&self.path, Fault::new(field, expected, found)));
        }
        let mut bytes = Vec::new();
        self.reader(name)?
            .read_to_end(&mut bytes)
            .map_err(|error| DataError::faulty(&self.path, fault_of_io(&field, error)))?;
        Ok(bytes)
    }

    /// Unpacks an entry while it is read, in little memory. Its bytes are checked when the end is reached; a fault of the
    /// archive is the source of the error then.
    ///
    /// # Errors
    /// [`DataError`] that names the archive and the entry.
    pub fn reader(&self, name: &str) -> Result<impl Read + use<'_>, DataError> {
        let unreadable = |error: io::Error| DataError::unreadable(&self.path, error);
        let open = || -> Result<EntryReader<_>, DataError> {
            let entry = self.directory.entry(name).map_err(|fault| DataError::faulty(&self.path, fault))?;
            let header = entry.local_header();
            let mut file = &self.file;
            let local = bytes_at(&mut file, header.start, header.end - header.start).map_err(unreadable)?;
            let packed = entry.packed(name, &local).map_err(|fault| DataError::faulty(&self.path, fault))?;
            file.seek(SeekFrom::Start(packed.start)).map_err(unreadable)?;
            let bytes = BufReader::with_capacity(1 << 16, file.take(packed.end - packed.start));
            entry.reader(name, bytes).map_err(|fault| DataError::faulty(&self.path, fault))
        };
        open()
    }
}

/// Up to `count` bytes from `at` on; fewer where the file ends.
fn bytes_at(file: &mut (impl Read + Seek), at: u64, count: u64) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(at))?;
    let mut bytes = Vec::new();
    file.take(count).read_to_end(&mut bytes)?;
    Ok(bytes)
}
