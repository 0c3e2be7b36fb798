//! Both towers and the logit scale (Radford et al. 2021, figure 3; docs/spec/checkpoints.md §4.2).

use burn::module::{Module, Param};
use burn::tensor::{Int, Tensor, backend::Backend};

use super::config::ClipConfig;
use super::initial_weights::draw_initial_weights;
use super::text::TextTransformer;
use super::vision::VisionTransformer;
use crate::error::SettingError;

/// CLIP. Made by [`super::ClipConfig::init`]. Embeddings are raw: not clamped, not of unit norm.
#[derive(Module, Debug)]
pub struct Clip<B: Backend> {
    /// Image tower.
    pub visual: VisionTransformer<B>,
    /// Text tower.
    pub text: TextTransformer<B>,
    /// `[1]`; its exponential multiplies cosine similarities (100 in published models).
    pub logit_scale: Param<Tensor<B, 1>>,
}

impl ClipConfig {
    /// A network with weights drawn from `seed` (see [`super::initial_weights`]).
    ///
    /// # Errors
    /// As [`ClipConfig::validate`].
    pub fn init<B: Backend>(&self, seed: u64, device: &B::Device) -> Result<Clip<B>, SettingError> {
        Ok(draw_initial_weights(self.init_zeros(device)?, self, seed))
    }

    /// A network of the right shapes, to be filled by a snapshot.
    ///
    /// # Errors
    /// As [`ClipConfig::validate`].
    pub fn init_zeros<B: Backend>(&self, device: &B::Device) -> Result<Clip<B>, SettingError> {
        self.validate()?;
        Ok(Clip {
            visual: VisionTransformer::zeros(self, device),
            text: TextTransformer::zeros(self, device),
            logit_scale: Param::from_tensor(Tensor::zeros([1], device)),
        })
    }
}

impl<B: Backend> Clip<B> {
    /// Raw image embeddings.
    ///
    /// # Shapes
    /// - pixels: `[batch, 3, image_size, image_size]`, CLIP-normalised ([`super::preprocess`])
    /// - output: `[batch, embed_dim]`
    pub fn encode_image(&self, pixels: Tensor<B, 4>) -> Tensor<B, 2> {
        self.visual.forward(pixels)
    }

    /// Raw text embeddings.
    ///
    /// # Shapes
    /// - tokens: `[batch, length]` of [`super::tokenizer::Tokenizer`], length at most `context_length`
    /// - output: `[batch, embed_dim]`
    pub fn encode_text(&self, tokens: Tensor<B, 2, Int>) -> Tensor<B, 2> {
        self.text.forward(tokens)
    }

    /// exp(logit scale) × cosine similarity: `[images, texts]`.
    ///
    /// # Shapes
    /// - image_embeddings: `[images, embed_dim]`, text_embeddings: `[texts, embed_dim]`, raw or of unit norm
    pub fn logits_per_image(
        &self,
        image_embeddings: Tensor<B, 2>,
        text_embeddings: Tensor<B, 2>,
    ) -> Tensor<B, 2> {
        let cosines = unit_norm(image_embeddings).matmul(unit_norm(text_embeddings).transpose());
        // The logarithm is what is trained: the scale stays positive whatever a step does.
        cosines * self.logit_scale.val().exp().unsqueeze()
    }
}

/// Rows divided by their Euclidean norm (at least 1e-12, so that a row of zeros stays one).
fn unit_norm<B: Backend>(rows: Tensor<B, 2>) -> Tensor<B, 2> {
    // The bound is inside the root: the gradient of a row of zeros is finite.
    let norms = rows.clone().powi_scalar(2).sum_dim(1).clamp_min(1e-24).sqrt();
    rows / norms
}
