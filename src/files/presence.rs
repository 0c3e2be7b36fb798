//! Whether an input is there. What is there and cannot be looked at is not absent.

use std::io::ErrorKind;
use std::path::Path;

use crate::error::FileError;

/// Whether there is a file at `path`, behind links where there are any.
///
/// `Path::is_file` says "no" as well for a link that leads nowhere, a folder that may not be searched and a drive that fails: an input
/// would be left out without a word.
///
/// # Errors
/// [`FileError::Unreadable`] for whatever is there and is no file that can be looked at.
pub fn file_is_there(path: &Path) -> Result<bool, FileError> {
    is_there(path, "a file", std::fs::Metadata::is_file)
}

/// Whether there is a folder at `path`, behind links where there are any.
///
/// # Errors
/// [`FileError::Unreadable`] for whatever is there and is no folder that can be looked at.
pub fn folder_is_there(path: &Path) -> Result<bool, FileError> {
    is_there(path, "a folder", std::fs::Metadata::is_dir)
}

fn is_there(path: &Path, wanted: &str, is_wanted: fn(&std::fs::Metadata) -> bool) -> Result<bool, FileError> {
    let is_absent = |kind| matches!(kind, ErrorKind::NotFound | ErrorKind::NotADirectory);
    match std::fs::metadata(path) {
        Ok(metadata) if is_wanted(&metadata) => Ok(true),
        Ok(_) => Err(FileError::unreadable(path, format!("it is not {wanted}"))),
        Err(error) if !is_absent(error.kind()) => Err(FileError::unreadable(path, error)),
        Err(_) => match std::fs::symlink_metadata(path) {
            Ok(_) => Err(FileError::unreadable(path, leads_nowhere(path))),
            Err(_) => Ok(false),
        },
    }
}

fn leads_nowhere(path: &Path) -> String {
    match std::fs::read_link(path) {
        Ok(target) => format!("it is a link to `{}`, which is not there", target.display()),
        Err(error) => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_there_or_not() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("a");
        std::fs::write(&file, b"x").unwrap();
        assert_eq!(file_is_there(&file), Ok(true));
        assert_eq!(file_is_there(&root.path().join("b")), Ok(false));
        assert_eq!(file_is_there(&file.join("below-a-file")), Ok(false));
        assert_eq!(folder_is_there(root.path()), Ok(true));
        assert!(file_is_there(root.path()).unwrap_err().to_string().ends_with("it is not a file"));
        assert!(folder_is_there(&file).unwrap_err().to_string().ends_with("it is not a folder"));
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_and_those_that_lead_nowhere_are_not_absent() {
        use std::os::unix::fs::symlink;
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        std::fs::write(at("a"), b"x").unwrap();
        for (target, link) in [("a", "good"), ("gone", "dangling"), ("loop", "loop")] {
            symlink(target, at(link)).unwrap();
        }
        assert_eq!(file_is_there(&at("good")), Ok(true));
        let error = file_is_there(&at("dangling")).unwrap_err().to_string();
        assert!(
            error.contains("dangling` cannot be read: it is a link to `gone`, which is not there"),
            "{error}"
        );
        assert!(matches!(file_is_there(&at("loop")), Err(FileError::Unreadable { .. })));
    }
}
