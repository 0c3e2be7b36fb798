//! Images for pretraining, in a folder or a zip archive (docs/spec/gan-training.md §1.2 and §10): `a/b.png` or `.jpg`,
//! with their captions beside them (`a/b.txt`, one a line), in COCO's annotation file, or as CLIP features in Lafite's
//! `dataset.json`.

mod dataset_json;
mod file_store;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use image::RgbImage;

use self::dataset_json::DATASET_FILE;
pub use self::dataset_json::{StoredFeatures, StoredTextFeatures};
use self::file_store::FileStore;
use super::coco::photograph_files::read_photograph_files;
use super::error::DataError;
use super::image::decode::decode_picture;
use crate::error::one_line;

/// A caption file larger than this holds something else.
const LARGEST_CAPTIONS: u64 = 1 << 20;
/// An image file larger than this is not read.
const LARGEST_IMAGE_FILE: u64 = 256 << 20;
/// Endings of image files.
const ENDINGS: [&str; 3] = ["png", "jpg", "jpeg"];

/// Images in the order of their names.
#[derive(Debug)]
pub struct ImageCollection {
    store: FileStore,
    images: Vec<String>,
    /// Captions of every image, where an annotation file lists them.
    listed: Option<(PathBuf, Vec<Vec<String>>)>,
    num_unlisted: usize,
}

impl ImageCollection {
    /// All images in a folder or zip archive.
    ///
    /// # Errors
    /// [`DataError`] for a place that is missing or damaged, cannot be listed, or holds no image.
    pub fn open(root: &Path) -> Result<Self, DataError> {
        let store = FileStore::open(root)?;
        let images: Vec<String> = store.names().iter().filter(|name| is_image(name)).cloned().collect();
        if images.is_empty() {
            let what = format!("the collection of images `{}`", root.display());
            return Err(DataError::empty(what, "it takes files that end in .png, .jpg or .jpeg"));
        }
        Ok(Self { store, images, listed: None, num_unlisted: 0 })
    }

    /// The images that a COCO annotation file lists, found by the names of their files; others are left out.
    ///
    /// # Errors
    /// As [`ImageCollection::open`]; an annotation file that does not fit; an image that it lists and that is not there, or there
    /// twice.
    pub fn open_annotated(root: &Path, annotations: &Path) -> Result<Self, DataError> {
        let whole = Self::open(root)?;
        let listed = read_photograph_files(annotations)?;
        let mut by_file_name: HashMap<&str, &String> = HashMap::new();
        for name in &whole.images {
            let file_name = name.rsplit('/').next().unwrap_or_default();
            if by_file_name.insert(file_name, name).is_some() {
                let field = format!("name of the image `{}`", one_line(name));
                let expected =
                    "a file of this name in one folder only: annotations name files without folders";
                return Err(DataError::invalid(root, field, expected, "in several"));
            }
        }
        let mut images = Vec::with_capacity(listed.len());
        let mut captions = Vec::with_capacity(listed.len());
        for photograph in listed {
            let name = by_file_name.get(photograph.file_name.as_str()).ok_or_else(|| {
                let needed = format!("the captions in `{}`, which list it", annotations.display());
                DataError::missing(root.join(one_line(photograph.file_name)), needed)
            })?;
            images.push((*name).clone());
            captions.push(photograph.captions);
        }
        let num_unlisted = whole.images.len() - images.len();
        Ok(Self {
            store: whole.store,
            images,
            listed: Some((annotations.to_path_buf(), captions)),
            num_unlisted,
        })
    }

    /// The folder or archive.
    pub fn root(&self) -> &Path {
        self.store.root()
    }

    /// What holds the captions: the annotation file, or the folder or archive with the texts beside the images.
    pub fn captions_file(&self) -> &Path {
        self.listed.as_ref().map_or_else(|| self.root(), |(annotations, _)| annotations)
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.images.len()
    }

    /// No images at all; [`ImageCollection::open`] refuses that.
    pub fn is_empty(&self) -> bool {
        self.images.is_empty()
    }

    /// Images that are there and that the annotation file does not list.
    pub fn num_unlisted(&self) -> usize {
        self.num_unlisted
    }

    /// Names of the images below the root.
    pub fn names(&self) -> &[String] {
        &self.images
    }

    /// Files that decide what the images are: the archive, or every image.
    pub fn sources(&self) -> Vec<PathBuf> {
        if self.store.is_archive() {
            return vec![self.root().to_path_buf()];
        }
        self.images.iter().map(|name| self.store.path(name)).collect()
    }

    /// Decodes image `index`.
    ///
    /// # Errors
    /// [`DataError`] for an image that is broken or larger than 16384 pixels on a side.
    pub fn image(&self, index: usize) -> Result<RgbImage, DataError> {
        let name = &self.images[index];
        let bytes = self.store.read(name, LARGEST_IMAGE_FILE)?;
        decode_picture(&self.store.path(name), &bytes)
    }

    /// Captions of image `index`: of the annotation file, or the lines of the text file beside the image that are not empty.
    ///
    /// # Errors
    /// [`DataError`] for a text file that is missing, larger than 1 MiB or not UTF-8, and for an image without a caption.
    pub fn captions(&self, index: usize) -> Result<Vec<String>, DataError> {
        let name = &self.images[index];
        if let Some((annotations, captions)) = &self.listed {
            if captions[index].is_empty() {
                let field = format!("number of captions of `{}`", one_line(name));
                return Err(DataError::invalid(annotations, field, "at least 1", 0));
            }
            return Ok(captions[index].clone());
        }
        let name = match name.rsplit_once('.') {
            Some((stem, _)) => format!("{stem}.txt"),
            None => format!("{name}.txt"),
        };
        let path = self.store.path(&name);
        if !self.store.contains(&name) {
            let needed =
                "a head steered by captions; `pretrain_gan.second_condition = \"pseudo\"` goes without";
            return Err(DataError::missing(path, needed));
        }
        let bytes = self.store.read(&name, LARGEST_CAPTIONS)?;
        let text = String::from_utf8(bytes).map_err(|error| DataError::unreadable(&path, error))?;
        let captions: Vec<String> =
            text.lines().map(str::trim).filter(|line| !line.is_empty()).map(String::from).collect();
        if captions.is_empty() {
            return Err(DataError::invalid(&path, "number of captions", "at least 1", 0));
        }
        Ok(captions)
    }

    /// CLIP features of `width` numbers that `dataset.json` stores for the images; none where there is no such file.
    ///
    /// # Errors
    /// [`DataError`] for several such files and for features that do not fit the images, naming list and file.
    pub fn stored_features(&self, width: usize) -> Result<StoredFeatures, DataError> {
        let is_dataset = |name: &&String| name.rsplit('/').next() == Some(DATASET_FILE);
        let found: Vec<&String> = self.store.names().iter().filter(is_dataset).collect();
        let name = match found[..] {
            [] => return Ok(StoredFeatures::default()),
            [name] => name,
            _ => {
                let field = format!("number of files `{DATASET_FILE}`");
                return Err(DataError::invalid(self.root(), field, "at most 1", found.len()));
            }
        };
        // Names in it are those below its own folder.
        let folder = &name[..name.len() - DATASET_FILE.len()];
        let images: Vec<&str> =
            self.images.iter().map(|image| image.strip_prefix(folder).unwrap_or(image)).collect();
        dataset_json::read(self.store.reader(name)?, &self.store.path(name), &images, width)
    }
}

fn is_image(name: &str) -> bool {
    let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
    ending.is_some_and(|ending| ENDINGS.contains(&ending.as_str()))
}
