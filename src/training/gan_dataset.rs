//! Images with conditions, held on the host, and the order in which training visits them.

use burn::tensor::{Tensor, TensorData};
use ndarray::Array2;
use rand::seq::SliceRandom;

use crate::models::stylegan2::{Condition, ConditionHeads};
use crate::tensor_ops::backend::{Base, Device};
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

/// Real images and the embeddings that condition them. Embeddings are unit vectors.
#[derive(Clone, Debug)]
pub struct GanDataset {
    resolution: usize,
    pixels_u8: Vec<u8>,
    image_condition: Array2<f32>,
    caption_condition: Option<Array2<f32>>,
    image_embedding: Array2<f32>,
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
    /// Joins images and embeddings.
    ///
    /// # Shapes
    /// - pixels_u8: `[n, 3, resolution, resolution]`, row-major
    /// - image_condition: `[n, dim]`, first head; language-free training passes the image embedding itself
    /// - caption_condition: `[n, dim2]`, second head
    /// - image_embedding: `[n, embed_dim]`, CLIP's of the real image
    ///
    /// # Errors
    /// [`GanDatasetError`] when counts differ, there is no image, or an embedding is not finite.
    pub fn new(
        resolution: usize,
        pixels_u8: Vec<u8>,
        image_condition: Array2<f32>,
        caption_condition: Option<Array2<f32>>,
        image_embedding: Array2<f32>,
    ) -> Result<Self, GanDatasetError> {
        let error = |field, expected: String, found: String| Err(GanDatasetError { field, expected, found });
        let count = image_condition.nrows();
        let bytes = count * 3 * resolution * resolution;
        if count == 0 {
            return error("image_condition", "at least one image".into(), "none".into());
        }
        if pixels_u8.len() != bytes {
            return error("pixels", format!("{bytes} bytes"), pixels_u8.len().to_string());
        }
        let embeddings = [
            ("image_condition", Some(&image_condition)),
            ("caption_condition", caption_condition.as_ref()),
            ("image_embedding", Some(&image_embedding)),
        ];
        for (field, embedding) in embeddings {
            let Some(embedding) = embedding else { continue };
            if embedding.nrows() != count {
                return error(field, format!("{count} rows"), embedding.nrows().to_string());
            }
            if embedding.iter().any(|value| !value.is_finite()) {
                return error(field, "finite values".into(), "NaN or infinity".into());
            }
        }
        Ok(Self { resolution, pixels_u8, image_condition, caption_condition, image_embedding })
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.image_condition.nrows()
    }

    /// Whether there are no images.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Height and width of the images.
    pub fn resolution(&self) -> usize {
        self.resolution
    }

    /// Widths of the conditions for a network with these heads.
    ///
    /// # Errors
    /// [`GanDatasetError`] when the second head has no data.
    pub fn condition_dims(&self, heads: ConditionHeads) -> Result<Vec<usize>, GanDatasetError> {
        match (heads, &self.caption_condition) {
            (ConditionHeads::None, _) => Ok(vec![]),
            (ConditionHeads::One, _) => Ok(vec![self.image_condition.ncols()]),
            (ConditionHeads::TwoByMaximum, Some(caption)) => {
                Ok(vec![self.image_condition.ncols(), caption.ncols()])
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
        self.image_embedding.ncols()
    }

    /// The given samples; an index of `len + i` is image `i` mirrored.
    pub fn batch(&self, indices: &[usize], heads: ConditionHeads, device: &Device) -> GanBatch {
        let side = self.resolution;
        let image_bytes = 3 * side * side;
        let mut pixels_u8 = Vec::with_capacity(indices.len() * image_bytes);
        for index in indices {
            let image = index % self.len();
            let pixels = &self.pixels_u8[image * image_bytes..(image + 1) * image_bytes];
            if *index < self.len() {
                pixels_u8.extend_from_slice(pixels);
            } else {
                pixels_u8.extend(pixels.chunks(side).flat_map(|row| row.iter().rev()));
            }
        }
        let shape = [indices.len(), 3, side, side];
        let pixels = TensorData::new(pm1_from_u8(&pixels_u8), shape);
        let rows = |embedding: &Array2<f32>| {
            let values: Vec<f32> =
                indices.iter().flat_map(|index| embedding.row(index % self.len()).to_vec()).collect();
            Tensor::from_data(TensorData::new(values, [indices.len(), embedding.ncols()]), device)
        };
        let heads = match heads {
            ConditionHeads::None => vec![],
            ConditionHeads::One => vec![rows(&self.image_condition)],
            ConditionHeads::TwoByMaximum => std::iter::once(&self.image_condition)
                .chain(self.caption_condition.as_ref())
                .map(rows)
                .collect(),
        };
        GanBatch {
            pixels_pm1: Tensor::from_data(pixels, device),
            condition: Condition { heads },
            image_embedding: rows(&self.image_embedding),
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

    fn dataset() -> GanDataset {
        let pixels: Vec<u8> = (0..2 * 3 * 8 * 8).map(|i| i as u8).collect();
        let embedding = Array2::from_shape_fn((2, 4), |(i, j)| (i * 4 + j) as f32);
        GanDataset::new(8, pixels, embedding.clone(), None, embedding).unwrap()
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
    fn parts_that_do_not_fit_are_named() {
        let two = Array2::zeros((2, 4));
        let three = Array2::zeros((3, 4));
        let nan = Array2::from_elem((2, 4), f32::NAN);
        let field = |bytes, condition: &Array2<f32>, embedding: &Array2<f32>| {
            GanDataset::new(8, vec![0; bytes], condition.clone(), None, embedding.clone()).unwrap_err().field
        };
        assert_eq!(field(383, &two, &two), "pixels");
        assert_eq!(field(384, &two, &three), "image_embedding");
        assert_eq!(field(384, &nan, &two), "image_condition");
        assert_eq!(field(0, &Array2::zeros((0, 4)), &two), "image_condition");
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
