//! Table for ResNet-50 files with torchvision's names, VICReg's `resnet50.pth` among them
//! (docs/spec/checkpoints.md §5).

use crate::models::resnet::ResnetConfig;
use crate::models::resnet::bottleneck::EXPANSION;

/// Deepest stage that is looked for; the deepest published network has 36 blocks in a stage.
const MOST_BLOCKS: usize = 256;

/// The key of our parameter `path` in the published state dict, or `None` for a path that the network does not have.
///
/// The names are equal: the network was built with them.
pub fn foreign_name(path: &str) -> Option<String> {
    let (module, field) = path.rsplit_once('.')?;
    let is_known = match module.rsplit_once('.') {
        None => match module {
            "conv1" => field == "weight",
            "bn1" => is_norm_field(field),
            "fc" => matches!(field, "weight" | "bias"),
            _ => false,
        },
        Some((block, layer)) => {
            let (block, is_conv, is_norm) = match block.strip_suffix(".downsample") {
                Some(block) => (block, layer == "0", layer == "1"),
                None => {
                    let is_norm = matches!(layer, "bn1" | "bn2" | "bn3");
                    (block, matches!(layer, "conv1" | "conv2" | "conv3"), is_norm)
                }
            };
            is_block(block) && (is_conv && field == "weight" || is_norm && is_norm_field(field))
        }
    };
    is_known.then(|| path.to_string())
}

fn is_block(block: &str) -> bool {
    block.split_once('.').is_some_and(|(stage, index)| {
        matches!(stage, "layer1" | "layer2" | "layer3" | "layer4") && index.parse::<usize>().is_ok()
    })
}

fn is_norm_field(field: &str) -> bool {
    matches!(field, "weight" | "bias" | "running_mean" | "running_var")
}

/// Why a key of the file may be left over, or `None` where a left-over key is an error.
pub fn reason_unused(key: &str) -> Option<&'static str> {
    match key {
        "fc.weight" | "fc.bias" => Some("the classifier behind the features is not used"),
        _ if key.ends_with(".num_batches_tracked") => {
            Some("a counter; statistics are stored, not averaged anew")
        }
        _ => None,
    }
}

/// Sizes of the network in a file: `shape_of` gives the shape of a tensor by its key. The classifier is left out.
///
/// # Errors
/// A line that names the key, what was expected and what was found.
pub fn config_from_shapes(shape_of: &dyn Fn(&str) -> Option<Vec<usize>>) -> Result<ResnetConfig, String> {
    let stem_width = match shape_of("conv1.weight").as_deref() {
        Some(&[width, 3, 7, 7]) => width,
        found => return Err(unlike("conv1.weight", "[stem width, 3, 7, 7]", found)),
    };
    let mut config = ResnetConfig { stem_width, num_classes: None, ..ResnetConfig::default() };
    for stage in 0..4 {
        let key = |block: usize, layer: &str| format!("layer{}.{block}.{layer}.weight", stage + 1);
        let first = key(0, "conv2");
        config.planes[stage] = match shape_of(&first).as_deref() {
            Some(&[planes, inner, 3, 3]) if planes == inner => planes,
            found => return Err(unlike(&first, "[planes, planes, 3, 3]", found)),
        };
        // Basic blocks (ResNet-18, 34) have no third convolution.
        let last = key(0, "conv3");
        let planes = config.planes[stage];
        match shape_of(&last).as_deref() {
            Some(&[out, inner, 1, 1]) if inner == planes && Some(out) == planes.checked_mul(EXPANSION) => {}
            found => return Err(unlike(&last, "[4·planes, planes, 1, 1] of a bottleneck block", found)),
        }
        config.blocks[stage] =
            (0..=MOST_BLOCKS).take_while(|block| shape_of(&key(*block, "conv1")).is_some()).count();
    }
    config.validate().map_err(|error| error.to_string())?;
    Ok(config)
}

fn unlike(key: &str, expected: &str, found: Option<&[usize]>) -> String {
    match found {
        Some(shape) => format!("tensor `{key}`: found shape {shape:?}, expected {expected}"),
        None => format!("tensor `{key}` is missing, expected {expected}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    use crate::tensor_ops::backend::{Base, cpu};
    use crate::weights::parameter_shapes::parameter_shapes;

    #[test]
    fn the_published_file_has_318_tensors_and_gives_back_the_configuration() {
        let network = ResnetConfig::default().init::<Base>(0, &cpu()).unwrap();
        let shapes = parameter_shapes(&network);
        // 53 convolutions, 53 norms with four fields and a counter each.
        assert_eq!(shapes.len(), 53 + 4 * 53);
        assert_eq!(shapes.len() + 53, 318);
        // 23 508 032 trained values and the statistics of 26 560 channels.
        assert_eq!(
            shapes.values().map(|shape| shape.iter().product::<usize>()).sum::<usize>(),
            23_508_032 + 2 * 26_560
        );
        let foreign: BTreeMap<String, Vec<usize>> =
            shapes.into_iter().map(|(path, shape)| (foreign_name(&path).unwrap(), shape)).collect();
        assert_eq!(foreign["layer4.0.downsample.0.weight"], [2048, 1024, 1, 1]);
        assert_eq!(foreign["layer3.5.bn3.running_var"], [1024]);
        let config = config_from_shapes(&|key| foreign.get(key).cloned()).unwrap();
        assert_eq!(config, ResnetConfig::default());
    }

    #[test]
    fn other_paths_and_keys_are_not_known() {
        for path in [
            "conv2.weight",
            "bn1.gamma",
            "layer5.0.conv1.weight",
            "layer1.x.conv1.weight",
            "layer1.0.conv1.bias",
            "layer1.0.conv12.weight",
            "layer1.0.downsample.2.weight",
            "conv1",
        ] {
            assert_eq!(foreign_name(path), None, "{path}");
        }
        assert_eq!(foreign_name("layer1.0.downsample.1.bias").unwrap(), "layer1.0.downsample.1.bias");
        assert!(
            reason_unused("layer1.0.bn1.num_batches_tracked").is_some() && reason_unused("fc.bias").is_some()
        );
        assert!(reason_unused("layer1.3.conv1.weight").is_none());
    }

    #[test]
    fn other_networks_are_refused_by_key() {
        let basic = |key: &str| match key {
            "conv1.weight" => Some(vec![64, 3, 7, 7]),
            "layer1.0.conv2.weight" => Some(vec![64, 64, 3, 3]),
            _ => None,
        };
        let error = config_from_shapes(&basic).unwrap_err();
        assert!(error.contains("`layer1.0.conv3.weight` is missing"), "{error}");
        let error = config_from_shapes(&|_| Some(vec![4, 3, 3, 3])).unwrap_err();
        assert!(error.contains("`conv1.weight`: found shape [4, 3, 3, 3]"), "{error}");
        // A file that answers every question ends, too.
        let endless = |key: &str| match key {
            "conv1.weight" => Some(vec![8, 3, 7, 7]),
            _ if key.ends_with("conv2.weight") => Some(vec![8, 8, 3, 3]),
            _ => Some(vec![32, 8, 1, 1]),
        };
        assert_eq!(config_from_shapes(&endless).unwrap().blocks, [MOST_BLOCKS + 1; 4]);
    }
}
