//! A folder of images with captions beside them: `a/b.png` or `.jpg`, and `a/b.txt` with one caption a line (gan-training.md 1.2).

use std::path::{Path, PathBuf};

use image::RgbImage;

use super::error::DataError;

/// Folders deeper than this are not looked into.
const DEEPEST: usize = 16;
/// A caption file larger than this holds something else.
const LARGEST_CAPTIONS: u64 = 1 << 20;
/// Width and height of an image beyond these are refused before it is decoded.
const LARGEST_SIDE: u32 = 1 << 14;
/// Endings of image files.
const ENDINGS: [&str; 3] = ["png", "jpg", "jpeg"];

/// Image files in the order of their paths.
#[derive(Clone, Debug)]
pub struct CaptionedFolder {
    root: PathBuf,
    files: Vec<PathBuf>,
}

impl CaptionedFolder {
    /// Lists the images below `root`; links are not followed.
    ///
    /// # Errors
    /// [`DataError`] for a folder that is missing, cannot be listed, or holds no image.
    pub fn open(root: &Path) -> Result<Self, DataError> {
        if !root.is_dir() {
            return Err(DataError::missing(root, "pretraining on a folder of images"));
        }
        let mut files = vec![];
        let mut folders = vec![(root.to_path_buf(), 0)];
        while let Some((folder, depth)) = folders.pop() {
            let unreadable = |error| DataError::unreadable(&folder, error);
            for entry in std::fs::read_dir(&folder).map_err(unreadable)? {
                let entry = entry.map_err(unreadable)?;
                let (path, kind) = (entry.path(), entry.file_type().map_err(unreadable)?);
                if kind.is_dir() && depth < DEEPEST {
                    folders.push((path, depth + 1));
                } else if kind.is_file() && is_image(&path) {
                    files.push(path);
                }
            }
        }
        if files.is_empty() {
            let what = format!("the folder of images `{}`", root.display());
            return Err(DataError::empty(what, "it takes files that end in .png, .jpg or .jpeg"));
        }
        files.sort();
        Ok(Self { root: root.to_path_buf(), files })
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Paths of the images.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// Decodes image `index`.
    ///
    /// # Errors
    /// [`DataError`] for an image that is broken or larger than 16384 pixels on a side.
    pub fn image(&self, index: usize) -> Result<RgbImage, DataError> {
        let path = &self.files[index];
        let unreadable = |error: &dyn std::fmt::Display| DataError::unreadable(path, error);
        let mut reader = image::ImageReader::open(path)
            .and_then(image::ImageReader::with_guessed_format)
            .map_err(|error| unreadable(&error))?;
        let mut limits = image::Limits::default();
        limits.max_image_width = Some(LARGEST_SIDE);
        limits.max_image_height = Some(LARGEST_SIDE);
        reader.limits(limits);
        let picture = reader.decode().map_err(|error| unreadable(&error))?.into_rgb8();
        if picture.width() == 0 || picture.height() == 0 {
            return Err(DataError::invalid(path, "size", "at least one pixel", "none"));
        }
        Ok(picture)
    }

    /// Captions of image `index`: the lines of the text file beside it that are not empty.
    ///
    /// # Errors
    /// [`DataError`] for a file that is missing, larger than 1 MiB, not UTF-8, or without a caption.
    pub fn captions(&self, index: usize) -> Result<Vec<String>, DataError> {
        let path = self.files[index].with_extension("txt");
        let needed_for =
            "a second head steered by captions; `pretrain_gan.second_condition = \"pseudo\"` goes without";
        let size =
            std::fs::metadata(&path).map_err(|error| DataError::from_io(&path, needed_for, &error))?.len();
        if size > LARGEST_CAPTIONS {
            let expected = format!("at most {LARGEST_CAPTIONS} bytes of captions");
            return Err(DataError::invalid(&path, "size", expected, size));
        }
        let text = std::fs::read_to_string(&path).map_err(|error| DataError::unreadable(&path, error))?;
        let captions: Vec<String> =
            text.lines().map(str::trim).filter(|line| !line.is_empty()).map(String::from).collect();
        if captions.is_empty() {
            return Err(DataError::invalid(&path, "number of captions", "at least 1", 0));
        }
        Ok(captions)
    }
}

fn is_image(path: &Path) -> bool {
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
    ending.is_some_and(|ending| ENDINGS.contains(&ending.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_listed_in_order_with_their_captions() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("a")).unwrap();
        RgbImage::new(3, 2).save(root.path().join("b.png")).unwrap();
        RgbImage::new(4, 2).save(root.path().join("a/c.PNG")).unwrap();
        std::fs::write(root.path().join("b.txt"), "a dog\n\n two dogs \n").unwrap();
        std::fs::write(root.path().join("notes.md"), "x").unwrap();
        let folder = CaptionedFolder::open(root.path()).unwrap();
        assert_eq!(folder.files(), [root.path().join("a/c.PNG"), root.path().join("b.png")]);
        assert_eq!(folder.image(0).unwrap().dimensions(), (4, 2));
        assert_eq!(folder.captions(1).unwrap(), ["a dog", "two dogs"]);
        let error = folder.captions(0).unwrap_err().to_string();
        assert!(error.contains("c.txt") && error.contains("pseudo"), "{error}");
    }

    #[test]
    fn what_is_missing_or_broken_is_named() {
        let root = tempfile::tempdir().unwrap();
        let error = CaptionedFolder::open(root.path()).unwrap_err().to_string();
        assert!(error.contains("is empty") && error.contains(".png"), "{error}");
        let error = CaptionedFolder::open(&root.path().join("none")).unwrap_err().to_string();
        assert!(error.contains("none") && error.contains("missing"), "{error}");
        std::fs::write(root.path().join("broken.jpg"), b"no picture").unwrap();
        std::fs::write(root.path().join("broken.txt"), b" \n").unwrap();
        let folder = CaptionedFolder::open(root.path()).unwrap();
        assert!(folder.image(0).unwrap_err().to_string().contains("broken.jpg"));
        assert!(folder.captions(0).unwrap_err().to_string().contains("number of captions"));
        std::fs::write(root.path().join("broken.txt"), [0xff, 0xfe, 0xff]).unwrap();
        assert!(folder.captions(0).unwrap_err().to_string().contains("broken.txt"));
    }
}
