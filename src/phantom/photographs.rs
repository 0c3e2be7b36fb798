//! A folder of photographs with COCO annotations, as a source of stimuli.
//!
//! Each photograph gives as many NSD images as are needed: first NSD's own crop, the largest square in the middle
//! of the longer side, then distinct squares of other sizes and places. Annotations stay the photograph's own.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use rand::RngExt;
use serde_json::Value;

use super::scenes::annotation::CropShares;
use crate::data::coco::clipping::visible_area;
use crate::data::error::DataError;
use crate::data::image::decode::decode_picture;
use crate::files::{InputKind, file_is_there, folder_is_there, read_input, without_mark};
use crate::tensor_ops::random::keyed_rng;

/// A square part of a photograph, in its pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SquareCrop {
    /// First column.
    pub left: u32,
    /// First row.
    pub top: u32,
    /// Width and height.
    pub side: u32,
}

/// One photograph with what COCO says about it.
#[derive(Clone, Debug)]
pub struct Photograph {
    /// COCO image id.
    pub coco_id: u64,
    /// `train2017` or `val2017`.
    pub split: String,
    /// The picture's file.
    pub path: PathBuf,
    /// Width and height in pixels.
    pub size: (u32, u32),
    /// Its entry in `images`, verbatim.
    pub image: Value,
    /// The annotations with its captions, verbatim.
    pub captions: Vec<Value>,
    /// The annotations of its things, verbatim.
    pub instances: Vec<Value>,
    /// Those of its stuff, verbatim; empty where the folder has no stuff annotations.
    pub stuff: Vec<Value>,
}

/// Smallest side of a zoomed crop, as a share of the photograph's shorter side.
const SMALLEST_ZOOM: f64 = 0.6;
/// Share of a person's area that is face, where only persons are annotated.
const FACE_SHARE: f32 = 0.1;
/// Share of an object's area that is lettering, by COCO category id: what usually carries print.
const LETTER_SHARES: [(u32, f32); 11] = [
    (6, 0.05),
    (8, 0.04),
    (13, 0.15),
    (14, 0.1),
    (44, 0.15),
    (73, 0.1),
    (75, 0.2),
    (76, 0.3),
    (77, 0.1),
    (84, 0.3),
    (85, 0.1),
];

/// Reads every photograph of the folder, ordered by COCO id.
///
/// # Errors
/// [`DataError::missing`] without pictures or JSON files; [`DataError::Invalid`] for a photograph that has no
/// caption or is unknown to the instances file, naming the picture.
pub fn read_album(folder: &Path) -> Result<Vec<Photograph>, DataError> {
    let mut album = Vec::new();
    for split in ["train2017", "val2017"] {
        if folder_is_there(&folder.join(split))? {
            read_split(folder, split, &mut album)?;
        }
    }
    if album.is_empty() {
        return Err(DataError::missing(folder.join("train2017"), "photographs as stimuli (`*.jpg`)"));
    }
    album.sort_by_key(|photograph| photograph.coco_id);
    Ok(album)
}

fn read_split(folder: &Path, split: &str, album: &mut Vec<Photograph>) -> Result<(), DataError> {
    let pictures = pictures(&folder.join(split))?;
    if pictures.is_empty() {
        return Ok(());
    }
    let json = |kind: &str| folder.join("annotations").join(format!("{kind}_{split}.json"));
    let mut captions = Annotations::read(&json("captions"), "the captions of the photographs")?;
    let mut instances = Annotations::read(&json("instances"), "the objects in the photographs")?;
    let mut stuff = match json("stuff") {
        path if file_is_there(&path)? => Some(Annotations::read(&path, "the stuff in the photographs")?),
        _ => None,
    };
    for (name, path) in pictures {
        let id = captions.ids.get(&name).copied().ok_or_else(|| {
            DataError::invalid(&path, "entry in the captions file", "one image of this name", "none")
        })?;
        let own_captions = captions.take(id);
        if own_captions.is_empty() {
            return Err(DataError::invalid(&path, "number of captions", "1 or more", 0));
        }
        // A picture may hold nothing of the 80 categories, but the file has to know it.
        if !instances.images.contains_key(&id) {
            let expected = format!("image {id} in `{}`", json("instances").display());
            return Err(DataError::invalid(&path, "entry in the instances file", expected, "none"));
        }
        let image = captions.images.remove(&id).unwrap_or(Value::Null);
        let size = image::image_dimensions(&path).map_err(|error| DataError::unreadable(&path, error))?;
        // Polygons are in the pixels of the picture that was annotated: a resized copy would shift them all.
        let (width, height) = (u64::from(size.0), u64::from(size.1));
        let stated = (field_u64(&image, "width"), field_u64(&image, "height"));
        if stated != (Some(width), Some(height)) {
            let stated = match stated {
                (Some(width), Some(height)) => format!("{width} × {height}"),
                _ => "numbers in pixels".into(),
            };
            let file = json("captions");
            let expected = format!("{stated}, which `{}` says", file.display());
            return Err(DataError::invalid(
                &path,
                "width and height",
                expected,
                format!("{width} × {height}"),
            ));
        }
        album.push(Photograph {
            coco_id: id,
            split: split.to_string(),
            path,
            size,
            image,
            captions: own_captions,
            instances: instances.take(id),
            stuff: stuff.as_mut().map_or_else(Vec::new, |stuff| stuff.take(id)),
        });
    }
    Ok(())
}

