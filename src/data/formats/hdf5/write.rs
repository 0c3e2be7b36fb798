//! New files, complete or absent.
//!
//! The library frees what it holds of a dataset even where closing it fails, and then crashes on the next call for its file. So
//! nothing is closed before all is on the disk, and a file that cannot get there is never closed: it is emptied and left to the end
//! of the process.

use std::fs::OpenOptions;
use std::mem::ManuallyDrop;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use hdf5_metno::types::VarLenUnicode;
use hdf5_metno::{Dataset, File, H5Type, Hyperslab, Location, SliceOrIndex};
use ndarray::{ArrayViewD, IxDyn};

use super::words::in_words;
use crate::data::error::DataError;
use crate::files::PendingFile;

/// An HDF5 file being written; it appears under its name on [`H5Writer::finish`].
#[derive(Debug)]
pub struct H5Writer {
    handles: ManuallyDrop<Handles>,
    // Declared before the temporary name, which is emptied before it goes away.
    abandoned: Abandoned,
    pending: PendingFile,
}

/// What the library has open; closed on [`H5Writer::finish`] only.
#[derive(Debug)]
struct Handles {
    /// All of the file: another handle on each keeps it open when its [`H5Output`] is dropped.
    datasets: Mutex<Vec<Dataset>>,
    file: File,
}

/// Gives back the space of a file that is not finished: open as it stays, the end of its name would not.
#[derive(Debug)]
struct Abandoned(Option<PathBuf>);

impl Drop for Abandoned {
    fn drop(&mut self) {
        if let Some(path) = &self.0
            && OpenOptions::new().write(true).truncate(true).open(path).is_err()
        {
            // Its space is free when the process ends.
        }
    }
}

impl H5Writer {
    /// Starts a file.
    ///
    /// # Errors
    /// [`DataError::unwritable`] when the folder cannot be written.
    pub fn create(path: &Path) -> Result<Self, DataError> {
        let pending = PendingFile::create(path)?;
        let file =
            File::create(pending.path()).map_err(|error| DataError::unwritable(path, in_words(&error)))?;
        let handles = ManuallyDrop::new(Handles { datasets: Mutex::default(), file });
        let abandoned = Abandoned(Some(pending.path().to_path_buf()));
        Ok(Self { handles, abandoned, pending })
    }

    /// Adds a group.
    ///
    /// # Errors
    /// [`DataError::unwritable`].
    pub fn group(&self, name: &str) -> Result<(), DataError> {
        self.handles.file.create_group(name).map(|_| ()).map_err(|error| self.unwritable(&error))
    }

    /// Adds a dataset of zeros to be filled block by block; `chunk` has one size per axis, `None` is contiguous.
    ///
    /// # Errors
    /// [`DataError::unwritable`].
    pub fn dataset<T: H5Type>(
        &self,
        name: &str,
        shape: &[usize],
        chunk: Option<&[usize]>,
    ) -> Result<H5Output, DataError> {
        let builder = self.handles.file.new_dataset::<T>();
        let builder = match chunk {
            Some(sizes) => builder.chunk(sizes.to_vec()),
            None => builder.no_chunk(),
        };
        // Without modification times the same content gives the same bytes.
        let dataset = builder
            .obj_track_times(false)
            .shape(shape.to_vec())
            .create(name)
            .map_err(|error| self.unwritable(&error))?;
        self.handles.datasets.lock().unwrap_or_else(PoisonError::into_inner).push(dataset.clone());
        Ok(H5Output { target: self.pending.target().to_path_buf(), name: name.to_string(), dataset })
    }

    /// Adds a contiguous dataset with all its values, in file order.
    ///
    /// # Errors
    /// [`DataError::unwritable`], also when the number of values is not the product of `shape`.
    pub fn write<T: H5Type>(&self, name: &str, shape: &[usize], values: &[T]) -> Result<H5Output, DataError> {
        let output = self.dataset::<T>(name, shape, None)?;
        if values.is_empty() {
            return Ok(output);
        }
        let block: Vec<Range<usize>> = shape.iter().map(|size| 0..*size).collect();
        output.write_block(&block, values)?;
        Ok(output)
    }

