//! CLIP's loss: cross-entropy over the rows and over the columns of the logits (Radford et al. 2021, figure 3).
//!
//! `L = −½ · mean_i( log softmax_j(logits)_ii + log softmax_j(logitsᵀ)_ii )`.

use burn::tensor::activation::log_softmax;
use burn::tensor::{Tensor, backend::Backend};

/// Added to the logit of a pair that is no true negative. Finite, so that nothing times 0 becomes NaN;
/// logits stay within ±100 (the largest scale), so its share of a softmax is exactly 0.
const EXCLUDED: f64 = -1e4;

/// Mean loss of the pairs on the diagonal.
///
/// # Shapes
/// - logits_per_image: `[batch, batch]`, row = image, column = text
/// - excluded: `[batch, batch]`, 1 where image and text fit although they are not a pair (say, two images with the
///   same caption), else 0; the diagonal must be 0
/// - output: `[1]`
pub fn symmetric_cross_entropy<B: Backend>(
    logits_per_image: Tensor<B, 2>,
    excluded: Option<Tensor<B, 2>>,
) -> Tensor<B, 1> {
    let [batch, _] = logits_per_image.dims();
    let logits = match excluded {
        Some(excluded) => logits_per_image + excluded.mul_scalar(EXCLUDED),
        None => logits_per_image,
    };
    // `log_softmax` takes the largest logit off first: at a scale of 100 the exponentials themselves would overflow.
    let diagonal = Tensor::<B, 2>::eye(batch, &logits.device());
    let both = log_softmax(logits.clone(), 1) + log_softmax(logits, 0);
    (both * diagonal).sum().mul_scalar(-0.5 / batch as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_ops::backend::{Base, Diff, cpu};

    #[test]
    fn two_pairs_by_hand() {
        let logits = Tensor::<Base, 2>::from_data([[2.0, 1.0], [0.0, 3.0]], &cpu());
        // rows: ln(1 + e^-1), ln(1 + e^-3); columns: ln(1 + e^-2), ln(1 + e^-2)
        let by_hand = |gap: f64| (-gap).exp().ln_1p();
        let expected = (by_hand(1.0) + by_hand(3.0) + 2.0 * by_hand(2.0)) / 4.0;
        let loss = symmetric_cross_entropy(logits, None).into_scalar();
        assert!((f64::from(loss) - expected).abs() < 1e-6, "{loss}, expected {expected}");
    }

    #[test]
    fn an_excluded_pair_neither_costs_nor_pulls() {
        let logits = Tensor::<Diff, 2>::from_data([[2.0, 100.0], [0.0, 3.0]], &cpu()).require_grad();
        let excluded = Tensor::from_data([[0.0, 1.0], [0.0, 0.0]], &cpu());
        let loss = symmetric_cross_entropy(logits.clone(), Some(excluded));
        let gradients = loss.backward();
        let gradient: Vec<f32> = logits.grad(&gradients).unwrap().into_data().to_vec().unwrap();
        assert!(loss.into_scalar() < 0.1);
        assert_eq!(gradient[1], 0.0);
        assert!(gradient.iter().all(|value| value.is_finite()) && gradient[2] > 0.0);
    }
}
