//! CLIP embeddings of stimuli augmented anew at every access: the targets of an image mapper (docs/spec/mapper.md §2.1,
//! §2.2).

use std::path::Path;

use image::RgbImage;
use ndarray::Array2;
use rayon::prelude::*;

use crate::data::error::DataError;
use crate::data::image::augment::{AugmentConfig, augment};
use crate::data::nsd::stimuli::Stimuli;
use crate::data::trial::NsdId;
use crate::models::clip::encode_batches::encode_images;
use crate::pipelines::clip_snapshot::ClipSnapshot;
use crate::pipelines::feature_cache::clip_pixels;
use crate::tensor_ops::backend::Device;
use crate::tensor_ops::random::keyed_rng;

/// Images encoded at a time.
const BATCH: usize = 64;

/// The images, the network and how they are changed.
#[derive(Debug)]
pub struct AugmentedStimuli {
    /// The images.
    pub stimuli: Stimuli,
    /// The network.
    pub clip: ClipSnapshot,
    /// Probabilities and ranges.
    pub config: AugmentConfig,
    /// Keys the draws, with the position of an access.
    pub seed: u64,
    /// Where the network computes.
    pub device: Device,
}

impl AugmentedStimuli {
    /// Opens the images.
    ///
    /// # Errors
    /// As [`Stimuli::open`].
    pub fn open(
        path: &Path,
        clip: ClipSnapshot,
        config: AugmentConfig,
        seed: u64,
        device: Device,
    ) -> Result<Self, DataError> {
        Ok(Self { stimuli: Stimuli::open(path)?, clip, config, seed, device })
    }

    /// Raw embeddings `[image, embed_dim]` of views of images; a view is drawn by (seed, `purpose`, position).
    ///
    /// # Errors
    /// The first image that cannot be read.
    pub fn embed(&self, purpose: &str, views: &[(NsdId, u64)]) -> Result<Array2<f32>, DataError> {
        let side = self.clip.config.image_size;
        let mut embeddings = Vec::new();
        for views in views.chunks(BATCH) {
            let images: Vec<(RgbImage, u64)> = views
                .iter()
                .map(|(image, position)| Ok((self.stimuli.image(*image)?, *position)))
                .collect::<Result<_, DataError>>()?;
            let pixels: Vec<f32> = images
                // Every view draws from its own stream, so the number of threads decides nothing.
                .par_iter()
                .flat_map_iter(|(image, position)| {
                    let view = augment(image, &self.config, &mut keyed_rng(self.seed, purpose, *position));
                    clip_pixels(&view, side)
                })
                .collect();
            let encoded = encode_images(&self.clip.clip, &pixels, side, BATCH, &self.device, &mut |_, _| {});
            embeddings.extend(encoded);
        }
        let width = self.clip.config.embed_dim;
        Array2::from_shape_vec((views.len(), width), embeddings)
            .map_err(|error| DataError::invalid("CLIP", "image embeddings", format!("{width} wide"), error))
    }
}
