//! Image-metric features of stimuli at the size of generated pictures.

use std::path::Path;

use ndarray::Array2;

use super::picture_features::{FeatureNetwork, PictureSet, picture_features};
use crate::data::image::resize::{Filter, resize_pil};
use crate::data::nsd::stimuli::Stimuli;
use crate::data::trial::NsdId;
use crate::pipelines::feature_cache::file_identity;
use crate::pipelines::workbench::Workbench;

/// Stimuli of which features are wanted.
#[derive(Clone, Copy, Debug)]
pub struct StimulusSet<'a> {
    /// For the progress line.
    pub name: &'static str,
    /// `nsd_stimuli.hdf5`.
    pub stimuli: &'a Path,
    /// The images.
    pub images: &'a [NsdId],
    /// Height and width that they are resized to, in pixels.
    pub side: u32,
}

/// Features `[image, features]` in the order of the images, from the cache where it has them.
///
/// # Errors
/// An image that cannot be read; a cache that cannot be written.
pub fn stimulus_features(
    network: &FeatureNetwork,
    set: StimulusSet<'_>,
    bench: &mut Workbench<'_>,
) -> crate::error::Result<Array2<f32>> {
    let StimulusSet { name, stimuli: path, images, side } = set;
    let stimuli = Stimuli::open(path)?;
    let source = file_identity(path)?;
    let identities: Vec<String> =
        images.iter().map(|image| format!("{source}, image {}, side {side}", image.0)).collect();
    let mut load = |index: usize| Ok(resize_pil(&stimuli.image(images[index])?, side, side, Filter::Bicubic));
    picture_features(network, PictureSet { name, identities: &identities, load: &mut load }, bench)
}
