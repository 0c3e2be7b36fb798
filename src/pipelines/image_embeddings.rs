//! CLIP embeddings of stimuli as conditions and targets: clamped, unit norm.

use std::path::Path;

use ndarray::Array2;

use super::clip_snapshot::ClipSnapshot;
use super::feature_cache::{FeatureError, file_identity};
use crate::data::error::DataError;
use crate::data::nsd::stimuli::Stimuli;
use crate::data::targets::{DEFAULT_THRESHOLD, clamp_and_unit};
use crate::data::trial::NsdId;
use crate::models::clip::tokenizer::LongText;
use crate::run::progress::Progress;
use crate::tensor_ops::backend::Device;

/// Embeddings `[image, embed_dim]` of stimuli, in the order of `images`.
///
/// # Errors
/// The first image that cannot be read; a cache that cannot be written.
pub fn unit_image_embeddings(
    clip: &ClipSnapshot,
    stimuli_path: &Path,
    images: &[NsdId],
    cache: &Path,
    device: &Device,
    progress: &mut dyn Progress,
) -> anyhow::Result<Array2<f32>> {
    let stimuli = Stimuli::open(stimuli_path)?;
    let ids: Vec<u64> = images.iter().map(|image| u64::from(image.0)).collect();
    let source = file_identity(stimuli_path)?;
    let mut load = |id: u64| {
        let id = u32::try_from(id)
            .map_err(|_| DataError::invalid(stimuli_path, "image", "a 32-bit number", id))?;
        stimuli.image(NsdId(id))
    };
    progress.start("CLIP embeddings of the images", ids.len() as u64);
    let encoder = clip.encoder(LongText::Truncate, device);
    let mut embeddings = encoder
        .embed_images(cache, &source, &ids, &mut load, &mut |done, _| progress.advance(done, ""))
        .map_err(cause)?;
    progress.finish("");
    unit_rows(&mut embeddings);
    Ok(embeddings)
}

/// Embeddings `[caption, embed_dim]` of sentences, in their order.
///
/// # Errors
/// A cache that cannot be written.
pub fn unit_caption_embeddings(
    clip: &ClipSnapshot,
    captions: &[&str],
    cache: &Path,
    device: &Device,
    progress: &mut dyn Progress,
) -> anyhow::Result<Array2<f32>> {
    progress.start("CLIP embeddings of the captions", captions.len() as u64);
    let encoder = clip.encoder(LongText::Truncate, device);
    let mut embeddings = encoder
        .embed_captions(cache, captions, &mut |done, _| progress.advance(done, ""))
        .map_err(cause)?;
    progress.finish("");
    unit_rows(&mut embeddings);
    Ok(embeddings)
}

fn unit_rows(embeddings: &mut Array2<f32>) {
    for mut row in embeddings.rows_mut() {
        if let Some(row) = row.as_slice_mut() {
            clamp_and_unit(row, DEFAULT_THRESHOLD);
        }
    }
}

/// The cause itself, so that the exit code sees of what kind it is.
fn cause<E: std::error::Error + Send + Sync + 'static>(error: FeatureError<E>) -> anyhow::Error {
    match error {
        FeatureError::Image(error) => error.into(),
        FeatureError::Text(error) => error.into(),
        FeatureError::Cache(error) => error.into(),
    }
}
