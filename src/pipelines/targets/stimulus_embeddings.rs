//! Raw CLIP embeddings of stimuli and sentences, with progress, from the cache where it has them.

use std::path::Path;

use image::RgbImage;
use ndarray::Array2;

use crate::data::error::DataError;
use crate::data::image::stimulus_view::StimulusView;
use crate::data::nsd::stimuli::Stimuli;
use crate::data::trial::NsdId;
use crate::models::clip::tokenizer::LongText;
use crate::pipelines::clip_snapshot::ClipSnapshot;
use crate::pipelines::feature_cache::file_identity;
use crate::pipelines::workbench::Workbench;

/// Embeddings `[image, embed_dim]` of `images`, in their order, each as `view` shows it to CLIP.
///
/// # Errors
/// The first image that cannot be read; a cache that cannot be written.
pub fn embed_stimuli(
    clip: &ClipSnapshot,
    stimuli_path: &Path,
    images: &[NsdId],
    view: StimulusView,
    bench: &mut Workbench<'_>,
) -> crate::error::Result<Array2<f32>> {
    let stimuli = Stimuli::open(stimuli_path)?;
    let mut source = file_identity(stimuli_path)?;
    // The plain view adds nothing, so that its key is that of the stimuli alone.
    if let Some(name) = view.name() {
        source = format!("{source}, {name}");
    }
    let ids: Vec<u64> = images.iter().map(|image| u64::from(image.0)).collect();
    let mut load = |id: u64| {
        let id = u32::try_from(id)
            .map_err(|_| DataError::invalid(stimuli_path, "image", "a 32-bit number", id))?;
        Ok::<_, DataError>(view.of(stimuli.image(NsdId(id))?))
    };
    let Workbench { device, cache, progress } = bench;
    progress.start("CLIP embeddings of the images", ids.len() as u64);
    let embeddings = clip.encoder(LongText::Error, device).embed_images(
        cache,
        &source,
        &ids,
        &mut load,
        &mut |done, _| progress.advance(done, ""),
    )?;
    progress.finish("");
    Ok(embeddings)
}

/// Embeddings `[picture, embed_dim]` of `count` pictures that `load` reads by their number; `source` decides what they are.
///
/// # Errors
/// The first picture that cannot be read; a cache that cannot be written.
pub fn embed_pictures(
    clip: &ClipSnapshot,
    source: &str,
    count: usize,
    load: &mut dyn FnMut(usize) -> Result<RgbImage, DataError>,
    bench: &mut Workbench<'_>,
) -> crate::error::Result<Array2<f32>> {
    let ids: Vec<u64> = (0..count as u64).collect();
    let Workbench { device, cache, progress } = bench;
    progress.start("CLIP embeddings of the images", count as u64);
    let embeddings = clip.encoder(LongText::Error, device).embed_images(
        cache,
        source,
        &ids,
        &mut |id| load(id as usize),
        &mut |done, _| progress.advance(done, ""),
    )?;
    progress.finish("");
    Ok(embeddings)
}

/// Embeddings `[sentence, embed_dim]` of `sentences`, in their order.
///
/// # Errors
/// A sentence longer than CLIP's context under [`LongText::Error`]; a cache that cannot be written.
pub fn embed_sentences(
    clip: &ClipSnapshot,
    sentences: &[&str],
    long_text: LongText,
    bench: &mut Workbench<'_>,
) -> crate::error::Result<Array2<f32>> {
    let Workbench { device, cache, progress } = bench;
    progress.start("CLIP embeddings of the captions", sentences.len() as u64);
    let embeddings = clip
        .encoder(long_text, device)
        .embed_captions(cache, sentences, &mut |done, _| progress.advance(done, ""))?;
    progress.finish("");
    Ok(embeddings)
}
