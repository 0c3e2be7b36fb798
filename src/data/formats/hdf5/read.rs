//! Open files and datasets.

use std::ops::Range;
use std::path::{Path, PathBuf};

use hdf5_metno::types::{TypeDescriptor, VarLenAscii, VarLenUnicode};
use hdf5_metno::{Dataset, File, Group, H5Type, Hyperslab, Location, LocationType, SliceOrIndex};

use super::elsewhere::{check_sources, check_way};
use super::words::{NEWER_FORMAT, in_words};
use crate::data::error::DataError;
use crate::files::{InputKind, open_input};

/// Whole datasets are refused above `file size × this` (the most that deflate can shrink) …
const MAX_DEFLATE_RATIO: u64 = 1032;
/// … unless they are smaller than this, in bytes.
const ALWAYS_ALLOWED: u64 = 64 << 20;
/// Datasets of a listing: a file of thousands is no list to choose from.
const MOST_LISTED: usize = 256;
/// Groups within groups of a listing.
const DEEPEST_LISTED: usize = 8;
/// What MATLAB calls the class of a variable.
const MATLAB_CLASS: &str = "MATLAB_class";

/// An HDF5 file open for reading.
#[derive(Debug)]
pub struct H5File {
    path: PathBuf,
    file: File,
}

impl H5File {
    /// Opens a file.
    ///
    /// # Errors
    /// [`DataError::missing`] with `needed_for`; [`DataError::unreadable`] for a truncated or foreign file.
    pub fn open(path: &Path, needed_for: &str) -> Result<Self, DataError> {
        // The system's words for "not there" and "not allowed" are better than the library's.
        open_input(path, InputKind::Parts).map_err(|error| DataError::from_io(path, needed_for, &error))?;
        let file = File::open(path).map_err(|error| DataError::unreadable(path, in_words(&error)))?;
        Ok(Self { path: path.to_path_buf(), file })
    }

    /// The path it was opened by.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes before the HDF5 content, as MATLAB's `.mat` files have them.
    pub fn userblock(&self) -> u64 {
        self.file.userblock()
    }

    /// Whether there is an object of this name.
    pub fn has(&self, name: &str) -> bool {
        let groups = name.rsplit_once('/').map_or("", |(groups, _)| groups);
        // Behind a way that must not be gone there may be one: whoever opens it is told.
        check_way(&self.file, &self.path, groups).is_err() || self.file.link_exists(name)
    }

    /// A dataset by its path inside the file.
    ///
    /// # Errors
    /// [`DataError::Invalid`] listing what there is instead; [`DataError::unreadable`] where it leads to what is no regular file.
    pub fn dataset(&self, name: &str) -> Result<H5Dataset, DataError> {
        let leads_astray =
            |error: String| DataError::unreadable(&self.path, format!("dataset `/{name}`: {error}"));
        check_way(&self.file, &self.path, name).map_err(leads_astray)?;
        let dataset = self.file.dataset(name).map_err(|error| {
            let reason = in_words(&error);
            if reason.starts_with(NEWER_FORMAT) {
                return leads_astray(reason);
            }
            let names = self.file.member_names().unwrap_or_default();
            let found = if names.iter().any(|member| member == name) {
                "a link that leads nowhere, or no dataset".to_string()
            } else {
                format!("not among: {}", names.join(", "))
            };
            DataError::invalid(&self.path, format!("dataset `/{name}`"), "there", found)
        })?;
        check_sources(&dataset).map_err(leads_astray)?;
        Ok(H5Dataset { path: self.path.clone(), name: name.to_string(), dataset })
    }

    /// Names of the members of a group.
    ///
    /// # Errors
    /// [`DataError::Invalid`] when there is no such group.
    pub fn members(&self, group: &str) -> Result<Vec<String>, DataError> {
        let invalid = |found: String| {
            DataError::invalid(&self.path, format!("group `/{group}`"), "a readable group", found)
        };
        check_way(&self.file, &self.path, group).map_err(invalid)?;
        let members = self.file.group(group).and_then(|group| group.member_names());
        members.map_err(|error| invalid(in_words(&error)))
    }

    /// Paths and sizes of all datasets, those of groups as `group/name`; at most [`MOST_LISTED`], [`DEEPEST_LISTED`] groups deep.
    pub fn datasets(&self) -> Vec<(String, Vec<usize>)> {
        let mut found = Vec::new();
        list_datasets(&self.file, &self.path, "", DEEPEST_LISTED, &mut found);
        found
    }

