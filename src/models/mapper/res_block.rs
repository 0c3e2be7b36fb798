//! Residual block of the mapper: `relu(x + conv3(relu(conv2(relu(conv1(x))))))` (docs/spec/mapper.md §3; after He et al.
//! 2016, <https://arxiv.org/abs/1512.03385>, without batch norms).

use burn::module::Module;
use burn::tensor::activation::relu;
use burn::tensor::{Tensor, backend::Backend};

use super::conv::{SignalConv, SignalConvConfig};

/// Kernels 3, 3 and 1 with equal channels, so that the shortcut has no weight.
#[derive(Module, Debug)]
pub struct ResBlock<B: Backend> {
    /// Kernel 3.
    pub conv1: SignalConv<B>,
    /// Kernel 3.
    pub conv2: SignalConv<B>,
    /// Kernel 1.
    pub conv3: SignalConv<B>,
}

impl<B: Backend> ResBlock<B> {
    /// Weights keyed by `name`.
    pub fn init(channels: usize, seed: u64, name: &str, device: &B::Device) -> Self {
        Self {
            conv1: SignalConvConfig::same(channels).init(seed, &format!("{name}.conv1"), device),
            conv2: SignalConvConfig::same(channels).init(seed, &format!("{name}.conv2"), device),
            conv3: SignalConvConfig::pointwise(channels, channels).init(
                seed,
                &format!("{name}.conv3"),
                device,
            ),
        }
    }

    /// # Shapes
    /// - x and output: `[batch, channels, positions]`
    pub fn forward(&self, x: Tensor<B, 3>) -> Tensor<B, 3> {
        relu(self.sum(x))
    }

    /// The block without the activation behind its sum, as the encoder has it (docs/spec/mapper.md §8).
    ///
    /// # Shapes
    /// - as [`ResBlock::forward`]
    pub fn sum(&self, x: Tensor<B, 3>) -> Tensor<B, 3> {
        let y = relu(self.conv1.forward(x.clone()));
        let y = relu(self.conv2.forward(y));
        x + self.conv3.forward(y)
    }
}
