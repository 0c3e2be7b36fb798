//! Names of generator and discriminator in published state dicts, by resolution where ours count blocks.

use super::second_head::SecondHead;
use crate::models::stylegan2::ConditionHeads;
use crate::weights::foreign::ForeignTensor;
use crate::weights::key_map::{ForeignTensors, KeyTable, Leftover};

/// Outer product of 1, 3, 3, 1 over 64: the filter of every published network.
const FILTER_ROW: [f32; 4] = [1.0, 3.0, 3.0, 1.0];

/// Products of small numbers over a power of two are exact in f32 and f16.
const FILTER_TOLERANCE: f32 = 1e-6;

/// Names of a generator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GeneratorNames {
    /// Its condition heads; without any, the style layer has another name.
    pub heads: ConditionHeads,
    /// What becomes of a second branch in the file.
    pub second_head: SecondHead,
}

/// Names of a discriminator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiscriminatorNames {
    /// Height and width of its images.
    pub resolution: usize,
    /// What becomes of a second branch in the file.
    pub second_head: SecondHead,
}

impl KeyTable for GeneratorNames {
    fn foreign_tensors(&self, path: &str) -> Option<ForeignTensors> {
        if let Some(rest) = path.strip_prefix("mapping.layers.") {
            return Some(ForeignTensors::as_stored(format!("mapping.fc{rest}")));
        }
        match path {
            "mapping.w_avg" => return Some(ForeignTensors::as_stored("mapping.w_avg")),
            "synthesis.constant" => return Some(ForeignTensors::as_stored("synthesis.b4.const")),
            _ => {}
        }
        let (block, rest) = path.strip_prefix("synthesis.blocks.")?.split_once('.')?;
        // A generator's blocks count upwards from 4 × 4.
        let resolution = 4_usize.checked_shl(block.parse().ok()?)?;
        let (layer, rest) = rest.split_once('.')?;
        let rest = match rest.strip_prefix("style.") {
            Some(style) => self.style(style)?,
            None => rest.to_string(),
        };
        Some(ForeignTensors::as_stored(format!("synthesis.b{resolution}.{layer}.{rest}")))
    }

    fn leftover(&self, name: &str, tensor: &ForeignTensor) -> Leftover {
        let is_second_branch = name.contains(".pre_01.") || name.contains(".pre_11.");
        if is_second_branch && self.second_head == SecondHead::Overwrite {
            return Leftover::Needless(OVERWRITTEN);
        }
        filter_or_unknown(name, tensor)
    }
}

impl GeneratorNames {
    /// Their name of a part of the style: `pre_ij` is layer i of head j, the first head without its j.
    fn style(&self, path: &str) -> Option<String> {
        for (ours, theirs) in [
            ("heads.0.hidden.", "pre_0."),
            ("heads.0.code.", "pre_1."),
            ("heads.1.hidden.", "pre_01."),
            ("heads.1.code.", "pre_11."),
        ] {
            if let Some(field) = path.strip_prefix(ours) {
                return Some(format!("{theirs}{field}"));
            }
        }
        let field = path.strip_prefix("affine.")?;
        let layer = if self.heads == ConditionHeads::None { "affine" } else { "affine_0" };
        Some(format!("{layer}.{field}"))
    }
}

impl KeyTable for DiscriminatorNames {
    fn foreign_tensors(&self, path: &str) -> Option<ForeignTensors> {
        let resolution = self.resolution;
        if path.starts_with("fromrgb.") {
            return Some(ForeignTensors::as_stored(format!("b{resolution}.{path}")));
        }
        if let Some(rest) = path.strip_prefix("epilogue.") {
            for (ours, theirs) in [("semantic_heads.0.", "fts."), ("semantic_heads.1.", "fts2.")] {
                if let Some(field) = rest.strip_prefix(ours) {
                    return Some(ForeignTensors::as_stored(format!("b4.{theirs}{field}")));
                }
            }
            return Some(ForeignTensors::as_stored(format!("b4.{rest}")));
        }
        let (block, rest) = path.strip_prefix("blocks.")?.split_once('.')?;
        // A discriminator's blocks count downwards from the image.
        let resolution = resolution.checked_shr(block.parse().ok()?)?;
        Some(ForeignTensors::as_stored(format!("b{resolution}.{rest}")))
    }

