//! Images with conditions, held on the host, and the order in which training visits them.

use burn::tensor::{Tensor, TensorData};
use ndarray::Array2;
use rand::Rng;
use rand::seq::SliceRandom;

use crate::error::{Classified, ErrorClass};
use crate::models::stylegan2::{Condition, ConditionHeads};
use crate::tensor_ops::backend::{Base, Device};
use crate::tensor_ops::mixed_halves::{half_mask, mix_halves};
use crate::tensor_ops::pixel_range::pm1_from_u8;
use crate::tensor_ops::random::keyed_rng;

/// Data that do not fit together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("training images: `{field}`: expected {expected}, found {found}")]
pub struct GanDatasetError {
    /// Part of the data.
    pub field: &'static str,
    /// What it should be.
    pub expected: String,
    /// What it is.
    pub found: String,
}

impl Classified for GanDatasetError {
    fn class(&self) -> ErrorClass {
        ErrorClass::BadInput
    }
}

/// Real images and the embeddings that condition them. Embeddings are unit vectors.
#[derive(Clone, Debug)]
pub struct GanDataset {
    images: ImageSet,
    samples: SampleSet,
}

/// Distinct images.
#[derive(Clone, Debug)]
pub struct ImageSet {
    /// Height and width.
    pub resolution: usize,
    /// `[images, 3, resolution, resolution]`, row-major.
    pub pixels_u8: Vec<u8>,
    /// CLIP's embeddings: `[images, embed_dim]`.
    pub embeddings: Array2<f32>,
}

/// What training draws: an image with conditions. Several samples may share an image.
#[derive(Clone, Debug)]
pub struct SampleSet {
    /// Image of each sample.
    pub image_of_sample: Vec<usize>,
    /// First head: `[samples, dim]`. Language-free training passes the image embedding itself.
    pub image_condition: Array2<f32>,
    /// Second head: `[samples, dim2]`.
    pub caption_condition: Option<Array2<f32>>,
    /// Vectors from which a random half of every head's components is taken, anew at every step: `[samples, dim]`.
    pub mixed_with: Option<Array2<f32>>,
}

/// One batch on the device.
#[derive(Clone, Debug)]
pub struct GanBatch {
    /// `[batch, 3, resolution, resolution]`, −1..1.
    pub pixels_pm1: Tensor<Base, 4>,
    /// One tensor per head of the network.
    pub condition: Condition<Base>,
    /// CLIP embedding of the real image: `[batch, embed_dim]`.
    pub image_embedding: Tensor<Base, 2>,
}

impl GanBatch {
    /// Samples `start .. start + len`.
    pub fn part(&self, start: usize, len: usize) -> Self {
        Self {
            pixels_pm1: self.pixels_pm1.clone().narrow(0, start, len),
            condition: self.condition.clone().map(|head| head.narrow(0, start, len)),
            image_embedding: self.image_embedding.clone().narrow(0, start, len),
        }
    }

    /// The same batch on another device.
    pub fn on_device(&self, device: &Device) -> Self {
        Self {
            pixels_pm1: self.pixels_pm1.clone().to_device(device),
            condition: self.condition.clone().map(|head| head.to_device(device)),
            image_embedding: self.image_embedding.clone().to_device(device),
        }
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        self.pixels_pm1.dims()[0]
    }

    /// Whether there are no samples.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl GanDataset {
    /// Joins images and conditions.
    ///
    /// # Errors
    /// [`GanDatasetError`] when counts differ, there is no sample, or an embedding is not finite.
    pub fn new(images: ImageSet, samples: SampleSet) -> Result<Self, GanDatasetError> {
        let error = |field, expected: String, found: String| Err(GanDatasetError { field, expected, found });
        let num_images = images.embeddings.nrows();
        let num_samples = samples.image_of_sample.len();
        let bytes = num_images * 3 * images.resolution * images.resolution;
        if num_samples == 0 {
            return error("samples", "at least one".into(), "none".into());
        }
        if images.pixels_u8.len() != bytes {
            return error("pixels", format!("{bytes} bytes"), images.pixels_u8.len().to_string());
        }
        if let Some(image) = samples.image_of_sample.iter().find(|&&image| image >= num_images) {
            return error("image of a sample", format!("a number below {num_images}"), image.to_string());
        }
        let embeddings = [
            ("image_embedding", num_images, Some(&images.embeddings)),
            ("image_condition", num_samples, Some(&samples.image_condition)),
            ("caption_condition", num_samples, samples.caption_condition.as_ref()),
            ("mixed_with", num_samples, samples.mixed_with.as_ref()),
        ];
        for (field, count, embedding) in embeddings {
            let Some(embedding) = embedding else { continue };
            if embedding.nrows() != count {
                return error(field, format!("{count} rows"), embedding.nrows().to_string());
            }
            if embedding.iter().any(|value| !value.is_finite()) {
                return error(field, "finite values".into(), "NaN or infinity".into());
            }
        }
        if let Some(other) = &samples.mixed_with {
            let widths = std::iter::once(&samples.image_condition).chain(&samples.caption_condition);
            if let Some(width) = widths.map(Array2::ncols).find(|width| *width != other.ncols()) {
                return error("mixed_with", format!("{width} columns"), other.ncols().to_string());
            }
        }
        Ok(Self { images, samples })
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        self.samples.image_of_sample.len()
    }

