//! Linear decoder: one matrix from voxels to embedding, as ridge regression fits it.

use burn::module::{Module, Param, ParamId};
use burn::tensor::{Tensor, TensorData, backend::Backend};
use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

use super::network::MOST_VOXELS;
use crate::error::{Fault, SettingError, in_range, limits};
use crate::tensor_ops::stored::{StoredNetwork, StoredTensors};

/// Sizes of a [`LinearMapper`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinearMapperConfig {
    /// Voxels of a trial, 1 to 1e7.
    pub num_voxels: usize,
    /// Width of the predicted embedding, 1 to 65,536.
    pub embed_dim: usize,
}

impl LinearMapperConfig {
    /// Number of weights and biases.
    pub fn least_values(&self) -> u128 {
        (self.num_voxels as u128 + 1) * self.embed_dim as u128
    }

    /// The map that predicts zeros, to load a file into.
    ///
    /// # Errors
    /// [`SettingError`] for sizes out of range.
    pub fn init<B: Backend>(&self, device: &B::Device) -> Result<LinearMapper<B>, SettingError> {
        self.check_sizes()?;
        let Self { num_voxels, embed_dim } = *self;
        Ok(LinearMapper::new(
            Tensor::zeros([num_voxels, embed_dim], device),
            Tensor::zeros([embed_dim], device),
        ))
    }
}

impl StoredNetwork for LinearMapperConfig {
    fn check_sizes(&self) -> Result<(), SettingError> {
        check_ends(self.num_voxels, self.embed_dim)
    }

    fn claim(&self, tensors: &mut StoredTensors) -> Result<(), Fault> {
        claim_linear("", self.num_voxels, self.embed_dim, tensors)
    }
}

/// What every decoder of voxels needs: an input and an output that some memory holds.
pub(super) fn check_ends(num_voxels: usize, embed_dim: usize) -> Result<(), SettingError> {
    in_range("num_voxels", num_voxels, 1..=MOST_VOXELS)?;
    in_range("embed_dim", embed_dim, 1..=limits::WIDTH)
}

/// Claims `{prefix}weight` `[inputs, outputs]` and `{prefix}bias`.
pub(super) fn claim_linear(
    prefix: &str,
    inputs: usize,
    outputs: usize,
    tensors: &mut StoredTensors,
) -> Result<(), Fault> {
    tensors.claim(format!("{prefix}weight"), &[inputs, outputs])?;
    tensors.claim(format!("{prefix}bias"), &[outputs])
}

/// A tensor that a decoder holds and no optimiser moves.
pub(super) fn frozen<B: Backend, const D: usize>(value: Tensor<B, D>) -> Param<Tensor<B, D>> {
    Param::initialized(ParamId::new(), value.set_require_grad(false))
}

/// fMRI → embedding by one matrix; no optimiser moves it.
#[derive(Module, Debug)]
pub struct LinearMapper<B: Backend> {
    /// `[num_voxels, embed_dim]`
    pub weight: Param<Tensor<B, 2>>,
    /// `[embed_dim]`
    pub bias: Param<Tensor<B, 1>>,
}

impl<B: Backend> LinearMapper<B> {
    /// # Shapes
    /// - weight: `[num_voxels, embed_dim]`, bias: `[embed_dim]`
    pub fn new(weight: Tensor<B, 2>, bias: Tensor<B, 1>) -> Self {
        Self { weight: frozen(weight), bias: frozen(bias) }
    }

    /// The map of fitted coefficients.
    ///
    /// # Shapes
    /// - weight: `[num_voxels, embed_dim]`; bias: a value per coordinate of the embedding
    pub fn of_coefficients(weight: ArrayView2<'_, f32>, bias: &[f32], device: &B::Device) -> Self {
        let (voxels, width) = weight.dim();
        let weight = TensorData::new(weight.iter().copied().collect::<Vec<f32>>(), [voxels, width]);
        let bias = TensorData::new(bias.to_vec(), [bias.len()]);
        Self::new(Tensor::from_data(weight, device), Tensor::from_data(bias, device))
    }

    /// `betas · weight + bias`, one embedding per trial.
    ///
    /// # Shapes
    /// - betas: `[batch, num_voxels]`, z-scored within session
    /// - output: `[batch, embed_dim]`, not normalised
    pub fn forward(&self, betas: Tensor<B, 2>) -> Tensor<B, 2> {
        betas.matmul(self.weight.val()) + self.bias.val().unsqueeze_dim(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_ops::backend::{Base, cpu};
    use crate::tensor_ops::host_values::values;
    use crate::tensor_ops::stored::assert_claims;

    #[test]
    fn one_matrix_and_its_claims() {
        let config = LinearMapperConfig { num_voxels: 2, embed_dim: 3 };
        let network = config.init::<Base>(&cpu()).unwrap();
        assert_claims(&config, &network);
        assert_eq!((network.num_params() as u128, config.least_values()), (9, 9));
        let weight = Tensor::from_floats([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], &cpu());
        let network = LinearMapper::<Base>::new(weight, Tensor::from_floats([0.5, 0.0, -1.0], &cpu()));
        let betas = Tensor::from_floats([[1.0, 1.0], [2.0, -1.0]], &cpu());
        assert_eq!(values(network.forward(betas)), [5.5, 7.0, 8.0, -1.5, -1.0, -1.0]);
    }

    #[test]
    fn sizes_out_of_range_are_named() {
        for (num_voxels, embed_dim, field) in
            [(0, 3, "num_voxels"), (usize::MAX, 3, "num_voxels"), (3, 0, "embed_dim")]
        {
            let config = LinearMapperConfig { num_voxels, embed_dim };
            assert_eq!(config.check_sizes().unwrap_err().field, field);
            assert!(config.init::<Base>(&cpu()).is_err());
        }
    }
}
