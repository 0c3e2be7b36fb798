//! Text tower: a causal transformer read out at the end-of-text token (Radford et al. 2021, section 2.4; docs/spec/checkpoints.md
//! §4.3).

use burn::module::{Initializer, Module, Param};
use burn::nn::{Embedding, EmbeddingConfig, LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::tensor::{Int, Tensor, TensorData, backend::Backend};

use super::attention_block::AttentionBlock;
use super::config::ClipConfig;
use crate::tensor_ops::half::half_like;

/// Token and position embeddings, blocks with a causal mask, final norm, projection without bias.
#[derive(Module, Debug)]
pub struct TextTransformer<B: Backend> {
    /// `[vocab_size, width]`.
    pub token_embedding: Embedding<B>,
    /// `[context_length, width]`.
    pub positional_embedding: Param<Tensor<B, 2>>,
    /// The transformer.
    pub blocks: Vec<AttentionBlock<B>>,
    /// Norm behind the blocks.
    pub final_norm: LayerNorm<B>,
    /// `[width, embed_dim]`.
    pub projection: Linear<B>,
}

impl<B: Backend> TextTransformer<B> {
    pub(super) fn zeros(config: &ClipConfig, device: &B::Device) -> Self {
        let width = config.text_width;
        Self {
            token_embedding: EmbeddingConfig::new(config.vocab_size, width)
                .with_initializer(Initializer::Zeros)
                .init(device),
            positional_embedding: Initializer::Zeros.init([config.context_length, width], device),
            blocks: (0..config.text_layers)
                .map(|_| AttentionBlock::zeros(width, config.text_heads, config.activation, device))
                .collect(),
            final_norm: LayerNormConfig::new(width).init(device),
            projection: LinearConfig::new(width, config.embed_dim)
                .with_bias(false)
                .with_initializer(Initializer::Zeros)
                .init(device),
        }
    }

    /// All tokens behind the final norm.
    ///
    /// # Shapes
    /// - tokens: `[batch, length]`, length at most `context_length`
    /// - output: `[batch, length, width]`
    pub fn hidden(&self, tokens: Tensor<B, 2, Int>) -> Tensor<B, 3> {
        let [_, length] = tokens.dims();
        let [context_length, _] = self.positional_embedding.dims();
        assert!(length <= context_length, "a text has at most {context_length} tokens, found {length}");
        let positions = self.positional_embedding.val().narrow(0, 0, length);
        // The mask has the precision of the network: −∞ exists in both.
        let mask = half_like(causal_mask(length, &tokens.device()), &positions);
        let embedded = self.token_embedding.forward(tokens) + positions.unsqueeze();
        let hidden =
            self.blocks.iter().fold(embedded, |hidden, block| block.forward(hidden, Some(mask.clone())));
        self.final_norm.forward(hidden)
    }

    /// The state at the first end-of-text token (the largest id): `[batch, width]`.
    /// Tokens behind it change nothing, so a batch may be cut at its longest text.
    pub fn pooled(&self, tokens: Tensor<B, 2, Int>) -> Tensor<B, 2> {
        // Published code finds the end marker as the arg-max of the ids; the zeros behind it are smaller.
        let readout = first_largest(tokens.clone());
        let hidden = self.hidden(tokens);
        let [batch, _, width] = hidden.dims();
        let readout = half_like(readout, &hidden);
        // One row of each text, chosen by a product with 0 and 1.
        (hidden * readout.unsqueeze_dim(2)).sum_dim(1).reshape([batch, width])
    }

    /// Raw text embeddings `[batch, embed_dim]`. Arguments as [`TextTransformer::hidden`].
    pub fn forward(&self, tokens: Tensor<B, 2, Int>) -> Tensor<B, 2> {
        self.projection.forward(self.pooled(tokens))
    }
}

/// `[length, length]`: 0 where the key is not behind the query, else −∞.
fn causal_mask<B: Backend>(length: usize, device: &B::Device) -> Tensor<B, 2> {
    let values: Vec<f32> = (0..length)
        .flat_map(|query| (0..length).map(move |key| if key > query { f32::NEG_INFINITY } else { 0.0 }))
        .collect();
    Tensor::from_data(TensorData::new(values, [length, length]), device)
}

/// `[batch, length]`: 1 at the first position of each row's largest id, else 0.
fn first_largest<B: Backend>(tokens: Tensor<B, 2, Int>) -> Tensor<B, 2> {
    let [_, length] = tokens.dims();
    let device = tokens.device();
    // Earlier positions win ties whatever a backend's argmax does: no two keys of a row are equal.
    let earlier = Tensor::<B, 1, Int>::arange(0..length as i64, &device).neg().add_scalar(length as i64 - 1);
    let keys = tokens.mul_scalar(length as i64) + earlier.unsqueeze();
    let largest = keys.clone().max_dim(1).expand(keys.dims());
    keys.equal(largest).float()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_ops::backend::{Base, cpu};

    #[test]
    fn readout_is_at_the_first_of_the_largest_ids() {
        let tokens = Tensor::<Base, 2, Int>::from_data([[5, 9, 9, 0], [9, 1, 2, 3]], &cpu());
        let expected = Tensor::<Base, 2>::from_data([[0.0, 1.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0]], &cpu());
        assert_eq!(first_largest(tokens).into_data(), expected.into_data());
    }

    #[test]
    fn tokens_behind_the_end_change_nothing() {
        let config = ClipConfig {
            vision_width: 8,
            vision_layers: 1,
            vision_heads: 1,
            text_width: 8,
            text_layers: 2,
            text_heads: 2,
            embed_dim: 4,
            ..ClipConfig::default()
        };
        let clip = config.init::<Base>(3, &cpu()).unwrap();
        let embed = |tokens: Vec<i32>| {
            let length = tokens.len();
            clip.text
                .forward(Tensor::<Base, 2, Int>::from_data(TensorData::new(tokens, [1, length]), &cpu()))
                .into_data()
        };
        let short = embed(vec![49406, 320, 49407]);
        let padded = embed(vec![49406, 320, 49407, 0, 0, 0, 0]);
        assert!(short.iter::<f32>().any(|value| value.abs() > 1e-3), "an embedding of zeros shows nothing");
        for (a, b) in short.iter::<f32>().zip(padded.iter::<f32>()) {
            assert!((a - b).abs() < 1e-6, "{a} {b}");
        }
    }
}
