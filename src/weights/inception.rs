//! Table for the FID Inception, `pt_inception-2015-12-05-6726825d.pth` of pytorch-fid (docs/spec/checkpoints.md §6).

use crate::models::inception::InceptionConfig;

/// The key of our parameter `path` in the published state dict, or `None` for a path that the network does not have.
///
/// Ours are the published names with a small first letter.
pub fn foreign_name(path: &str) -> Option<String> {
    let (module, field) = path.rsplit_once('.')?;
    let (unit, part) = module.rsplit_once('.')?;
    let is_field = match part {
        "conv" => field == "weight",
        "bn" => matches!(field, "weight" | "bias" | "running_mean" | "running_var"),
        _ => false,
    };
    let (first, rest) = path.split_at_checked(1)?;
    let is_unit = match unit.split_once('.') {
        None => unit.starts_with("conv2d_"),
        Some((block, branch)) => block.starts_with("mixed_") && branch.starts_with("branch"),
    };
    (is_field && is_unit).then(|| format!("{}{rest}", first.to_ascii_uppercase()))
}

/// Why a key of the file may be left over, or `None` where a left-over key is an error.
pub fn reason_unused(key: &str) -> Option<&'static str> {
    match key {
        "fc.weight" | "fc.bias" => Some("the classifier behind the features is not used"),
        _ if key.ends_with(".num_batches_tracked") => {
            Some("a counter; statistics are stored, not averaged anew")
        }
        _ if key.starts_with("AuxLogits.") => Some("the auxiliary classifier serves training only"),
        _ => None,
    }
}

/// The channel divisor of the network in a file: 1 for the published one.
///
/// # Errors
/// A line that names the key, what was expected and what was found.
pub fn config_from_shapes(shape_of: &dyn Fn(&str) -> Option<Vec<usize>>) -> Result<InceptionConfig, String> {
    const KEY: &str = "Conv2d_1a_3x3.conv.weight";
    const PUBLISHED: usize = 32;
    match shape_of(KEY).as_deref() {
        Some(&[width @ (2 | 4 | 8 | 16 | PUBLISHED), 3, 3, 3]) => {
            Ok(InceptionConfig { channel_divisor: PUBLISHED / width })
        }
        Some(found) => Err(format!("tensor `{KEY}`: found shape {found:?}, expected [32, 3, 3, 3]")),
        None => Err(format!("tensor `{KEY}` is missing, expected [32, 3, 3, 3]")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    use crate::tensor_ops::backend::{Base, cpu};
    use crate::weights::parameter_shapes::parameter_shapes;

    #[test]
    fn the_published_file_has_566_tensors_and_23_885_486_values() {
        let network = InceptionConfig::default().init::<Base>(0, &cpu()).unwrap();
        let shapes = parameter_shapes(&network);
        // 94 units: a convolution, a norm with four fields and a counter each; weight and bias of the classifier.
        assert_eq!(shapes.len() + 94 + 2, 566);
        let values: usize = shapes.values().map(|shape| shape.iter().product::<usize>()).sum();
        assert_eq!(values + 94 + 1008 * 2048 + 1008, 23_885_486);
        let foreign: BTreeMap<String, Vec<usize>> =
            shapes.into_iter().map(|(path, shape)| (foreign_name(&path).unwrap(), shape)).collect();
        assert_eq!(foreign.len() + 94 + 2, 566);
        for (key, shape) in [
            ("Conv2d_4a_3x3.conv.weight", vec![192, 80, 3, 3]),
            ("Mixed_5b.branch_pool.conv.weight", vec![32, 192, 1, 1]),
            ("Mixed_6c.branch7x7dbl_2.conv.weight", vec![160, 160, 7, 1]),
            ("Mixed_7a.branch7x7x3_4.bn.running_var", vec![192]),
            ("Mixed_7c.branch3x3dbl_3b.conv.weight", vec![384, 384, 3, 1]),
        ] {
            assert_eq!(foreign[key], shape, "{key}");
        }
        assert_eq!(config_from_shapes(&|key| foreign.get(key).cloned()).unwrap(), InceptionConfig::default());
    }

    #[test]
    fn other_paths_keys_and_networks_are_not_known() {
        for path in [
            "fc.weight",
            "mixed_5b.conv.weight",
            "conv2d_1a_3x3.bn.gamma",
            "mixed_5b.branch1x1.conv.bias",
            "",
        ] {
            assert_eq!(foreign_name(path), None, "{path}");
        }
        assert!(reason_unused("Mixed_5b.branch1x1.bn.num_batches_tracked").is_some());
        assert!(reason_unused("Mixed_5b.branch1x1.bn.weight").is_none());
        let error = config_from_shapes(&|_| Some(vec![64, 3, 3, 3])).unwrap_err();
        assert!(error.contains("found shape [64, 3, 3, 3]"), "{error}");
        assert!(config_from_shapes(&|_| None).unwrap_err().contains("is missing"));
    }
}
