//! CLIP's transformer block by kernels: on host memory, without intermediate tensors and without gradients.

use burn::nn::{LayerNorm, Linear};
use burn::tensor::{Tensor, backend::Backend};

use super::host_values::{tensor, values};
use super::kernel_choice::kernels_apply;
use crate::kernels::transformer::attention::AttentionShape;
use crate::kernels::transformer::transformer_block::{
    LinearValues, NormValues, add_attention, add_perceptron,
};

/// Layers of a pre-norm block: `x + attention(norm(x))`, then `x + perceptron(norm(x))`, x·σ(1.702 x) inside.
#[derive(Debug)]
pub struct BlockLayers<'a, B: Backend> {
    /// Norm before the attention.
    pub attention_norm: &'a LayerNorm<B>,
    /// Queries, keys and values side by side: `[width, 3·width]`.
    pub query_key_value: &'a Linear<B>,
    /// After the heads are joined: `[width, width]`.
    pub attention_out: &'a Linear<B>,
    /// Norm before the perceptron.
    pub perceptron_norm: &'a LayerNorm<B>,
    /// `[width, inner]`
    pub perceptron_in: &'a Linear<B>,
    /// `[inner, width]`
    pub perceptron_out: &'a Linear<B>,
    /// Attention heads; their number divides the width.
    pub num_heads: usize,
    /// What both norms add to the variance.
    pub norm_epsilon: f64,
}

/// The block's output, or the input back where the kernels do not apply.
///
/// # Shapes
/// - input, output: `[batch, token, width]`
/// - mask: `[token, token]`, added to the attention scores
///
/// # Errors
/// The input itself: gradients are recorded, or it is not in single precision on the CPU.
pub fn block_by_kernels<B: Backend>(
    layers: BlockLayers<'_, B>,
    input: Tensor<B, 3>,
    mask: Option<&Tensor<B, 2>>,
) -> Result<Tensor<B, 3>, Tensor<B, 3>> {
    if !kernels_apply(&input) {
        return Err(input);
    }
    let (dims, device) = (input.dims(), input.device());
    let shape = AttentionShape { tokens: dims[1], width: dims[2], heads: layers.num_heads };
    let norm = |norm| norm_values(norm, layers.norm_epsilon);
    let mask = mask.cloned().map(values);
    // `x` is the residual stream, `[batch · tokens, width]`; both halves of the block add to it in place.
    let mut x = values(input);
    add_attention(
        &mut x,
        &norm(layers.attention_norm),
        &linear_values(layers.query_key_value),
        &linear_values(layers.attention_out),
        mask.as_deref(),
        shape,
    );
    add_perceptron(
        &mut x,
        &norm(layers.perceptron_norm),
        &linear_values(layers.perceptron_in),
        &linear_values(layers.perceptron_out),
    );
    Ok(tensor(x, dims, &device))
}

fn norm_values<B: Backend>(norm: &LayerNorm<B>, epsilon: f64) -> NormValues {
    let gamma = values(norm.gamma.val());
    let beta = norm.beta.as_ref().map_or_else(|| vec![0.0; gamma.len()], |beta| values(beta.val()));
    NormValues { gamma, beta, epsilon: epsilon as f32 }
}

fn linear_values<B: Backend>(layer: &Linear<B>) -> LinearValues {
    let outputs = layer.weight.dims()[1];
    let bias = layer.bias.as_ref().map_or_else(|| vec![0.0; outputs], |bias| values(bias.val()));
    LinearValues { weight: values(layer.weight.val()), bias }
}
