//! The pre-norm transformer block of both towers (Vaswani et al. 2017, <https://arxiv.org/abs/1706.03762>; docs/spec/checkpoints.md
//! §4.3).
//!
//! Axis order is `[batch, token, channel]`. LayerNorm ε is 1e-5, the perceptron four times as wide as the
//! block, its activation x·σ(1.702 x) or the exact GELU.

use burn::module::{Initializer, Module};
use burn::nn::{LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::tensor::activation::{gelu, sigmoid, softmax};
use burn::tensor::{Tensor, backend::Backend};

use super::config::ClipActivation;
use crate::tensor_ops::transformer_kernels::{BlockLayers, block_by_kernels};

const PERCEPTRON_RATIO: usize = 4;
const NORM_EPSILON: f64 = 1e-5;

/// x·σ(1.702 x): the GELU approximation that CLIP was trained with.
pub fn quick_gelu<B: Backend, const D: usize>(input: Tensor<B, D>) -> Tensor<B, D> {
    input.clone() * sigmoid(input.mul_scalar(1.702))
}

/// A linear layer on every token: `[batch, token, inputs]` to `[batch, token, outputs]`.
pub(super) fn per_token<B: Backend>(layer: &Linear<B>, tokens: Tensor<B, 3>) -> Tensor<B, 3> {
    let [batch, length, width] = tokens.dims();
    // As one matrix: with three axes the backward pass makes one weight gradient per image and adds them up.
    let rows = layer.forward(tokens.reshape([batch * length, width]));
    let [_, width] = rows.dims();
    rows.reshape([batch, length, width])
}

fn norm_config(width: usize) -> LayerNormConfig {
    LayerNormConfig::new(width).with_epsilon(NORM_EPSILON)
}

/// `x + attention(norm(x))`, then `x + perceptron(norm(x))`.
#[derive(Module, Debug)]
pub struct AttentionBlock<B: Backend> {
    /// Norm before the attention.
    pub attention_norm: LayerNorm<B>,
    /// Queries, keys and values side by side: `[width, 3·width]`.
    pub query_key_value: Linear<B>,
    /// After the heads are joined: `[width, width]`.
    pub attention_out: Linear<B>,
    /// Norm before the perceptron.
    pub perceptron_norm: LayerNorm<B>,
    /// `[width, 4·width]`.
    pub perceptron_in: Linear<B>,
    /// `[4·width, width]`.
    pub perceptron_out: Linear<B>,
    num_heads: usize,
    #[module(skip)]
    activation: ClipActivation,
}

impl<B: Backend> AttentionBlock<B> {
    pub(super) fn zeros(
        width: usize,
        num_heads: usize,
        activation: ClipActivation,
        device: &B::Device,
    ) -> Self {
        let linear = |inputs: usize, outputs: usize| {
            LinearConfig::new(inputs, outputs).with_initializer(Initializer::Zeros).init(device)
        };
        Self {
            attention_norm: norm_config(width).init(device),
            query_key_value: linear(width, 3 * width),
            attention_out: linear(width, width),
            perceptron_norm: norm_config(width).init(device),
            perceptron_in: linear(width, PERCEPTRON_RATIO * width),
            perceptron_out: linear(PERCEPTRON_RATIO * width, width),
            num_heads,
            activation,
        }
    }

    /// Attention, then perceptron, each of the normalised input and added to it.
    ///
    /// # Shapes
    /// - input, output: `[batch, token, width]`
    /// - mask: `[token, token]`, added to the attention scores; −∞ where a query (row) may not see a key
    pub fn forward(&self, input: Tensor<B, 3>, mask: Option<Tensor<B, 2>>) -> Tensor<B, 3> {
        // The kernels know one of the two activations.
        if self.activation == ClipActivation::Gelu {
            return self.forward_portable(input, mask);
        }
        block_by_kernels(self.layers(), input, mask.as_ref())
            .unwrap_or_else(|input| self.forward_portable(input, mask))
    }

    fn layers(&self) -> BlockLayers<'_, B> {
        BlockLayers {
            attention_norm: &self.attention_norm,
            query_key_value: &self.query_key_value,
            attention_out: &self.attention_out,
            perceptron_norm: &self.perceptron_norm,
            perceptron_in: &self.perceptron_in,
            perceptron_out: &self.perceptron_out,
            num_heads: self.num_heads,
            norm_epsilon: NORM_EPSILON,
        }
    }

    /// The block in tensor operations.
    fn forward_portable(&self, input: Tensor<B, 3>, mask: Option<Tensor<B, 2>>) -> Tensor<B, 3> {
        let attended = self.attention(self.attention_norm.forward(input.clone()), mask);
        let input = input + attended;
        let hidden = per_token(&self.perceptron_in, self.perceptron_norm.forward(input.clone()));
        let hidden = match self.activation {
            ClipActivation::QuickGelu => quick_gelu(hidden),
            ClipActivation::Gelu => gelu(hidden),
        };
        input + per_token(&self.perceptron_out, hidden)
    }

    fn attention(&self, input: Tensor<B, 3>, mask: Option<Tensor<B, 2>>) -> Tensor<B, 3> {
        let [batch, tokens, width] = input.dims();
        let head_width = width / self.num_heads;
        let heads = per_token(&self.query_key_value, input)
            .reshape([batch, tokens, 3, self.num_heads, head_width])
            .permute([2, 0, 3, 1, 4]); // [3, batch, head, token, head width]
        let part = |index: usize| {
            heads.clone().narrow(0, index, 1).reshape([batch, self.num_heads, tokens, head_width])
        };
        let (queries, keys, values) = (part(0), part(1), part(2));
        // Scaled before the product, as PyTorch does it: in half precision the scores of long heads stay in range.
        let queries = queries.div_scalar((head_width as f64).sqrt());
        let scores = queries.matmul(keys.swap_dims(2, 3)); // [batch, head, query, key]
        let scores = match mask {
            Some(mask) => scores + mask.reshape([1, 1, tokens, tokens]),
            None => scores,
        };
        // Over the keys. A masked key has a score of −∞ and a weight of exactly 0.
        let joined = softmax(scores, 3)
            .matmul(values)
            .swap_dims(1, 2) // [batch, token, head, head width]
            .reshape([batch, tokens, width]);
        per_token(&self.attention_out, joined)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_ops::backend::{Base, Diff, cpu};
    use crate::tensor_ops::random::{keyed_rng, normal};

    /// With gradients on, the same call takes the portable way.
    #[test]
    fn kernels_are_the_portable_block() {
        let device = cpu();
        let (batch, tokens, width, heads) = (3, 70, 36, 3);
        let mut rng = keyed_rng(1, "block", 0);
        let mut linear = |inputs: usize, outputs: usize| {
            let mut layer = LinearConfig::new(inputs, outputs).init::<Diff>(&device);
            let weight = normal([inputs, outputs], &mut rng, &device).div_scalar((inputs as f64).sqrt());
            layer.weight = burn::module::Param::from_tensor(weight);
            layer.bias = Some(burn::module::Param::from_tensor(normal([outputs], &mut rng, &device)));
            layer
        };
        let block = AttentionBlock {
            query_key_value: linear(width, 3 * width),
            attention_out: linear(width, width),
            perceptron_in: linear(width, 4 * width),
            perceptron_out: linear(4 * width, width),
            ..AttentionBlock::zeros(width, heads, ClipActivation::QuickGelu, &device)
        };
        let x = normal::<Diff, 3>([batch, tokens, width], &mut rng, &device);
        let causal = Tensor::<Diff, 2>::full([tokens, tokens], f32::NEG_INFINITY, &device).triu(1);
        let plain: AttentionBlock<Base> = burn::module::AutodiffModule::valid(&block);
        for mask in [None, Some(causal)] {
            let expected = block.forward(x.clone(), mask.clone()).inner();
            let actual = plain.forward(x.clone().inner(), mask.map(Tensor::inner));
            let difference = (actual - expected.clone()).abs().max() / expected.abs().max();
            let difference = difference.into_scalar();
            assert!(difference < 2e-6, "{difference}");
        }
    }
}
