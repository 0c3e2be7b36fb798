//! COCO's JSON files for the pictures behind the stimuli.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use serde_json::{Value, json};

use super::super::scenes::captions::CaptionQuality;
use super::super::semantic_features::{SUPERCATEGORIES, supercategory_of};
use super::super::stimuli::{Origin, RenderedStimulus, StimulusSet};
use crate::data::coco::categories::{STUFF, STUFF_OTHER_ID, THINGS};
use crate::data::error::DataError;
use crate::data::nsd::tree::{AnnotationKind, COCO_SPLITS, NsdTree};
use crate::error::FileError;
use crate::files::write_through;

/// First id of stuff; ids are consecutive.
const FIRST_STUFF_ID: u32 = 92;

/// Collects what the JSON files will hold, by COCO id.
#[derive(Default)]
pub struct AnnotationBook {
    instances: BTreeMap<u64, Vec<Value>>,
    stuff: BTreeMap<u64, Vec<Value>>,
}

/// Grade of a generated caption, for `truth.h5`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CaptionGrade {
    /// `id` of the annotation.
    pub annotation_id: u64,
    /// The picture.
    pub coco_id: u64,
    /// How much of the scene the caption tells, from nothing to things, colours and place.
    pub quality: CaptionQuality,
}

impl AnnotationBook {
    /// Notes the things and stuff of a rendered scene; photographs bring their own.
    pub fn note(&mut self, stimuli: &StimulusSet, rendered: &RenderedStimulus) {
        let stimulus = &stimuli.stimuli[rendered.index];
        if stimulus.origin != Origin::Scene {
            return;
        }
        let coco_id = stimulus.coco_id;
        let size = stimuli.scene(stimulus).size;
        let instances = rendered.instances.iter().zip(1..).map(|(instance, number): (_, u64)| {
            json!({
                "segmentation": instance.polygons,
                "area": instance.area,
                "iscrowd": 0,
                "image_id": coco_id,
                "bbox": instance.bounding_box,
                "category_id": instance.category_id,
                "id": coco_id * 100 + number,
            })
        });
        self.instances.insert(coco_id, instances.collect());
        // COCO writes the size of run lengths as [height, width]; `size` is (width, height).
        let stuff = rendered.stuff.iter().zip(1..).map(|(region, number): (_, u64)| {
            json!({
                "segmentation": {"counts": region.counts, "size": [size.1, size.0]},
                "area": region.area,
                "iscrowd": 0,
                "image_id": coco_id,
                "bbox": region.bounding_box,
                "category_id": region.category_id,
                "id": coco_id * 1000 + number,
            })
        });
        self.stuff.insert(coco_id, stuff.collect());
    }

