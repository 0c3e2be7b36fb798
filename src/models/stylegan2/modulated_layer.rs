//! Style, modulated convolution, noise, activation: the layers of the synthesis network (docs/spec/generator.md §4).

use burn::module::{Module, Param};
use burn::tensor::{Tensor, backend::Backend};

use super::condition::{Condition, StyleCode};
use super::config::GeneratorConfig;
use super::noise::LayerNoise;
use super::weight_init::WeightInit;
use crate::tensor_ops::activation::LEAKY_RELU;
use crate::tensor_ops::bias_act::BiasAct;
use crate::tensor_ops::modulated_conv::{AfterConv, modulated_layer, modulated_pointwise_layer};
use crate::tensor_ops::resample_conv::Resampling;
use crate::tensor_ops::upfirdn::FirFilter;

/// 3×3 modulated convolution with noise and leaky ReLU.
#[derive(Module, Debug)]
pub struct ModulatedLayer<B: Backend> {
    style: StyleCode<B>,
    weight: Param<Tensor<B, 4>>,
    bias: Param<Tensor<B, 1>>,
    noise_strength: Param<Tensor<B, 1>>,
    noise_const: Param<Tensor<B, 2>>,
    #[module(skip)]
    resampling: Resampling,
    #[module(skip)]
    bias_act: BiasAct,
}

impl<B: Backend> ModulatedLayer<B> {
    pub(super) fn init(
        config: &GeneratorConfig,
        [inputs, outputs]: [usize; 2],
        resolution: usize,
        resampling: Resampling,
        init: &WeightInit<B>,
    ) -> Self {
        Self {
            style: StyleCode::init(config, inputs, &init.child("style")),
            // Without a run-time gain: demodulation divides by the kernel's norm anyway.
            weight: init.normal("weight", [outputs, inputs, 3, 3], 1.0),
            bias: init.constant([outputs], 0.0),
            noise_strength: init.constant([1], 0.0),
            noise_const: init.normal_buffer("noise_const", [resolution, resolution]),
            resampling,
            bias_act: BiasAct::new(LEAKY_RELU).with_clamp(config.clamp()),
        }
    }

    /// Scales of the input channels: `[batch, in]`.
    pub(super) fn styles(&self, w: Tensor<B, 2>, condition: &Condition<B>) -> Tensor<B, 2> {
        self.style.forward(w, condition)
    }

    /// # Shapes
    /// - x: `[batch, in, height, width]`, w: `[batch, w_dim]`
    /// - output: `[batch, out, r, r]`
    pub(super) fn forward(
        &self,
        x: Tensor<B, 4>,
        w: Tensor<B, 2>,
        condition: &Condition<B>,
        noise: LayerNoise<B>,
    ) -> Tensor<B, 4> {
        let styles = self.styles(w, condition);
        let filter = FirFilter::resampling();
        let strength = || self.noise_strength.val();
        let noise = match noise {
            LayerNoise::Off => None,
            // `[1, 1, r, r]`: one map for all samples.
            LayerNoise::Constant => Some((self.noise_const.val().unsqueeze::<4>(), strength())),
            LayerNoise::Map(map) => Some((map, strength())),
        };
        let after = AfterConv { noise, bias: self.bias.val(), bias_act: self.bias_act };
        modulated_layer(x, self.weight.val(), styles, &filter, self.resampling, after)
    }

    pub(super) fn with_duplicated_head(self) -> Self {
        Self { style: self.style.with_duplicated_head(), ..self }
    }
}

/// Features to RGB: 1×1, without demodulation.
#[derive(Module, Debug)]
pub struct ToRgb<B: Backend> {
    style: StyleCode<B>,
    weight: Param<Tensor<B, 4>>,
    bias: Param<Tensor<B, 1>>,
    #[module(skip)]
    clamp: Option<f64>,
}

impl<B: Backend> ToRgb<B> {
    pub(super) fn init(config: &GeneratorConfig, inputs: usize, init: &WeightInit<B>) -> Self {
        Self {
            style: StyleCode::init(config, inputs, &init.child("style")),
            weight: init.normal("weight", [config.image_channels, inputs, 1, 1], 1.0),
            bias: init.constant([config.image_channels], 0.0),
            clamp: config.clamp(),
        }
    }

    /// Scales of the input channels, the run-time gain of the weight included: `[batch, in]`.
    pub(super) fn styles(&self, w: Tensor<B, 2>, condition: &Condition<B>) -> Tensor<B, 2> {
        let styles = self.style.forward(w, condition);
        // Demodulation would cancel any gain of the weight; without it, the gain has to be somewhere.
        let gain = 1.0 / (styles.dims()[1] as f64).sqrt();
        styles.mul_scalar(gain)
    }

    /// # Shapes
    /// - x: `[batch, in, r, r]`, w: `[batch, w_dim]`
    /// - output: x, and the RGB `[batch, image_channels, r, r]`
    pub(super) fn forward(
        &self,
        x: Tensor<B, 4>,
        w: Tensor<B, 2>,
        condition: &Condition<B>,
    ) -> (Tensor<B, 4>, Tensor<B, 4>) {
        let styles = self.styles(w, condition);
        modulated_pointwise_layer(x, self.weight.val(), styles, self.bias.val(), self.clamp)
    }

    pub(super) fn with_duplicated_head(self) -> Self {
        Self { style: self.style.with_duplicated_head(), ..self }
    }
}
