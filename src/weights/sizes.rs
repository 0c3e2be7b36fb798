//! Sizes of a network, read from the shapes of its foreign tensors, with what each was read from.

use std::collections::BTreeSet;

use serde_json::Value;

use super::foreign::ForeignNetwork;
use super::report::SizeEvidence;

/// A foreign network whose sizes cannot be read or contradict each other.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SizesError {
    /// A tensor that tells a size is not there.
    #[error("tensor `{tensor}` is missing; it tells `{quantity}`")]
    Missing {
        /// Foreign name.
        tensor: String,
        /// The size that is read from it, such as `embed_dim`.
        quantity: String,
    },
    /// A tensor has too few or too many axes.
    #[error("tensor `{tensor}`: found shape {found:?}, expected {expected}")]
    Shape {
        /// Foreign name.
        tensor: String,
        /// The shape it has.
        found: Vec<usize>,
        /// The shape that would tell the size.
        expected: String,
    },
    /// Two tensors tell different sizes.
    #[error("`{quantity}`: {first_value} by tensor `{first}`, but {second_value} by tensor `{second}`")]
    Contradiction {
        /// The size that they tell differently.
        quantity: String,
        /// Foreign name of the tensor that was read first.
        first: String,
        /// The size by this tensor.
        first_value: usize,
        /// Foreign name of the tensor that contradicts it.
        second: String,
        /// The size by that tensor.
        second_value: usize,
    },
    /// A network of another architecture.
    #[error("`{found}`: {reason}")]
    Unsupported {
        /// Tensor or setting that shows it.
        found: String,
        /// What our network lacks for it.
        reason: String,
    },
    /// The sizes make no network.
    #[error("{0}")]
    Config(String),
}

/// Reads sizes from a network and remembers from where.
#[derive(Debug)]
pub struct SizeReader<'a> {
    network: &'a ForeignNetwork,
    evidence: Vec<SizeEvidence>,
    assumed: Vec<String>,
}

impl<'a> SizeReader<'a> {
    /// A reader of `network`.
    pub fn new(network: &'a ForeignNetwork) -> Self {
        Self { network, evidence: vec![], assumed: vec![] }
    }

    /// Whether the network has a tensor.
    pub fn has(&self, tensor: &str) -> bool {
        self.network.tensors.contains_key(tensor)
    }

