//! Image tower: a vision transformer with a class token (Dosovitskiy et al. 2021, <https://arxiv.org/abs/2010.11929>;
//! docs/spec/checkpoints.md §4.3).

use burn::module::{Initializer, Module, Param};
use burn::nn::{LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::tensor::{Tensor, backend::Backend};

use super::attention_block::{AttentionBlock, per_token};
use super::config::ClipConfig;
use crate::tensor_ops::half::half_like;

/// Patches in row-major order behind a class token, positions added, `ln_pre`, blocks, `ln_post` on the class
/// token, projection without bias.
#[derive(Module, Debug)]
pub struct VisionTransformer<B: Backend> {
    /// `[3·patch·patch, width]`; rows in the order channel, row, column of the patch.
    pub patch_embedding: Linear<B>,
    /// `[width]`.
    pub class_embedding: Param<Tensor<B, 1>>,
    /// `[1 + patches, width]`.
    pub positional_embedding: Param<Tensor<B, 2>>,
    /// Norm before the blocks.
    pub pre_norm: LayerNorm<B>,
    /// The transformer.
    pub blocks: Vec<AttentionBlock<B>>,
    /// Norm of the class token behind the blocks.
    pub post_norm: LayerNorm<B>,
    /// `[width, embed_dim]`.
    pub projection: Linear<B>,
    image_size: usize,
    patch_size: usize,
}

impl<B: Backend> VisionTransformer<B> {
    pub(super) fn zeros(config: &ClipConfig, device: &B::Device) -> Self {
        let width = config.vision_width;
        let patches = (config.image_size / config.patch_size).pow(2);
        let linear = |inputs: usize, outputs: usize| {
            LinearConfig::new(inputs, outputs)
                .with_bias(false)
                .with_initializer(Initializer::Zeros)
                .init(device)
        };
        Self {
            patch_embedding: linear(3 * config.patch_size.pow(2), width),
            class_embedding: Initializer::Zeros.init([width], device),
            positional_embedding: Initializer::Zeros.init([1 + patches, width], device),
            pre_norm: LayerNormConfig::new(width).init(device),
            blocks: (0..config.vision_layers)
                .map(|_| AttentionBlock::zeros(width, config.vision_heads, config.activation, device))
                .collect(),
            post_norm: LayerNormConfig::new(width).init(device),
            projection: linear(width, config.embed_dim),
            image_size: config.image_size,
            patch_size: config.patch_size,
        }
    }

    /// All tokens behind the last block, before `post_norm`.
    ///
    /// # Shapes
    /// - pixels: `[batch, 3, image_size, image_size]`, CLIP-normalised
    /// - output: `[batch, 1 + patches, width]`, class token first
    pub fn hidden(&self, pixels: Tensor<B, 4>) -> Tensor<B, 3> {
        let [batch, channels, height, width_px] = pixels.dims();
        assert_eq!(
            [channels, height, width_px],
            [3, self.image_size, self.image_size],
            "CLIP images are [batch, 3, {0}, {0}]",
            self.image_size
        );
        let grid = self.image_size / self.patch_size;
        // The published patch embedding is a convolution whose stride is its size; cut into patches it is a matrix
        // product. Rows of the weight run over channel, row, column, as the convolution's kernel does.
        let patches = half_like(pixels, &self.class_embedding.val())
            .reshape([batch, 3, grid, self.patch_size, grid, self.patch_size])
            .permute([0, 2, 4, 1, 3, 5]) // [batch, row, column, channel, y, x]
            .reshape([batch, grid * grid, 3 * self.patch_size.pow(2)]);
        let patches = per_token(&self.patch_embedding, patches); // [batch, patches, width]
        let width = patches.dims()[2];
        let class = self.class_embedding.val().reshape([1, 1, width]).expand([batch, 1, width]);
        // The class token stands at position 0 and has a positional embedding of its own.
        let tokens = Tensor::cat(vec![class, patches], 1) + self.positional_embedding.val().unsqueeze();
        self.blocks.iter().fold(self.pre_norm.forward(tokens), |tokens, block| block.forward(tokens, None))
    }

    /// The class token behind `post_norm`: `[batch, width]`. Arguments as [`VisionTransformer::hidden`].
    pub fn pooled(&self, pixels: Tensor<B, 4>) -> Tensor<B, 2> {
        let hidden = self.hidden(pixels);
        let [batch, _, width] = hidden.dims();
        self.post_norm.forward(hidden.narrow(1, 0, 1).reshape([batch, width]))
    }

    /// Raw image embeddings `[batch, embed_dim]`. Arguments as [`VisionTransformer::hidden`].
    pub fn forward(&self, pixels: Tensor<B, 4>) -> Tensor<B, 2> {
        self.projection.forward(self.pooled(pixels))
    }
}
