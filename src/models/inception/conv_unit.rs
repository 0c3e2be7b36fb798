//! Convolution, frozen batch norm, ReLU; and the pools between them.

use burn::module::Module;
use burn::tensor::activation::relu;
use burn::tensor::module::{avg_pool2d, max_pool2d};
use burn::tensor::{Tensor, backend::Backend};

use crate::models::batch_norm::BatchNorm;
use crate::models::plain_conv::{PlainConv, PlainConvConfig};

/// ε of every batch norm of the published network.
const EPSILON: f64 = 1e-3;

/// The unit that the whole network is made of.
#[derive(Module, Debug)]
pub struct ConvUnit<B: Backend> {
    /// `[channels_out, channels_in, rows, columns]`
    pub conv: PlainConv<B>,
    /// Norm of `conv`.
    pub bn: BatchNorm<B>,
}

impl<B: Backend> ConvUnit<B> {
    /// # Shapes
    /// - x: `[batch, channels_in, height, width]`
    /// - output: `[batch, channels_out, height', width']`, sizes as the convolution gives them; not negative
    pub fn forward(&self, x: Tensor<B, 4>) -> Tensor<B, 4> {
        relu(self.conv.forward_frozen(&self.bn, x))
    }
}

/// Makes the units of one network: channels divided, weights keyed by path.
pub(super) struct UnitBuilder<'a, B: Backend> {
    pub(super) divisor: usize,
    pub(super) seed: u64,
    pub(super) device: &'a B::Device,
}

impl<B: Backend> UnitBuilder<'_, B> {
    /// Stride 1, size kept.
    pub(super) fn same(
        &self,
        name: &str,
        channels_in: usize,
        channels_out: usize,
        kernel: [usize; 2],
    ) -> ConvUnit<B> {
        self.unit(name, PlainConvConfig::same(channels_in, channels_out, kernel))
    }

    /// 3×3, no padding.
    pub(super) fn valid(
        &self,
        name: &str,
        channels_in: usize,
        channels_out: usize,
        stride: usize,
    ) -> ConvUnit<B> {
        self.unit(name, PlainConvConfig::square(channels_in, channels_out, 3, stride, 0))
    }

    fn unit(&self, name: &str, published: PlainConvConfig) -> ConvUnit<B> {
        // Pixels have three channels in every network.
        let channels_in = match published.channels_in {
            3 => 3,
            channels => channels / self.divisor,
        };
        let channels_out = published.channels_out / self.divisor;
        let config = PlainConvConfig { channels_in, channels_out, ..published };
        ConvUnit {
            conv: config.init(self.seed, &format!("{name}.conv"), self.device),
            bn: BatchNorm::new(channels_out, EPSILON, self.device),
        }
    }
}

/// 3×3 maximum, stride 2, no padding: `n` to `(n − 3)/2 + 1`.
pub(super) fn halving_max_pool<B: Backend>(x: Tensor<B, 4>) -> Tensor<B, 4> {
    max_pool2d(x, [3, 3], [2, 2], [0, 0], [1, 1], false)
}

/// What the pool branch of a block does before its convolution; the size stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BranchPool {
    /// 3×3 mean of the pixels that exist.
    Mean,
    /// 3×3 maximum: the last block of the published network.
    Maximum,
}

impl BranchPool {
    pub(super) fn apply<B: Backend>(self, x: Tensor<B, 4>) -> Tensor<B, 4> {
        match self {
            // The last but one argument is PyTorch's `count_include_pad`: at the border TensorFlow divides by the
            // pixels that exist.
            Self::Mean => avg_pool2d(x, [3, 3], [1, 1], [1, 1], false, false),
            Self::Maximum => max_pool2d(x, [3, 3], [1, 1], [1, 1], [1, 1], false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_ops::backend::{Base, cpu};

    #[test]
    fn the_mean_leaves_the_padding_out() {
        let x = Tensor::<Base, 4>::from_floats([[[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]]], &cpu());
        let pooled = |pool: BranchPool| pool.apply(x.clone()).into_data().to_vec::<f32>().unwrap();
        assert_eq!(pooled(BranchPool::Mean), [3.0, 3.5, 4.0, 3.0, 3.5, 4.0]);
        assert_eq!(pooled(BranchPool::Maximum), [5.0, 6.0, 6.0, 5.0, 6.0, 6.0]);
    }
}