    /// Whether there are no samples.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of distinct images.
    pub fn num_images(&self) -> usize {
        self.images.embeddings.nrows()
    }

    /// Height and width of the images.
    pub fn resolution(&self) -> usize {
        self.images.resolution
    }

    /// Pixels of an image, channel by channel.
    pub fn pixels_u8(&self, image: usize) -> &[u8] {
        let size = 3 * self.resolution() * self.resolution();
        &self.images.pixels_u8[image * size..(image + 1) * size]
    }

    /// Image of every sample.
    pub fn image_of_sample(&self) -> &[usize] {
        &self.samples.image_of_sample
    }

    /// Conditions of all samples, one matrix per head of a network with these heads.
    pub fn conditions(&self, heads: ConditionHeads) -> impl Iterator<Item = &Array2<f32>> {
        let count = match heads {
            ConditionHeads::None => 0,
            ConditionHeads::One => 1,
            ConditionHeads::TwoByMaximum => 2,
        };
        std::iter::once(&self.samples.image_condition).chain(&self.samples.caption_condition).take(count)
    }

    /// Widths of the conditions for a network with these heads.
    ///
    /// # Errors
    /// [`GanDatasetError`] when the second head has no data.
    pub fn condition_dims(&self, heads: ConditionHeads) -> Result<Vec<usize>, GanDatasetError> {
        match (heads, &self.samples.caption_condition) {
            (ConditionHeads::None, _) => Ok(vec![]),
            (ConditionHeads::One, _) => Ok(vec![self.samples.image_condition.ncols()]),
            (ConditionHeads::TwoByMaximum, Some(caption)) => {
                Ok(vec![self.samples.image_condition.ncols(), caption.ncols()])
            }
            (ConditionHeads::TwoByMaximum, None) => Err(GanDatasetError {
                field: "caption_condition",
                expected: "one row per image: the network has two heads".into(),
                found: "none".into(),
            }),
        }
    }

    /// Width of the image embeddings.
    pub fn embed_dim(&self) -> usize {
        self.images.embeddings.ncols()
    }

    /// The batch with a random half of the components of every head from the vectors that the samples are mixed with, the same
    /// half in every head; as it is where there are none.
    pub fn mix(&self, batch: GanBatch, indices: &[usize], rng: &mut impl Rng) -> GanBatch {
        let Some(other) = &self.samples.mixed_with else { return batch };
        let device = batch.pixels_pm1.device();
        let values: Vec<f32> =
            indices.iter().flat_map(|index| other.row(index % self.len()).to_vec()).collect();
        let shape = [indices.len(), other.ncols()];
        let other = Tensor::from_data(TensorData::new(values, shape), &device);
        let mask = half_mask::<Base>(shape[0], shape[1], rng, &device);
        let condition = batch.condition.map(|head| mix_halves(head, other.clone(), mask.clone()));
        GanBatch { condition, ..batch }
    }

    /// The given samples; an index of `len + i` is sample `i` mirrored.
    pub fn batch(&self, indices: &[usize], heads: ConditionHeads, device: &Device) -> GanBatch {
        let side = self.resolution();
        let image_bytes = 3 * side * side;
        let samples: Vec<usize> = indices.iter().map(|index| index % self.len()).collect();
        let images: Vec<usize> = samples.iter().map(|sample| self.samples.image_of_sample[*sample]).collect();
        let mut pixels_u8 = Vec::with_capacity(indices.len() * image_bytes);
        for (index, image) in indices.iter().zip(&images) {
            let pixels = self.pixels_u8(*image);
            if *index < self.len() {
                pixels_u8.extend_from_slice(pixels);
            } else {
                // Planes of `side` rows each, so that every chunk is one row of one channel.
                pixels_u8.extend(pixels.chunks(side).flat_map(|row| row.iter().rev()));
            }
        }
        let pixels = TensorData::new(pm1_from_u8(&pixels_u8), [indices.len(), 3, side, side]);
        let rows = |embedding: &Array2<f32>, rows: &[usize]| {
            let values: Vec<f32> = rows.iter().flat_map(|row| embedding.row(*row).to_vec()).collect();
            Tensor::from_data(TensorData::new(values, [rows.len(), embedding.ncols()]), device)
        };
        GanBatch {
            pixels_pm1: Tensor::from_data(pixels, device),
            condition: Condition { heads: self.conditions(heads).map(|c| rows(c, &samples)).collect() },
            image_embedding: rows(&self.images.embeddings, &images),
        }
    }
}

/// Visits all samples in a new order every epoch; the order depends on (seed, images seen) alone.
#[derive(Clone, Debug)]
pub struct SampleOrder {
    seed: u64,
    num_samples: usize,
    epoch: Option<(u64, Vec<usize>)>,
}

impl SampleOrder {
    /// An order of `num_samples` (at least one) samples.
    pub fn new(seed: u64, num_samples: usize) -> Self {
        Self { seed, num_samples, epoch: None }
    }

