//! Non-saturating logistic loss (docs/spec/gan-training.md §4.1 and §4.2; Goodfellow et al. 2014).
//!
//! Scores are logits, before the sigmoid; every function gives one value per sample.

use burn::tensor::{Tensor, backend::Backend};

use crate::tensor_ops::activation::softplus;

/// `−ln σ(score)`: small when the sample passes for real.
/// The generator's loss on its own images and the discriminator's on real ones.
///
/// # Shapes
/// - score, output: `[batch, 1]`
pub fn loss_of_calling_real<B: Backend>(score: Tensor<B, 2>) -> Tensor<B, 2> {
    // `−ln σ(s) = ln(1 + e⁻ˢ)`: no sigmoid is formed, whose logarithm would be −∞ from about s = −104 on in single
    // precision.
    softplus(score.neg())
}

/// `−ln (1 − σ(score))`: small when the sample is seen to be generated. The discriminator's loss on generated images.
///
/// # Shapes
/// - score, output: `[batch, 1]`
pub fn loss_of_calling_fake<B: Backend>(score: Tensor<B, 2>) -> Tensor<B, 2> {
    // `1 − σ(s) = σ(−s)`, hence the same function with the sign turned.
    softplus(score)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_ops::backend::{Base, cpu};

    #[test]
    fn an_undecided_score_costs_ln_2_on_both_sides() {
        let zero = || Tensor::<Base, 2>::zeros([1, 1], &cpu());
        for loss in [loss_of_calling_real(zero()), loss_of_calling_fake(zero())] {
            assert!((loss.into_scalar() - std::f32::consts::LN_2).abs() < 1e-6);
        }
    }

    #[test]
    fn the_losses_punish_opposite_scores() {
        let score = || Tensor::<Base, 2>::full([1, 1], 5.0, &cpu());
        assert!(loss_of_calling_real(score()).into_scalar() < 0.01);
        assert!((loss_of_calling_fake(score()).into_scalar() - 5.006_715).abs() < 1e-4);
    }
}
