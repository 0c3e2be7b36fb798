//! A pre-norm transformer block on host memory: six passes, each with its bias, activation or residual inside.

use super::attention::{AttentionShape, attention};
use super::layer_norm::layer_norm;
use crate::kernels::exponential::logistic;
use crate::kernels::panels::Matrix;
use crate::kernels::product::{ColumnPanels, product};
use crate::kernels::simd::vectorised;

/// A linear layer: weight `[inputs, outputs]`, bias `[outputs]`.
#[derive(Debug)]
pub struct LinearValues {
    /// Row by row.
    pub weight: Vec<f32>,
    /// One value per output.
    pub bias: Vec<f32>,
}

/// A layer norm: γ and β.
#[derive(Debug)]
pub struct NormValues {
    /// Scale.
    pub gamma: Vec<f32>,
    /// Shift.
    pub beta: Vec<f32>,
    /// Added to the variance.
    pub epsilon: f32,
}

/// Normalises `x` and gives `attention_in`'s output to every head; the result, through `attention_out`, is added to `x`.
///
/// # Shapes
/// - x: `[batch, tokens, width]`
/// - mask: `[tokens, tokens]`, added to the scores
pub fn add_attention(
    x: &mut [f32],
    norm: &NormValues,
    query_key_value: &LinearValues,
    attention_out: &LinearValues,
    mask: Option<&[f32]>,
    shape: AttentionShape,
) {
    let width = shape.width;
    let mut normed = vec![0.0; x.len()];
    layer_norm(x, &norm.gamma, &norm.beta, norm.epsilon, &mut normed);
    let query_scale = 1.0 / ((width / shape.heads) as f32).sqrt();
    let mut heads = vec![0.0; 3 * x.len()];
    linear(&normed, query_key_value, &mut heads, |sum, out| *out = sum);
    for queries in heads.chunks_exact_mut(3 * width) {
        queries[..width].iter_mut().for_each(|query| *query *= query_scale);
    }
    attention(&heads, mask, shape, &mut normed);
    // `normed` is used a second time, for the joined heads: both are `[batch, tokens, width]`.
    linear(&normed, attention_out, x, |sum, out| *out += sum);
}

/// Adds the perceptron `outer(quick_gelu(inner(norm(x))))` to `x`.
///
/// # Shapes
/// - x: `[rows, width]`
pub fn add_perceptron(x: &mut [f32], norm: &NormValues, inner: &LinearValues, outer: &LinearValues) {
    let mut normed = vec![0.0; x.len()];
    layer_norm(x, &norm.gamma, &norm.beta, norm.epsilon, &mut normed);
    let rows = x.len() / norm.gamma.len().max(1);
    let mut hidden = vec![0.0; rows * inner.bias.len()];
    linear(&normed, inner, &mut hidden, |sum, out| *out = sum * logistic(1.702 * sum));
    linear(&hidden, outer, x, |sum, out| *out += sum);
}

/// `finish(x · weight + bias, out)` for every element.
fn linear(x: &[f32], layer: &LinearValues, out: &mut [f32], finish: impl Fn(f32, &mut f32) + Sync + Copy) {
    let outputs = layer.bias.len().max(1);
    let inputs = layer.weight.len() / outputs;
    let columns = ColumnPanels::pack(Matrix::row_major(&layer.weight, outputs), inputs, outputs);
    product(Matrix::row_major(x, inputs), &columns, out, |_, column, sums, out| {
        let bias = &layer.bias[column..][..sums.len()];
        vectorised(|| {
            for ((out, sum), bias) in out.iter_mut().zip(sums).zip(bias) {
                finish(sum + bias, out);
            }
        });
    });
}
