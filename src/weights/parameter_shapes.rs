//! Paths and shapes of a network's parameters, for the tests of the tables.

use std::collections::BTreeMap;

use burn::module::Module;
use burn::store::ModuleSnapshot;

use crate::tensor_ops::backend::Base;

/// Shape of every float parameter by its path.
pub fn parameter_shapes<M: Module<Base>>(network: &M) -> BTreeMap<String, Vec<usize>> {
    let tensors = network.collect(None, None, false);
    tensors.iter().map(|tensor| (tensor.full_path(), tensor.shape.to_vec())).collect()
}
