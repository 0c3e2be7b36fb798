//! Initial values drawn from one stream per parameter name, so that a seed decides every weight on any device.

use burn::module::{Param, ParamId};
use burn::tensor::{Tensor, backend::Backend};

use crate::tensor_ops::random::{keyed_rng, normal};

/// Where in the network a parameter lives, and the seed of the network.
#[derive(Clone, Debug)]
pub struct WeightInit<'a, B: Backend> {
    seed: u64,
    path: String,
    device: &'a B::Device,
}

impl<'a, B: Backend> WeightInit<'a, B> {
    /// The root of a network.
    pub fn new(seed: u64, network: &str, device: &'a B::Device) -> Self {
        Self { seed, path: network.to_string(), device }
    }

    /// A submodule.
    pub fn child(&self, name: &str) -> Self {
        Self { path: format!("{}.{name}", self.path), ..self.clone() }
    }

    /// Trained, drawn from N(0, deviation²).
    pub fn normal<const D: usize>(
        &self,
        name: &str,
        shape: [usize; D],
        deviation: f64,
    ) -> Param<Tensor<B, D>> {
        let values = self.draw(name, shape);
        Param::from_tensor(if deviation == 1.0 { values } else { values.mul_scalar(deviation) })
    }

    /// Trained, constant.
    pub fn constant<const D: usize>(&self, shape: [usize; D], value: f64) -> Param<Tensor<B, D>> {
        Param::from_tensor(Tensor::full(shape, value, self.device))
    }

    /// Not trained, drawn from N(0, 1).
    pub fn normal_buffer<const D: usize>(&self, name: &str, shape: [usize; D]) -> Param<Tensor<B, D>> {
        // Not `from_tensor`, which would ask for gradients.
        Param::initialized(ParamId::new(), self.draw(name, shape))
    }

    /// Not trained, zero.
    pub fn zero_buffer<const D: usize>(&self, shape: [usize; D]) -> Param<Tensor<B, D>> {
        Param::initialized(ParamId::new(), Tensor::zeros(shape, self.device))
    }

    fn draw<const D: usize>(&self, name: &str, shape: [usize; D]) -> Tensor<B, D> {
        let mut rng = keyed_rng(self.seed, &format!("{}.{name}", self.path), 0);
        normal(shape, &mut rng, self.device)
    }
}
