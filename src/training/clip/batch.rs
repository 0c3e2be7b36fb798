//! Which pairs a training step sees, and how its images are changed. Pure functions of (seed, step).
//!
//! An epoch visits every photograph once, in a new order: one of its images, one of that image's captions,
//! both drawn anew. So a batch never holds two images of one photograph. Two photographs may share a caption
//! word for word; such pairs are marked, so that the loss does not push them apart.

use rand::RngExt;
use rand::seq::SliceRandom;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::captioned_images::CaptionedImages;
use crate::models::clip::preprocess::{CLIP_MEAN, CLIP_STD};
use crate::models::clip::tokenizer::TokenBatch;
use crate::tensor_ops::random::keyed_rng;

/// Random changes of training images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClipAugment {
    /// Smallest share of the image's area that a random square crop keeps; 1 switches crops off.
    pub min_area: f64,
    /// Probability of a left-right flip. Captions that say left or right become wrong.
    pub flip_probability: f64,
}

impl Default for ClipAugment {
    /// A random square crop is all that CLIP used (Radford et al. 2021, section 2.3); it never flips. The share is
    /// ours: the paper names none.
    fn default() -> Self {
        Self { min_area: 0.8, flip_probability: 0.0 }
    }
}

impl ClipAugment {
    /// Side at which training images are kept, so that the smallest crop need not be enlarged.
    pub fn working_side(&self, image_size: usize) -> usize {
        let smallest = self.min_area.clamp(0.05, 1.0).sqrt();
        (image_size as f64 / smallest).ceil() as usize
    }
}

/// One training batch on the host.
#[derive(Clone, Debug, PartialEq)]
pub struct ClipBatch {
    /// Side of every image.
    pub image_size: usize,
    /// `[batch, 3, image_size, image_size]`, CLIP-normalised.
    pub pixels: Vec<f32>,
    /// `[batch, length]`.
    pub tokens: TokenBatch,
    /// `[batch, batch]`, 1 where two different photographs have the same caption; `None` when nowhere.
    pub same_caption: Option<Vec<f32>>,
    /// Images of the batch.
    pub images: Vec<usize>,
}

/// One image of a batch and what happens to it.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Pick {
    image: usize,
    caption: usize,
    /// Side of the crop as a share of the image's.
    side: f64,
    /// Offsets of the crop as a share of the room that it leaves.
    offset: [f64; 2],
    flip: bool,
}

/// The order of batches over a training set.
pub struct BatchPlan<'a> {
    images: &'a CaptionedImages,
    groups: Vec<Vec<usize>>,
    augment: &'a ClipAugment,
    image_size: usize,
    steps_per_epoch: usize,
    seed: u64,
}

impl<'a> BatchPlan<'a> {
    /// Batches of at most `batch_size` photographs, as even as they can be.
    pub fn new(
        images: &'a CaptionedImages,
        augment: &'a ClipAugment,
        image_size: usize,
        batch_size: usize,
        seed: u64,
    ) -> Self {
        let groups = images.images_by_group();
        // At least two photographs a batch: a single pair has nothing to contrast with.
        let steps = groups.len().div_ceil(batch_size.max(2)).min(groups.len() / 2).max(1);
        Self { images, groups, augment, image_size, steps_per_epoch: steps, seed }
    }

    /// Steps in which every photograph is seen once.
    pub fn steps_per_epoch(&self) -> usize {
        self.steps_per_epoch
    }

    fn picks(&self, step: u64) -> Vec<Pick> {
        let steps = self.steps_per_epoch as u64;
        let (epoch, within) = (step / steps, (step % steps) as usize);
        let mut order: Vec<usize> = (0..self.groups.len()).collect();
        order.shuffle(&mut keyed_rng(self.seed, "clip order", epoch));
        // Every photograph is in exactly one batch, and sizes differ by one at most.
        let bound = |step: usize| step * order.len() / self.steps_per_epoch;
        let mut rng = keyed_rng(self.seed, "clip pairs", step);
        let min_area = self.augment.min_area.clamp(0.05, 1.0);
        order[bound(within)..bound(within + 1)]
            .iter()
            .map(|&group| {
                let members = &self.groups[group];
                // A photograph and not a picture is the unit of an epoch: a photograph of which there are many crops
                // is not seen more often.
                let image = members[rng.random_range(0..members.len())];
                Pick {
                    image,
                    caption: rng.random_range(0..self.images.captions(image).len()),
                    // Uniform in area; the side is its root.
                    side: (min_area + (1.0 - min_area) * rng.random::<f64>()).sqrt(),
                    offset: [rng.random(), rng.random()],
                    flip: rng.random::<f64>() < self.augment.flip_probability,
                }
            })
            .collect()
    }

    /// The batch of one step, counted from 0 over the whole run.
    pub fn batch(&self, step: u64) -> ClipBatch {
        let picks = self.picks(step);
        let captions: Vec<&[i32]> =
            picks.iter().map(|pick| self.images.captions(pick.image)[pick.caption].as_slice()).collect();
        let mut pixels = vec![0.0; picks.len() * 3 * self.image_size * self.image_size];
        pixels
            .par_chunks_exact_mut(3 * self.image_size * self.image_size)
            .zip(&picks)
            .for_each(|(target, pick)| self.write_pixels(pick, target));
        ClipBatch {
            image_size: self.image_size,
            pixels,
            same_caption: same_captions(&captions),
            tokens: TokenBatch::pad(captions.iter().copied()),
            images: picks.iter().map(|pick| pick.image).collect(),
        }
    }

