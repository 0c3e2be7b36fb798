//! The folder of an output.

use std::path::Path;

use super::unfinished::wait_while_ending;
use crate::error::FileError;

/// The folder that holds `path`.
pub(super) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Makes the folder that will hold `path`.
///
/// # Errors
/// [`FileError::Unwritable`] naming `path`.
pub(super) fn create_parent(path: &Path) -> Result<(), FileError> {
    wait_while_ending();
    let folder = parent(path);
    std::fs::create_dir_all(folder).map_err(|error| FileError::unwritable(path, error))
}
