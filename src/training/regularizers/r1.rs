//! R1: penalty on the discriminator's gradient at real images (gan-training.md 4.3; Mescheder et al. 2018).

use burn::tensor::Tensor;

use super::second_order::{gradient, lift_constant, lift_input, lift_module};
use crate::models::stylegan2::{Condition, Discriminator};
use crate::tensor_ops::backend::{Base, Diff, Diff2};

/// Squared gradient norms of a batch.
#[derive(Clone, Debug)]
pub struct R1Penalty {
    /// `‖∇ₓ Σ score‖²` per sample, summed over channels and pixels: `[batch]`. Differentiable in the discriminator.
    pub squared_norms: Tensor<Diff, 1>,
    /// The scores on the way: `[batch, 1]`.
    pub score: Tensor<Base, 2>,
}

impl R1Penalty {
    /// `(γ/2) · mean ‖∇‖²`, as `[1]`.
    pub fn loss(&self, gamma: f64) -> Tensor<Diff, 1> {
        self.squared_norms.clone().mean().mul_scalar(gamma / 2.0)
    }
}

/// The discriminator's gradient at real images.
#[derive(Clone, Debug)]
pub struct PixelSlope {
    /// `∇ₓ Σ score`: `[batch, 3, resolution, resolution]`. Differentiable in the discriminator.
    pub gradient: Tensor<Diff, 4>,
    /// The scores on the way: `[batch, 1]`.
    pub score: Tensor<Base, 2>,
}

/// Computes the penalty at real images.
///
/// # Shapes
/// - pixels_pm1: `[batch, 3, resolution, resolution]`, real images
pub fn r1_penalty(
    discriminator: &Discriminator<Diff>,
    pixels_pm1: Tensor<Base, 4>,
    condition: &Condition<Base>,
) -> R1Penalty {
    let PixelSlope { gradient, score } = slope_in_pixels(discriminator, pixels_pm1, condition);
    let squared_norms = (gradient.clone() * gradient).flatten::<2>(1, 3).sum_dim(1).squeeze_dim(1);
    R1Penalty { squared_norms, score }
}

/// The gradient that R1 penalises.
///
/// The differentiated quantity is the sum of all scores, so a batch-summed projection term counts once per sample,
/// as in the published training.
///
/// # Shapes
/// - as [`r1_penalty`]
pub fn slope_in_pixels(
    discriminator: &Discriminator<Diff>,
    pixels_pm1: Tensor<Base, 4>,
    condition: &Condition<Base>,
) -> PixelSlope {
    let lifted: Discriminator<Diff2> = lift_module(discriminator);
    let pixels = lift_input(Tensor::<Diff, 4>::from_inner(pixels_pm1));
    let condition = condition.clone().map(|head| lift_constant(Tensor::from_inner(head)));
    let score = lifted.forward(pixels.clone(), &condition).score;
    PixelSlope { gradient: gradient(score.clone(), &pixels), score: score.inner().inner() }
}
