//! z → w (docs/spec/generator.md §2; Karras et al. 2019, <https://arxiv.org/abs/1812.04948>, section 2).

use burn::module::{Module, Param};
use burn::tensor::{Tensor, backend::Backend};

use super::config::GeneratorConfig;
use super::equalized::{EqualizedLinear, LinearOptions};
use super::weight_init::WeightInit;
use crate::tensor_ops::activation::LEAKY_RELU;
use crate::tensor_ops::similarity::second_moment_norm;

/// Perceptron on normalised latents, and the running mean of what comes out.
#[derive(Module, Debug)]
pub struct MappingNetwork<B: Backend> {
    layers: Vec<EqualizedLinear<B>>,
    w_avg: Param<Tensor<B, 1>>,
    #[module(skip)]
    w_avg_decay: f64,
}

impl<B: Backend> MappingNetwork<B> {
    pub(super) fn init(config: &GeneratorConfig, init: &WeightInit<B>) -> Self {
        // The mapping network learns a hundred times slower than the rest (docs/spec/generator.md §1.1): its output
        // is shared by all layers.
        let options = LinearOptions { activation: LEAKY_RELU, lr_multiplier: 0.01, bias: 0.0 };
        let layers = (0..config.mapping_layers)
            .map(|index| {
                let inputs = if index == 0 { config.z_dim } else { config.w_dim };
                EqualizedLinear::init(inputs, config.w_dim, options, &init.child(&format!("layers.{index}")))
            })
            .collect();
        Self { layers, w_avg: init.zero_buffer([config.w_dim]), w_avg_decay: config.w_avg_decay }
    }

    /// # Shapes
    /// - z: `[batch, z_dim]`, output: `[batch, w_dim]`
    pub fn forward(&self, z: Tensor<B, 2>) -> Tensor<B, 2> {
        self.layers.iter().fold(second_moment_norm(z), |x, layer| layer.forward(x))
    }

    /// Running mean of w: `[w_dim]`.
    pub fn w_avg(&self) -> Tensor<B, 1> {
        self.w_avg.val()
    }

    /// Moves the running mean towards the mean of a batch `[batch, w_dim]`; no gradient flows.
    pub fn track_w_avg(&mut self, w: Tensor<B, 2>) {
        let mean = w.detach().mean_dim(0).squeeze_dim::<1>(0);
        // `m + decay · (avg − m)` (docs/spec/generator.md §2).
        let decay = self.w_avg_decay;
        self.w_avg = self.w_avg.clone().map(|avg| mean.clone() + (avg - mean).mul_scalar(decay));
    }
}
