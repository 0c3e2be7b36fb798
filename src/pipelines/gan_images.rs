//! What GAN training reads and shows: stimuli at the network's resolution, and a fixed grid of samples.

use burn::tensor::{Tensor, TensorData};
use image::RgbImage;
use ndarray::Array2;

use super::picture::pictures;
use crate::data::error::DataError;
use crate::data::image::resize::{Filter, resize_pil};
use crate::data::nsd::stimuli::Stimuli;
use crate::data::trial::NsdId;
use crate::models::stylegan2::{Condition, Generator, Noise, Truncation};
use crate::report::image_grid::contact_sheet;
use crate::tensor_ops::backend::{Base, Device};
use crate::tensor_ops::random::{keyed_rng, normal};

/// Stimuli at `resolution`, by Pillow's antialiased bicubic filter (OQ-29).
///
/// # Errors
/// The first image that cannot be read.
pub fn stimuli_at(
    stimuli: &Stimuli,
    images: &[NsdId],
    resolution: usize,
    progress: &mut dyn FnMut(u64),
) -> Result<Vec<RgbImage>, DataError> {
    let side = resolution as u32;
    let mut resized = Vec::with_capacity(images.len());
    for image in images {
        resized.push(resize_pil(&stimuli.image(*image)?, side, side, Filter::Bicubic));
        progress(resized.len() as u64);
    }
    Ok(resized)
}

/// Pixels `[image, 3, height, width]` of the images `rows` of a list.
pub fn pixels_chw(images: &[RgbImage], rows: &[usize]) -> Vec<u8> {
    let mut pixels_u8 = Vec::new();
    for row in rows {
        let pixels = images[*row].as_raw();
        for channel in 0..3 {
            pixels_u8.extend(pixels.iter().skip(channel).step_by(3));
        }
    }
    pixels_u8
}

/// Fixed latents and conditions that are drawn at every report, below their ground truth.
#[derive(Debug)]
pub struct SampleGrid {
    truth: Vec<RgbImage>,
    z: Tensor<Base, 2>,
    condition: Condition<Base>,
}

/// Pictures in a row of the grid.
const COLUMNS: usize = 8;

impl SampleGrid {
    /// A grid of the images `truth` with one condition row per head and image.
    ///
    /// # Shapes
    /// - conditions: `[truth.len(), dim]` each, unit norm
    pub fn new(
        truth: Vec<RgbImage>,
        conditions: &[Array2<f32>],
        z_dim: usize,
        seed: u64,
        device: &Device,
    ) -> Self {
        let z = normal([truth.len(), z_dim], &mut keyed_rng(seed, "sample grid", 0), device);
        let heads = conditions.iter().map(|rows| tensor_of(rows, device)).collect();
        Self { truth, z, condition: Condition { heads } }
    }

    /// The grid: rows of ground truth, each above its samples.
    pub fn draw(&self, generator: &Generator<Base>) -> RgbImage {
        let truncation = Truncation::NONE;
        let samples =
            pictures(generator.forward(self.z.clone(), &self.condition, &Noise::Constant, truncation));
        let rows: Vec<Vec<RgbImage>> = self
            .truth
            .chunks(COLUMNS)
            .zip(samples.chunks(COLUMNS))
            .flat_map(|(truth, samples)| [truth.to_vec(), samples.to_vec()])
            .collect();
        contact_sheet(&rows, 2)
    }
}

/// Rows of a host matrix on a device.
pub fn tensor_of(rows: &Array2<f32>, device: &Device) -> Tensor<Base, 2> {
    let values: Vec<f32> = rows.iter().copied().collect();
    Tensor::from_data(TensorData::new(values, [rows.nrows(), rows.ncols()]), device)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_come_first() {
        let image = RgbImage::from_raw(2, 1, vec![1, 2, 3, 4, 5, 6]).unwrap();
        assert_eq!(pixels_chw(&[image], &[0]), [1, 4, 2, 5, 3, 6]);
    }
}
