//! Sample sheets of a GAN in training: always the same latents and conditions, ground truth above.

use std::io::Cursor;

use image::RgbImage;

use crate::models::stylegan2::{Condition, Generator, Noise, Truncation};
use crate::pipelines::pictures::picture::pictures;
use crate::report::image_grid::contact_sheet;
use crate::run::error::RunError;
use crate::run::run_dir::RunDir;
use crate::tensor_ops::backend::{Base, Device};
use crate::tensor_ops::random::{keyed_rng, normal};
use crate::training::gan::tick::Tick;

/// Pictures of a sheet.
pub(crate) const NUM_SAMPLES: usize = 16;
/// Pictures of a row.
const COLUMNS: usize = 8;
/// Pixels between pictures.
const GAP: u32 = 2;

/// What is drawn at every report.
pub(crate) struct SampleSheet {
    /// At most [`NUM_SAMPLES`] of the generator's size.
    pub ground_truth: Vec<RgbImage>,
    /// One row per picture.
    pub condition: Condition<Base>,
    /// Width of the latents.
    pub z_dim: usize,
    /// Decides the latents.
    pub seed: u64,
}

impl SampleSheet {
    /// Draws and writes `samples/NNNNNNNN.png`, named after the images seen.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, tick: &Tick<'_>, run: &RunDir, device: &Device) -> Result<(), RunError> {
        let drawn = self.draw(tick.generator_ema, device);
        let rows: Vec<Vec<RgbImage>> = self
            .ground_truth
            .chunks(COLUMNS)
            .zip(drawn.chunks(COLUMNS))
            .flat_map(|(truth, drawn)| [truth.to_vec(), drawn.to_vec()])
            .collect();
        let name = format!("samples/{:08}.png", tick.images_seen);
        let mut png = Cursor::new(Vec::new());
        let sheet = contact_sheet(&rows, GAP);
        sheet
            .write_to(&mut png, image::ImageFormat::Png)
            .map_err(|error| RunError::unwritable(run.join(&name), error))?;
        let png = png.into_inner();
        run.write_atomic(&name, &png)?;
        tick.log.image(tick.images_seen, "samples", &png, [sheet.width(), sheet.height()])
    }

    fn draw(&self, generator: &Generator<Base>, device: &Device) -> Vec<RgbImage> {
        let count = self.ground_truth.len();
        let z = normal([count, self.z_dim], &mut keyed_rng(self.seed, "gan.sheet", 0), device);
        // Constant noise and no truncation: what differs between two sheets is the training's doing.
        pictures(generator.forward(z, &self.condition, &Noise::Constant, Truncation::NONE))
    }
}

/// At most `count` indices below `len`, evenly spread.
pub(crate) fn evenly_spread(len: usize, count: usize) -> Vec<usize> {
    let count = count.min(len);
    (0..count).map(|index| index * len / count).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_are_spread_and_distinct() {
        assert_eq!(evenly_spread(10, 4), [0, 2, 5, 7]);
        assert_eq!(evenly_spread(3, 16), [0, 1, 2]);
        assert!(evenly_spread(0, 16).is_empty());
    }
}
