//! Files of a folder or of a zip archive, under one kind of name: the path below its root, with `/`.

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::data::error::DataError;
use crate::data::formats::zip::ZipArchive;
use crate::error::one_line;
use crate::files::{InputKind, open_input};

/// Folders deeper than this are not looked into.
const DEEPEST: usize = 16;
const NEEDED_FOR: &str = "pretraining on images";

/// Where files are.
#[derive(Debug)]
enum Place {
    Folder(PathBuf),
    Archive(ZipArchive),
}

/// A folder or archive with the names of its files.
#[derive(Debug)]
pub struct FileStore {
    place: Place,
    names: Vec<String>,
}

impl FileStore {
    /// Lists the files of a folder, or of a file that must be a zip archive. Links are followed (data sets under datalad and subsets
    /// consist of them); hidden files (`.name`) are not seen.
    ///
    /// # Errors
    /// [`DataError`] for a place that is missing, cannot be listed, is a damaged or hostile archive, has names that are no UTF-8, or links
    /// that lead nowhere.
    pub fn open(path: &Path) -> Result<Self, DataError> {
        let (place, mut names) = if path.is_dir() {
            (Place::Folder(path.to_path_buf()), names_of_folder(path)?)
        } else {
            let archive = ZipArchive::open(path, NEEDED_FOR)?;
            let names = archive.names().filter(|name| !name.ends_with('/')).map(String::from).collect();
            (Place::Archive(archive), names)
        };
        names.retain(|name| !name.rsplit('/').next().is_some_and(|last| last.starts_with('.')));
        // Folders and archives list in no order, and the draws over images begin from this one.
        names.sort();
        Ok(Self { place, names })
    }

    /// The folder or archive.
    pub fn root(&self) -> &Path {
        match &self.place {
            Place::Folder(root) => root,
            Place::Archive(archive) => archive.path(),
        }
    }

    /// Names of the files, ascending.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Whether the files are in one archive, which then decides what they hold.
    pub fn is_archive(&self) -> bool {
        matches!(self.place, Place::Archive(_))
    }

    /// Whether there is such a file.
    pub fn contains(&self, name: &str) -> bool {
        self.names.binary_search_by(|known| known.as_str().cmp(name)).is_ok()
    }

    /// Where a file is, for messages and, in a folder, for opening it.
    pub fn path(&self, name: &str) -> PathBuf {
        match &self.place {
            Place::Folder(root) => root.join(name),
            Place::Archive(archive) => archive.path().join(one_line(name)),
        }
    }

    /// Bytes of a file, of which there may be at most `most`.
    ///
    /// # Errors
    /// [`DataError`] for a file that is missing, larger, or cannot be read.
    pub fn read(&self, name: &str, most: u64) -> Result<Vec<u8>, DataError> {
        match &self.place {
            Place::Archive(archive) => archive.read(name, most),
            Place::Folder(root) => {
                let path = root.join(name);
                let failed = |error: io::Error| DataError::from_io(&path, NEEDED_FOR, &error);
                let file = open_input(&path, InputKind::Parts).map_err(failed)?;
                let size = file.metadata().map_err(failed)?.len();
                if size > most {
                    return Err(DataError::invalid(&path, "size", format!("at most {most} bytes"), size));
                }
                let mut bytes = Vec::new();
                // A file that grows meanwhile stays within what was allowed.
                file.take(size).read_to_end(&mut bytes).map_err(failed)?;
                Ok(bytes)
            }
        }
    }

    /// A file that is read piece by piece.
    ///
    /// # Errors
    /// [`DataError`] for a file that is missing or cannot be opened.
    pub fn reader(&self, name: &str) -> Result<Box<dyn Read + '_>, DataError> {
        match &self.place {
            Place::Archive(archive) => Ok(Box::new(archive.reader(name)?)),
            Place::Folder(root) => {
                let path = root.join(name);
                let file = open_input(&path, InputKind::Annotations)
                    .map_err(|error| DataError::from_io(&path, NEEDED_FOR, &error))?;
                Ok(Box::new(file))
            }
        }
    }
}

fn names_of_folder(root: &Path) -> Result<Vec<String>, DataError> {
    let mut names = vec![];
    // A link back to a folder above would be followed for ever.
    let mut known = BTreeSet::new();
    let mut folders = vec![(root.to_path_buf(), String::new(), 0)];
    while let Some((folder, prefix, depth)) = folders.pop() {
        let unreadable = |error| DataError::unreadable(&folder, error);
        if !known.insert(std::fs::canonicalize(&folder).map_err(unreadable)?) {
            continue;
        }
        for entry in std::fs::read_dir(&folder).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            let name = entry.file_name();
            if name.to_string_lossy().starts_with('.') {
                continue;
            }
            let kind = std::fs::metadata(entry.path())
                .map_err(|error| DataError::from_io(entry.path(), NEEDED_FOR, &error))?
                .file_type();
            let name = name
                .to_str()
                .ok_or_else(|| DataError::invalid(entry.path(), "name", "UTF-8", "other bytes"))?;
            if kind.is_dir() && depth < DEEPEST {
                folders.push((entry.path(), format!("{prefix}{name}/"), depth + 1));
            } else if kind.is_file() {
                names.push(format!("{prefix}{name}"));
            }
        }
    }
    Ok(names)
}
