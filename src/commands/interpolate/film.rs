//! Draws the frames of one way, batch by batch: a PNG each, an animation of all, and those that the strip shows.

use std::time::Duration;

use burn::tensor::Tensor;
use image::RgbImage;
use ndarray::{Array2, Axis, concatenate, s};

use super::config::{InterpolateConfig, LatentPath, PathKind};
use super::evenness::mean_difference;
use super::route::{Place, spherical, straight};
use super::truth::on_host;
use crate::error::Result;
use crate::interrupt;
use crate::pipelines::brain_decoder::{BrainDecoder, DecodedEmbeddings, DrawOptions};
use crate::pipelines::pictures::animation::Animation;
use crate::run::error::RunError;
use crate::run::progress::Progress;
use crate::run::run_dir::RunDir;
use crate::tensor_ops::backend::Base;
use crate::tensor_ops::host_values::{rows, tensor};

/// How long a frame is seen.
const FRAME_TIME: Duration = Duration::from_millis(80);

/// What the frames of every way are drawn with.
pub(super) struct Camera<'a> {
    pub config: &'a InterpolateConfig,
    /// Decides z and noise.
    pub seed: u64,
    pub decoder: &'a BrainDecoder,
    /// Betas of the trials: `[trials, voxels]`
    pub betas: &'a Array2<f32>,
    /// Places of the trials in the random stream, as `reconstruct` has them.
    pub positions: &'a [u64],
    /// Where the frames lie.
    pub places: &'a [Place],
    /// Where pictures are written.
    pub run: &'a RunDir,
}

/// What was drawn of one way.
pub(super) struct Film {
    /// Files of the frames inside the run folder.
    pub files: Vec<String>,
    /// The animation inside the run folder.
    pub gif: String,
    /// Mean absolute differences of frames that follow each other, in levels of 0..255.
    pub pixel_steps: Vec<f64>,
    /// The pictures of the frames that were asked for, in their order.
    pub shown: Vec<RgbImage>,
}

impl Camera<'_> {
    /// Decoded embeddings of all frames as they steer the generator, `[frames, embed_dim]` each.
    ///
    /// # Errors
    /// Embeddings that are no numbers; a wish to stop.
    pub fn embeddings(&self, path: PathKind) -> Result<[Array2<f32>; 2]> {
        if path == PathKind::Embedding {
            let of_trials = self.decoded(self.betas)?;
            return Ok(of_trials.map(|rows| spherical(&rows, self.places)));
        }
        let (mut image, mut second) = (Vec::new(), Vec::new());
        for places in self.places.chunks(self.config.batch.max(1)) {
            interrupt::check()?;
            let [of_image, of_second] = self.decoded(&straight(self.betas, places))?;
            image.push(of_image);
            second.push(of_second);
        }
        let joined = |parts: &[Array2<f32>]| {
            concatenate(Axis(0), &parts.iter().map(|part| part.view()).collect::<Vec<_>>())
        };
        Ok([joined(&image)?, joined(&second)?])
    }

    fn decoded(&self, betas: &Array2<f32>) -> Result<[Array2<f32>; 2]> {
        let decoded = self.decoder.embed(betas);
        self.decoder.require_finite(&decoded)?;
        Ok(on_host(&decoded))
    }

    /// The z of all frames: `[frames, z_dim]`.
    fn latents(&self) -> Array2<f32> {
        let positions = match self.config.z {
            LatentPath::Fixed => &self.positions[..self.positions.len().min(1)],
            LatentPath::Slerp => self.positions,
        };
        let z = self.decoder.latents(positions, self.seed);
        let of_trials = rows(z);
        match self.config.z {
            LatentPath::Fixed => of_trials.select(Axis(0), &vec![0; self.places.len()]),
            LatentPath::Slerp => spherical(&of_trials, self.places),
        }
    }

    /// Draws all frames and writes them under `name`; those of `shown` are kept.
    ///
    /// # Errors
    /// A picture that cannot be written; a wish to stop.
    pub fn film(
        &self,
        name: &str,
        embeddings: &[Array2<f32>; 2],
        shown: &[usize],
        progress: &mut dyn Progress,
    ) -> Result<Film> {
        progress.start(&format!("interpolate ({name})"), self.places.len() as u64);
        let gif = format!("{name}.gif");
        let mut film = Film { files: vec![], gif, pixel_steps: vec![], shown: vec![] };
        let latents = self.latents();
        let (mut animated, mut last): (Vec<u8>, Option<RgbImage>) = (Vec::new(), None);
        let unwritable = |error| RunError::unwritable(self.run.join(&format!("{name}.gif")), error);
        let mut animation = Animation::begin(&mut animated, FRAME_TIME).map_err(unwritable)?;
        for first in (0..self.places.len()).step_by(self.config.batch.max(1)) {
            interrupt::check()?;
            for picture in self.pictures(first, embeddings, &latents) {
                let number = film.files.len();
                let file = format!("{name}/frame{number:04}.png");
                self.run.write_png(&file, &picture)?;
                film.files.push(file);
                // The last frame of a loop is its first: shown twice it would be a pause.
                if !(self.config.is_loop && number + 1 == self.places.len()) {
                    animation.add(&picture).map_err(unwritable)?;
                }
                film.pixel_steps.extend(last.iter().map(|last| mean_difference(last, &picture)));
                if shown.contains(&number) {
                    film.shown.push(picture.clone());
                }
                last = Some(picture);
            }
            progress.advance(film.files.len() as u64, "");
        }
        // The end of the file is written when the encoder goes.
        drop(animation);
        self.run.write_atomic(&film.gif, &animated)?;
        progress.finish(&format!("{} frames", film.files.len()));
        Ok(film)
    }

    /// The pictures of a batch of frames from `first` on.
    fn pictures(&self, first: usize, embeddings: &[Array2<f32>; 2], latents: &Array2<f32>) -> Vec<RgbImage> {
        let last = (first + self.config.batch.max(1)).min(self.places.len());
        let part = |rows: &Array2<f32>| -> Tensor<Base, 2> {
            let shape = [last - first, rows.ncols()];
            let rows = rows.slice(s![first..last, ..]);
            tensor(rows.iter().copied().collect(), shape, self.decoder.device())
        };
        let [image, second] = embeddings.each_ref().map(part);
        let options = DrawOptions {
            source: self.config.condition.unwrap_or_default(),
            truncation_psi: self.config.truncation_psi,
            noise: self.config.noise,
            seed: self.seed,
        };
        // Noise and mixtures are those of the first trial throughout: they do not change in steps.
        let positions = vec![self.positions.first().copied().unwrap_or_default(); last - first];
        self.decoder.draw_from(part(latents), &DecodedEmbeddings { image, second }, &positions, &options)
    }
}
