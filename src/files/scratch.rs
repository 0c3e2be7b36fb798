//! Folders for work that nobody keeps.

use std::fs::{self, File};
use std::path::Path;

use tempfile::TempDir;

use super::temporary;
use super::unfinished::Unfinished;
use crate::error::FileError;

/// A folder under a temporary name; it goes when this is dropped, or with a program that is stopped from outside.
#[derive(Debug)]
pub struct ScratchFolder {
    temporary: TempDir,
    /// Tells others that it is in use.
    _held: Option<File>,
    _unfinished: Unfinished,
}

impl ScratchFolder {
    /// A new one below `folder`, which is made where it is not there.
    ///
    /// # Errors
    /// [`FileError::Unwritable`].
    pub fn below(folder: &Path) -> Result<Self, FileError> {
        let unwritable = |error: std::io::Error| FileError::unwritable(folder, error);
        fs::create_dir_all(folder).map_err(unwritable)?;
        let (temporary, held) = temporary::folder_in(folder).map_err(unwritable)?;
        let unfinished = Unfinished::note(temporary.path());
        Ok(Self { temporary, _held: held, _unfinished: unfinished })
    }

    /// Where to write.
    pub fn path(&self) -> &Path {
        self.temporary.path()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_it_stays() {
        let root = tempfile::tempdir().unwrap();
        let below = root.path().join("runs");
        let scratch = ScratchFolder::below(&below).unwrap();
        fs::create_dir(scratch.path().join("deep")).unwrap();
        fs::write(scratch.path().join("deep/x"), "text").unwrap();
        drop(scratch);
        assert_eq!(fs::read_dir(&below).unwrap().count(), 0);
        fs::write(root.path().join("file"), "text").unwrap();
        assert!(ScratchFolder::below(&root.path().join("file")).unwrap_err().to_string().contains("file"));
    }
}
