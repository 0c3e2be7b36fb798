//! The trained part of a residual decoder: a linear skip and a perceptron with residual blocks beside it.

use burn::module::{Module, Param};
use burn::nn::{LayerNorm, LayerNormConfig};
use burn::tensor::activation::gelu;
use burn::tensor::{Tensor, backend::Backend};

use super::dense::Dense;

/// What dropout leaves of the hidden units of a batch: 0, or `1/(1 − p)`.
#[derive(Clone, Debug)]
pub struct HiddenDropout<B: Backend> {
    /// Of the first layer, `[batch, hidden]`.
    pub first: Tensor<B, 2>,
    /// Of each block, `[batch, hidden]`.
    pub blocks: Vec<Tensor<B, 2>>,
}

/// `h + dropout(gelu(norm(linear(h))))`.
#[derive(Module, Debug)]
pub struct HiddenBlock<B: Backend> {
    /// `hidden → hidden`
    pub linear: Dense<B>,
    /// Over the hidden units.
    pub norm: LayerNorm<B>,
}

impl<B: Backend> HiddenBlock<B> {
    fn new(hidden: usize, seed: u64, name: &str, device: &B::Device) -> Self {
        Self {
            linear: Dense::drawn([hidden, hidden], seed, &format!("{name}.linear"), device),
            norm: LayerNormConfig::new(hidden).init(device),
        }
    }

    fn forward(&self, hidden: Tensor<B, 2>, kept: Option<&Tensor<B, 2>>) -> Tensor<B, 2> {
        let change = gelu(self.norm.forward(self.linear.forward(hidden.clone())));
        hidden + dropped(change, kept)
    }
}

/// `skip(x) + output(blocks(dropout(gelu(norm(input(x))))))` (residual blocks as of He et al. 2016,
/// <https://arxiv.org/abs/1512.03385>; layer norm of Ba et al. 2016, <https://arxiv.org/abs/1607.06450>).
#[derive(Module, Debug)]
pub struct ResidualNetwork<B: Backend> {
    /// `num_voxels → hidden`
    pub input: Dense<B>,
    /// Over the hidden units.
    pub norm: LayerNorm<B>,
    /// Residual blocks.
    pub blocks: Vec<HiddenBlock<B>>,
    /// `hidden → embed_dim`; 0 at first, so that training starts at the skip.
    pub output: Dense<B>,
    /// `num_voxels → embed_dim`
    pub skip: Dense<B>,
}

/// Sizes of a [`ResidualNetwork`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResidualSizes {
    /// Voxels of a trial.
    pub num_voxels: usize,
    /// Hidden units.
    pub hidden: usize,
    /// Residual blocks.
    pub num_blocks: usize,
    /// Width of the embedding.
    pub embed_dim: usize,
}

impl<B: Backend> ResidualNetwork<B> {
    /// Hidden layers drawn from `seed` and `name`; output and skip are 0.
    pub fn new(sizes: &ResidualSizes, seed: u64, name: &str, device: &B::Device) -> Self {
        let ResidualSizes { num_voxels, hidden, num_blocks, embed_dim } = *sizes;
        let block = |index| HiddenBlock::new(hidden, seed, &format!("{name}.blocks.{index}"), device);
        Self {
            input: Dense::drawn([num_voxels, hidden], seed, &format!("{name}.input"), device),
            norm: LayerNormConfig::new(hidden).init(device),
            blocks: (0..num_blocks).map(block).collect(),
            output: Dense::zeros([hidden, embed_dim], device),
            skip: Dense::zeros([num_voxels, embed_dim], device),
        }
    }

    /// The same with another linear skip.
    ///
    /// # Shapes
    /// - weight: `[num_voxels, embed_dim]`, of scaled voxels; bias: `[embed_dim]`
    pub fn with_skip(mut self, weight: Tensor<B, 2>, bias: Tensor<B, 1>) -> Self {
        self.skip = Dense { weight: Param::from_tensor(weight), bias: Param::from_tensor(bias) };
        self
    }

    /// Embeddings; with `dropout` those of a training step, whose voxels the caller has dropped.
    ///
    /// # Shapes
    /// - scaled: `[batch, num_voxels]`, betas times the voxels' scale
    /// - output: `[batch, embed_dim]`, not normalised
    pub fn forward(&self, scaled: Tensor<B, 2>, dropout: Option<&HiddenDropout<B>>) -> Tensor<B, 2> {
        let linear = self.skip.forward(scaled.clone());
        let hidden = gelu(self.norm.forward(self.input.forward(scaled)));
        let mut hidden = dropped(hidden, dropout.map(|dropout| &dropout.first));
        for (index, block) in self.blocks.iter().enumerate() {
            hidden = block.forward(hidden, dropout.and_then(|dropout| dropout.blocks.get(index)));
        }
        linear + self.output.forward(hidden)
    }
}

fn dropped<B: Backend>(x: Tensor<B, 2>, kept: Option<&Tensor<B, 2>>) -> Tensor<B, 2> {
    match kept {
        Some(kept) => x * kept.clone(),
        None => x,
    }
}
