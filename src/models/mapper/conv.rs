//! Convolution over the voxel axis, initialised from a key instead of a global generator.

use burn::module::{Module, Param};
use burn::tensor::module::conv1d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Tensor, TensorData, backend::Backend};
use rand::RngExt;

use crate::tensor_ops::random::keyed_rng;

/// Geometry of a [`SignalConv`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignalConvConfig {
    /// Channels of the input.
    pub channels_in: usize,
    /// Channels of the output.
    pub channels_out: usize,
    /// Taps of the kernel.
    pub kernel_size: usize,
    /// Step between output positions.
    pub stride: usize,
    /// Zeros added at either end.
    pub padding: usize,
}

impl SignalConvConfig {
    /// Kernel 1: the same linear map at every position.
    pub fn pointwise(channels_in: usize, channels_out: usize) -> Self {
        Self { channels_in, channels_out, kernel_size: 1, stride: 1, padding: 0 }
    }

    /// Kernel 3 that keeps the length.
    pub fn same(channels: usize) -> Self {
        Self { channels_in: channels, channels_out: channels, kernel_size: 3, stride: 1, padding: 1 }
    }

    /// Kernel 4 that halves the length.
    pub fn halving(channels_in: usize, channels_out: usize) -> Self {
        Self { channels_in, channels_out, kernel_size: 4, stride: 2, padding: 1 }
    }

    /// Weight and bias from U(−b, b), `b = 1/√(channels_in · kernel_size)` (PyTorch's default), keyed by `name`.
    pub fn init<B: Backend>(&self, seed: u64, name: &str, device: &B::Device) -> SignalConv<B> {
        let bound = 1.0 / ((self.channels_in * self.kernel_size) as f32).sqrt();
        let draw = |part: &str, count: usize| -> Vec<f32> {
            let mut rng = keyed_rng(seed, &format!("{name}.{part}"), 0);
            (0..count).map(|_| bound * (2.0 * rng.random::<f32>() - 1.0)).collect()
        };
        let shape = [self.channels_out, self.channels_in, self.kernel_size];
        let weight = TensorData::new(draw("weight", shape.iter().product()), shape);
        let bias = TensorData::new(draw("bias", self.channels_out), [self.channels_out]);
        SignalConv {
            weight: Param::from_tensor(Tensor::from_data(weight, device)),
            bias: Param::from_tensor(Tensor::from_data(bias, device)),
            stride: self.stride,
            padding: self.padding,
        }
    }
}

/// Convolution with bias over the last axis of `[batch, channels, positions]`.
#[derive(Module, Debug)]
pub struct SignalConv<B: Backend> {
    /// `[channels_out, channels_in, kernel_size]`
    pub weight: Param<Tensor<B, 3>>,
    /// `[channels_out]`
    pub bias: Param<Tensor<B, 1>>,
    stride: usize,
    padding: usize,
}

impl<B: Backend> SignalConv<B> {
    /// # Shapes
    /// - x: `[batch, channels_in, positions]`
    /// - output: `[batch, channels_out, (positions + 2·padding − kernel_size) / stride + 1]`
    pub fn forward(&self, x: Tensor<B, 3>) -> Tensor<B, 3> {
        let [channels_out, channels_in, kernel_size] = self.weight.dims();
        if kernel_size == 1 && self.stride == 1 && self.padding == 0 {
            let weight = self.weight.val().reshape([1, channels_out, channels_in]);
            let bias = self.bias.val().reshape([1, channels_out, 1]);
            return weight.matmul(x) + bias; // [B, channels_out, P]
        }
        let options = ConvOptions::new([self.stride], [self.padding], [1], 1);
        conv1d(x, self.weight.val(), Some(self.bias.val()), options)
    }
}
