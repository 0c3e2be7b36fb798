//! Files that runs left, as the report reads them.

use std::path::Path;

use serde::de::DeserializeOwned;

use crate::data::image::decode::decode_picture;
use crate::error::Result;
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
pub(super) fn picture(run: &Path, file: &str, note: &str) -> Result<Cell> {
    let path = run.join(file);
    let image = decode_picture(&path, &RunError::read(&path, "the report")?)?;
    Ok(Cell::new(&image, note)?)
}