    /// Complains of the first member of the file that leads where it must not, or to nothing.
    ///
    /// # Errors
    /// [`DataError::unreadable`], as [`H5File::dataset`].
    pub fn require_readable_members(&self) -> Result<(), DataError> {
        for name in self.file.member_names().unwrap_or_default() {
            let is_group = check_way(&self.file, &self.path, &name).is_ok()
                && self.file.loc_type_by_name(&name).is_ok_and(|kind| kind != LocationType::Dataset);
            if !is_group {
                self.dataset(&name)?;
            }
        }
        Ok(())
    }

    /// Whether the file has an attribute of this name.
    pub fn has_attribute(&self, name: &str) -> bool {
        self.file.attr_names().is_ok_and(|names| names.iter().any(|known| known == name))
    }

    /// A text attribute of the file.
    ///
    /// # Errors
    /// [`DataError::Invalid`] when it is missing or no text.
    pub fn text_attribute(&self, name: &str) -> Result<String, DataError> {
        text_attribute(&self.path, "/", &self.file, name)
    }
}

/// A dataset of an [`H5File`].
#[derive(Debug)]
pub struct H5Dataset {
    path: PathBuf,
    name: String,
    dataset: Dataset,
}

impl H5Dataset {
    /// The file it lies in.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether MATLAB wrote it, whose axes lie in the file the other way round.
    pub fn is_of_matlab(&self) -> bool {
        self.dataset.attr_names().is_ok_and(|names| names.iter().any(|name| name == MATLAB_CLASS))
    }

    /// Whether it lies in the file that was opened, not behind a link to another.
    pub fn lies_in(&self, file: &H5File) -> bool {
        same_file(Path::new(&self.dataset.filename()), &file.path)
    }

    /// The library's own handle, for layout questions.
    pub fn handle(&self) -> &Dataset {
        &self.dataset
    }

    /// Sizes of the axes.
    ///
    /// # Errors
    /// [`DataError::unreadable`] for a damaged file.
    pub fn shape(&self) -> Result<Vec<usize>, DataError> {
        self.dataset.get_shape().map_err(|error| self.broken(&error))
    }

    /// Type of the elements.
    ///
    /// # Errors
    /// [`DataError::unreadable`] for a type this library does not know.
    pub fn element(&self) -> Result<TypeDescriptor, DataError> {
        let dtype = self.dataset.dtype().map_err(|error| self.broken(&error))?;
        dtype.to_descriptor().map_err(|_| self.unreadable(&"its values are of a type that is not read here"))
    }

    /// A [`DataError::Invalid`] about a property of this dataset.
    pub fn invalid(
        &self,
        property: &str,
        expected: impl std::fmt::Display,
        found: impl std::fmt::Display,
    ) -> DataError {
        DataError::invalid(&self.path, format!("{property} of `/{}`", self.name), expected, found)
    }

    /// Demands these sizes.
    ///
    /// # Errors
    /// [`DataError::Invalid`] with both shapes.
    pub fn require_shape(&self, expected: &[usize]) -> Result<(), DataError> {
        let found = self.shape()?;
        if found == expected {
            return Ok(());
        }
        Err(self.invalid("shape", format!("{expected:?}"), format!("{found:?}")))
    }

    /// Demands this number of axes and returns their sizes.
    ///
    /// # Errors
    /// [`DataError::Invalid`].
    pub fn require_axes(&self, num_axes: usize) -> Result<Vec<usize>, DataError> {
        let found = self.shape()?;
        if found.len() == num_axes {
            return Ok(found);
        }
        Err(self.invalid("shape", format!("{num_axes} axes"), format!("{found:?}")))
    }

    /// Reads everything in file order, converting numbers to `T`.
    ///
    /// # Errors
    /// [`DataError::Invalid`] when the type cannot be converted or the file is too small for what it claims;
    /// [`DataError::unreadable`] for damage.
    pub fn read_all<T: H5Type>(&self) -> Result<Vec<T>, DataError> {
        self.require_plausible_size::<T>()?;
        self.dataset.read_raw().map_err(|error| self.broken(&error))
    }

    /// Demands that all values, as `T`, could be in a file of this size. What is read block by block asks for it before it makes
    /// room for the blocks.
    ///
    /// # Errors
    /// [`DataError::Invalid`] when the file is too small for what it claims.
    pub fn require_plausible_size<T: H5Type>(&self) -> Result<(), DataError> {
        let shape = self.shape()?;
        let elements =
            shape.iter().try_fold(size_of::<T>() as u64, |all, axis| all.checked_mul(*axis as u64));
        // Of the file that holds the values: a link may have led to another than the one opened.
        let on_disk = std::fs::metadata(self.dataset.filename()).map(|meta| meta.len()).unwrap_or(0);
        let limit = on_disk.saturating_mul(MAX_DEFLATE_RATIO).max(ALWAYS_ALLOWED);
        if elements.is_none_or(|bytes| bytes > limit) {
            let expected = format!("sizes that fit into {on_disk} bytes of file");
            return Err(self.invalid("shape", expected, format!("{shape:?}")));
        }
        Ok(())
    }

