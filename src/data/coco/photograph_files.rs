//! Photographs by their files: what `captions_*.json` lists as images, with their captions.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Deserialize;

use super::captions::read_json;
use crate::data::error::DataError;
use crate::error::one_line;

#[derive(Deserialize)]
struct CaptionFile {
    images: Vec<Image>,
    annotations: Vec<Caption>,
}

#[derive(Deserialize)]
struct Image {
    id: u64,
    file_name: String,
}

#[derive(Deserialize)]
struct Caption {
    image_id: u64,
    caption: String,
}

/// A photograph with its captions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PhotographFile {
    /// Name of the file, without folders.
    pub file_name: String,
    /// Captions in the order of the annotations, trimmed; empty ones are left out.
    pub captions: Vec<String>,
}

/// All photographs of an annotation file, in the order of their names.
///
/// # Errors
/// [`DataError::missing`], [`DataError::unreadable`] with line and column, [`DataError::Empty`] without any photograph,
/// [`DataError::Invalid`] for a file name or id that is there twice and for a caption of no photograph.
pub fn read_photograph_files(path: &Path) -> Result<Vec<PhotographFile>, DataError> {
    let CaptionFile { images, annotations } = read_json(path, "the captions of the photographs")?;
    if images.is_empty() {
        let what = format!("the list `images` in `{}`", path.display());
        return Err(DataError::empty(what, "expected COCO's captions_train2014.json or one of its form"));
    }
    let mut captions: BTreeMap<u64, Vec<String>> = images.iter().map(|image| (image.id, vec![])).collect();
    if captions.len() != images.len() {
        let found = format!("{} for {} images", captions.len(), images.len());
        return Err(DataError::invalid(path, "number of image ids", "one id per image", found));
    }
    for Caption { image_id, caption } in annotations {
        let of_image = captions.get_mut(&image_id).ok_or_else(|| {
            DataError::invalid(path, "`image_id` of an annotation", "an id of the list `images`", image_id)
        })?;
        let caption = caption.trim();
        if !caption.is_empty() {
            of_image.push(caption.to_string());
        }
    }
    let mut names = BTreeSet::new();
    let mut files = Vec::with_capacity(images.len());
    for Image { id, file_name } in images {
        // Some exports put a folder in front.
        let file_name = file_name.rsplit('/').next().unwrap_or_default().to_string();
        if file_name.is_empty() || !names.insert(file_name.clone()) {
            let found = format!("`{}`", one_line(file_name));
            return Err(DataError::invalid(
                path,
                format!("`file_name` of image {id}"),
                "a name of its own",
                found,
            ));
        }
        files.push(PhotographFile { file_name, captions: captions.remove(&id).unwrap_or_default() });
    }
    files.sort_by(|one, other| one.file_name.cmp(&other.file_name));
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<PhotographFile>, DataError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("captions.json");
        std::fs::write(&path, text).unwrap();
        read_photograph_files(&path)
    }

    #[test]
    fn captions_come_to_their_files() {
        let files = read(
            r#"{"info": {}, "images": [{"id": 9, "file_name": "b.jpg", "height": 4}, {"id": 3, "file_name": "train/a.jpg"}],
                "annotations": [{"image_id": 9, "id": 1, "caption": " A dog. "}, {"image_id": 9, "caption": " "},
                {"image_id": 9, "caption": "Two."}]}"#,
        )
        .unwrap();
        assert_eq!(files[0], PhotographFile { file_name: "a.jpg".into(), captions: vec![] });
        assert_eq!(files[1].captions, ["A dog.", "Two."]);
    }

    #[test]
    fn lists_that_do_not_fit_are_named() {
        let error = |text: &str| read(text).unwrap_err().to_string();
        assert!(error(r#"{"images": [], "annotations": []}"#).contains("`images`"));
        assert!(error(r#"{"annotations": []}"#).contains("missing field `images`"));
        let twice = r#"{"images": [{"id": 1, "file_name": "a.jpg"}, {"id": 1, "file_name": "b.jpg"}], "annotations": []}"#;
        assert!(error(twice).contains("number of image ids"));
        let same = r#"{"images": [{"id": 1, "file_name": "a.jpg"}, {"id": 2, "file_name": "x/a.jpg"}], "annotations": []}"#;
        assert!(error(same).contains("`file_name` of image 2") && error(same).contains("captions.json"));
        let stranger = r#"{"images": [{"id": 1, "file_name": "a.jpg"}], "annotations": [{"image_id": 7, "caption": "a"}]}"#;
        assert!(error(stranger).contains("`image_id`") && error(stranger).contains("is 7"));
    }
}
