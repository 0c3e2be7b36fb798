//! Golden weights under published names into a network of ours.

use burn::module::{Module, ParamId};
use burn::store::{ModuleSnapshot, TensorSnapshot};
use burn::tensor::TensorData;
use burn::tensor::backend::Backend;

use crate::golden::Golden;

/// Fills every parameter from `{prefix}{foreign_name(path)}`. A parameter that the table or the file does not know, a tensor of
/// another shape, and a tensor left over for which `reason_unused` has no reason, fail the test.
pub fn fill<B: Backend, M: Module<B>>(
    network: &mut M,
    golden: &Golden,
    prefix: &str,
    foreign_name: fn(&str) -> Option<String>,
    reason_unused: fn(&str) -> Option<&'static str>,
) {
    let mut used = Vec::new();
    let tensors = network
        .collect(None, None, false)
        .iter()
        .map(|parameter| {
            let path = parameter.full_path();
            let key = foreign_name(&path).unwrap_or_else(|| panic!("the table does not know `{path}`"));
            let (values, shape) = golden.f32(&format!("{prefix}{key}"));
            used.push(key);
            let path = path.split('.').map(str::to_string).collect();
            TensorSnapshot::from_data(TensorData::new(values, shape), path, vec![], ParamId::new())
        })
        .collect();
    for name in golden.names() {
        let Some(key) = name.strip_prefix(prefix) else { continue };
        assert!(used.iter().any(|used| used == key) || reason_unused(key).is_some(), "left over: `{key}`");
    }
    let result = network.apply(tensors, None, None, false);
    assert!(result.errors.is_empty(), "{:?}", result.errors);
    assert!(result.missing.is_empty(), "{:?}", result.missing);
    assert!(result.unused.is_empty(), "{:?}", result.unused);
}
