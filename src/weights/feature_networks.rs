//! Import of the networks whose features are compared: ResNet-50 and the Inception of the Fréchet distance.

use burn::tensor::backend::Backend;

use super::door::{Filled, fill};
use super::foreign::{ForeignNetwork, ForeignTensor};
use super::key_map::{ForeignTensors, KeyTable, Leftover};
use super::sizes::{SizeReader, SizesError};
use super::{inception, resnet50};
use crate::models::inception::{Inception, InceptionConfig};
use crate::models::resnet::{Resnet, ResnetConfig};

/// A table whose parameters are one foreign tensor each, as it is stored.
struct OneToOne {
    foreign_name: fn(&str) -> Option<String>,
    reason_unused: fn(&str) -> Option<&'static str>,
}

const RESNET_NAMES: OneToOne =
    OneToOne { foreign_name: resnet50::foreign_name, reason_unused: resnet50::reason_unused };
const INCEPTION_NAMES: OneToOne =
    OneToOne { foreign_name: inception::foreign_name, reason_unused: inception::reason_unused };

impl KeyTable for OneToOne {
    fn foreign_tensors(&self, path: &str) -> Option<ForeignTensors> {
        (self.foreign_name)(path).map(ForeignTensors::as_stored)
    }

    fn leftover(&self, name: &str, _tensor: &ForeignTensor) -> Leftover {
        (self.reason_unused)(name).map_or(Leftover::Unknown, Leftover::Needless)
    }
}

/// The sizes of a foreign ResNet and what they were read from.
///
/// # Errors
/// [`SizesError`] when they cannot be read or are those of another network.
pub fn resnet_sizes(network: &ForeignNetwork) -> Result<(ResnetConfig, SizeReader<'_>), SizesError> {
    let config = resnet50::config_from_shapes(&shapes(network)).map_err(SizesError::Config)?;
    let mut sizes = SizeReader::new(network);
    sizes.note("stem_width", config.stem_width, "conv1.weight");
    for (stage, (planes, blocks)) in config.planes.into_iter().zip(config.blocks).enumerate() {
        let key = |block: usize| format!("layer{}.{block}.conv2.weight", stage + 1);
        sizes.note("planes", planes, &key(0));
        // Every block, so that a file of few bytes cannot claim many.
        for block in 0..blocks {
            sizes.expect("planes", &key(0), &key(block), &[planes, planes, 3, 3])?;
        }
    }
    Ok((config, sizes))
}

/// A ResNet filled from a foreign network; a classifier in the file is left out.
///
/// # Errors
/// As [`resnet_sizes`].
pub fn read_resnet<B: Backend>(
    network: &ForeignNetwork,
    device: &B::Device,
) -> Result<Filled<ResnetConfig, Resnet<B>>, SizesError> {
    let (config, sizes) = resnet_sizes(network)?;
    let empty = config.init::<B>(0, device).map_err(|error| SizesError::Config(error.to_string()))?;
    Ok(fill(config, empty, &RESNET_NAMES, network, sizes))
}

/// The sizes of a foreign Inception and what they were read from.
///
/// # Errors
/// As [`resnet_sizes`].
pub fn inception_sizes(network: &ForeignNetwork) -> Result<(InceptionConfig, SizeReader<'_>), SizesError> {
    let config = inception::config_from_shapes(&shapes(network)).map_err(SizesError::Config)?;
    let mut sizes = SizeReader::new(network);
    sizes.note("channel_divisor", config.channel_divisor, "Conv2d_1a_3x3.conv.weight");
    Ok((config, sizes))
}

/// An Inception filled from a foreign network; its classifiers are left out.
///
/// # Errors
/// As [`resnet_sizes`].
pub fn read_inception<B: Backend>(
    network: &ForeignNetwork,
    device: &B::Device,
) -> Result<Filled<InceptionConfig, Inception<B>>, SizesError> {
    let (config, sizes) = inception_sizes(network)?;
    let empty = config.init::<B>(0, device).map_err(|error| SizesError::Config(error.to_string()))?;
    Ok(fill(config, empty, &INCEPTION_NAMES, network, sizes))
}

fn shapes(network: &ForeignNetwork) -> impl Fn(&str) -> Option<Vec<usize>> + '_ {
    |key| network.tensors.get(key).map(|tensor| tensor.shape.clone())
}
