//! `instances_*.json` and `stuff_*.json`: which categories a photograph shows, and where.

use std::collections::HashMap;
use std::path::PathBuf;

use serde::Deserialize;

use super::captions::read_json;
use super::categories;
use crate::data::error::DataError;
use crate::data::image::crop::Rectangle;
use crate::data::trial::CocoId;

#[derive(Deserialize)]
struct ObjectFile {
    #[serde(default)]
    images: Vec<Photograph>,
    annotations: Vec<Annotation>,
}

#[derive(Deserialize)]
struct Photograph {
    id: u64,
    width: u32,
    height: u32,
}

// Segmentations make up nearly all of a file; not being named here, they are skipped.
#[derive(Deserialize)]
struct Annotation {
    image_id: u64,
    category_id: u32,
    #[serde(default)]
    bbox: Option<[f64; 4]>,
}

/// One object or stretch of stuff in a photograph.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Object {
    /// COCO's category id: 1..=90 things, 92..=182 stuff.
    pub category: u32,
    /// Where, in pixels of the whole photograph; none when the file does not say.
    pub rectangle: Option<Rectangle>,
}

/// Objects and sizes by photograph.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CategoryTable {
    objects: HashMap<CocoId, Vec<Object>>,
    sizes: HashMap<CocoId, [u32; 2]>,
}

impl CategoryTable {
    /// Reads any number of instances and stuff files. Ids that are no category (183, "other") are left out.
    ///
    /// # Errors
    /// [`DataError::missing`], [`DataError::unreadable`] with line and column, [`DataError::Empty`] without any object.
    pub fn read(paths: &[PathBuf]) -> Result<Self, DataError> {
        let mut table = Self::default();
        for path in paths {
            let file: ObjectFile = read_json(path, "the categories that the photographs show")?;
            table
                .sizes
                .extend(file.images.iter().map(|image| (CocoId(image.id), [image.width, image.height])));
            for Annotation { image_id, category_id, bbox } in file.annotations {
                if categories::index(category_id).is_some() {
                    let rectangle = bbox.map(|[x, y, width, height]| Rectangle { x, y, width, height });
                    let object = Object { category: category_id, rectangle };
                    table.objects.entry(CocoId(image_id)).or_default().push(object);
                }
            }
        }
        if table.objects.is_empty() {
            let names: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
            let what = format!("the list of objects in {}", names.join(", "));
            return Err(DataError::empty(what, "expected instances_*2017.json and stuff_*2017.json"));
        }
        Ok(table)
    }

    /// Everything annotated in a photograph.
    pub fn objects(&self, photograph: CocoId) -> &[Object] {
        self.objects.get(&photograph).map_or(&[], Vec::as_slice)
    }

    /// Ids of the categories in a photograph, each once, ascending.
    pub fn categories(&self, photograph: CocoId) -> Vec<u32> {
        let mut ids: Vec<u32> = self.objects(photograph).iter().map(|object| object.category).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// `[width, height]` of a photograph in pixels, when an instances or stuff file lists it.
    pub fn size(&self, photograph: CocoId) -> Option<[u32; 2]> {
        self.sizes.get(&photograph).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_and_stuff_are_joined_and_segmentations_skipped() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let instances = write(
            "instances_val2017.json",
            r#"{"images":[{"id":5,"width":640,"height":426,"file_name":"000000000005.jpg"}],
                "annotations":[
                 {"id":1,"image_id":5,"category_id":18,"bbox":[1.5,2,30,40],"area":9,"iscrowd":0,"segmentation":[[1,2,3,4]]},
                 {"id":2,"image_id":5,"category_id":18,"bbox":[0,0,3,4],"iscrowd":1,"segmentation":{"counts":[3,4],"size":[9,9]}}],
                "categories":[{"id":18,"name":"dog"}]}"#,
        );
        let stuff = write(
            "stuff_val2017.json",
            r#"{"annotations":[{"image_id":5,"category_id":183,"bbox":[0,0,1,1]},
                {"image_id":5,"category_id":124,"segmentation":{"counts":"abc","size":[1,1]}}]}"#,
        );
        let table = CategoryTable::read(&[instances.clone(), stuff]).unwrap();
        assert_eq!(table.categories(CocoId(5)), [18, 124]);
        let first = Rectangle { x: 1.5, y: 2.0, width: 30.0, height: 40.0 };
        assert_eq!(table.objects(CocoId(5))[0], Object { category: 18, rectangle: Some(first) });
        assert_eq!(table.size(CocoId(5)), Some([640, 426]));
        assert!(table.categories(CocoId(6)).is_empty());

        let wrong = write("stuff_train2017.json", r#"{"annotations":[{"image_id":5,"category_id":"dog"}]}"#);
        let error = CategoryTable::read(&[instances, wrong]).unwrap_err().to_string();
        assert!(
            error.contains("stuff_train2017.json` cannot be read: as COCO JSON: invalid type"),
            "{error}"
        );
    }
}
