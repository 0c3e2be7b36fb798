//! The images that the subject sees: for each NSD image number a scene or a crop of a photograph.

use rand::seq::SliceRandom;
use rayon::prelude::*;

use super::config::{PhantomConfig, StimulusSource};
use super::photographs::{Photograph, SquareCrop, read_album};
use super::scene_plan::{SceneChoice, choose_scenes};
use super::scenes::Scene;
use super::scenes::annotation::{CropShares, SceneInstance, SceneStuff};
use crate::data::error::DataError;
use crate::data::trial::NsdId;
use crate::tensor_ops::random::keyed_rng;

/// Width and height of NSD's stimuli in pixels.
pub const STIMULUS_SIZE: u32 = 425;
/// Scenes get COCO ids from here on, far above COCO's own (below 600,000).
pub const FIRST_SCENE_COCO_ID: u64 = 900_000;
/// One scene in this many belongs to `val2017`; about COCO's own proportion.
const VALIDATION_EVERY: u32 = 24;

/// Drawn scene, or a part of a photograph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The scene with the number of the image.
    Scene,
    /// A part of a photograph, by its place in the album.
    Photograph {
        /// Place in [`StimulusSet::album`].
        index: usize,
        /// The part.
        crop: SquareCrop,
    },
}

/// One of the images that the subject sees, with where it comes from.
#[derive(Clone, Debug, PartialEq)]
pub struct Stimulus {
    /// 0-based image number.
    pub nsd_id: NsdId,
    /// The COCO picture it is a crop of.
    pub coco_id: u64,
    /// `train2017` or `val2017`.
    pub coco_split: String,
    /// Shares cut off at the top, bottom, left and right.
    pub crop: [f64; 4],
    /// Drawn scene, or a part of a photograph.
    pub origin: Origin,
    /// The scene, where it is one.
    pub scene: SceneChoice,
}

/// All images of a phantom.
#[derive(Clone, Debug)]
pub struct StimulusSet {
    /// Ascending by image number.
    pub stimuli: Vec<Stimulus>,
    /// The photographs, ascending by COCO id; empty for scenes only.
    pub album: Vec<Photograph>,
    seed: u64,
}

/// COCO id of the scene with this number.
pub fn scene_coco_id(nsd_id: NsdId) -> u64 {
    FIRST_SCENE_COCO_ID + u64::from(nsd_id.0)
}

/// COCO split of the scene with this number.
pub fn scene_split(nsd_id: NsdId) -> &'static str {
    if nsd_id.0.is_multiple_of(VALIDATION_EVERY) { "val2017" } else { "train2017" }
}

/// Shares that NSD's crop of a scene cuts off at the top, bottom, left and right.
pub fn crop_of_scene(scene: &Scene) -> [f64; 4] {
    let (left, top) = scene.crop_origin;
    fractions(scene.size, SquareCrop { left, top, side: scene.size.0.min(scene.size.1) })
}

