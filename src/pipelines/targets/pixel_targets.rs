//! The pictures themselves as targets: luminance at a small size, which needs no network.

use std::path::Path;

use image::RgbImage;
use ndarray::{Array2, Axis};

use super::rows::images;
use crate::data::error::DataError;
use crate::data::image::resize::{Filter, resize_pil};
use crate::data::nsd::stimuli::Stimuli;
use crate::data::prepared::PreparedSubject;
use crate::interrupt;
use crate::run::progress::Progress;

/// Luminance of red, green and blue (ITU-R BT.601).
const LUMINANCE: [f32; 3] = [0.299, 0.587, 0.114];

/// Every image of a subject as a row of pixels.
pub(crate) struct PixelTargets {
    /// `[images, side · side]`, rows of the picture one after the other, 0..1.
    pixels: Array2<f32>,
    /// Row of each trial.
    image_of_trial: Vec<usize>,
    /// Height and width.
    pub side: usize,
}

impl PixelTargets {
    /// Reads every image that `subject` saw and brings it to `side` × `side`, or its own size where that is smaller.
    ///
    /// # Errors
    /// The first image that cannot be read; a request to stop.
    pub fn load(
        stimuli: &Path,
        subject: &PreparedSubject,
        side: usize,
        progress: &mut dyn Progress,
    ) -> crate::error::Result<Self> {
        let file = Stimuli::open(stimuli)?;
        let (ids, image_of_trial) = images(subject);
        progress.start("pixels of the images", ids.len() as u64);
        let (mut values, mut side) = (Vec::new(), side);
        for (done, id) in ids.iter().enumerate() {
            interrupt::check()?;
            let image = file.image(*id)?;
            if done == 0 {
                side = side.min(image.width() as usize).min(image.height() as usize);
            }
            values.extend(luminance(&resize_pil(&image, side as u32, side as u32, Filter::Box)));
            progress.advance(done as u64 + 1, "");
        }
        progress.finish(&format!("{side} x {side}"));
        let pixels = Array2::from_shape_vec((ids.len(), side * side), values)
            .map_err(|error| DataError::unreadable(stimuli, error))?;
        Ok(Self { pixels, image_of_trial, side })
    }

    /// The pictures of `trials`: `[trials, side · side]`.
    pub fn of(&self, trials: &[usize]) -> Array2<f32> {
        let rows: Vec<usize> = trials.iter().map(|trial| self.image_of_trial[*trial]).collect();
        self.pixels.select(Axis(0), &rows)
    }
}

/// Luminance of every pixel, 0..1, row by row.
fn luminance(image: &RgbImage) -> impl Iterator<Item = f32> {
    image.pixels().map(|pixel| {
        let weighted = pixel.0.iter().zip(LUMINANCE).map(|(value, weight)| f32::from(*value) * weight);
        weighted.sum::<f32>() / 255.0
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn luminance_weighs_green_most() {
        let image = RgbImage::from_fn(2, 2, |x, y| {
            image::Rgb([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255; 3]][(2 * y + x) as usize])
        });
        let found: Vec<f32> = luminance(&image).collect();
        for (found, expected) in found.iter().zip([0.299, 0.587, 0.114, 1.0]) {
            assert!((found - expected).abs() < 1e-6, "{found}");
        }
    }
}
