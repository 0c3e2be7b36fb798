//! A split that was computed once and stored: which images are held out, by which rule, with a digest of the two sides.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::error::DataError;
use super::trial::NsdId;
use crate::error::one_line;
use crate::files::{InputKind, read_input, write_atomic};

/// Name and version of the format.
pub const SPLIT_FORMAT: &str = "mindreader split 1";

/// A stored split.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SplitFile {
    /// [`SPLIT_FORMAT`].
    pub format: String,
    /// Name of the split, for example `cluster-k5-0`.
    pub name: String,
    /// Whose images, as file names print it.
    pub subject: String,
    /// Rule that made it.
    pub rule: String,
    /// Numbers of the rule.
    pub parameters: BTreeMap<String, serde_json::Value>,
    /// SHA-256 of the network whose embeddings decided; none where pixels did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_sha256: Option<String>,
    /// Images of training, ascending.
    pub train_images: Vec<u32>,
    /// Images that are held out, ascending.
    pub test_images: Vec<u32>,
    /// Digest of the two sides, [`SplitFile::digest`].
    pub sha256: String,
}

impl SplitFile {
    /// SHA-256 over the lines `train ID` and `test ID` of all images, each side ascending, in hexadecimal.
    pub fn digest(train: &[u32], test: &[u32]) -> String {
        let mut digest = Sha256::new();
        for (side, images) in [("train", train), ("test", test)] {
            let sorted: BTreeSet<&u32> = images.iter().collect();
            for image in sorted {
                digest.update(format!("{side} {image}\n"));
            }
        }
        digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Reads a file and checks it against its own digest.
    ///
    /// # Errors
    /// [`DataError`] naming file and field: one that is missing, is of another format, has an image on both sides, or was changed.
    pub fn read(path: &Path) -> Result<Self, DataError> {
        let bytes = read_input(path, InputKind::Table).map_err(|error| {
            DataError::from_io(path, "`split.file`; `mindreader split` writes it", &error)
        })?;
        let split: Self = serde_json::from_slice(&bytes)
            .map_err(|error| DataError::unreadable(path, format!("as a split: {error}")))?;
        if split.format != SPLIT_FORMAT {
            return Err(DataError::invalid(path, "`format`", format!("`{SPLIT_FORMAT}`"), split.format));
        }
        let train: BTreeSet<u32> = split.train_images.iter().copied().collect();
        if let Some(image) = split.test_images.iter().find(|image| train.contains(*image)) {
            return Err(DataError::invalid(
                path,
                "`test_images`",
                "none of `train_images`",
                format!("image {image} of both"),
            ));
        }
        let found = Self::digest(&split.train_images, &split.test_images);
        if found != split.sha256 {
            return Err(DataError::invalid(
                path,
                "digest of the images",
                format!("{} as `sha256` says", split.sha256),
                found,
            ));
        }
        Ok(split)
    }

    /// Demands that it was made of this subject's images: their numbers mean other pictures elsewhere.
    ///
    /// # Errors
    /// [`DataError::Invalid`] with both subjects.
    pub fn require_subject(&self, path: &Path, subject: &str) -> Result<(), DataError> {
        if self.subject == subject {
            return Ok(());
        }
        let expected = format!("{subject}; `mindreader split` makes a split of its images");
        Err(DataError::invalid(path, "`subject`", expected, one_line(&self.subject)))
    }

    /// Writes the file in one step.
    ///
    /// # Errors
    /// [`DataError`] when it cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), DataError> {
        let mut text = serde_json::to_vec_pretty(self).map_err(|error| DataError::unwritable(path, error))?;
        text.push(b'\n');
        Ok(write_atomic(path, &text)?)
    }

    /// Whether each of `images` is for training, in their order.
    ///
    /// # Errors
    /// [`DataError::Invalid`] naming the first image that the file does not know.
    pub fn is_train(&self, path: &Path, images: impl Iterator<Item = NsdId>) -> Result<Vec<bool>, DataError> {
        let side =
            |images: &[u32], is_train| images.iter().map(move |image| (*image, is_train)).collect::<Vec<_>>();
        let sides: BTreeMap<u32, bool> =
            side(&self.train_images, true).into_iter().chain(side(&self.test_images, false)).collect();
        images
            .map(|image| {
                sides.get(&image.0).copied().ok_or_else(|| {
                    let expected = format!(
                        "all images of {}; make the split anew with `mindreader split`",
                        self.subject
                    );
                    DataError::invalid(path, "images", expected, format!("all but image {}", image.0))
                })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split() -> SplitFile {
        let (train_images, test_images) = (vec![3, 5, 9], vec![4]);
        SplitFile {
            format: SPLIT_FORMAT.into(),
            name: "tau".into(),
            subject: "subj01".into(),
            rule: "tau".into(),
            parameters: [("threshold".to_string(), 0.9.into())].into(),
            network_sha256: None,
            sha256: SplitFile::digest(&train_images, &test_images),
            train_images,
            test_images,
        }
    }

    #[test]
    fn a_split_is_read_as_it_was_written_and_what_was_changed_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("splits/a.json");
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        split().write(&path).unwrap();
        assert_eq!(SplitFile::read(&path).unwrap(), split());
        // sha256sum of "train 3\ntrain 5\ntrain 9\ntest 4\n"
        assert_eq!(&split().sha256[..16], "855289716520bb4e");
        let refused = |change: &dyn Fn(&mut SplitFile)| {
            let mut changed = split();
            change(&mut changed);
            changed.write(&path).unwrap();
            SplitFile::read(&path).unwrap_err().to_string()
        };
        assert!(refused(&|split| split.test_images = vec![7]).contains("as `sha256` says"));
        assert!(refused(&|split| split.test_images = vec![5]).contains("image 5 of both"));
        assert!(refused(&|split| split.format = "2".into()).contains("`format` is 2"));
        std::fs::write(&path, "{").unwrap();
        assert!(SplitFile::read(&path).unwrap_err().to_string().contains("as a split"));
        std::fs::remove_file(&path).unwrap();
        assert!(SplitFile::read(&path).unwrap_err().to_string().contains("mindreader split"));
    }

    #[test]
    fn another_subjects_split_is_refused() {
        let path = Path::new("a.json");
        assert_eq!(split().require_subject(path, "subj01"), Ok(()));
        let error = split().require_subject(path, "subj02").unwrap_err().to_string();
        assert!(error.starts_with("`a.json`: `subject` is subj01, expected subj02"), "{error}");
        let hostile = SplitFile { subject: "\u{1b}[2J".into(), ..split() };
        let error = hostile.require_subject(path, "subj02").unwrap_err().to_string();
        assert!(!error.contains('\u{1b}'), "{error}");
    }

    #[test]
    fn every_image_is_on_a_side_or_named() {
        let sides =
            |images: &[u32]| split().is_train(Path::new("a.json"), images.iter().map(|id| NsdId(*id)));
        assert_eq!(sides(&[4, 3, 3, 9]).unwrap(), [false, true, true, true]);
        let error = sides(&[4, 6]).unwrap_err().to_string();
        assert!(error.contains("a.json") && error.contains("all but image 6"), "{error}");
    }
}
