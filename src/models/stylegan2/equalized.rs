//! Linear and convolution layers with run-time gain (docs/spec/generator.md §1.1, docs/spec/discriminator.md §1).
//!
//! Weights are stored with unit deviation and scaled at use, so that Adam moves all layers alike.

use burn::module::{Module, Param};
use burn::tensor::{Tensor, backend::Backend};

use super::weight_init::WeightInit;
use crate::tensor_ops::activation::Activation;
use crate::tensor_ops::bias_act::BiasAct;
use crate::tensor_ops::half::half_like;
use crate::tensor_ops::resample_conv::{Resampling, resampled_layer};

/// Variants of [`EqualizedLinear`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinearOptions {
    /// Non-linearity, with its own gain.
    pub activation: Activation,
    /// Learning-rate multiplier: weights are stored this much larger and scaled back at use.
    pub lr_multiplier: f64,
    /// Initial bias, as stored.
    pub bias: f64,
}

impl Default for LinearOptions {
    fn default() -> Self {
        Self { activation: Activation::Linear, lr_multiplier: 1.0, bias: 0.0 }
    }
}

/// `act(x · (W·μ/√in)ᵀ + b·μ) · gain`.
#[derive(Module, Debug)]
pub struct EqualizedLinear<B: Backend> {
    weight: Param<Tensor<B, 2>>,
    bias: Option<Param<Tensor<B, 1>>>,
    #[module(skip)]
    activation: Activation,
    #[module(skip)]
    lr_multiplier: f64,
}

impl<B: Backend> EqualizedLinear<B> {
    pub(super) fn init(inputs: usize, outputs: usize, options: LinearOptions, init: &WeightInit<B>) -> Self {
        Self {
            // Stored 1/μ larger and used times μ: the values at the start are the same, but Adam, whose step does not
            // depend on the gradient's scale, moves what they amount to by μ times as much.
            weight: init.normal("weight", [outputs, inputs], 1.0 / options.lr_multiplier),
            bias: Some(init.constant([outputs], options.bias)),
            activation: options.activation,
            lr_multiplier: options.lr_multiplier,
        }
    }

    /// A layer with given parameters: weight `[out, in]`, bias `[out]`, as stored.
    pub fn from_weights(
        weight: Tensor<B, 2>,
        bias: Option<Tensor<B, 1>>,
        activation: Activation,
        lr_multiplier: f64,
    ) -> Self {
        Self {
            weight: Param::from_tensor(weight),
            bias: bias.map(Param::from_tensor),
            activation,
            lr_multiplier,
        }
    }

    /// # Shapes
    /// - x: `[batch, in]`, output: `[batch, out]`
    pub fn forward(&self, x: Tensor<B, 2>) -> Tensor<B, 2> {
        let weight = self.weight.val();
        let scale = self.lr_multiplier / (weight.dims()[1] as f64).sqrt();
        // The product is smaller than the weight: scale it instead.
        let y = x.matmul(weight.transpose()).mul_scalar(scale);
        let bias = self.bias.as_ref().map(|bias| {
            if self.lr_multiplier == 1.0 { bias.val() } else { bias.val().mul_scalar(self.lr_multiplier) }
        });
        BiasAct::new(self.activation).apply(y, bias)
    }
}

/// Variants of [`EqualizedConv`].
#[derive(Clone, Copy, Debug)]
pub(super) struct ConvOptions {
    pub kernel: usize,
    pub resampling: Resampling,
    pub bias_act: BiasAct,
    pub has_bias: bool,
}

/// Convolution with weight `W/√(in·k²)`, resampling, bias, activation.
#[derive(Module, Debug)]
pub struct EqualizedConv<B: Backend> {
    weight: Param<Tensor<B, 4>>,
    bias: Option<Param<Tensor<B, 1>>>,
    #[module(skip)]
    resampling: Resampling,
    #[module(skip)]
    bias_act: BiasAct,
}

impl<B: Backend> EqualizedConv<B> {
    pub(super) fn init(inputs: usize, outputs: usize, options: ConvOptions, init: &WeightInit<B>) -> Self {
        let kernel = options.kernel;
        Self {
            weight: init.normal("weight", [outputs, inputs, kernel, kernel], 1.0),
            bias: options.has_bias.then(|| init.constant([outputs], 0.0)),
            resampling: options.resampling,
            bias_act: options.bias_act,
        }
    }

    /// # Shapes
    /// - x: `[batch, in, height, width]`, output: `[batch, out, height', width']`
    pub fn forward(&self, x: Tensor<B, 4>) -> Tensor<B, 4> {
        let weight = self.weight.val();
        let [_, inputs, kernel, _] = weight.dims();
        // Here the weight is scaled and not the product: a kernel is smaller than the images behind it. In single
        // precision, before it is rounded to half.
        let weight = weight.mul_scalar(1.0 / ((inputs * kernel * kernel) as f64).sqrt());
        let weight = half_like(weight, &x);
        let bias = self.bias.as_ref().map(|bias| half_like(bias.val(), &x));
        resampled_layer(x, weight, bias, self.resampling, self.bias_act)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_ops::activation::LEAKY_RELU;
    use crate::tensor_ops::backend::{Base, cpu};

    #[test]
    fn worked_example_of_the_reference() {
        let device = cpu();
        let weight = Tensor::<Base, 2>::from_floats([[100.0, -50.0]], &device);
        let bias = Tensor::from_floats([30.0], &device);
        let layer = EqualizedLinear::from_weights(weight, Some(bias), LEAKY_RELU, 0.01);
        let x = Tensor::from_floats([[1.0, 1.0], [0.0, 2.0]], &device);
        let y: Vec<f32> = layer.forward(x).into_data().to_vec().unwrap();
        assert!((y[0] - 0.924264).abs() < 1e-5 && (y[1] + 0.115147).abs() < 1e-5, "{y:?}");
    }
}
