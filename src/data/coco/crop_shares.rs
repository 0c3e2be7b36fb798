//! How much of an NSD image each category covers, from the segmentations of its photograph.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use super::annotation_stream::for_each_annotation;
use super::captions::read_json;
use super::categories;
use super::clipping::visible_area;
use super::run_lengths::{pixels_within, run_lengths};
use crate::data::error::DataError;
use crate::data::image::crop::CropBox;
use crate::data::trial::CocoId;

const NEEDED_FOR: &str = "the categories that the images show";

/// Share of an image that each annotated category covers, and which annotation files know the image.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ShownCategories {
    /// Share of the image's area by category id, all instances together, in (0, 1].
    pub shares: BTreeMap<u32, f64>,
    /// Whether an instances file knows the photograph.
    pub knows_things: bool,
    /// Whether a stuff file knows the photograph.
    pub knows_stuff: bool,
}

impl ShownCategories {
    /// Does the category cover at least `min_share` of the image? None where no file knows.
    pub fn shows(&self, category: u32, min_share: f64) -> Option<bool> {
        let is_thing = categories::index(category)? < categories::THINGS.len();
        let is_known = if is_thing { self.knows_things } else { self.knows_stuff };
        is_known.then(|| self.shares.get(&category).is_some_and(|share| *share >= min_share))
    }
}

#[derive(Deserialize)]
struct Photographs {
    #[serde(default)]
    images: Vec<Photograph>,
}

#[derive(Deserialize)]
struct Photograph {
    id: u64,
    width: u32,
    height: u32,
}

/// What each of `crops` shows, in their order. A photograph that no file lists is not known.
///
/// # Errors
/// [`DataError::missing`], [`DataError::unreadable`] with line and column, [`DataError::unreadable`] for an annotation whose
/// image, category or mask cannot be read.
pub fn read_crop_shares(
    instances: &[PathBuf],
    stuff: &[PathBuf],
    crops: &[(CocoId, CropBox)],
) -> Result<Vec<ShownCategories>, DataError> {
    let mut places: HashMap<u64, Vec<usize>> = HashMap::new();
    for (place, (photograph, _)) in crops.iter().enumerate() {
        places.entry(photograph.0).or_default().push(place);
    }
    let mut shown = vec![ShownCategories::default(); crops.len()];
    for (paths, is_stuff) in [(instances, false), (stuff, true)] {
        for path in paths {
            read_file(path, is_stuff, &places, crops, &mut shown)?;
        }
    }
    Ok(shown)
}

fn read_file(
    path: &Path,
    is_stuff: bool,
    places: &HashMap<u64, Vec<usize>>,
    crops: &[(CocoId, CropBox)],
    shown: &mut [ShownCategories],
) -> Result<(), DataError> {
    // `[left, top, side]` of a crop, where the file lists its photograph.
    let mut squares: HashMap<usize, [u32; 3]> = HashMap::new();
    // The file is read twice: `images` may stand behind `annotations`, and a crop needs the size of its photograph.
    let Photographs { images } = read_json(path, NEEDED_FOR)?;
    for Photograph { id, width, height } in images {
        for place in places.get(&id).into_iter().flatten() {
            let (left, top, side) = crops[*place].1.kept_square(width, height);
            squares.insert(*place, [left, top, side]);
            let shown = &mut shown[*place];
            *if is_stuff { &mut shown.knows_stuff } else { &mut shown.knows_things } = true;
        }
    }
    for_each_annotation(path, NEEDED_FOR, &mut |annotation: &Value| {
        let number = |field: &str| {
            annotation[field].as_u64().ok_or_else(|| format!("`{field}` of an annotation is no whole number"))
        };
        let (image, category) = (number("image_id")?, number("category_id")?);
        let Some(category) = u32::try_from(category).ok().filter(|id| categories::index(*id).is_some())
        else {
            return Ok(());
        };
        for place in places.get(&image).into_iter().flatten() {
            let Some(square) = squares.get(place) else { continue };
            let share = share_of(annotation, *square)
                .ok_or_else(|| format!("annotation {}: its run lengths cannot be read", annotation["id"]))?;
            if share > 0.0 {
                let sum = shown[*place].shares.entry(category).or_insert(0.0);
                // Instances overlap, but a category never covers more than the image.
                *sum = (*sum + share).min(1.0);
            }
        }
        Ok(())
    })
}