    fn leftover(&self, name: &str, tensor: &ForeignTensor) -> Leftover {
        if name.starts_with("b4.fts2.") && self.second_head == SecondHead::Overwrite {
            return Leftover::Needless(OVERWRITTEN);
        }
        filter_or_unknown(name, tensor)
    }
}

const OVERWRITTEN: &str = "replaced by a copy of the first branch";

/// Filters are constants of the program; one with other values would give other images.
fn filter_or_unknown(name: &str, tensor: &ForeignTensor) -> Leftover {
    if !name.ends_with("resample_filter") {
        return Leftover::Unknown;
    }
    let values = tensor.to_f32();
    let expected = FILTER_ROW.iter().flat_map(|row| FILTER_ROW.map(|column| row * column / 64.0));
    let is_default = tensor.shape == [4, 4]
        && values.iter().zip(expected).all(|(found, expected)| (found - expected).abs() <= FILTER_TOLERANCE);
    if is_default {
        return Leftover::Needless("the default filter, which the program has built in");
    }
    Leftover::Wrong {
        expected: "the 4 × 4 filter of [1, 3, 3, 1]".into(),
        found: format!("shape {:?}, first value {:?}", tensor.shape, values.first().unwrap_or(&f32::NAN)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::foreign::Dtype;

    fn name(table: &dyn KeyTable, path: &str) -> Option<String> {
        table.foreign_tensors(path).map(|foreign| foreign.names.join(","))
    }

    #[test]
    fn blocks_become_resolutions_and_heads_become_pre_layers() {
        let heads = ConditionHeads::TwoByMaximum;
        let table = GeneratorNames { heads, second_head: SecondHead::AsStored };
        for (path, expected) in [
            ("mapping.layers.7.bias", "mapping.fc7.bias"),
            ("synthesis.constant", "synthesis.b4.const"),
            ("synthesis.blocks.0.conv1.style.heads.1.code.weight", "synthesis.b4.conv1.pre_11.weight"),
            ("synthesis.blocks.6.torgb.style.heads.0.hidden.bias", "synthesis.b256.torgb.pre_0.bias"),
            ("synthesis.blocks.1.conv0.style.affine.weight", "synthesis.b8.conv0.affine_0.weight"),
            ("synthesis.blocks.2.conv0.noise_strength", "synthesis.b16.conv0.noise_strength"),
        ] {
            assert_eq!(name(&table, path).as_deref(), Some(expected));
        }
        let plain = GeneratorNames { heads: ConditionHeads::None, ..table };
        let affine = name(&plain, "synthesis.blocks.0.torgb.style.affine.bias");
        assert_eq!(affine.as_deref(), Some("synthesis.b4.torgb.affine.bias"));
        assert_eq!(name(&table, "synthesis.blocks.99.conv0.bias"), None);

        let table = DiscriminatorNames { resolution: 256, second_head: SecondHead::AsStored };
        for (path, expected) in [
            ("fromrgb.weight", "b256.fromrgb.weight"),
            ("blocks.0.skip.weight", "b256.skip.weight"),
            ("blocks.5.conv1.bias", "b8.conv1.bias"),
            ("epilogue.semantic_heads.1.weight", "b4.fts2.weight"),
            ("epilogue.out.bias", "b4.out.bias"),
        ] {
            assert_eq!(name(&table, path).as_deref(), Some(expected));
        }
    }

    #[test]
    fn only_the_default_filter_is_dropped() {
        let table = DiscriminatorNames { resolution: 8, second_head: SecondHead::AsStored };
        let filter = |scale: f32| {
            let values = FILTER_ROW.iter().flat_map(|row| FILTER_ROW.map(|column| row * column * scale));
            ForeignTensor {
                dtype: Dtype::F32,
                shape: vec![4, 4],
                bytes: values.flat_map(f32::to_le_bytes).collect(),
            }
        };
        let of = |name: &str, scale| table.leftover(name, &filter(scale));
        assert!(matches!(of("b8.conv0.resample_filter", 1.0 / 64.0), Leftover::Needless(_)));
        assert!(matches!(of("b8.conv0.resample_filter", 1.0 / 16.0), Leftover::Wrong { .. }));
        assert_eq!(of("b8.conv0.other", 1.0 / 64.0), Leftover::Unknown);
        assert_eq!(of("b4.fts2.weight", 1.0), Leftover::Unknown);
    }
}
