//! NSD's images as the GAN trains on them: resized, with their CLIP embeddings.

use std::path::Path;

use image::RgbImage;
use ndarray::Array2;

use crate::data::image::resize::{Filter, resize_pil};
use crate::data::image::stimulus_view::StimulusView;
use crate::data::nsd::stimuli::Stimuli;
use crate::data::targets::{DEFAULT_THRESHOLD, TargetScale, TargetScaling};
use crate::data::trial::NsdId;
use crate::interrupt;
use crate::pipelines::clip_snapshot::ClipSnapshot;
use crate::pipelines::targets::resnet_vectors::ResnetSnapshot;
use crate::pipelines::targets::stimulus_embeddings::embed_stimuli;
use crate::pipelines::workbench::Workbench;
use crate::run::error::RunError;
use crate::tensor_ops::backend::Device;
use crate::training::gan::config::GanTrainConfig;
use crate::training::gan::dataset::ImageSet;
use crate::training::gan::low_level::FrozenResnet;

/// The whole image at the GAN's resolution: antialiased bicubic (docs/spec/open-questions.md OQ-29).
pub(crate) fn gan_picture(image: &RgbImage, resolution: usize) -> RgbImage {
    let side = resolution as u32;
    resize_pil(image, side, side, Filter::Bicubic)
}

/// Pixels and unit CLIP embeddings of `images`, in their order.
///
/// # Errors
/// An image that cannot be read; a cache that cannot be written.
pub(crate) fn image_set(
    images: &[NsdId],
    stimuli_path: &Path,
    clip: &ClipSnapshot,
    view: StimulusView,
    resolution: usize,
    bench: &mut Workbench<'_>,
) -> crate::error::Result<ImageSet> {
    let stimuli = Stimuli::open(stimuli_path)?;
    let progress = &mut *bench.progress;
    progress.start("reading images", images.len() as u64);
    let mut pixels_u8 = Vec::with_capacity(images.len() * 3 * resolution * resolution);
    for (done, image) in images.iter().enumerate() {
        let picture = gan_picture(&stimuli.image(*image)?, resolution);
        // Channel after channel, as the networks take them.
        for channel in 0..3 {
            pixels_u8.extend(picture.pixels().map(|pixel| pixel.0[channel]));
        }
        interrupt::check()?;
        progress.advance(done as u64 + 1, "");
    }
    progress.finish("");

    let embeddings = embed_stimuli(clip, stimuli_path, images, view, bench)?;
    Ok(ImageSet { resolution, pixels_u8, embeddings: clamped_units(embeddings) })
}

/// Rows clamped and scaled to unit norm, as the mappers' targets are.
pub(crate) fn clamped_units(mut embeddings: Array2<f32>) -> Array2<f32> {
    TargetScale { clamp: DEFAULT_THRESHOLD, scaling: TargetScaling::UnitNorm }.apply(&mut embeddings);
    embeddings
}

/// The network of the low-level term.
pub(crate) struct LowLevelResnet {
    pub network: FrozenResnet,
    /// SHA-256 of its weights.
    pub sha256: String,
}

/// The network of the low-level term, where that has a weight and a network is set.
///
/// # Errors
/// [`RunError`] for a snapshot that is missing or of another kind.
pub(crate) fn low_level_resnet(
    path: Option<&Path>,
    config: &GanTrainConfig,
    device: &Device,
) -> Result<Option<LowLevelResnet>, RunError> {
    let Some(path) = path.filter(|_| config.loss.needs_resnet()) else { return Ok(None) };
    let ResnetSnapshot { network, sha256 } = ResnetSnapshot::open(path, device)?;
    Ok(Some(LowLevelResnet { network: FrozenResnet::new(network), sha256 }))
}