impl StimulusSet {
    /// Decides what each of the images is, given in the order in which the subject first sees them.
    ///
    /// # Errors
    /// Whatever is wrong with the folder of photographs.
    pub fn plan(config: &PhantomConfig, images: &[NsdId]) -> Result<Self, DataError> {
        let mut order = images.to_vec();
        // By number before the shuffle, so that which images are photographs does not depend on when they are shown.
        order.sort_unstable();
        order.shuffle(&mut keyed_rng(config.seed, "phantom/sources", 0));
        let num_photographs = match config.source {
            StimulusSource::Scenes => 0,
            StimulusSource::Photographs => order.len(),
            StimulusSource::Both => (order.len() as f64 * config.photograph_fraction).round() as usize,
        };
        let album = match &config.photographs {
            Some(folder) if num_photographs > 0 => read_album(folder)?,
            _ => Vec::new(),
        };
        let (from_album, scenes) = order.split_at(if album.is_empty() { 0 } else { num_photographs });
        let choices = choose_scenes(config, images, &scenes.iter().copied().collect());
        let mut stimuli = Vec::with_capacity(order.len());
        for (index, photograph) in album.iter().enumerate() {
            // Every photograph in turn, so that all are used about equally often.
            let own: Vec<NsdId> = from_album.iter().skip(index).step_by(album.len()).copied().collect();
            let crops = if own.is_empty() { Vec::new() } else { photograph.crops(config.seed, own.len())? };
            stimuli.extend(own.iter().zip(crops).map(|(&nsd_id, crop)| Stimulus {
                nsd_id,
                coco_id: photograph.coco_id,
                coco_split: photograph.split.clone(),
                crop: fractions(photograph.size, crop),
                origin: Origin::Photograph { index, crop },
                scene: SceneChoice::own(nsd_id),
            }));
        }
        stimuli.extend(scenes.iter().map(|&nsd_id| {
            let choice = choices.get(&nsd_id).copied().unwrap_or(SceneChoice::own(nsd_id));
            let scene = choice.draw(config.seed, nsd_id);
            Stimulus {
                nsd_id,
                coco_id: scene_coco_id(nsd_id),
                coco_split: scene_split(nsd_id).to_string(),
                crop: crop_of_scene(&scene),
                origin: Origin::Scene,
                scene: choice,
            }
        }));
        stimuli.sort_by_key(|stimulus| stimulus.nsd_id);
        Ok(Self { stimuli, album, seed: config.seed })
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.stimuli.len()
    }

    /// Whether there are no images.
    pub fn is_empty(&self) -> bool {
        self.stimuli.is_empty()
    }

    /// The scene of a stimulus that is one.
    pub fn scene(&self, stimulus: &Stimulus) -> Scene {
        stimulus.scene.draw(self.seed, stimulus.nsd_id)
    }

    /// Whether a scene shows a thing of one of the COCO categories.
    pub fn shows_any(&self, stimulus: &Stimulus, categories: &[String]) -> bool {
        stimulus.origin == Origin::Scene
            && !categories.is_empty()
            && self
                .scene(stimulus)
                .placed
                .iter()
                .any(|placed| categories.iter().any(|name| name == placed.thing.category().1))
    }

    /// Renders every image once, `measure`s it on all cores, and hands picture and measure to `keep` in an order
    /// that depends on the plan alone.
    ///
    /// # Errors
    /// [`DataError::unreadable`] for a photograph, and whatever `keep` returns.
    pub fn render_all<M: Send>(
        &self,
        measure: impl Fn(&RenderedStimulus) -> M + Sync,
        mut keep: impl FnMut(RenderedStimulus, M) -> Result<(), DataError>,
    ) -> Result<(), DataError> {
        const PICTURES_AT_ONCE: usize = 32;
        // Crops of one photograph side by side, so that it is decoded once per group.
        let mut order: Vec<usize> = (0..self.len()).collect();
        order.sort_by_key(|&index| match self.stimuli[index].origin {
            Origin::Scene => (0, index),
            Origin::Photograph { index: photograph, .. } => (photograph + 1, index),
        });
        for group in order.chunks(PICTURES_AT_ONCE) {
            let jobs: Vec<&[usize]> = group
                .chunk_by(|&a, &b| match (self.stimuli[a].origin, self.stimuli[b].origin) {
                    (Origin::Photograph { index: a, .. }, Origin::Photograph { index: b, .. }) => a == b,
                    _ => false,
                })
                .collect();
            let rendered: Vec<Result<Vec<RenderedStimulus>, DataError>> =
                jobs.into_par_iter().map(|job| self.render(job)).collect();
            let rendered: Vec<Vec<RenderedStimulus>> = rendered.into_iter().collect::<Result<_, _>>()?;
            let rendered: Vec<RenderedStimulus> = rendered.into_iter().flatten().collect();
            let measures: Vec<M> = rendered.par_iter().map(&measure).collect();
            for (stimulus, measured) in rendered.into_iter().zip(measures) {
                keep(stimulus, measured)?;
            }
        }
        Ok(())
    }

