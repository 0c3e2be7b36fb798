//! `captions_{train,val}2017.json`: about five sentences per photograph.

use std::collections::HashMap;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::data::error::DataError;
use crate::data::trial::CocoId;
use crate::files::{InputKind, open_input, skip_mark};

#[derive(Deserialize)]
struct CaptionFile {
    annotations: Vec<Caption>,
}

#[derive(Deserialize)]
struct Caption {
    image_id: u64,
    caption: String,
}

/// Captions by photograph, in the order of the files, trimmed; empty ones are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CaptionTable {
    captions: HashMap<CocoId, Vec<String>>,
}

impl CaptionTable {
    /// Reads one or more files; ids are unique over both splits, so their order does not matter.
    ///
    /// # Errors
    /// [`DataError::missing`], [`DataError::unreadable`] with line and column, [`DataError::Empty`] without any caption.
    pub fn read(paths: &[PathBuf]) -> Result<Self, DataError> {
        let mut captions: HashMap<CocoId, Vec<String>> = HashMap::new();
        for path in paths {
            let file: CaptionFile = read_json(path, "the captions of the photographs")?;
            for Caption { image_id, caption } in file.annotations {
                let caption = caption.trim();
                if !caption.is_empty() {
                    captions.entry(CocoId(image_id)).or_default().push(caption.to_string());
                }
            }
        }
        if captions.is_empty() {
            let names: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
            let what = format!("the list of captions in {}", names.join(", "));
            return Err(DataError::empty(what, "expected captions_train2017.json and captions_val2017.json"));
        }
        Ok(Self { captions })
    }

    /// The captions of one photograph; an empty slice when it has none.
    pub fn captions(&self, photograph: CocoId) -> &[String] {
        self.captions.get(&photograph).map_or(&[], Vec::as_slice)
    }

    /// Number of photographs with captions.
    pub fn num_photographs(&self) -> usize {
        self.captions.len()
    }
}

/// Parses a JSON file piece by piece; members that `T` does not name are skipped without being kept.
pub(super) fn read_json<T: DeserializeOwned>(path: &Path, needed_for: &str) -> Result<T, DataError> {
    let file = open_input(path, InputKind::Annotations)
        .map_err(|error| DataError::from_io(path, needed_for, &error))?;
    let text = skip_mark(file).map_err(|error| DataError::unreadable(path, error))?;
    serde_json::from_reader(BufReader::with_capacity(1 << 20, text))
        .map_err(|error| DataError::unreadable(path, format!("as COCO JSON: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::FileError;

    fn read(text: &str) -> Result<CaptionTable, DataError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("captions_val2017.json");
        std::fs::write(&path, text).unwrap();
        CaptionTable::read(&[path])
    }

    #[test]
    fn a_byte_order_mark_does_not_matter() {
        let table = read("\u{feff}{\"annotations\":[{\"image_id\":9,\"caption\":\"A dog.\"}]}").unwrap();
        assert_eq!(table.captions(CocoId(9)), ["A dog."]);
    }

    #[test]
    fn captions_are_trimmed_and_kept_in_order() {
        let table = read(
            r#"{"info":{},"annotations":[{"image_id":9,"id":1,"caption":" A dog.\n"},
               {"image_id":9,"id":2,"caption":"Two cats."},{"image_id":3,"id":4,"caption":"  "}]}"#,
        )
        .unwrap();
        assert_eq!(table.captions(CocoId(9)), ["A dog.", "Two cats."]);
        assert!(table.captions(CocoId(3)).is_empty());
        assert_eq!(table.num_photographs(), 1);
    }

    #[test]
    fn empty_broken_and_missing_files_are_named() {
        let error = read(r#"{"annotations":[]}"#).unwrap_err().to_string();
        assert!(
            error.contains("captions_val2017.json is empty; expected captions_train2017.json"),
            "{error}"
        );
        let error = read(r#"{"annotations":[{"image_id":9"#).unwrap_err().to_string();
        assert!(error.contains("captions_val2017.json` cannot be read: as COCO JSON: EOF"), "{error}");
        let error = read(r#"{"images":[]}"#).unwrap_err().to_string();
        assert!(error.contains("missing field `annotations`"), "{error}");
        let error = CaptionTable::read(&["absent.json".into()]).unwrap_err();
        assert!(matches!(error, DataError::File(FileError::Missing { .. })));
    }
}
