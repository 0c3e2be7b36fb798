//! Import of published mappers: state dicts of stage one, and `fmri_vec` of a network pickle
//! (docs/spec/mapper.md §3.1).
//!
//! The first layers halve the length, residual blocks follow, the lift is last; only the index tells them apart.

use burn::tensor::backend::Backend;
use serde_json::Value;

use super::door::{Filled, fill};
use super::foreign::{ForeignNetwork, ForeignTensor};
use super::key_map::{ForeignTensors, KeyTable, Leftover};
use super::sizes::{SizeReader, SizesError};
use crate::models::mapper::{Mapper, MapperConfig};

/// What shapes cannot tell; unset where the caller does not know either.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MapperHints {
    /// Whether the last activation is a sigmoid.
    pub sigmoid: Option<bool>,
}

/// Names of a mapper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapperNames {
    /// Layers that halve the length.
    pub num_down: usize,
    /// Residual blocks.
    pub num_blocks: usize,
}

impl KeyTable for MapperNames {
    fn foreign_tensors(&self, path: &str) -> Option<ForeignTensors> {
        let (layer, field) = path.rsplit_once('.')?;
        let lift = self.num_down + self.num_blocks;
        let name = match layer {
            "lift" => format!("encoder.{lift}"),
            "head.hidden" => "fc.1".into(),
            "head.output" => "fc.3".into(),
            _ => match layer.strip_prefix("down.") {
                Some(index) => format!("encoder.{index}.0"),
                None => {
                    let (block, conv) = layer.strip_prefix("blocks.")?.split_once('.')?;
                    let index = self.num_down + block.parse::<usize>().ok()?;
                    // Activations stand between the convolutions.
                    let place = match conv {
                        "conv1" => 0,
                        "conv2" => 2,
                        "conv3" => 4,
                        _ => return None,
                    };
                    format!("encoder.{index}.net.{place}")
                }
            },
        };
        Some(ForeignTensors::as_stored(format!("{name}.{field}")))
    }

    fn leftover(&self, _name: &str, _tensor: &ForeignTensor) -> Leftover {
        Leftover::Unknown
    }
}

/// The sizes of a foreign mapper and what they were read from.
///
/// # Errors
/// [`SizesError`] when they cannot be read or contradict each other.
pub fn mapper_sizes(
    network: &ForeignNetwork,
    hints: MapperHints,
) -> Result<(MapperConfig, SizeReader<'_>), SizesError> {
    let mut sizes = SizeReader::new(network);
    let config = mapper_config(hints, &mut sizes)?;
    Ok((config, sizes))
}

/// A mapper filled from a foreign network.
///
/// # Errors
/// As [`mapper_sizes`].
pub fn read_mapper<B: Backend>(
    network: &ForeignNetwork,
    hints: MapperHints,
    device: &B::Device,
) -> Result<Filled<MapperConfig, Mapper<B>>, SizesError> {
    let (config, sizes) = mapper_sizes(network, hints)?;
    let names = MapperNames { num_down: config.num_down, num_blocks: config.num_blocks };
    let empty = config.init::<B>(0, device).map_err(|error| SizesError::Config(error.to_string()))?;
    Ok(fill(config, empty, &names, network, sizes))
}

fn mapper_config(hints: MapperHints, sizes: &mut SizeReader<'_>) -> Result<MapperConfig, SizesError> {
    let num_down = sizes.count("num_down", "encoder.", ".0.weight")?;
    let first = "encoder.0.0.weight";
    let hidden = sizes.read("hidden", &[(first, 3, 0)])?;
    let mut num_blocks = 0;
    while sizes.has(&format!("encoder.{}.net.0.weight", num_down + num_blocks)) {
        num_blocks += 1;
    }
    sizes.note("num_blocks", num_blocks, "encoder.*.net.0.weight");
    for layer in 0..num_down {
        let inputs = if layer == 0 { 1 } else { hidden };
        sizes.expect("hidden", first, &format!("encoder.{layer}.0.weight"), &[hidden, inputs, 4])?;
    }
    for block in num_down..num_down + num_blocks {
        for (place, taps) in [(0, 3), (2, 3), (4, 1)] {
            let tensor = format!("encoder.{block}.net.{place}.weight");
            sizes.expect("hidden", first, &tensor, &[hidden, hidden, taps])?;
        }
    }
    let lift = format!("encoder.{}.weight", num_down + num_blocks);
    let embed_dim = sizes.read("embed_dim", &[(&lift, 3, 0)])?;
    sizes.expect("hidden", first, &lift, &[embed_dim, hidden, 1])?;
    let positions = sizes.read("positions", &[("fc.1.weight", 3, 1)])?;
    let fc = sizes.read("fc", &[("fc.1.weight", 3, 0), ("fc.3.weight", 3, 1)])?;
    let signal_len = u32::try_from(num_down)
        .ok()
        // Every layer halves the length; their number is what the file claims, so that nothing may overflow.
        .and_then(|halvings| 2_usize.checked_pow(halvings)?.checked_mul(positions))
        .ok_or_else(|| SizesError::Config(format!("{num_down} halvings of the signal are too many")))?;
    sizes.note("signal_len", signal_len, "fc.1.weight");
    let stored = sizes.setting("sigmoid", &["sigmoid", "_init_kwargs.sigmoid"], Value::as_bool);
    let sigmoid = stored.or(hints.sigmoid).unwrap_or_else(|| {
        sizes.assume("no sigmoid at the end, as for CLIP targets: the file does not tell (`--sigmoid`)");
        false
    });
    let config = MapperConfig { signal_len, num_down, num_blocks, hidden, fc, embed_dim, sigmoid };
    config.positions().map_err(|error| SizesError::Config(error.to_string()))?;
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_tells_layers_apart() {
        let names = MapperNames { num_down: 2, num_blocks: 3 };
        let of = |path: &str| names.foreign_tensors(path).map(|foreign| foreign.names.join(","));
        assert_eq!(of("down.1.bias").unwrap(), "encoder.1.0.bias");
        assert_eq!(of("blocks.2.conv3.weight").unwrap(), "encoder.4.net.4.weight");
        assert_eq!(of("lift.weight").unwrap(), "encoder.5.weight");
        assert_eq!(of("head.output.bias").unwrap(), "fc.3.bias");
        assert_eq!(of("blocks.0.conv4.weight"), None);
    }
}