    /// Adds a text attribute to the file.
    ///
    /// # Errors
    /// [`DataError::unwritable`].
    pub fn text_attribute(&self, name: &str, text: &str) -> Result<(), DataError> {
        text_attribute(self.pending.target(), &self.handles.file, name, text)
    }

    /// Brings what was written so far to the disk, which takes long for a large file; [`H5Writer::finish`] then takes a moment.
    ///
    /// # Errors
    /// [`DataError::unwritable`].
    pub fn sync(&self) -> Result<(), DataError> {
        self.handles.file.flush().map_err(|error| self.unwritable(&error))?;
        Ok(self.pending.sync()?)
    }

    /// Closes the file and gives it its name.
    ///
    /// # Errors
    /// [`DataError::unwritable`].
    pub fn finish(self) -> Result<(), DataError> {
        let Self { handles, mut abandoned, pending } = self;
        let unwritable = |error| DataError::unwritable(pending.target(), in_words(&error));
        // Flushed before anything is closed, and closed before the file gets its name: a full or failing disk shows here.
        handles.file.flush().map_err(unwritable)?;
        let Handles { datasets, file } = ManuallyDrop::into_inner(handles);
        drop(datasets);
        file.close().map_err(unwritable)?;
        abandoned.0 = None;
        Ok(pending.commit()?)
    }

    fn unwritable(&self, error: &hdf5_metno::Error) -> DataError {
        DataError::unwritable(self.pending.target(), in_words(error))
    }
}

/// A dataset being filled. Drop it before [`H5Writer::finish`].
#[derive(Debug)]
pub struct H5Output {
    target: PathBuf,
    name: String,
    dataset: Dataset,
}

impl H5Output {
    /// Writes one block of values, in file order.
    ///
    /// # Errors
    /// [`DataError::unwritable`], also when sizes do not agree.
    pub fn write_block<T: H5Type>(&self, block: &[Range<usize>], values: &[T]) -> Result<(), DataError> {
        let sizes: Vec<usize> = block.iter().map(ExactSizeIterator::len).collect();
        let unwritable = |reason: String| {
            DataError::unwritable(&self.target, format!("dataset `/{}`: {reason}", self.name))
        };
        let view = ArrayViewD::from_shape(IxDyn(&sizes), values)
            .map_err(|_| unwritable(format!("{} values for a block of {sizes:?}", values.len())))?;
        let slab: Hyperslab = block.iter().cloned().map(SliceOrIndex::from).collect::<Vec<_>>().into();
        self.dataset.write_slice(view, slab).map_err(|error| unwritable(in_words(&error)))
    }

    /// Reads one block of values back, in file order.
    ///
    /// # Errors
    /// [`DataError::unwritable`], also for a block beyond the dataset.
    pub fn read_block<T: H5Type>(&self, block: &[Range<usize>]) -> Result<Vec<T>, DataError> {
        let slab: Hyperslab = block.iter().cloned().map(SliceOrIndex::from).collect::<Vec<_>>().into();
        let values = self.dataset.read_slice::<T, _, IxDyn>(slab).map_err(|error| {
            DataError::unwritable(&self.target, format!("dataset `/{}`: {}", self.name, in_words(&error)))
        })?;
        Ok(values.into_raw_vec_and_offset().0)
    }

    /// Adds a text attribute to the dataset.
    ///
    /// # Errors
    /// [`DataError::unwritable`].
    pub fn text_attribute(&self, name: &str, text: &str) -> Result<(), DataError> {
        text_attribute(&self.target, &self.dataset, name, text)
    }
}

fn text_attribute(target: &Path, location: &Location, name: &str, text: &str) -> Result<(), DataError> {
    let unwritable = |reason: String| DataError::unwritable(target, format!("attribute `{name}`: {reason}"));
    let text: VarLenUnicode = text.parse().map_err(|_| unwritable("the text holds a NUL".to_string()))?;
    location
        .new_attr::<VarLenUnicode>()
        .create(name)
        .and_then(|attribute| attribute.write_scalar(&text))
        .map_err(|error| unwritable(in_words(&error)))
}
