//! Regression losses between embeddings: squared error, cosine, their mixture, smooth absolute error.
//!
//! Specification: docs/spec/mapper.md §4. Every function takes `[batch, embed_dim]` twice and returns a scalar as
//! `[1]`.

use burn::tensor::{Tensor, backend::Backend};

/// Added to each squared norm under the cosine's root.
const SQUARED_NORM_EPSILON: f32 = 1e-12;

/// Mean over all elements of the squared difference.
pub fn mean_squared_error<B: Backend>(predicted: Tensor<B, 2>, target: Tensor<B, 2>) -> Tensor<B, 1> {
    (predicted - target).square().mean()
}

/// Mean over the batch of `1 − cos`, where `cos = y·t / √((|y|² + ε)(|t|² + ε))`, ε = 1e−12.
pub fn cosine_distance<B: Backend>(predicted: Tensor<B, 2>, target: Tensor<B, 2>) -> Tensor<B, 1> {
    let squared_norm = |x: Tensor<B, 2>| x.square().sum_dim(1).add_scalar(SQUARED_NORM_EPSILON);
    // One root of the product of both squared norms, the epsilons inside, as in PyTorch's cosine embedding loss. The
    // gradient at a zero vector is finite.
    let norms = (squared_norm(predicted.clone()) * squared_norm(target.clone())).sqrt();
    let cosine = (predicted * target).sum_dim(1) / norms;
    cosine.neg().add_scalar(1.0).mean()
}

/// `(1 − cosine_weight) · mean squared error + cosine_weight · cosine distance`.
///
/// Both terms are always formed: the graph has one shape for every weight.
pub fn squared_error_and_cosine<B: Backend>(
    predicted: Tensor<B, 2>,
    target: Tensor<B, 2>,
    cosine_weight: f64,
) -> Tensor<B, 1> {
    let squared = mean_squared_error(predicted.clone(), target.clone());
    squared * (1.0 - cosine_weight) + cosine_distance(predicted, target) * cosine_weight
}

/// Mean over all elements of `½d²` where `|d| < 1` and `|d| − ½` elsewhere.
pub fn smooth_l1<B: Backend>(predicted: Tensor<B, 2>, target: Tensor<B, 2>) -> Tensor<B, 1> {
    let distance = (predicted - target).abs();
    let near = distance.clone().clamp_max(1.0);
    // With m = min(|d|, 1): ½m² + (|d| − m) is both branches at once.
    (near.clone().square() * 0.5 + (distance - near)).mean()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_ops::backend::{Base, Diff, cpu};

    fn pair() -> (Tensor<Base, 2>, Tensor<Base, 2>) {
        let device = cpu();
        (
            Tensor::from_data([[1.0, 0.0], [0.0, 2.0]], &device),
            Tensor::from_data([[0.6, 0.8], [0.0, 1.0]], &device),
        )
    }

    fn assert_value(loss: Tensor<Base, 1>, expected: f32) {
        let value = loss.into_scalar();
        assert!((value - expected).abs() < 1e-6, "{value} is not {expected}");
    }

    #[test]
    fn check_values_of_the_specification() {
        let (predicted, target) = pair();
        assert_value(mean_squared_error(predicted.clone(), target.clone()), 0.45);
        assert_value(cosine_distance(predicted.clone(), target.clone()), 0.2);
        assert_value(squared_error_and_cosine(predicted, target, 0.6), 0.3);
    }

    #[test]
    fn smooth_l1_has_both_branches_and_slope_one_far_away() {
        let device = cpu();
        let predicted = Tensor::<Diff, 2>::from_data([[0.5, 3.0, -2.0, 1.0]], &device).require_grad();
        let loss = smooth_l1(predicted.clone(), Tensor::zeros([1, 4], &device));
        assert!((loss.clone().into_scalar() - (0.125 + 2.5 + 1.5 + 0.5) / 4.0).abs() < 1e-6);
        let slopes = predicted.grad(&loss.backward()).unwrap().into_data().to_vec::<f32>().unwrap();
        for (slope, expected) in slopes.iter().zip([0.5, 1.0, -1.0, 1.0]) {
            assert!((slope * 4.0 - expected).abs() < 1e-6, "{slopes:?}");
        }
    }

    #[test]
    fn a_prediction_of_zeros_has_a_finite_cosine_gradient() {
        let device = cpu();
        let predicted = Tensor::<Diff, 2>::zeros([1, 3], &device).require_grad();
        let loss = cosine_distance(predicted.clone(), Tensor::ones([1, 3], &device));
        assert_eq!(loss.clone().into_scalar(), 1.0);
        let slopes = predicted.grad(&loss.backward()).unwrap().into_data().to_vec::<f32>().unwrap();
        assert!(slopes.iter().all(|slope| slope.is_finite()), "{slopes:?}");
    }
}
