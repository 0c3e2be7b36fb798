//! The captions that survived the screening: a JSON object from the 0-based image number to a list of sentences, in which a further
//! key names the CLIP that screened them. Older files are without it.

use std::collections::BTreeMap;
use std::io::BufReader;
use std::path::Path;

use serde::Deserialize;

use crate::data::error::DataError;
use crate::data::trial::NsdId;
use crate::error::one_line;
use crate::files::{InputKind, open_input, say_used, skip_mark, warn_once};

/// The key beside the image numbers, whose value is the SHA-256 of the CLIP.
const CLIP_KEY: &str = "clip_sha256";

/// Digits of a hash that are shown.
const HASH_SHOWN: usize = 12;

/// Vetted captions by image.
#[derive(Clone, Debug)]
pub struct VettedCaptions {
    by_image: BTreeMap<NsdId, Vec<String>>,
    clip_sha256: Option<String>,
    path: std::path::PathBuf,
}

/// A value of the file.
#[derive(Deserialize)]
#[serde(untagged)]
enum Entry {
    Captions(Vec<String>),
    Sha256(String),
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
        let wrong = |error: &dyn std::fmt::Display| {
            DataError::unreadable(path, format!("as captions by image number: {error}"))
        };
        let entries: BTreeMap<String, Entry> = skip_mark(file)
            .map_err(serde_json::Error::io)
            .and_then(|text| serde_json::from_reader(BufReader::new(text)))
            .map_err(|error| wrong(&error))?;
        let (mut by_image, mut clip_sha256) = (BTreeMap::new(), None);
        for (key, entry) in entries {
            match (key.parse().map(NsdId), entry) {
                (Ok(image), Entry::Captions(captions)) => drop(by_image.insert(image, captions)),
                (Err(_), Entry::Sha256(sha256)) if key == CLIP_KEY => clip_sha256 = Some(sha256),
                _ => {
                    return Err(wrong(&format_args!(
                        "`{}` is neither a number with its sentences nor `{CLIP_KEY}`",
                        one_line(&key)
                    )));
                }
            }
        }
        if by_image.is_empty() {
            let what = format!("the list of captions in `{}`", path.display());
            return Err(DataError::empty(what, "`mindreader screen-captions` writes it"));
        }
        say_used("the captions", path);
        Ok(Self { by_image, clip_sha256, path: path.to_path_buf() })
    }

    /// The bytes of a file with these captions, which the CLIP of this SHA-256 screened.
    ///
    /// # Errors
    /// None that a list of texts has.
    pub fn to_json(by_image: &BTreeMap<u32, Vec<&str>>, clip_sha256: &str) -> serde_json::Result<Vec<u8>> {
        let mut entries = serde_json::Map::new();
        entries.insert(CLIP_KEY.into(), clip_sha256.into());
        entries.extend(by_image.iter().map(|(image, captions)| (image.to_string(), captions.clone().into())));
        serde_json::to_vec_pretty(&entries)
    }

    /// Warns where another CLIP than that of `clip_sha256` screened the captions: which of them fit an image, it would judge
    /// otherwise.
    pub fn warn_of_other_clip(&self, clip_sha256: &str) {
        if let Some(misfit) = self.other_clip(clip_sha256) {
            warn_once(&misfit);
        }
    }

    /// A sentence about captions of another CLIP; nothing where it is the same, or unknown.
    fn other_clip(&self, clip_sha256: &str) -> Option<String> {
        let screened_by = self.clip_sha256.as_deref().filter(|known| *known != clip_sha256)?;
        let start = |sha256: &str| one_line(sha256.chars().take(HASH_SHOWN).collect::<String>());
        Some(format!(
            "`{}` was screened by another CLIP (SHA-256 {}…) than this (SHA-256 {}…): `mindreader screen-captions` makes it anew",
            self.path.display(),
            start(screened_by),
            start(clip_sha256)
        ))
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
    fn the_clip_that_screened_them_is_known_of_newer_files() {
        let json = VettedCaptions::to_json(&BTreeMap::from([(7, vec!["a cat"])]), &"1a".repeat(32)).unwrap();
        let captions = read(std::str::from_utf8(&json).unwrap()).unwrap();
        assert_eq!(captions.of(NsdId(7)).unwrap(), ["a cat"]);
        assert_eq!(captions.other_clip(&"1a".repeat(32)), None);
        let misfit = captions.other_clip(&"2b".repeat(32)).unwrap();
        assert!(
            misfit.contains("vetted.json` was screened by another CLIP (SHA-256 1a1a1a1a1a1a…)"),
            "{misfit}"
        );
        assert_eq!(read(r#"{"7": ["a cat"]}"#).unwrap().other_clip("2b"), None);
        for text in [r#"{"7": "a cat"}"#, r#"{"clip_sha256": ["1a"], "7": []}"#, r#"{"x": ["a cat"]}"#] {
            assert!(read(text).unwrap_err().to_string().contains("captions by image number"), "{text}");
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
