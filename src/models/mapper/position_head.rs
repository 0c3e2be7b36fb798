//! One two-layer perceptron over positions, shared by every coordinate of the embedding.
//!
//! `y[b, c] = w₂ · relu(W₁ · relu(x[b, c, :]) + b₁) + b₂`: the published two pointwise convolutions behind a
//! transposition, without the transposition (docs/spec/mapper.md §3).

use burn::module::Module;
use burn::tensor::activation::relu;
use burn::tensor::{Tensor, backend::Backend};

use super::conv::{SignalConv, SignalConvConfig};

/// Perceptron from positions to one number.
#[derive(Module, Debug)]
pub struct PositionHead<B: Backend> {
    /// `W₁`: `[fc, positions, 1]`
    pub hidden: SignalConv<B>,
    /// `w₂`: `[1, fc, 1]`
    pub output: SignalConv<B>,
}

impl<B: Backend> PositionHead<B> {
    /// Weights keyed by `name`.
    pub(super) fn init(positions: usize, fc: usize, seed: u64, name: &str, device: &B::Device) -> Self {
        Self {
            hidden: SignalConvConfig::pointwise(positions, fc).init(seed, &format!("{name}.hidden"), device),
            output: SignalConvConfig::pointwise(fc, 1).init(seed, &format!("{name}.output"), device),
        }
    }

    /// # Shapes
    /// - x: `[batch, embed_dim, positions]`
    /// - output: `[batch, embed_dim]`
    pub fn forward(&self, x: Tensor<B, 3>) -> Tensor<B, 2> {
        let [batch, embed_dim, positions] = x.dims();
        // All coordinates of all samples in one matrix product.
        let x = relu(x).reshape([batch * embed_dim, positions]);
        let x = relu(self.hidden.forward_rows(x)); // [batch · embed_dim, fc]
        self.output.forward_rows(x).reshape([batch, embed_dim])
    }
}
