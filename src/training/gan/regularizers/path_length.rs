//! Path length: equal steps in w should change the image by equal amounts (docs/spec/gan-training.md §4.4; Karras et
//! al. 2020).

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::second_order::{gradient, lift_constant, lift_input, lift_module};
use crate::models::stylegan2::{Condition, Generator, Noise};
use crate::tensor_ops::backend::{Base, Diff, Diff2};

/// Strength and pace of the path-length penalty.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PathLengthConfig {
    /// Weight of the penalty (2); 0 switches the phase off.
    pub weight: f64,
    /// How fast the running mean follows (0.01).
    pub decay: f64,
    /// The penalty sees every `batch_shrink`-th part of the batch (2).
    pub batch_shrink: usize,
}

impl Default for PathLengthConfig {
    fn default() -> Self {
        Self { weight: 2.0, decay: 0.01, batch_shrink: 2 }
    }
}

/// Lengths of a batch and what they cost.
#[derive(Clone, Debug)]
pub struct PathLengthPenalty {
    /// `(length − mean)²` per sample, not weighted: `[batch]`. Differentiable in the generator.
    pub penalty: Tensor<Diff, 1>,
    /// The running mean after this batch, without gradient.
    pub mean_after: Tensor<Base, 1>,
}

/// Length of the image's gradient in w for random image directions.
///
/// # Shapes
/// - ws: `[batch, num_ws, w_dim]`, connected to the mapping network
/// - direction: `[batch, 3, r, r]`, standard normal
/// - output: `[batch]`; see [`slope_in_ws`]
pub fn path_lengths(
    generator: &Generator<Diff>,
    ws: Tensor<Diff, 3>,
    condition: &Condition<Base>,
    noise: &Noise<Base>,
    direction: Tensor<Base, 4>,
) -> Tensor<Diff, 1> {
    let slope = slope_in_ws(generator, ws, condition, noise, direction);
    let squared = (slope.clone() * slope).sum_dim(2).mean_dim(1); // [B, 1, 1]
    squared.sqrt().flatten::<1>(0, 2)
}

/// `∂ Σ image · direction / √(r·r) / ∂ ws`, differentiable in the generator and in ws.
///
/// Only ws counts, not the condition (docs/spec/open-questions.md OQ-26).
///
/// # Shapes
/// - as [`path_lengths`]; output: `[batch, num_ws, w_dim]`
pub fn slope_in_ws(
    generator: &Generator<Diff>,
    ws: Tensor<Diff, 3>,
    condition: &Condition<Base>,
    noise: &Noise<Base>,
    direction: Tensor<Base, 4>,
) -> Tensor<Diff, 3> {
    let lifted: Generator<Diff2> = lift_module(generator);
    let ws = lift_input(ws);
    let condition = condition.clone().map(|head| lift_constant(Tensor::from_inner(head)));
    let noise = noise.clone().map(|map| lift_constant(Tensor::from_inner(map)));
    let [_, _, height, width] = direction.dims();
    // So that the expected length does not depend on the resolution.
    let direction = direction.div_scalar(((height * width) as f64).sqrt());
    // Only the synthesis is lifted: the slope is one in ws, and ws stay connected to the mapping network at the inner
    // level, through which the penalty reaches it.
    let image = lifted.synthesis.forward(ws.clone(), &condition, &noise);
    gradient(image * lift_constant(Tensor::from_inner(direction)), &ws)
}

/// Squared distance of the lengths from their running mean; the new mean's own share keeps its gradient.
///
/// # Shapes
/// - lengths: `[batch]`
pub fn path_length_penalty(lengths: Tensor<Diff, 1>, mean_before: f64, decay: f64) -> PathLengthPenalty {
    // `p̄ ← p̄ + decay · (mean l − p̄)`, the new mean with gradient (docs/spec/gan-training.md §4.4).
    let mean = lengths.clone().mean().mul_scalar(decay).add_scalar(mean_before * (1.0 - decay));
    let difference = lengths - mean.clone();
    PathLengthPenalty { penalty: difference.clone() * difference, mean_after: mean.inner() }
}