/// File name and path of each JPEG of a folder, by name.
fn pictures(folder: &Path) -> Result<BTreeMap<String, PathBuf>, DataError> {
    let unreadable = |error: std::io::Error| DataError::unreadable(folder, error);
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|extension| extension == "jpg") {
            let name = path.file_name().and_then(|name| name.to_str());
            let name = name.ok_or_else(|| DataError::invalid(&path, "name", "UTF-8", "other bytes"))?;
            found.insert(name.to_string(), path.clone());
        }
    }
    Ok(found)
}

/// A COCO JSON file, taken apart by image.
struct Annotations {
    ids: BTreeMap<String, u64>,
    images: BTreeMap<u64, Value>,
    by_image: BTreeMap<u64, Vec<Value>>,
}

impl Annotations {
    fn read(path: &Path, needed_for: &str) -> Result<Self, DataError> {
        let bytes = read_input(path, InputKind::Annotations)
            .map_err(|error| DataError::from_io(path, needed_for, &error))?;
        let mut root: Value = serde_json::from_slice(without_mark(&bytes))
            .map_err(|error| DataError::unreadable(path, error))?;
        let mut list = |name: &str| match root.get_mut(name).map(Value::take) {
            Some(Value::Array(members)) => Ok(members),
            _ => Err(DataError::invalid(path, name, "a list", "none")),
        };
        let (images, annotations) = (list("images")?, list("annotations")?);
        let mut read = Self { ids: BTreeMap::new(), images: BTreeMap::new(), by_image: BTreeMap::new() };
        for image in images {
            let (Some(id), Some(name)) = (field_u64(&image, "id"), image["file_name"].as_str()) else {
                return Err(DataError::invalid(path, "images", "`id` and `file_name` in each", image));
            };
            read.ids.insert(name.to_string(), id);
            read.images.insert(id, image);
        }
        for annotation in annotations {
            let Some(id) = field_u64(&annotation, "image_id") else {
                return Err(DataError::invalid(path, "annotations", "`image_id` in each", annotation));
            };
            read.by_image.entry(id).or_default().push(annotation);
        }
        Ok(read)
    }

    fn take(&mut self, id: u64) -> Vec<Value> {
        self.by_image.remove(&id).unwrap_or_default()
    }
}

fn field_u64(value: &Value, name: &str) -> Option<u64> {
    value.get(name).and_then(Value::as_u64)
}

impl Photograph {
    /// The first `count` crops: NSD's own, then distinct random ones.
    ///
    /// # Errors
    /// [`DataError::Invalid`] when the picture is too small to give that many.
    pub fn crops(&self, seed: u64, count: usize) -> Result<Vec<SquareCrop>, DataError> {
        let (width, height) = self.size;
        let whole = width.min(height);
        let centred = SquareCrop { left: (width - whole) / 2, top: (height - whole) / 2, side: whole };
        let mut crops = vec![centred];
        // Distinct crops, because two NSD images must not be the same picture.
        let mut known = BTreeSet::from([centred]);
        let mut rng = keyed_rng(seed, "phantom/crops", self.coco_id);
        let mut attempts = 0;
        while crops.len() < count {
            attempts += 1;
            if attempts > 100 * count {
                let expected = format!("room for {count} different square crops");
                return Err(DataError::invalid(
                    &self.path,
                    "width and height",
                    expected,
                    format!("{:?}", self.size),
                ));
            }
            let share = SMALLEST_ZOOM + (1.0 - SMALLEST_ZOOM) * rng.random::<f64>();
            let side = ((f64::from(whole) * share).round() as u32).max(1);
            let left = rng.random_range(0..=width - side);
            let top = rng.random_range(0..=height - side);
            let crop = SquareCrop { left, top, side };
            if known.insert(crop) {
                crops.push(crop);
            }
        }
        Ok(crops)
    }

    /// The decoded picture.
    ///
    /// # Errors
    /// [`DataError::unreadable`].
    pub fn decode(&self) -> Result<image::RgbImage, DataError> {
        let bytes = read_input(&self.path, InputKind::Picture)
            .map_err(|error| DataError::from_io(&self.path, "the stimuli", &error))?;
        decode_picture(&self.path, &bytes)
    }

