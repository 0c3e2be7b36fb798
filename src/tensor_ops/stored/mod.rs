//! The tensors of a weight file, held against the sizes that its metadata claims.
//!
//! A configuration that a file brings along is a claim. It is believed once every tensor that a network of these sizes has is in
//! the file, in its shape: nothing is allocated before, so that no number of the metadata costs more than the file is long.

use std::collections::BTreeMap;
use std::fmt::Display;

use burn::module::Module;
use burn::store::ModuleSnapshot;
use burn::tensor::backend::Backend;

use crate::error::{Fault, SettingError};

/// Shapes of a file's tensors by name; each can be claimed once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredTensors {
    unclaimed: BTreeMap<String, Vec<usize>>,
}

/// A configuration that a weight file brings along.
pub trait StoredNetwork {
    /// Checks what the numbers alone can tell.
    ///
    /// # Errors
    /// [`SettingError`] that names the first number out of its range.
    fn check_sizes(&self) -> Result<(), SettingError>;

    /// Claims every tensor that a network of these sizes has; called with sizes that [`StoredNetwork::check_sizes`] let pass. Stops
    /// at the first that is not there, so that it never takes more steps than the file has tensors.
    ///
    /// # Errors
    /// [`Fault`] that names the tensor.
    fn claim(&self, tensors: &mut StoredTensors) -> Result<(), Fault>;
}

impl StoredTensors {
    /// Names and shapes as the file has them.
    pub fn new(shapes: impl IntoIterator<Item = (String, Vec<usize>)>) -> Self {
        Self { unclaimed: shapes.into_iter().collect() }
    }

    /// Takes the tensor `name`, which must have this shape.
    ///
    /// # Errors
    /// [`Fault`] that names the tensor.
    pub fn claim(&mut self, name: impl Display, shape: &[usize]) -> Result<(), Fault> {
        let name = name.to_string();
        let found = self.unclaimed.remove(&name);
        if found.as_deref() == Some(shape) {
            return Ok(());
        }
        let expected = format!("{shape:?} as a network of its sizes has it");
        let found = found.map_or_else(|| "no such tensor".into(), |found| format!("{found:?}"));
        Err(Fault::new(format!("tensor `{name}`"), expected, found))
    }

    /// The weight `{layer}.weight` of this shape, and the bias `{layer}.bias` of as many values as the weight has outputs.
    ///
    /// # Errors
    /// As [`StoredTensors::claim`].
    pub fn claim_layer<const D: usize>(
        &mut self,
        layer: impl Display,
        shape: [usize; D],
    ) -> Result<(), Fault> {
        self.claim(format!("{layer}.weight"), &shape)?;
        self.claim(format!("{layer}.bias"), &shape[..1])
    }

    /// Every tensor of `module`, whose paths stand behind `prefix` and a point where the prefix is not empty.
    ///
    /// # Errors
    /// As [`StoredTensors::claim`].
    pub fn claim_module<B: Backend, M: Module<B>>(&mut self, prefix: &str, module: &M) -> Result<(), Fault> {
        let point = if prefix.is_empty() { "" } else { "." };
        module.collect(None, None, false).into_iter().try_for_each(|tensor| {
            self.claim(format!("{prefix}{point}{}", tensor.full_path()), &tensor.shape)
        })
    }

    /// The shape of a tensor that no one has claimed yet.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.unclaimed.get(name).map(Vec::as_slice)
    }

    /// Refuses a file with tensors that no one claimed.
    ///
    /// # Errors
    /// [`Fault`] that names the first.
    pub fn require_all_claimed(&self) -> Result<(), Fault> {
        match self.unclaimed.first_key_value() {
            Some((name, shape)) => {
                let expected = "no such tensor in a network of its sizes";
                Err(Fault::new(format!("tensor `{name}`"), expected, format!("{shape:?}")))
            }
            None => Ok(()),
        }
    }
}

/// Asserts that `config` claims the tensors of the network that it makes: no more, no fewer, in their shapes.
#[cfg(test)]
pub(crate) fn assert_claims<M: Module<super::backend::Base>>(config: &impl StoredNetwork, network: &M) {
    let tensors = network.collect(None, None, false);
    let shapes = tensors.iter().map(|tensor| (tensor.full_path(), tensor.shape.to_vec()));
    let mut stored = StoredTensors::new(shapes);
    config.check_sizes().unwrap();
    config.claim(&mut stored).unwrap();
    stored.require_all_claimed().unwrap();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tensor_is_claimed_once_in_its_shape() {
        let file = || StoredTensors::new([("a.weight".into(), vec![2, 3]), ("a.bias".into(), vec![2])]);
        let mut tensors = file();
        tensors.claim_layer("a", [2, 3]).unwrap();
        tensors.require_all_claimed().unwrap();
        let error = tensors.claim("a.bias", &[2]).unwrap_err().to_string();
        assert!(error.starts_with("tensor `a.bias`: found no such tensor, expected [2]"), "{error}");
        let error = file().claim_layer("a", [2, 4]).unwrap_err().to_string();
        assert!(error.starts_with("tensor `a.weight`: found [2, 3], expected [2, 4]"), "{error}");
        let error = file().require_all_claimed().unwrap_err().to_string();
        assert!(error.starts_with("tensor `a.bias`: found [2], expected no such tensor"), "{error}");
    }
}
