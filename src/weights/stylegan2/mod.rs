//! Import of StyleGAN2-ADA, Lafite and Mind Reader networks (docs/spec/checkpoints.md §3).

mod discriminator_sizes;
mod generator_sizes;
mod names;
mod second_head;
mod trunk;

use burn::tensor::backend::Backend;

pub use names::{DiscriminatorNames, GeneratorNames};
pub use second_head::SecondHead;
pub use trunk::GanHints;

use super::door::{Filled, fill};
use super::foreign::ForeignNetwork;
use super::sizes::{SizeReader, SizesError};
use crate::models::stylegan2::{Discriminator, DiscriminatorConfig, Generator, GeneratorConfig};

/// The sizes of a foreign generator as its file has it, and what they were read from.
///
/// # Errors
/// [`SizesError`] when they cannot be read, contradict each other, or belong to another architecture.
pub fn generator_sizes<'a>(
    network: &'a ForeignNetwork,
    hints: &GanHints,
    second_head: SecondHead,
) -> Result<(GeneratorConfig, SizeReader<'a>), SizesError> {
    let mut sizes = SizeReader::new(network);
    let config = generator_sizes::generator_config(hints, second_head, &mut sizes)?;
    Ok((config, sizes))
}

/// A generator filled from a foreign network.
///
/// # Errors
/// As [`generator_sizes`].
pub fn read_generator<B: Backend>(
    network: &ForeignNetwork,
    hints: &GanHints,
    second_head: SecondHead,
    device: &B::Device,
) -> Result<Filled<GeneratorConfig, Generator<B>>, SizesError> {
    let (config, sizes) = generator_sizes(network, hints, second_head)?;
    // The seed decides what stays when partial files are allowed.
    let empty = config.init::<B>(0, device).map_err(|error| SizesError::Config(error.to_string()))?;
    let names = GeneratorNames { heads: config.heads, second_head };
    let filled = fill(config, empty, &names, network, sizes);
    Ok(match second_head {
        SecondHead::AsStored => filled,
        SecondHead::Duplicate | SecondHead::Overwrite => Filled {
            config: filled.config.with_duplicated_head(),
            network: filled.network.with_duplicated_head(),
            report: filled.report,
        },
    })
}

/// The sizes of a foreign discriminator as its file has it, and what they were read from.
///
/// # Errors
/// [`SizesError`] when they cannot be read, contradict each other, or belong to another architecture.
pub fn discriminator_sizes<'a>(
    network: &'a ForeignNetwork,
    hints: &GanHints,
    second_head: SecondHead,
) -> Result<(DiscriminatorConfig, SizeReader<'a>), SizesError> {
    let mut sizes = SizeReader::new(network);
    let config = discriminator_sizes::discriminator_config(hints, second_head, &mut sizes)?;
    Ok((config, sizes))
}

/// A discriminator filled from a foreign network.
///
/// # Errors
/// As [`discriminator_sizes`].
pub fn read_discriminator<B: Backend>(
    network: &ForeignNetwork,
    hints: &GanHints,
    second_head: SecondHead,
    device: &B::Device,
) -> Result<Filled<DiscriminatorConfig, Discriminator<B>>, SizesError> {
    let (config, sizes) = discriminator_sizes(network, hints, second_head)?;
    let empty = config.init::<B>(0, device).map_err(|error| SizesError::Config(error.to_string()))?;
    let names = DiscriminatorNames { resolution: config.resolution, second_head };
    let filled = fill(config, empty, &names, network, sizes);
    Ok(match second_head {
        SecondHead::AsStored => filled,
        SecondHead::Duplicate | SecondHead::Overwrite => Filled {
            config: filled.config.with_duplicated_head(),
            network: filled.network.with_duplicated_head(),
            report: filled.report,
        },
    })
}
