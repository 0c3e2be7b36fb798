//! Files that runs left, as the report reads them.

use std::path::{Component, Path};

use image::RgbImage;
use serde::de::DeserializeOwned;

use crate::data::image::decode::decode_picture;
use crate::error::{FileError, Result};
use crate::report::Cell;
use crate::run::error::RunError;

/// The content of a JSON file that a run left; `expected` says what it should be.
///
/// # Errors
/// [`RunError::Missing`]; [`RunError::Invalid`] for any other content.
pub(super) fn json_file<T: DeserializeOwned>(path: &Path, expected: &str) -> Result<T, RunError> {
    let bytes = RunError::read(path, "the report")?;
    serde_json::from_slice(&bytes).map_err(|error| RunError::invalid(path, "content", expected, error))
}

/// A picture of a run's folder.
///
/// # Errors
/// A name that leads out of the folder; a file that is missing or no picture.
pub(super) fn picture(run: &Path, file: &str, note: &str) -> Result<Cell> {
    Ok(Cell::new(&image_of_run(run, file)?, note)?)
}

/// The pixels of a picture of a run's folder.
///
/// # Errors
/// As [`picture`].
pub(super) fn image_of_run(run: &Path, file: &str) -> Result<RgbImage> {
    let is_inside = Path::new(file).components().all(|part| matches!(part, Component::Normal(_)));
    if file.is_empty() || !is_inside {
        return Err(RunError::invalid(run, "picture", "a file inside the run's folder", file).into());
    }
    let path = run.join(file);
    Ok(decode_picture(&path, &RunError::read(&path, "the report")?)?)
}

/// Names of the files in a folder of a run that end in `suffix`, in their order.
///
/// # Errors
/// A folder that is missing or cannot be listed.
pub(super) fn files_with(folder: &Path, suffix: &str) -> Result<Vec<String>, RunError> {
    let entries =
        std::fs::read_dir(folder).map_err(|error| FileError::from_io(folder, "the report", &error))?;
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| FileError::from_io(folder, "the report", &error))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with(suffix) {
            files.push(name);
        }
    }
    files.sort();
    Ok(files)
}
