//! R1: penalty on the discriminator's gradient at real images (docs/spec/gan-training.md §4.3; Mescheder et al. 2018).

use burn::tensor::Tensor;

use super::super::augmentation::AugmentPlan;
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

/// Computes the penalty at real images, through their augmentation if there is one.
///
/// # Shapes
/// - pixels_pm1: `[batch, 3, resolution, resolution]`, real images
pub fn r1_penalty(
    discriminator: &Discriminator<Diff>,
    pixels_pm1: Tensor<Base, 4>,
    condition: &Condition<Base>,
    augment: Option<&AugmentPlan>,
) -> R1Penalty {
    let PixelSlope { gradient, score } = slope_in_pixels(discriminator, pixels_pm1, condition, augment);
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
    augment: Option<&AugmentPlan>,
) -> PixelSlope {
    let lifted: Discriminator<Diff2> = lift_module(discriminator);
    let pixels = lift_input(Tensor::<Diff, 4>::from_inner(pixels_pm1));
    let condition = condition.clone().map(|head| lift_constant(Tensor::from_inner(head)));
    // The plan is applied at the outer level, so that the gradient is taken at the pixels before the augmentation.
    let seen = augment.map_or_else(|| pixels.clone(), |plan| plan.apply(pixels.clone()));
    let score = lifted.forward(seen, &condition).score;
    PixelSlope { gradient: gradient(score.clone(), &pixels), score: score.inner().inner() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::stylegan2::{ConditionHeads, DiscriminatorConfig};
    use crate::tensor_ops::backend::cpu;
    use crate::tensor_ops::random::{keyed_rng, normal};
    use crate::training::gan::augmentation::AugmentPreset;

    fn values<const D: usize>(tensor: Tensor<Diff, D>) -> Vec<f32> {
        tensor.into_data().to_vec().unwrap()
    }

    fn discriminator() -> Discriminator<Diff> {
        let config = DiscriminatorConfig {
            heads: ConditionHeads::None,
            resolution: 8,
            channel_base: 32,
            channel_max: 4,
            ..Default::default()
        };
        config.init(1, &cpu()).unwrap()
    }

    fn pixels() -> Tensor<Base, 4> {
        normal([4, 3, 8, 8], &mut keyed_rng(0, "pixels", 0), &cpu())
    }

    fn plan(preset: AugmentPreset, seed: u64) -> AugmentPlan {
        AugmentPlan::draw(4, 8, preset.parts(), 1.0, &mut keyed_rng(seed, "augment", 0))
    }

    /// The gradient at the original is the gradient at the augmented image, through the transpose of the (linear) pipe.
    #[test]
    fn the_penalty_looks_through_the_augmentation() {
        let network = discriminator();
        let condition = Condition { heads: vec![] };
        for preset in [AugmentPreset::Blit, AugmentPreset::Bgcfnc] {
            let plan = plan(preset, 3);
            let through = r1_penalty(&network, pixels(), &condition, Some(&plan));
            let at_augmented = slope_in_pixels(&network, plan.apply(pixels()), &condition, None);
            assert_eq!(through.score.to_data(), at_augmented.score.to_data());
            let x = Tensor::<Diff, 4>::from_inner(pixels()).require_grad();
            let outer = at_augmented.gradient.detach();
            let transposed = x.grad(&(plan.apply(x.clone()) * outer).sum().backward()).unwrap();
            let expected = (transposed.clone() * transposed).flatten::<2>(1, 3).sum_dim(1);
            let expected: Vec<f32> = expected.into_data().to_vec().unwrap();
            for (a, b) in values(through.squared_norms).iter().zip(&expected) {
                assert!((a - b).abs() < 1e-4 * b.abs().max(1e-3), "{preset:?}: {a} {b}");
            }
        }
    }
}
