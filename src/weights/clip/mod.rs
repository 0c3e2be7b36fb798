//! Import of published CLIP files: OpenAI's archive, Hugging Face's and OpenCLIP's state dicts.

mod hugging_face_config;
mod names;
mod sizes;

use burn::tensor::backend::Backend;

pub use hugging_face_config::config_beside;
pub use names::{ClipNaming, foreign_tensors};
pub use sizes::ClipHints;

use super::door::{Filled, fill};
use super::foreign::ForeignNetwork;
use super::sizes::{SizeReader, SizesError};
use crate::models::clip::{Clip, ClipConfig};

/// The sizes of a foreign CLIP and what they were read from.
///
/// # Errors
/// [`SizesError`] when they cannot be read or contradict each other.
pub fn clip_sizes<'a>(
    network: &'a ForeignNetwork,
    hints: &ClipHints,
) -> Result<(ClipConfig, SizeReader<'a>), SizesError> {
    let mut sizes = SizeReader::new(network);
    let config = sizes::clip_config(naming(network)?, hints, &mut sizes)?;
    Ok((config, sizes))
}

/// A CLIP filled from a foreign network; its sizes are those of the tensors.
///
/// # Errors
/// As [`clip_sizes`].
pub fn read_clip<B: Backend>(
    network: &ForeignNetwork,
    hints: &ClipHints,
    device: &B::Device,
) -> Result<Filled<ClipConfig, Clip<B>>, SizesError> {
    let (config, sizes) = clip_sizes(network, hints)?;
    let empty = config.init_zeros::<B>(device).map_err(|error| SizesError::Config(error.to_string()))?;
    Ok(fill(config, empty, &naming(network)?, network, sizes))
}

fn naming(network: &ForeignNetwork) -> Result<ClipNaming, SizesError> {
    ClipNaming::of(network).ok_or_else(|| SizesError::Missing {
        tensor: "visual.conv1.weight".into(),
        quantity: "vision_width".into(),
    })
}