/// Share of the square that an annotation covers.
fn share_of(annotation: &Value, [left, top, side]: [u32; 3]) -> Option<f64> {
    if side == 0 {
        return Some(0.0);
    }
    let whole = f64::from(side) * f64::from(side);
    let segmentation = &annotation["segmentation"];
    if segmentation.is_object() {
        let (counts, height) = run_lengths(segmentation)?;
        let window = [left, top, left + side, top + side].map(u64::from);
        return Some(pixels_within(&counts, height, window) as f64 / whole);
    }
    let visible = visible_area(annotation, [left, top, left + side, top + side].map(f64::from));
    let outline = visible_area(annotation, [0.0, 0.0, f64::MAX, f64::MAX]);
    // What stands in front makes holes that outlines do not have, but areas do.
    let density = match annotation["area"].as_f64() {
        Some(area) if segmentation.is_array() && outline > 0.0 => (area / outline).clamp(0.0, 1.0),
        _ => 1.0,
    };
    Some(visible * density / whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn write(folder: &Path, name: &str, annotations: Value) -> PathBuf {
        let path = folder.join(name);
        // Photograph 5 is 60 × 40, 6 is listed nowhere.
        let file = json!({"annotations": annotations, "images": [{"id": 5, "width": 60, "height": 40}]});
        std::fs::write(&path, file.to_string()).unwrap();
        path
    }

    #[test]
    fn shares_are_those_of_the_crop() {
        let folder = tempfile::tempdir().unwrap();
        let square = json!([[0, 0, 20, 0, 20, 20, 0, 20]]);
        let instances = write(
            folder.path(),
            "instances_val2017.json",
            json!([
                {"id": 1, "image_id": 5, "category_id": 18, "area": 400, "segmentation": square},
                {"id": 2, "image_id": 5, "category_id": 18, "area": 200, "segmentation": square},
                {"id": 3, "image_id": 6, "category_id": 17, "area": 400, "segmentation": square},
                {"id": 4, "image_id": 5, "category_id": 12, "area": 400, "segmentation": square},
            ]),
        );
        // The first 15 columns, and two rows at the bottom of the 16th.
        let mask = json!({"counts": [0, 600, 38, 2, 1760], "size": [40, 60]});
        let stuff = write(
            folder.path(),
            "stuff_val2017.json",
            json!([{"id": 9, "image_id": 5, "category_id": 124, "segmentation": mask},
                   {"id": 8, "image_id": 5, "category_id": 183, "segmentation": mask}]),
        );
        let centred = CropBox { top: 0.0, bottom: 0.0, left: 1.0 / 6.0, right: 1.0 / 6.0 };
        let left = CropBox { left: 0.0, right: 1.0 / 3.0, ..centred };
        let crops = [(CocoId(5), centred), (CocoId(6), centred), (CocoId(5), left)];
        let shown = read_crop_shares(std::slice::from_ref(&instances), &[stuff], &crops).unwrap();
        // Of 20 × 20 the centred crop keeps the right half; the second dog is half hidden.
        let expected = [(18, (200.0 + 100.0) / 1600.0), (124, (5.0 * 40.0 + 2.0) / 1600.0)];
        assert_eq!(shown[0].shares, expected.into());
        assert_eq!(shown[2].shares, [(18, 600.0 / 1600.0), (124, 602.0 / 1600.0)].into());
        assert_eq!(shown[1], ShownCategories::default());
        assert_eq!((shown[0].shows(18, 0.1), shown[0].shows(18, 0.2)), (Some(true), Some(false)));
        assert_eq!((shown[0].shows(17, 0.1), shown[1].shows(17, 0.1)), (Some(false), None));
        let things_only = read_crop_shares(&[instances], &[], &crops).unwrap();
        assert_eq!((things_only[0].shows(18, 0.1), things_only[0].shows(124, 0.1)), (Some(true), None));
    }

    #[test]
    fn annotations_that_cannot_be_read_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let crop = CropBox { top: 0.0, bottom: 0.0, left: 0.0, right: 0.0 };
        for (annotation, needle) in [
            (json!({"image_id": 5, "category_id": "dog"}), "`category_id`"),
            (
                json!({"id": 7, "image_id": 5, "category_id": 124, "segmentation": {"counts": 3}}),
                "annotation 7",
            ),
        ] {
            let path = write(folder.path(), "stuff_val2017.json", json!([annotation]));
            let error = read_crop_shares(&[], &[path], &[(CocoId(5), crop)]).unwrap_err().to_string();
            assert!(error.contains("stuff_val2017.json") && error.contains(needle), "{error}");
        }
    }
}