    /// Crop, flip, bilinear to the network's side, CLIP-normalise.
    fn write_pixels(&self, pick: &Pick, target: &mut [f32]) {
        let source = self.images.pixels_u8_hwc(pick.image);
        let (from, to) = (self.images.side(), self.image_size);
        let crop = pick.side * from as f64;
        let axis = |offset: f64, mirrored: bool| -> Vec<(usize, usize, f32)> {
            let start = offset * (from as f64 - crop);
            (0..to)
                .map(|index| if mirrored { to - 1 - index } else { index })
                .map(|index| {
                    // Half-pixel centres. Mirroring exchanges the output's columns, not the place of the crop.
                    let position = start + (index as f64 + 0.5) * crop / to as f64 - 0.5;
                    let position = position.clamp(0.0, (from - 1) as f64);
                    let low = position as usize;
                    (low, (low + 1).min(from - 1), (position - low as f64) as f32)
                })
                .collect()
        };
        let (rows, columns) = (axis(pick.offset[0], false), axis(pick.offset[1], pick.flip));
        for channel in 0..3 {
            // Bytes to CLIP's statistics in one multiplication and one subtraction behind the interpolation, which is
            // linear and does not mind.
            let scale = 1.0 / (255.0 * CLIP_STD[channel] as f32);
            let shift = (CLIP_MEAN[channel] / CLIP_STD[channel]) as f32;
            let plane = &mut target[channel * to * to..(channel + 1) * to * to];
            let value = |row: usize, column: usize| f32::from(source[(row * from + column) * 3 + channel]);
            for (line, &(above, below, down)) in plane.chunks_exact_mut(to).zip(&rows) {
                for (pixel, &(left, right, across)) in line.iter_mut().zip(&columns) {
                    let mix = |row| value(row, left) * (1.0 - across) + value(row, right) * across;
                    *pixel = (mix(above) * (1.0 - down) + mix(below) * down) * scale - shift;
                }
            }
        }
    }
}

fn same_captions(captions: &[&[i32]]) -> Option<Vec<f32>> {
    let count = captions.len();
    let mut same = vec![0.0; count * count];
    let mut any = false;
    for row in 0..count {
        for column in 0..count {
            if row != column && captions[row] == captions[column] {
                same[row * count + column] = 1.0;
                any = true;
            }
        }
    }
    any.then_some(same)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::clip::preprocess::normalize_hwc;
    use crate::models::clip::tokenizer::{LongText, Tokenizer};
    use image::{Rgb, RgbImage};
    use std::collections::BTreeSet;

    /// Ten photographs with two images each; photographs 0 and 1 share their caption.
    fn images(side: usize) -> CaptionedImages {
        let tokenizer = Tokenizer::new(16, LongText::Error);
        let mut images = CaptionedImages::new(side);
        for image in 0..20_u32 {
            let group = u64::from(image / 2);
            let picture = RgbImage::from_fn(8, 8, |x, y| Rgb([x as u8 * 20, y as u8 * 20, image as u8 * 10]));
            let caption = format!("photograph {}", group.max(1));
            images.push("image", &picture, &[caption], group, &tokenizer).unwrap();
        }
        images
    }

    #[test]
    fn an_epoch_visits_every_photograph_once_and_steps_depend_on_the_seed_alone() {
        let (images, augment) = (images(8), ClipAugment::default());
        let plan = BatchPlan::new(&images, &augment, 8, 4, 1);
        assert_eq!(plan.steps_per_epoch(), 3);
        let epoch: Vec<usize> = (0..3).flat_map(|step| plan.batch(step).images).collect();
        let groups: BTreeSet<usize> = epoch.iter().map(|image| image / 2).collect();
        assert_eq!((epoch.len(), groups.len()), (10, 10));
        assert_eq!(plan.batch(7), BatchPlan::new(&images, &augment, 8, 4, 1).batch(7));
        assert_ne!(plan.batch(0).images, plan.batch(3).images);
        assert_ne!(plan.batch(0).images, BatchPlan::new(&images, &augment, 8, 4, 2).batch(0).images);
    }

    #[test]
    fn equal_captions_of_two_photographs_are_marked() {
        let (images, augment) = (images(8), ClipAugment::default());
        let plan = BatchPlan::new(&images, &augment, 8, 100, 1);
        let batch = plan.batch(0);
        let same = batch.same_caption.unwrap();
        let marked: Vec<(usize, usize)> = (0..100)
            .filter(|index| same[*index] == 1.0)
            .map(|index| (batch.images[index / 10] / 2, batch.images[index % 10] / 2))
            .collect();
        assert_eq!(marked.iter().copied().collect::<BTreeSet<_>>(), BTreeSet::from([(0, 1), (1, 0)]));
    }

    #[test]
    fn without_augmentation_the_pixels_are_those_of_the_preprocessing_and_a_flip_mirrors_them() {
        let images = images(8);
        let still = ClipAugment { min_area: 1.0, flip_probability: 0.0 };
        let batch = BatchPlan::new(&images, &still, 8, 100, 1).batch(0);
        let plain = normalize_hwc(images.pixels_u8_hwc(batch.images[0]));
        for (a, b) in batch.pixels.iter().zip(&plain) {
            assert!((a - b).abs() < 1e-5, "{a} {b}");
        }
        let mirror = ClipAugment { min_area: 1.0, flip_probability: 1.0 };
        let mirrored = BatchPlan::new(&images, &mirror, 8, 100, 1).batch(0);
        assert_eq!(mirrored.images, batch.images);
        for (a, b) in mirrored.pixels[..8].iter().zip(batch.pixels[..8].iter().rev()) {
            assert!((a - b).abs() < 1e-5, "{a} {b}");
        }
    }
}
