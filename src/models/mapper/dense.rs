//! A fully connected layer, initialised from a key instead of a global generator.

use burn::module::{Module, Param};
use burn::tensor::{Tensor, TensorData, backend::Backend};
use rand::RngExt;

use crate::tensor_ops::random::keyed_rng;

/// `x · weight + bias`.
#[derive(Module, Debug)]
pub struct Dense<B: Backend> {
    /// `[inputs, outputs]`
    pub weight: Param<Tensor<B, 2>>,
    /// `[outputs]`
    pub bias: Param<Tensor<B, 1>>,
}

impl<B: Backend> Dense<B> {
    /// Weights from U(−b, b), `b = 1/√inputs` (PyTorch's default), keyed by `name`; biases 0.
    pub(in crate::models) fn drawn(sizes: [usize; 2], seed: u64, name: &str, device: &B::Device) -> Self {
        let [inputs, outputs] = sizes;
        let bound = 1.0 / (inputs.max(1) as f32).sqrt();
        let mut rng = keyed_rng(seed, &format!("{name}.weight"), 0);
        let values: Vec<f32> =
            (0..inputs * outputs).map(|_| bound * (2.0 * rng.random::<f32>() - 1.0)).collect();
        Self {
            weight: Param::from_tensor(Tensor::from_data(TensorData::new(values, sizes), device)),
            bias: Param::from_tensor(Tensor::zeros([outputs], device)),
        }
    }

    /// Weights and biases 0.
    pub(super) fn zeros([inputs, outputs]: [usize; 2], device: &B::Device) -> Self {
        Self {
            weight: Param::from_tensor(Tensor::zeros([inputs, outputs], device)),
            bias: Param::from_tensor(Tensor::zeros([outputs], device)),
        }
    }

    /// # Shapes
    /// - x: `[batch, inputs]`, output: `[batch, outputs]`
    pub fn forward(&self, x: Tensor<B, 2>) -> Tensor<B, 2> {
        x.matmul(self.weight.val()) + self.bias.val().unsqueeze_dim(0)
    }
}
