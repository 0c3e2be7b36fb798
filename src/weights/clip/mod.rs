//! Import of published CLIP files: OpenAI's archive, Hugging Face's and OpenCLIP's state dicts.

mod hugging_face_config;
mod names;
mod open_clip_config;
mod preprocessor_config;
mod sizes;

use std::path::Path;

use burn::tensor::backend::Backend;

pub use names::{ClipNaming, foreign_tensors};
pub use sizes::ClipHints;

use super::door::{Filled, fill};
use super::foreign::ForeignNetwork;
use super::sizes::{SizeReader, SizesError};
use crate::error::{Fault, FileError};
use crate::models::clip::{Clip, ClipConfig};

/// Hints from what stands beside the weights: Hugging Face's `config.json` and `preprocessor_config.json`, OpenCLIP's
/// `open_clip_config.json`. OpenCLIP's own files
/// have its name, and its configuration comes first for them where a folder has both.
///
/// # Errors
/// [`FileError`] for a CLIP that our network does not compute, and for two files that contradict each other.
pub fn config_beside(weights: &Path) -> Result<Option<ClipHints>, FileError> {
    let image_size = preprocessor_config::image_size_beside(weights)?;
    match network_beside(weights)? {
        None => Ok(image_size.map(|_| ClipHints { image_size, ..ClipHints::default() })),
        Some(hints) => Ok(Some(ClipHints { image_size: image_size.or(hints.image_size), ..hints })),
    }
}

/// What the configuration of the network itself says.
fn network_beside(weights: &Path) -> Result<Option<ClipHints>, FileError> {
    let of_hugging_face = hugging_face_config::config_beside(weights)?;
    let of_open_clip = open_clip_config::open_clip_config_beside(weights)?;
    let (Some(hugging_face), Some(open_clip)) = (&of_hugging_face, &of_open_clip) else {
        return Ok(of_open_clip.or(of_hugging_face));
    };
    if hugging_face.activation != open_clip.activation {
        let path = weights.with_file_name("open_clip_config.json");
        let expected = "the activation that `config.json` beside it says";
        return Err(Fault::new("`model_cfg.quick_gelu`", expected, "the other one").at(&path));
    }
    let is_open_clips =
        weights.file_name().is_some_and(|name| name.to_string_lossy().starts_with("open_clip"));
    Ok(if is_open_clips { of_open_clip } else { of_hugging_face })
}

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
