//! What was made of a subject that is replaced: it speaks of pictures that are no longer the subject's own.

use std::fs;
use std::path::{Path, PathBuf};

use super::config::ImportSettings;
use crate::data::error::DataError;
use crate::data::split_file::SplitFile;
use crate::error::FileError;
use crate::files::{file_is_there, folder_is_there};

/// Removes screened captions and stored splits of an earlier subject of this name; the files that were there.
///
/// # Errors
/// [`DataError`] of a file that cannot be removed, or of the folder of splits that cannot be listed.
pub(super) fn remove_derived(settings: &ImportSettings) -> Result<Vec<PathBuf>, DataError> {
    let mut removed = Vec::new();
    for path in &settings.screened {
        if file_is_there(path)? {
            removed.push(path.clone());
        }
    }
    removed.extend(splits_of(&settings.splits, &settings.subject.to_string())?);
    for path in &removed {
        fs::remove_file(path).map_err(|error| DataError::unwritable(path, error))?;
    }
    Ok(removed)
}

/// The stored splits of a subject, by name. What cannot be read as a split is nobody's.
fn splits_of(folder: &Path, subject: &str) -> Result<Vec<PathBuf>, DataError> {
    if !folder_is_there(folder)? {
        return Ok(Vec::new());
    }
    let unreadable = |error: std::io::Error| FileError::from_io(folder, "the splits of the subject", &error);
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        // `a-b-tau.json` is of the subject `a-b`, not of `a`: the name alone does not tell.
        let is_candidate = path
            .file_name()
            .and_then(|name| name.to_str())
            .is_some_and(|name| name.starts_with(&format!("{subject}-")) && name.ends_with(".json"));
        if is_candidate && SplitFile::read(&path).is_ok_and(|split| split.subject == subject) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::data::split_file::SPLIT_FORMAT;

    #[test]
    fn splits_are_known_by_their_subject_not_by_the_beginning_of_their_name() {
        let root = tempfile::tempdir().unwrap();
        let write = |subject: &str| {
            let split = SplitFile {
                format: SPLIT_FORMAT.into(),
                subject: subject.into(),
                rule: "tau".into(),
                name: "tau".into(),
                parameters: BTreeMap::new(),
                network_sha256: None,
                sha256: SplitFile::digest(&[0], &[1]),
                train_images: vec![0],
                test_images: vec![1],
            };
            let path = root.path().join(format!("{subject}-tau.json"));
            split.write(&path).unwrap();
            path
        };
        let (own, _other) = (write("lab"), write("lab-b"));
        fs::write(root.path().join("lab-x.json"), "no split").unwrap();
        assert_eq!(splits_of(root.path(), "lab").unwrap(), [own]);
        assert!(splits_of(&root.path().join("none"), "lab").unwrap().is_empty());
    }
}
