//! The captions that survived the screening: a JSON object from the 0-based image number to a list of sentences.

use std::collections::BTreeMap;
use std::io::BufReader;
use std::path::Path;

use crate::data::error::DataError;
use crate::data::trial::NsdId;
use crate::files::{InputKind, open_input, say_used, skip_mark};

/// Vetted captions by image.
#[derive(Clone, Debug)]
pub struct VettedCaptions {
    by_image: BTreeMap<NsdId, Vec<String>>,
    path: std::path::PathBuf,
}

impl VettedCaptions {
    /// Reads the file that `screen-captions` wrote.
    ///
    /// # Errors
    /// [`DataError::missing`], [`DataError::unreadable`] with line and column, [`DataError::Empty`].
    pub fn read(path: &Path) -> Result<Self, DataError> {
        let needed = "the captions of the images; `mindreader screen-captions` writes it";
        let file = open_input(path, InputKind::Table).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => DataError::missing(path, needed),
            _ => DataError::unreadable(path, error),
        })?;
        let by_image: BTreeMap<NsdId, Vec<String>> = skip_mark(file)
            .map_err(serde_json::Error::io)
            .and_then(|text| serde_json::from_reader(BufReader::new(text)))
            .map_err(|error| DataError::unreadable(path, format!("as captions by image number: {error}")))?;
        if by_image.is_empty() {
            let what = format!("the list of captions in `{}`", path.display());
            return Err(DataError::empty(what, "`mindreader screen-captions` writes it"));
        }
        say_used("the captions", path);
        Ok(Self { by_image, path: path.to_path_buf() })
    }

    /// Captions of an image, at least one.
    ///
    /// # Errors
    /// [`DataError::Invalid`] when it has none.
    pub fn of(&self, image: NsdId) -> Result<&[String], DataError> {
        match self.by_image.get(&image).map_or(&[][..], Vec::as_slice) {
            [] => {
                let field = format!("captions of image {}", image.0);
                Err(DataError::invalid(&self.path, field, "at least one caption", 0))
            }
            captions => Ok(captions),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<VettedCaptions, DataError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vetted.json");
        std::fs::write(&path, text).unwrap();
        VettedCaptions::read(&path)
    }

    #[test]
    fn captions_are_found_by_image_number() {
        let captions = read(r#"{"46002": ["a dog"], "7": ["a cat", "two cats"], "8": []}"#).unwrap();
        assert_eq!(captions.of(NsdId(7)).unwrap(), ["a cat", "two cats"]);
        for image in [8, 9] {
            let error = captions.of(NsdId(image)).unwrap_err().to_string();
            assert!(error.contains("vetted.json") && error.contains(&format!("image {image}")), "{error}");
        }
    }

    #[test]
    fn files_that_hold_no_captions_are_named() {
        let text = |result: Result<VettedCaptions, DataError>| result.unwrap_err().to_string();
        assert!(text(read("{}")).contains("vetted.json"));
        assert!(text(read("{\"7\": 3}")).contains("captions by image number"));
        assert!(text(read("[")).contains("vetted.json"));
        assert!(text(VettedCaptions::read(Path::new("none.json"))).contains("`none.json` is missing"));
    }
}