    /// One scene, or several crops of one photograph.
    fn render(&self, job: &[usize]) -> Result<Vec<RenderedStimulus>, DataError> {
        let mut decoded: Option<image::RgbImage> = None;
        job.iter()
            .map(|&index| {
                let stimulus = &self.stimuli[index];
                match stimulus.origin {
                    Origin::Scene => {
                        let scene = self.scene(stimulus);
                        let regions = scene.regions();
                        let (instances, stuff) = scene.annotations(&regions);
                        Ok(RenderedStimulus {
                            index,
                            picture: scene.render_crop(STIMULUS_SIZE),
                            shares: scene.crop_shares(&regions),
                            instances,
                            stuff,
                        })
                    }
                    Origin::Photograph { index: place, crop } => {
                        let photograph = &self.album[place];
                        // A job holds crops of one photograph only: decoded once, handed on.
                        let whole = match decoded.take() {
                            Some(whole) => whole,
                            None => photograph.decode()?,
                        };
                        let part =
                            image::imageops::crop_imm(&whole, crop.left, crop.top, crop.side, crop.side);
                        let picture = image::imageops::resize(
                            &*part,
                            STIMULUS_SIZE,
                            STIMULUS_SIZE,
                            image::imageops::FilterType::CatmullRom,
                        );
                        let shares = photograph.crop_shares(crop);
                        decoded = Some(whole);
                        Ok(RenderedStimulus {
                            index,
                            picture,
                            shares,
                            instances: Vec::new(),
                            stuff: Vec::new(),
                        })
                    }
                }
            })
            .collect()
    }
}

/// One image as pixels, with what it shows.
#[derive(Clone, Debug)]
pub struct RenderedStimulus {
    /// Place in [`StimulusSet::stimuli`].
    pub index: usize,
    /// 425 × 425.
    pub picture: image::RgbImage,
    /// Share of the square crop that each thing and each kind of stuff covers.
    pub shares: CropShares,
    /// Things of the whole picture; empty for photographs, which bring their own annotations.
    pub instances: Vec<SceneInstance>,
    /// Stuff of the whole picture; empty for photographs.
    pub stuff: Vec<SceneStuff>,
}

/// Shares cut off at the top, bottom, left and right of a picture.
fn fractions((width, height): (u32, u32), crop: SquareCrop) -> [f64; 4] {
    let (w, h) = (f64::from(width), f64::from(height));
    [
        f64::from(crop.top) / h,
        f64::from(height - crop.top - crop.side) / h,
        f64::from(crop.left) / w,
        f64::from(width - crop.left - crop.side) / w,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crops_are_square_again_when_read_from_fractions() {
        let [top, bottom, left, right] = fractions((640, 427), SquareCrop { left: 131, top: 20, side: 402 });
        assert_eq!((640.0 * (1.0 - left - right)).round(), 402.0);
        assert_eq!((427.0 * (1.0 - top - bottom)).round(), 402.0);
        assert_eq!((640.0 * left).round(), 131.0);
    }

    #[test]
    fn every_image_is_rendered_once_and_pictures_do_not_depend_on_the_others() {
        let config = PhantomConfig { seed: 9, ..Default::default() };
        let ids: Vec<NsdId> = [70_000, 3, 24, 51].map(NsdId).to_vec();
        let set = StimulusSet::plan(&config, &ids).unwrap();
        let mut seen = Vec::new();
        let mut pictures = std::collections::BTreeMap::new();
        set.render_all(
            |stimulus| stimulus.shares.things.len(),
            |stimulus, things| {
                assert_eq!(stimulus.instances.is_empty(), things == 0);
                seen.push(stimulus.index);
                pictures.insert(set.stimuli[stimulus.index].nsd_id, stimulus.picture);
                Ok(())
            },
        )
        .unwrap();
        assert_eq!(seen, [0, 1, 2, 3]);
        assert_eq!(set.stimuli[1].coco_split, "val2017");
        let alone = StimulusSet::plan(&config, &[NsdId(51)]).unwrap();
        alone
            .render_all(
                |_| (),
                |stimulus, ()| {
                    assert_eq!(stimulus.picture.as_raw(), pictures[&NsdId(51)].as_raw());
                    Ok(())
                },
            )
            .unwrap();
    }
}
