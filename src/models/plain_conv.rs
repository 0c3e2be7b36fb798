//! Bias-free 2-D convolution, as it stands in front of a batch norm; initialised from a key instead of a global generator.

use burn::module::{Module, Param};
use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Tensor, backend::Backend};

use super::batch_norm::BatchNorm;
use crate::tensor_ops::random::{keyed_rng, normal};

/// Geometry of a [`PlainConv`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlainConvConfig {
    /// Channels of the input.
    pub channels_in: usize,
    /// Channels of the output.
    pub channels_out: usize,
    /// Rows and columns of the kernel.
    pub kernel: [usize; 2],
    /// Step between output positions along both axes.
    pub stride: usize,
    /// Zeros added on either side, per axis.
    pub padding: [usize; 2],
}

impl PlainConvConfig {
    /// Stride 1 and the padding that keeps the size; `kernel` is odd.
    pub fn same(channels_in: usize, channels_out: usize, kernel: [usize; 2]) -> Self {
        let padding = kernel.map(|taps| taps / 2);
        Self { channels_in, channels_out, kernel, stride: 1, padding }
    }

    /// A square kernel.
    pub fn square(
        channels_in: usize,
        channels_out: usize,
        taps: usize,
        stride: usize,
        padding: usize,
    ) -> Self {
        Self { channels_in, channels_out, kernel: [taps; 2], stride, padding: [padding; 2] }
    }

    /// Weights from N(0, 2/(channels_out · taps)) (He et al. 2015, fan-out, as torchvision), keyed by `name`.
    pub fn init<B: Backend>(&self, seed: u64, name: &str, device: &B::Device) -> PlainConv<B> {
        let [rows, columns] = self.kernel;
        let deviation = (2.0 / (self.channels_out * rows * columns) as f64).sqrt();
        let mut rng = keyed_rng(seed, &format!("{name}.weight"), 0);
        let weight = normal([self.channels_out, self.channels_in, rows, columns], &mut rng, device);
        PlainConv {
            weight: Param::from_tensor(weight.mul_scalar(deviation)),
            stride: self.stride,
            padding: self.padding,
        }
    }
}

/// Convolution without bias over `[batch, channels, height, width]`.
#[derive(Module, Debug)]
pub struct PlainConv<B: Backend> {
    /// `[channels_out, channels_in, rows, columns]`
    pub weight: Param<Tensor<B, 4>>,
    stride: usize,
    padding: [usize; 2],
}

impl<B: Backend> PlainConv<B> {
    /// # Shapes
    /// - x: `[batch, channels_in, height, width]`
    /// - output: `[batch, channels_out, (height + 2·padding − rows) / stride + 1, …]`
    pub fn forward(&self, x: Tensor<B, 4>) -> Tensor<B, 4> {
        conv2d(x, self.weight.val(), None, self.options())
    }

    /// The convolution and a frozen batch norm after it, as one convolution with rescaled weights and a bias: two passes over
    /// the output less.
    ///
    /// # Shapes
    /// - as [`PlainConv::forward`]
    pub fn forward_frozen(&self, norm: &BatchNorm<B>, x: Tensor<B, 4>) -> Tensor<B, 4> {
        let (scale, shift) = norm.scale_and_shift();
        let channels_out = scale.dims()[0];
        // `norm(conv(x)) = conv'(x) + shift` with every output channel's kernel times its scale. Made anew at each
        // call: the weight may be trained while the statistics are frozen.
        let weight = self.weight.val() * scale.reshape([channels_out, 1, 1, 1]);
        conv2d(x, weight, Some(shift), self.options())
    }

    fn options(&self) -> ConvOptions<2> {
        ConvOptions::new([self.stride; 2], self.padding, [1, 1], 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_ops::backend::{Base, cpu};

    #[test]
    fn a_frozen_norm_inside_the_weights_changes_nothing() {
        let mut rng = keyed_rng(0, "test", 0);
        let conv = PlainConvConfig::same(3, 4, [3, 1]).init::<Base>(1, "conv", &cpu());
        let mut norm = BatchNorm::<Base>::new(4, 1e-3, &cpu());
        norm.weight = norm.weight.map(|_| normal([4], &mut rng, &cpu()));
        norm.bias = norm.bias.map(|_| normal([4], &mut rng, &cpu()));
        norm.running_mean = norm.running_mean.map(|_| normal([4], &mut rng, &cpu()));
        norm.running_var = norm.running_var.map(|_| normal::<Base, 1>([4], &mut rng, &cpu()).exp());
        let x: Tensor<Base, 4> = normal([2, 3, 5, 6], &mut rng, &cpu());
        let expected = norm.forward(conv.forward(x.clone()));
        assert_eq!(expected.dims(), [2, 4, 5, 6]);
        let worst = (conv.forward_frozen(&norm, x) - expected).abs().max().into_scalar();
        assert!(worst < 1e-5, "{worst}");
    }
}
