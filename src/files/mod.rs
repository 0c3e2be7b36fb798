//! Outputs that appear whole or not at all: written under a temporary name beside the target, synced, renamed.

mod atomic;
mod pending;

pub use atomic::{AtomicFile, write_atomic, write_through};
pub use pending::PendingFile;

use std::path::Path;

use crate::error::FileError;

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

fn create_parent(path: &Path) -> Result<(), FileError> {
    let folder = parent(path);
    std::fs::create_dir_all(folder).map_err(|error| FileError::unwritable(folder, error))
}