    /// Shape of a tensor with `axes` axes.
    ///
    /// # Errors
    /// [`SizesError::Missing`] and [`SizesError::Shape`].
    pub fn shape(&self, quantity: &str, tensor: &str, axes: usize) -> Result<&'a [usize], SizesError> {
        let found = self
            .network
            .tensors
            .get(tensor)
            .ok_or_else(|| SizesError::Missing { tensor: tensor.into(), quantity: quantity.into() })?;
        // An axis of 0 needs no bytes, whatever the others claim.
        if found.shape.len() == axes && !found.shape.contains(&0) {
            return Ok(&found.shape);
        }
        let expected = format!("{axes} axes of at least 1");
        Err(SizesError::Shape { tensor: tensor.into(), found: found.shape.clone(), expected })
    }

    /// The size that all of `(tensor, axes, axis)` tell; at least one must be given.
    ///
    /// # Errors
    /// A missing tensor, a tensor with another number of axes, or the first two that contradict each other.
    pub fn read(&mut self, quantity: &str, sources: &[(&str, usize, usize)]) -> Result<usize, SizesError> {
        let mut told: Option<(&str, usize)> = None;
        for &(tensor, axes, axis) in sources {
            let shape = self.shape(quantity, tensor, axes)?;
            let value = shape.get(axis).copied().unwrap_or(0);
            match told {
                None => told = Some((tensor, value)),
                Some((first, first_value)) => agree(quantity, (first, first_value), (tensor, value))?,
            }
        }
        let (tensor, value) = told.unwrap_or(("", 0));
        self.note(quantity, value, tensor);
        Ok(value)
    }

    /// Checks that `tensor` has exactly the shape that follows from a size that `because` told.
    ///
    /// # Errors
    /// [`SizesError::Contradiction`] that names both tensors.
    pub fn expect(
        &self,
        quantity: &str,
        because: &str,
        tensor: &str,
        expected: &[usize],
    ) -> Result<(), SizesError> {
        let found = self.shape(quantity, tensor, expected.len())?;
        for (&first, &second) in expected.iter().zip(found) {
            agree(quantity, (because, first), (tensor, second))?;
        }
        Ok(())
    }

    /// How many of `{prefix}0{suffix}`, `{prefix}1{suffix}`, … there are; none may be left out.
    ///
    /// # Errors
    /// [`SizesError::Missing`] for a gap.
    pub fn count(&mut self, quantity: &str, prefix: &str, suffix: &str) -> Result<usize, SizesError> {
        let indices: BTreeSet<usize> = self
            .network
            .tensors
            .keys()
            .filter_map(|name| name.strip_prefix(prefix)?.strip_suffix(suffix)?.parse().ok())
            .collect();
        if let Some(gap) = (0..indices.len()).find(|index| !indices.contains(index)) {
            let tensor = format!("{prefix}{gap}{suffix}");
            return Err(SizesError::Missing { tensor, quantity: quantity.into() });
        }
        self.note(quantity, indices.len(), &format!("{prefix}*{suffix}"));
        Ok(indices.len())
    }

    /// The first of `keys` that the file has as a setting, through `read`.
    pub fn setting<T: ToString>(
        &mut self,
        quantity: &str,
        keys: &[&str],
        read: impl Fn(&Value) -> Option<T>,
    ) -> Option<T> {
        let (key, value) =
            keys.iter().find_map(|key| Some((key, read(self.network.settings.get(*key)?)?)))?;
        self.note(quantity, value.to_string(), key);
        Some(value)
    }

    /// Whether any setting starts like this.
    pub fn has_settings(&self, prefix: &str) -> bool {
        self.network.settings.keys().any(|key| key.starts_with(prefix))
    }

    /// Remembers what the file does not say.
    pub fn assume(&mut self, text: impl Into<String>) {
        self.assumed.push(text.into());
    }

    /// Remembers where a size comes from.
    pub fn note(&mut self, quantity: &str, value: impl ToString, source: &str) {
        self.evidence.push(SizeEvidence {
            quantity: quantity.into(),
            value: value.to_string(),
            source: source.into(),
        });
    }

    /// What was read from where, and what was assumed.
    pub fn into_parts(self) -> (Vec<SizeEvidence>, Vec<String>) {
        (self.evidence, self.assumed)
    }
}

/// Refuses two values of one size.
///
/// # Errors
/// [`SizesError::Contradiction`].
pub fn agree(quantity: &str, first: (&str, usize), second: (&str, usize)) -> Result<(), SizesError> {
    if first.1 == second.1 {
        return Ok(());
    }
    Err(SizesError::Contradiction {
        quantity: quantity.into(),
        first: first.0.into(),
        first_value: first.1,
        second: second.0.into(),
        second_value: second.1,
    })
}

/// A setting that is a count.
pub fn as_count(value: &Value) -> Option<usize> {
    usize::try_from(value.as_u64()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::foreign::{Dtype, ForeignTensor};

    fn network(tensors: &[(&str, &[usize])]) -> ForeignNetwork {
        let tensors = tensors
            .iter()
            .map(|(name, shape)| {
                let bytes = vec![0; 4 * shape.iter().product::<usize>()];
                (name.to_string(), ForeignTensor { dtype: Dtype::F32, shape: shape.to_vec(), bytes })
            })
            .collect();
        ForeignNetwork { tensors, ..Default::default() }
    }

    #[test]
    fn contradictions_name_both_tensors() {
        let network = network(&[("a", &[2, 3]), ("b", &[4]), ("layer.0.w", &[1]), ("layer.2.w", &[1])]);
        let mut sizes = SizeReader::new(&network);
        assert_eq!(sizes.read("width", &[("a", 2, 1)]).unwrap(), 3);
        let error = sizes.read("width", &[("a", 2, 1), ("b", 1, 0)]).unwrap_err().to_string();
        assert_eq!(error, "`width`: 3 by tensor `a`, but 4 by tensor `b`");
        let error = sizes.read("width", &[("b", 2, 0)]).unwrap_err().to_string();
        assert_eq!(error, "tensor `b`: found shape [4], expected 2 axes of at least 1");
        let error = sizes.count("layers", "layer.", ".w").unwrap_err().to_string();
        assert_eq!(error, "tensor `layer.1.w` is missing; it tells `layers`");
        let error = sizes.expect("width", "b", "a", &[2, 4]).unwrap_err().to_string();
        assert_eq!(error, "`width`: 4 by tensor `b`, but 3 by tensor `a`");
        assert_eq!(sizes.into_parts().0.len(), 1);
    }
}