    /// Writes captions, instances and stuff for each split that has pictures; returns the grades of generated
    /// captions.
    ///
    /// # Errors
    /// [`DataError::unwritable`].
    pub fn write(
        mut self,
        tree: &NsdTree,
        seed: u64,
        stimuli: &StimulusSet,
    ) -> Result<Vec<CaptionGrade>, DataError> {
        let mut grades = Vec::new();
        for split in COCO_SPLITS {
            let mut images = Vec::new();
            let mut captions = Vec::new();
            let mut instances = Vec::new();
            let (mut with_stuff, mut stuff) = (BTreeSet::new(), Vec::new());
            let mut known = BTreeSet::new();
            for stimulus in stimuli.stimuli.iter().filter(|stimulus| stimulus.coco_split == split) {
                let coco_id = stimulus.coco_id;
                // Several stimuli may be cut from one photograph.
                if !known.insert(coco_id) {
                    continue;
                }
                match stimulus.origin {
                    Origin::Photograph { index, .. } => {
                        let photograph = &stimuli.album[index];
                        images.push(photograph.image.clone());
                        captions.extend(photograph.captions.iter().cloned());
                        instances.extend(photograph.instances.iter().cloned());
                        if !photograph.stuff.is_empty() {
                            with_stuff.insert(coco_id);
                            stuff.extend(photograph.stuff.iter().cloned());
                        }
                    }
                    Origin::Scene => {
                        let scene = stimuli.scene(stimulus);
                        images.push(json!({
                            "license": 0,
                            "file_name": format!("{coco_id:012}.jpg"),
                            "coco_url": "",
                            "height": scene.size.1,
                            "width": scene.size.0,
                            "date_captured": "2000-01-01 00:00:00",
                            "flickr_url": "",
                            "id": coco_id,
                        }));
                        let sentences = scene.captions(seed, u64::from(stimulus.nsd_id.0));
                        for (caption, number) in sentences.into_iter().zip(1_u64..) {
                            let annotation_id = coco_id * 10 + number;
                            captions.push(json!({
                                "image_id": coco_id, "id": annotation_id, "caption": caption.text,
                            }));
                            grades.push(CaptionGrade { annotation_id, coco_id, quality: caption.quality });
                        }
                        instances.extend(self.instances.remove(&coco_id).unwrap_or_default());
                        stuff.extend(self.stuff.remove(&coco_id).unwrap_or_default());
                        with_stuff.insert(coco_id);
                    }
                }
            }
            if images.is_empty() {
                continue;
            }
            let write = |kind, images: &[&Value], annotations: &[Value], categories: Option<Value>| {
                write_json(&tree.annotations(kind, split), images, annotations, categories)
            };
            let all: Vec<&Value> = images.iter().collect();
            write(AnnotationKind::Captions, &all, &captions, None)?;
            write(AnnotationKind::Instances, &all, &instances, Some(thing_categories()))?;
            // Photographs without stuff annotations are not listed: nothing is known about their stuff.
            if !with_stuff.is_empty() {
                let own: Vec<&Value> = images
                    .iter()
                    .filter(|image| image["id"].as_u64().is_some_and(|id| with_stuff.contains(&id)))
                    .collect();
                write(AnnotationKind::Stuff, &own, &stuff, Some(stuff_categories()))?;
            }
        }
        Ok(grades)
    }
}

/// One annotation to the line: files of a full phantom are large, and no second copy is made in memory.
fn write_json(
    path: &std::path::Path,
    images: &[&Value],
    annotations: &[Value],
    categories: Option<Value>,
) -> Result<(), FileError> {
    write_through(path, |out| {
        let info = json!({"description": "Pictures behind the stimuli of a synthetic NSD subject", "version": "1.0"});
        write!(
            out,
            "{{\"info\": {info},\n\"licenses\": [{{\"id\": 0, \"name\": \"generated\", \"url\": \"\"}}],\n"
        )?;
        write_list(out, "images", images.iter().copied())?;
        out.write_all(b",\n")?;
        write_list(out, "annotations", annotations.iter())?;
        if let Some(categories) = categories {
            write!(out, ",\n\"categories\": {categories}")?;
        }
        out.write_all(b"}\n")
    })
}

fn write_list<'a>(
    out: &mut impl Write,
    name: &str,
    members: impl Iterator<Item = &'a Value>,
) -> std::io::Result<()> {
    write!(out, "\"{name}\": [")?;
    for (index, member) in members.enumerate() {
        out.write_all(if index == 0 { b"\n" } else { b",\n" })?;
        serde_json::to_writer(&mut *out, member)?;
    }
    write!(out, "\n]")
}

fn thing_categories() -> Value {
    THINGS
        .iter()
        .map(|(id, name)| {
            let group = supercategory_of(*id).map_or("", |index| SUPERCATEGORIES[index].0);
            json!({"supercategory": group, "id": id, "name": name})
        })
        .collect()
}

fn stuff_categories() -> Value {
    let named = (FIRST_STUFF_ID..).zip(STUFF);
    named
        .chain([(STUFF_OTHER_ID, "other")])
        .map(|(id, name)| json!({"supercategory": "stuff", "id": id, "name": name}))
        .collect()
}
