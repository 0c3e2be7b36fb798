//! LARS: momentum with a rate that every weight matrix scales by the ratio of its own norm to its gradient's (You et al. 2017).
//!
//! Specification: docs/spec/mapper.md §6.2. Parameters with one axis (biases, batch norms) get neither weight decay nor
//! the scaling.

use burn::optim::SimpleOptimizer;
use burn::optim::adaptor::OptimizerAdaptor;
use burn::record::Record;
use burn::tensor::{ElementConversion, Tensor, backend::Backend};
use serde::{Deserialize, Serialize};

use crate::tensor_ops::backend::Diff;

/// LARS over the parameters of `M`.
pub type LarsOf<M> = OptimizerAdaptor<Lars, M, Diff>;

/// Constants of LARS and its schedule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LarsConfig {
    /// Share of the old direction.
    pub momentum: f64,
    /// η: rate of a matrix relative to its norm over its gradient's.
    pub trust: f64,
    /// Rate of a batch of 256, in proportion for others.
    pub base_rate: f64,
    /// Epochs over which the rate rises from 0.
    pub warmup_epochs: usize,
    /// The rate at the last step, as a share of the base rate.
    pub final_share: f64,
}

impl Default for LarsConfig {
    /// 0.9, 0.001, 0.2, 10 epochs, 0.001.
    fn default() -> Self {
        Self { momentum: 0.9, trust: 0.001, base_rate: 0.2, warmup_epochs: 10, final_share: 0.001 }
    }
}

/// Batch that the base rate is given for.
const REFERENCE_BATCH: f64 = 256.0;

impl LarsConfig {
    /// Rate of a step of a phase, both counted from 0: a linear rise, then half a cosine down.
    pub fn rate(&self, batch: usize, step: usize, steps_per_epoch: usize, epochs: usize) -> f64 {
        let base = self.base_rate * batch as f64 / REFERENCE_BATCH;
        let warmup = self.warmup_epochs * steps_per_epoch;
        if step < warmup {
            // The very first step has rate 0 (docs/spec/mapper.md §6.2).
            return base * step as f64 / warmup as f64;
        }
        // Counted so that the last step, not the one after it, reaches the final share.
        let (step, last) = ((step - warmup) as f64, (epochs * steps_per_epoch).saturating_sub(warmup + 1));
        let progress = step / (last as f64).max(1.0);
        let cosine = 0.5 * (1.0 + (std::f64::consts::PI * progress.min(1.0)).cos());
        base * (cosine + (1.0 - cosine) * self.final_share)
    }

    /// A new optimiser without momentum.
    pub fn init<M: burn::module::AutodiffModule<Diff>>(&self, weight_decay: f32) -> LarsOf<M> {
        let lars = Lars { momentum: self.momentum, trust: self.trust, weight_decay: f64::from(weight_decay) };
        OptimizerAdaptor::from(lars)
    }
}

/// The update of one tensor.
#[derive(Clone, Debug)]
pub struct Lars {
    momentum: f64,
    trust: f64,
    weight_decay: f64,
}

/// The direction μ.
#[derive(Record, Clone, Debug)]
pub struct LarsState<B: Backend, const D: usize> {
    /// μ, the accumulated step, of the parameter's shape.
    pub direction: Tensor<B, D>,
}

impl<B: Backend> SimpleOptimizer<B> for Lars {
    type State<const D: usize> = LarsState<B, D>;

    fn step<const D: usize>(
        &self,
        lr: f64,
        tensor: Tensor<B, D>,
        grad: Tensor<B, D>,
        state: Option<Self::State<D>>,
    ) -> (Tensor<B, D>, Option<Self::State<D>>) {
        let mut grad = grad;
        if D > 1 {
            grad = grad + tensor.clone().mul_scalar(self.weight_decay);
            let (size, slope) = (norm(tensor.clone()), norm(grad.clone()));
            // A matrix of zeros, or one without gradient, keeps a factor of 1.
            if size > 0.0 && slope > 0.0 {
                grad = grad.mul_scalar(self.trust * size / slope);
            }
        }
        let direction = match state {
            Some(state) => state.direction.mul_scalar(self.momentum) + grad,
            None => grad,
        };
        (tensor - direction.clone().mul_scalar(lr), Some(LarsState { direction }))
    }

    fn to_device<const D: usize>(state: Self::State<D>, device: &B::Device) -> Self::State<D> {
        LarsState { direction: state.direction.to_device(device) }
    }
}

/// Euclidean norm; summed axis by axis, since sums of millions of elements at once have no fixed order on the CPU.
fn norm<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> f64 {
    let squares = tensor.square().sum_dim(0).sum();
    squares.into_scalar().elem::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_ops::backend::{Base, cpu};

    fn values<const D: usize>(tensor: Tensor<Base, D>) -> Vec<f32> {
        tensor.into_data().to_vec().unwrap()
    }

    fn close(found: &[f32], expected: &[f32]) -> bool {
        found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6)
    }

    #[test]
    fn two_steps_of_a_matrix_by_hand() {
        let lars = Lars { momentum: 0.9, trust: 0.5, weight_decay: 0.1 };
        let device = cpu();
        let weight = Tensor::<Base, 2>::from_floats([[3.0, 4.0]], &device);
        let gradient = Tensor::<Base, 2>::from_floats([[-0.3, 0.6]], &device);
        // g + 0.1 p = (0, 1); times 0.5 · 5 / 1.
        let (weight, state) = lars.step(0.2, weight, gradient, None);
        assert!(close(&values(weight.clone()), &[3.0, 3.5]));
        let gradient = Tensor::<Base, 2>::from_floats([[0.7, -0.35]], &device);
        // g + 0.1 p = (1, 0); times 0.5 · √(9 + 12.25); μ = 0.9 · (0, 2.5) + (2.304886, 0).
        let (weight, _) = lars.step(0.2, weight, gradient, state);
        assert!(close(&values(weight.clone()), &[3.0 - 0.460_977_2, 3.5 - 0.45]), "{weight}");
    }

    #[test]
    fn vectors_and_zeros_are_plain_momentum() {
        let lars = Lars { momentum: 0.9, trust: 0.5, weight_decay: 0.1 };
        let device = cpu();
        let bias = Tensor::<Base, 1>::from_floats([2.0], &device);
        let gradient = || Tensor::<Base, 1>::from_floats([1.0], &device);
        let (bias, state) = lars.step(0.1, bias, gradient(), None);
        let (bias, _) = lars.step(0.1, bias, gradient(), state);
        assert!(close(&values(bias), &[2.0 - 0.1 - 0.19]));
        let zero = Tensor::<Base, 2>::zeros([1, 2], &device);
        let gradient = Tensor::<Base, 2>::from_floats([[1.0, -1.0]], &device);
        let (moved, _) = lars.step(0.1, zero.clone(), gradient, None);
        assert!(close(&values(moved), &[-0.1, 0.1]));
        let (kept, _) = lars.step(0.1, zero.clone(), zero, None);
        assert!(close(&values(kept), &[0.0, 0.0]));
    }

    #[test]
    fn the_rate_rises_and_falls() {
        let config = LarsConfig::default();
        let rate = |step| config.rate(128, step, 10, 50);
        assert_eq!(rate(0), 0.0);
        assert!((rate(50) - 0.05).abs() < 1e-12);
        assert!((rate(100) - 0.1).abs() < 1e-12);
        assert!((rate(499) - 1e-4).abs() < 1e-12);
        assert!((100..499).all(|step| rate(step + 1) < rate(step)));
        // Fewer epochs than the warm-up.
        assert!(config.rate(128, 9, 10, 1).is_finite());
    }
}