    /// Reads one block, in file order, converting numbers to `T`. The caller bounds its size.
    ///
    /// # Errors
    /// [`DataError::Invalid`] when the block leaves the dataset; [`DataError::unreadable`] for damage.
    pub fn read_block<T: H5Type>(&self, block: &[Range<usize>]) -> Result<Vec<T>, DataError> {
        let shape = self.shape()?;
        let inside = block.len() == shape.len()
            && block.iter().zip(&shape).all(|(range, size)| range.start < range.end && range.end <= *size);
        if !inside {
            return Err(self.invalid("shape", format!("room for {block:?}"), format!("{shape:?}")));
        }
        let slab: Hyperslab = block.iter().cloned().map(SliceOrIndex::from).collect::<Vec<_>>().into();
        let values =
            self.dataset.read_slice::<T, _, ndarray::IxDyn>(slab).map_err(|error| self.broken(&error))?;
        Ok(values.into_raw_vec_and_offset().0)
    }

    /// A text attribute of the dataset.
    ///
    /// # Errors
    /// [`DataError::Invalid`] when it is missing or no text.
    pub fn text_attribute(&self, name: &str) -> Result<String, DataError> {
        text_attribute(&self.path, &self.name, &self.dataset, name)
    }

    /// A [`DataError::unreadable`] that names this dataset and says what the library found.
    pub fn broken(&self, error: &hdf5_metno::Error) -> DataError {
        self.unreadable(&in_words(error))
    }

    /// A [`DataError::unreadable`] that names this dataset.
    pub fn unreadable(&self, error: &dyn std::fmt::Display) -> DataError {
        DataError::unreadable(&self.path, format!("dataset `/{}`: {error}", self.name))
    }
}

/// Adds the datasets of a group, then those of the groups in it.
fn list_datasets(
    group: &Group,
    from: &Path,
    prefix: &str,
    depth: usize,
    found: &mut Vec<(String, Vec<usize>)>,
) {
    // A part of the file that is damaged, or that leads nowhere, lists nothing; whoever asks for it by name is told.
    let mut names = group.member_names().unwrap_or_default();
    names.retain(|name| check_way(group, from, name).is_ok());
    let kinds: Vec<_> = names.iter().map(|name| group.loc_type_by_name(name).ok()).collect();
    let of_kind = |wanted| names.iter().zip(&kinds).filter(move |(_, kind)| **kind == Some(wanted));
    for (name, _) in of_kind(LocationType::Dataset) {
        let dataset = group.dataset(name).ok().filter(|dataset| check_sources(dataset).is_ok());
        if let Some(dataset) = dataset.filter(|_| found.len() < MOST_LISTED) {
            found.push((format!("{prefix}{name}"), dataset.shape()));
        }
    }
    if depth == 0 {
        return;
    }
    for (name, _) in of_kind(LocationType::Group) {
        // What MATLAB keeps of cells and objects is not for choosing.
        if found.len() < MOST_LISTED
            && !name.starts_with('#')
            && let Ok(inner) = group.group(name)
        {
            let from = PathBuf::from(inner.filename());
            list_datasets(&inner, &from, &format!("{prefix}{name}/"), depth - 1, found);
        }
    }
}

fn same_file(a: &Path, b: &Path) -> bool {
    match (std::fs::canonicalize(a), std::fs::canonicalize(b)) {
        (Ok(a), Ok(b)) => a == b,
        _ => false,
    }
}

fn text_attribute(path: &Path, object: &str, location: &Location, name: &str) -> Result<String, DataError> {
    let field = || format!("attribute `{name}` of `{object}`");
    let attribute = location.attr(name).map_err(|_| DataError::invalid(path, field(), "there", "missing"))?;
    let invalid = |found: String| DataError::invalid(path, field(), "one text", found);
    match attribute.dtype().and_then(|dtype| dtype.to_descriptor()) {
        Ok(TypeDescriptor::VarLenUnicode) => {
            attribute.read_scalar::<VarLenUnicode>().map(|text| text.to_string())
        }
        Ok(TypeDescriptor::VarLenAscii) => {
            attribute.read_scalar::<VarLenAscii>().map(|text| text.to_string())
        }
        Ok(other) => return Err(invalid(other.to_string())),
        Err(error) => Err(error),
    }
    .map_err(|error| invalid(in_words(&error)))
}
