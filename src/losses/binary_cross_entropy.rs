//! Binary cross-entropy of several labels, each for itself.

use burn::tensor::{Tensor, backend::Backend};

use crate::tensor_ops::activation::softplus;

/// `−y ln σ(z) − (1 − y) ln(1 − σ(z))` in nats, the mean weighted by `weights`; finite for any logit.
///
/// # Shapes
/// - logits, labels (0 or 1), weights (0 for labels that are not known): `[batch, classes]`
/// - output: `[1]`
pub fn binary_cross_entropy<B: Backend>(
    logits: Tensor<B, 2>,
    labels: Tensor<B, 2>,
    weights: Tensor<B, 2>,
) -> Tensor<B, 1> {
    // A batch in which no label is known has loss 0, not 0/0.
    let sum = weights.clone().sum().clamp_min(1.0);
    // `−y ln σ(z) − (1 − y) ln(1 − σ(z)) = ln(1 + eᶻ) − y z`: no logarithm of a probability that has become 0.
    let losses = softplus(logits.clone()) - logits * labels;
    (losses * weights).sum() / sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_ops::backend::{Base, cpu};

    #[test]
    fn values_by_hand() {
        let tensor = |values: [f32; 4]| Tensor::<Base, 1>::from_floats(values, &cpu()).reshape([2, 2]);
        let labels = tensor([1.0, 0.0, 1.0, 0.0]);
        let value = |logits, weights| -> f32 {
            binary_cross_entropy(tensor(logits), labels.clone(), tensor(weights)).into_scalar()
        };
        assert!((value([0.0; 4], [1.0; 4]) - std::f32::consts::LN_2).abs() < 1e-6);
        // −ln σ(1) = ln(1 + e⁻¹) = 0.313262, −ln(1 − σ(2)) = 2.126928; the others are not known.
        assert!((value([1.0, 2.0, 9.0, 9.0], [1.0, 1.0, 0.0, 0.0]) - 1.220_095).abs() < 1e-5);
        assert_eq!(value([200.0, -200.0, 200.0, -200.0], [1.0; 4]), 0.0);
        assert_eq!(value([3.0; 4], [0.0; 4]), 0.0);
    }
}