    /// Shares of the crop's area, from polygons clipped to the crop (boxes for crowds).
    pub fn crop_shares(&self, crop: SquareCrop) -> CropShares {
        let window = [crop.left, crop.top, crop.left + crop.side, crop.top + crop.side].map(f64::from);
        let whole = f64::from(crop.side).powi(2);
        let mut shares = CropShares::default();
        let (mut kept, mut total) = (0.0, 0.0);
        for object in &self.instances {
            let Some(category_id) = field_u64(object, "category_id").map(|id| id as u32) else { continue };
            let visible = visible_area(object, window);
            // Both areas by the same rule, so that a box that stands in for a crowd is lost in proportion.
            let everywhere = [0.0, 0.0, f64::from(self.size.0), f64::from(self.size.1)];
            kept += visible;
            total += visible_area(object, everywhere);
            let share = (visible / whole).min(1.0) as f32;
            if share <= 0.0 {
                continue;
            }
            shares.things.push((category_id, share));
            if category_id == 1 {
                shares.faces += share * FACE_SHARE;
            }
            if let Some((_, letters)) = LETTER_SHARES.iter().find(|(id, _)| *id == category_id) {
                shares.letters += share * letters;
            }
        }
        // Stuff has run lengths of the whole picture and is not clipped: its share of the picture stands in for its
        // share of the crop.
        let picture = f64::from(self.size.0) * f64::from(self.size.1);
        for region in &self.stuff {
            let (Some(id), Some(area)) = (field_u64(region, "category_id"), region["area"].as_f64()) else {
                continue;
            };
            if (92..=182).contains(&id) {
                shares.stuff.push((id as u32, (area / picture).clamp(0.0, 1.0) as f32));
            }
        }
        shares.lost = if total > 0.0 { (1.0 - kept / total).clamp(0.0, 1.0) as f32 } else { 0.0 };
        shares
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::FileError;

    /// A folder with one 60 × 40 picture; `captions` and `instances` are the annotation lists.
    fn folder(captions: &str, instances: &str, images: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("train2017")).unwrap();
        fs::create_dir_all(folder.path().join("annotations")).unwrap();
        let picture = image::RgbImage::from_fn(60, 40, |x, y| image::Rgb([x as u8 * 4, y as u8 * 6, 90]));
        picture.save(folder.path().join("train2017/000000000007.jpg")).unwrap();
        let image = r#"{"id": 7, "file_name": "000000000007.jpg", "width": 60, "height": 40}"#;
        let write = |kind: &str, images: &str, annotations: &str| {
            let text = format!(r#"{{"images": [{images}], "annotations": [{annotations}]}}"#);
            fs::write(folder.path().join(format!("annotations/{kind}_train2017.json")), text).unwrap();
        };
        write("captions", image, captions);
        write("instances", if images.is_empty() { image } else { images }, instances);
        folder
    }

    const CAPTION: &str = r#"{"id": 1, "image_id": 7, "caption": "A blue wall."}"#;
    const OBJECT: &str = r#"{"id": 2, "image_id": 7, "category_id": 1, "iscrowd": 0, "area": 400.0,
        "bbox": [0, 0, 20, 20], "segmentation": [[0, 0, 20, 0, 20, 20, 0, 20]]}"#;

    #[test]
    fn shares_are_those_of_the_crop() {
        let folder = folder(CAPTION, OBJECT, "");
        let album = read_album(folder.path()).unwrap();
        let crops = album[0].crops(3, 20).unwrap();
        assert_eq!(crops[0], SquareCrop { left: 10, top: 0, side: 40 });
        assert_eq!(crops.iter().collect::<BTreeSet<_>>().len(), 20);
        assert!(crops.iter().all(|crop| crop.left + crop.side <= 60 && crop.top + crop.side <= 40));
        // Of the square of 20 × 20 the crop keeps the right half.
        let shares = album[0].crop_shares(crops[0]);
        assert_eq!(shares.things, vec![(1, 200.0 / 1600.0)]);
    }

    #[test]
    fn photographs_without_words_or_annotations_are_named() {
        let no_caption = read_album(folder("", OBJECT, "").path()).unwrap_err().to_string();
        assert!(no_caption.contains("000000000007.jpg`: number of captions is 0"), "{no_caption}");
        let other = r#"{"id": 8, "file_name": "000000000008.jpg", "width": 60, "height": 40}"#;
        let unknown = read_album(folder(CAPTION, "", other).path()).unwrap_err().to_string();
        assert!(unknown.contains("000000000007.jpg`: entry in the instances file is none"), "{unknown}");
    }

    #[test]
    fn missing_and_broken_files_are_errors() {
        let empty = tempfile::tempdir().unwrap();
        assert!(matches!(read_album(empty.path()), Err(DataError::File(FileError::Missing { .. }))));
        let folder = folder(CAPTION, OBJECT, "");
        fs::write(folder.path().join("annotations/captions_train2017.json"), "{\"images\": [").unwrap();
        assert!(matches!(read_album(folder.path()), Err(DataError::File(FileError::Unreadable { .. }))));
        fs::write(folder.path().join("annotations/captions_train2017.json"), "{}").unwrap();
        assert!(matches!(read_album(folder.path()), Err(DataError::Invalid { .. })));
    }
}