    /// The next `count` samples after `images_seen`.
    pub fn next(&mut self, images_seen: u64, count: usize) -> Vec<usize> {
        (images_seen..images_seen + count as u64).map(|position| self.sample(position)).collect()
    }

    fn sample(&mut self, position: u64) -> usize {
        let samples = self.num_samples as u64;
        // Positions are images seen: a batch may reach over the end of an epoch, and a resumed run needs no memory of
        // the order.
        let (epoch, place) = (position / samples, (position % samples) as usize);
        if let Some((current, order)) = &self.epoch
            && *current == epoch
        {
            return order[place];
        }
        let mut order: Vec<usize> = (0..self.num_samples).collect();
        order.shuffle(&mut keyed_rng(self.seed, "gan.order", epoch));
        let sample = order[place];
        self.epoch = Some((epoch, order));
        sample
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_ops::backend::cpu;

    fn images() -> ImageSet {
        let pixels_u8 = (0..2 * 3 * 8 * 8).map(|i| i as u8).collect();
        let embeddings = Array2::from_shape_fn((2, 4), |(i, j)| (i * 4 + j) as f32);
        ImageSet { resolution: 8, pixels_u8, embeddings }
    }

    fn samples() -> SampleSet {
        let image_condition = images().embeddings;
        let caption_condition = None;
        SampleSet { image_of_sample: vec![0, 1], image_condition, caption_condition, mixed_with: None }
    }

    fn dataset() -> GanDataset {
        GanDataset::new(images(), samples()).unwrap()
    }

    #[test]
    fn mirrored_samples_keep_their_condition() {
        let batch = dataset().batch(&[1, 3], ConditionHeads::One, &cpu());
        let pixels: Vec<f32> = batch.pixels_pm1.into_data().to_vec().unwrap();
        let (plain, mirrored) = pixels.split_at(3 * 64);
        for (row, reversed) in plain.chunks(8).zip(mirrored.chunks(8)) {
            assert!(row.iter().eq(reversed.iter().rev()));
        }
        let condition: Vec<f32> = batch.condition.heads[0].to_data().to_vec().unwrap();
        assert_eq!(condition, [4.0, 5.0, 6.0, 7.0, 4.0, 5.0, 6.0, 7.0]);
    }

    #[test]
    fn a_mix_is_drawn_anew_and_alike_in_both_heads() {
        let mut samples = samples();
        samples.image_condition = Array2::ones((2, 4));
        samples.caption_condition = Some(Array2::ones((2, 4)));
        samples.mixed_with = Some(Array2::from_elem((2, 4), -1.0));
        let data = GanDataset::new(images(), samples).unwrap();
        let drawn = |position| {
            let batch = data.batch(&[1, 2], ConditionHeads::TwoByMaximum, &cpu());
            let batch = data.mix(batch, &[1, 2], &mut keyed_rng(0, "mix", position));
            let [first, second] = &batch.condition.heads[..] else { panic!("two heads") };
            let first: Vec<f32> = first.to_data().to_vec().unwrap();
            assert_eq!(first, second.to_data().to_vec::<f32>().unwrap());
            first
        };
        assert!(drawn(0).chunks(4).all(|row| row.iter().sum::<f32>().abs() < 1e-6 && row[0].abs() == 0.5));
        assert!((1..10).any(|position| drawn(position) != drawn(0)));
    }

    #[test]
    fn parts_that_do_not_fit_are_named() {
        let field = |change: &dyn Fn(&mut ImageSet, &mut SampleSet)| {
            let (mut images, mut samples) = (images(), samples());
            change(&mut images, &mut samples);
            GanDataset::new(images, samples).unwrap_err().field
        };
        assert_eq!(field(&|images, _| images.pixels_u8.truncate(7)), "pixels");
        assert_eq!(field(&|_, samples| samples.image_of_sample.clear()), "samples");
        assert_eq!(field(&|_, samples| samples.image_of_sample[0] = 2), "image of a sample");
        assert_eq!(field(&|_, samples| samples.image_condition = Array2::zeros((3, 4))), "image_condition");
        assert_eq!(field(&|_, samples| samples.image_condition[[0, 0]] = f32::NAN), "image_condition");
        let other = Some(Array2::zeros((2, 3)));
        assert_eq!(field(&|_, samples| samples.mixed_with = other.clone()), "mixed_with");
        let caption = Some(Array2::zeros((1, 4)));
        assert_eq!(field(&|_, samples| samples.caption_condition = caption.clone()), "caption_condition");
        let error = dataset().condition_dims(ConditionHeads::TwoByMaximum).unwrap_err();
        assert_eq!(error.field, "caption_condition");
    }

    #[test]
    fn every_epoch_visits_every_sample_once_and_resumes_anywhere() {
        let mut order = SampleOrder::new(5, 10);
        let whole = order.next(0, 30);
        for epoch in whole.chunks(10) {
            let mut sorted = epoch.to_vec();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..10).collect::<Vec<_>>());
        }
        assert_ne!(whole[..10], whole[10..20]);
        assert_eq!(SampleOrder::new(5, 10).next(17, 13), whole[17..]);
    }
}
