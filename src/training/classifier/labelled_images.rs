//! Images with the categories that they show: what a classifier is trained on.

use image::RgbImage;

use crate::data::image::resize::{Filter, resize_and_center_crop};
use crate::models::classifier::preprocess::{mirrored_planes_pm1, planes_pm1};
use crate::models::classifier::{ClassKind, ClassifierConfig, ShownClasses};

/// Square 8-bit images of one size with their labels.
#[derive(Clone, Debug)]
pub struct LabelledImages {
    side: usize,
    /// Categories of either kind.
    counts: [(ClassKind, usize); 2],
    /// `[image, row, column, channel]`.
    pixels_u8_hwc: Vec<u8>,
    labels: Vec<ShownClasses>,
}

/// A batch on the host.
#[derive(Clone, Debug, PartialEq)]
pub struct LabelledBatch {
    /// `[image, 3, side, side]` in −1..1.
    pub pixels_pm1: Vec<f32>,
    /// 1 where the image shows the category, `[image, class]`.
    pub labels: Vec<f32>,
    /// 0 where nobody annotated that, `[image, class]`.
    pub weights: Vec<f32>,
    /// Number of images.
    pub len: usize,
}

impl LabelledImages {
    /// No images yet; they will have the side and categories of `config`.
    pub fn new(config: &ClassifierConfig) -> Self {
        let counts = [ClassKind::Thing, ClassKind::Stuff].map(|kind| (kind, config.range(kind).len()));
        Self { side: config.sizes.side, counts, pixels_u8_hwc: vec![], labels: vec![] }
    }

    /// Adds one image: shorter side to the network's by Pillow's bicubic filter, cut at the centre.
    pub fn push(&mut self, image: &RgbImage, labels: ShownClasses) {
        let resized = resize_and_center_crop(image, self.side as u32, Filter::Bicubic);
        self.pixels_u8_hwc.extend_from_slice(resized.as_raw());
        self.labels.push(labels);
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// No images at all.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// RGB bytes of all images, `[image, row, column, channel]`.
    pub fn pixels_u8_hwc(&self) -> &[u8] {
        &self.pixels_u8_hwc
    }

    /// What an image shows of a kind; none where nobody annotated that.
    pub fn shown(&self, image: usize, kind: ClassKind) -> Option<&[bool]> {
        self.labels[image].of(kind)
    }

    /// Images in the given order, those of `mirrored` with left and right exchanged.
    pub fn batch(&self, images: &[usize], mirrored: &[bool]) -> LabelledBatch {
        let size = 3 * self.side * self.side;
        let mut batch =
            LabelledBatch { pixels_pm1: vec![], labels: vec![], weights: vec![], len: images.len() };
        batch.pixels_pm1.reserve(images.len() * size);
        for (image, is_mirrored) in images.iter().zip(mirrored) {
            let pixels = &self.pixels_u8_hwc[image * size..(image + 1) * size];
            if *is_mirrored {
                mirrored_planes_pm1(pixels, self.side, &mut batch.pixels_pm1);
            } else {
                planes_pm1(pixels, &mut batch.pixels_pm1);
            }
            for (kind, count) in self.counts {
                let (labels, weight) = match self.shown(*image, kind) {
                    Some(shown) => (shown.iter().map(|shown| f32::from(u8::from(*shown))).collect(), 1.0),
                    // An unknown label is no negative: weight 0 takes it out of the loss.
                    None => (vec![0.0; count], 0.0),
                };
                batch.labels.extend(labels);
                batch.weights.extend(std::iter::repeat_n(weight, count));
            }
        }
        batch
    }

    /// Log-odds of every category among the annotated images, each counted once more as shown and as not.
    pub fn log_odds(&self) -> Vec<f32> {
        let of = |(kind, count): (ClassKind, usize)| {
            let known: Vec<&[bool]> = (0..self.len()).filter_map(|image| self.shown(image, kind)).collect();
            (0..count).map(move |class| {
                let shown = known.iter().filter(|shown| shown[class]).count();
                // One more of each keeps the logarithm of a category that is always or never shown finite.
                ((shown + 1) as f32 / (known.len() - shown + 1) as f32).ln()
            })
        };
        self.counts.into_iter().flat_map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::classifier::{ClassifierSizes, SceneClass};

    #[test]
    fn batches_hold_pixels_labels_and_what_is_known() {
        let class = |id, kind| SceneClass { id, name: String::new(), kind };
        let config = ClassifierConfig {
            sizes: ClassifierSizes { side: 2, widths: vec![2, 2] },
            min_share: 0.01,
            classes: vec![
                class(1, ClassKind::Thing),
                class(2, ClassKind::Thing),
                class(92, ClassKind::Stuff),
            ],
        };
        let mut images = LabelledImages::new(&config);
        let picture = RgbImage::from_fn(2, 2, |x, _| image::Rgb([x as u8 * 255, 0, 255]));
        images.push(&picture, ShownClasses { things: Some(vec![true, false]), stuff: None });
        images.push(&picture, ShownClasses { things: Some(vec![true, true]), stuff: Some(vec![false]) });
        assert_eq!((images.len(), images.shown(0, ClassKind::Stuff)), (2, None));
        let batch = images.batch(&[1, 0], &[false, true]);
        assert_eq!(batch.labels, [1.0, 1.0, 0.0, 1.0, 0.0, 0.0]);
        assert_eq!(batch.weights, [1.0, 1.0, 1.0, 1.0, 1.0, 0.0]);
        assert_eq!(batch.pixels_pm1[..4], [-1.0, 1.0, -1.0, 1.0]);
        assert_eq!(batch.pixels_pm1[12..16], [1.0, -1.0, 1.0, -1.0]);
        assert_eq!((batch.pixels_pm1.len(), batch.len), (24, 2));
        // Things: 2 and 1 of 2; stuff: 0 of the one that is known.
        assert_eq!(images.log_odds(), [3.0_f32.ln(), 0.0, 0.5_f32.ln()]);
    }
}
