//! Variance, invariance, covariance: the VICReg loss between two batches of expanded embeddings.
//!
//! Specification: docs/spec/mapper.md §6.2. Every function takes `[batch, width]` and returns a scalar as `[1]`; a
//! batch needs two rows, because variances are unbiased.

use burn::tensor::{Tensor, backend::Backend};
use serde::{Deserialize, Serialize};

/// Weights of the three terms.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VicregConfig {
    /// Weight of the mean squared error between the two.
    pub invariance_weight: f64,
    /// Weight of the hinge on the deviations.
    pub variance_weight: f64,
    /// Weight of the squared covariances.
    pub covariance_weight: f64,
    /// Added to each variance under its root.
    pub epsilon: f64,
}

impl Default for VicregConfig {
    /// Weights 25, 25 and 1, ε 1e−4, as in the paper.
    fn default() -> Self {
        Self { invariance_weight: 25.0, variance_weight: 25.0, covariance_weight: 1.0, epsilon: 1e-4 }
    }
}

/// The weighted sum of the three terms.
pub fn vicreg<B: Backend>(a: Tensor<B, 2>, b: Tensor<B, 2>, config: &VicregConfig) -> Tensor<B, 1> {
    invariance(a.clone(), b.clone()) * config.invariance_weight
        + variance(a.clone(), b.clone(), config.epsilon) * config.variance_weight
        + covariance(a, b) * config.covariance_weight
}

/// Mean over all elements of the squared difference.
pub fn invariance<B: Backend>(a: Tensor<B, 2>, b: Tensor<B, 2>) -> Tensor<B, 1> {
    (a - b).square().mean()
}

/// Half the mean over columns of `max(0, 1 − deviation)`, summed over both batches.
pub fn variance<B: Backend>(a: Tensor<B, 2>, b: Tensor<B, 2>, epsilon: f64) -> Tensor<B, 1> {
    let hinge = |x: Tensor<B, 2>| {
        // Unbiased (B − 1), in the covariance below as well.
        let degrees = x.dims()[0].saturating_sub(1).max(1) as f64;
        let variance = centred(x).square().sum_dim(0) / degrees;
        // Only deviations below 1 are pushed, outward; larger ones get no gradient. The epsilon bounds the root's
        // slope for a collapsed column.
        (variance + epsilon).sqrt().neg().add_scalar(1.0).clamp_min(0.0).mean()
    };
    (hinge(a) + hinge(b)) * 0.5
}

/// Sum of the squared covariances of different columns, over the number of columns, summed over both batches.
pub fn covariance<B: Backend>(a: Tensor<B, 2>, b: Tensor<B, 2>) -> Tensor<B, 1> {
    let redundancy = |x: Tensor<B, 2>| {
        let [batch, width] = x.dims();
        let centred = centred(x);
        // `[width, width]`: 2048² values with the paper's expander, 16 MB.
        let covariance = centred.clone().transpose().matmul(centred) / batch.saturating_sub(1).max(1) as f64;
        let identity = Tensor::<B, 2>::eye(width, &covariance.device()).cast(covariance.dtype());
        let off_diagonal = identity.neg().add_scalar(1.0);
        // Column by column: a sum of millions of elements at once has no fixed order on the CPU.
        (covariance * off_diagonal).square().sum_dim(0).sum() / width as f64
    };
    redundancy(a) + redundancy(b)
}

fn centred<B: Backend>(x: Tensor<B, 2>) -> Tensor<B, 2> {
    x.clone() - x.mean_dim(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_ops::backend::{Base, cpu};

    #[test]
    fn spread_independent_columns_cost_nothing_and_collapse_does() {
        let device = cpu();
        let spread =
            Tensor::<Base, 2>::from_data([[2.0, 2.0], [-2.0, 2.0], [2.0, -2.0], [-2.0, -2.0]], &device);
        let config = VicregConfig::default();
        assert!(vicreg(spread.clone(), spread.clone(), &config).into_scalar().abs() < 1e-6);
        let collapsed = Tensor::<Base, 2>::ones([4, 2], &device);
        // Both deviations are √ε = 0.01.
        let hinge = variance(collapsed.clone(), collapsed, config.epsilon).into_scalar();
        assert!((hinge - 0.99).abs() < 1e-6, "{hinge}");
        let redundant = Tensor::<Base, 2>::from_data([[1.0, 1.0], [-1.0, -1.0]], &device);
        // Covariance 2 off the diagonal, twice, over 2 columns; the other batch has none.
        let flat = Tensor::zeros([2, 2], &device);
        assert_eq!(covariance(redundant, flat).into_scalar(), 4.0);
    }
}
