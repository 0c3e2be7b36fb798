//! Batch normalisation with its two modes told apart by the call (Ioffe and Szegedy 2015,
//! <https://arxiv.org/abs/1502.03167>; in published files docs/spec/checkpoints.md §5 and §6).
//!
//! `y = (x − mean)/√(variance + ε) · weight + bias` per channel. [`BatchNorm::forward`] takes the stored statistics, on every
//! backend: gradients reach `x`, the statistics stay as they are. [`BatchObserver::normalize`] takes those of the batch and notes
//! what the stored ones become. Burn's own layer takes the batch's whenever gradients are recorded, which a frozen
//! feature network must not do.

use std::collections::HashMap;

use burn::module::{Module, ModuleMapper, Param, ParamId};
use burn::tensor::{Tensor, backend::Backend};

use crate::error::Fault;
use crate::tensor_ops::stored::StoredTensors;

/// Share of the new batch in the stored statistics (PyTorch's default).
const MOMENTUM: f64 = 0.1;

/// Scale, shift and statistics of every channel; names as in PyTorch.
#[derive(Module, Debug)]
pub struct BatchNorm<B: Backend> {
    /// Scale `[channels]`.
    pub weight: Param<Tensor<B, 1>>,
    /// Shift `[channels]`.
    pub bias: Param<Tensor<B, 1>>,
    /// Stored mean `[channels]`; no optimiser moves it.
    pub running_mean: Param<Tensor<B, 1>>,
    /// Stored unbiased variance `[channels]`; no optimiser moves it.
    pub running_var: Param<Tensor<B, 1>>,
    epsilon: f64,
}

/// Claims the tensors that a file has for a norm of so many channels.
///
/// # Errors
/// As [`StoredTensors::claim`].
pub fn claim_batch_norm(norm: &str, channels: usize, tensors: &mut StoredTensors) -> Result<(), Fault> {
    let parts = ["weight", "bias", "running_mean", "running_var"];
    parts.into_iter().try_for_each(|part| tensors.claim(format!("{norm}.{part}"), &[channels]))
}

impl<B: Backend> BatchNorm<B> {
    /// Scale 1, shift 0, mean 0, variance 1.
    pub fn new(channels: usize, epsilon: f64, device: &B::Device) -> Self {
        let stored = |value: Tensor<B, 1>| Param::initialized(ParamId::new(), value.set_require_grad(false));
        Self {
            weight: Param::from_tensor(Tensor::ones([channels], device)),
            bias: Param::from_tensor(Tensor::zeros([channels], device)),
            running_mean: stored(Tensor::zeros([channels], device)),
            running_var: stored(Tensor::ones([channels], device)),
            epsilon,
        }
    }

    /// Normalises with the stored statistics.
    ///
    /// # Shapes
    /// - x, output: `[batch, channels, height, width]`
    pub fn forward(&self, x: Tensor<B, 4>) -> Tensor<B, 4> {
        let (scale, shift) = self.scale_and_shift();
        let channels = scale.dims()[0];
        x * scale.reshape([1, channels, 1, 1]) + shift.reshape([1, channels, 1, 1])
    }

    /// The stored statistics as one factor and one summand per channel, `[channels]` each.
    pub fn scale_and_shift(&self) -> (Tensor<B, 1>, Tensor<B, 1>) {
        let deviation = self.running_var.val().detach().add_scalar(self.epsilon).sqrt();
        let scale = self.weight.val() / deviation;
        // `(x − mean)/σ · w + b = x · (w/σ) + (b − mean · w/σ)`; σ from stored values, so it is a constant to
        // autodiff.
        let shift = self.bias.val() - self.running_mean.val().detach() * scale.clone();
        (scale, shift)
    }
}

/// A training pass: batch norms take the statistics of the batch and what they saw is kept for [`BatchObserver::apply`].
#[derive(Debug)]
pub struct BatchObserver<B: Backend> {
    /// What stored statistics become, by the identity of their parameter.
    stored: HashMap<ParamId, Tensor<B, 1>>,
}

impl<B: Backend> Default for BatchObserver<B> {
    fn default() -> Self {
        Self { stored: HashMap::new() }
    }
}

impl<B: Backend> BatchObserver<B> {
    /// Normalises with the mean and the biased variance of the batch, through which gradients flow.
    ///
    /// A channel of a single value has no variance: its stored one is kept.
    ///
    /// # Shapes
    /// - x, output: `[batch, channels, height, width]`
    pub fn normalize(&mut self, norm: &BatchNorm<B>, x: Tensor<B, 4>) -> Tensor<B, 4> {
        let [batch, channels, height, width] = x.dims();
        let count = batch * height * width;
        // `[C, N·H·W]`: one mean over the last axis in place of three.
        let by_channel = |x: Tensor<B, 4>| x.swap_dims(0, 1).reshape([channels, count]);
        let mean = by_channel(x.clone()).mean_dim(1); // [C, 1]
        let centred = x - mean.clone().reshape([1, channels, 1, 1]);
        let variance = by_channel(centred.clone() * centred.clone()).mean_dim(1); // [C, 1]
        // Normalising uses the biased variance, the stored one is unbiased, hence the factor n/(n − 1): PyTorch's
        // convention, which imported statistics follow.
        self.note(&norm.running_mean, mean.detach(), 1.0);
        if count > 1 {
            self.note(&norm.running_var, variance.clone().detach(), count as f64 / (count - 1) as f64);
        }
        let scale = norm.weight.val() / variance.reshape([channels]).add_scalar(norm.epsilon).sqrt();
        centred * scale.reshape([1, channels, 1, 1]) + norm.bias.val().reshape([1, channels, 1, 1])
    }

    fn note(&mut self, stored: &Param<Tensor<B, 1>>, observed: Tensor<B, 2>, factor: f64) {
        let channels = observed.dims()[0];
        let observed = observed.reshape([channels]).mul_scalar(factor * MOMENTUM);
        // A norm that is passed twice sees its first update.
        let before = self.stored.remove(&stored.id).unwrap_or_else(|| stored.val().detach());
        self.stored.insert(stored.id, before.mul_scalar(1.0 - MOMENTUM) + observed);
    }

    /// The network with the statistics as they are after the pass.
    pub fn apply<M: Module<B>>(mut self, network: M) -> M {
        network.map(&mut self)
    }
}

impl<B: Backend> ModuleMapper<B> for BatchObserver<B> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
        match self.stored.remove(&param.id) {
            Some(statistics) => param.map(|old| statistics.reshape(old.dims()).set_require_grad(false)),
            None => param,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_ops::backend::{Base, Diff, cpu};
    use burn::tensor::TensorData;

    /// Channel 0: 1, 2, 3, 6 (mean 3, biased variance 3.5); channel 1: constant 5.
    fn input<B: Backend>(device: &B::Device) -> Tensor<B, 4> {
        let values = vec![1.0_f32, 2.0, 5.0, 5.0, 3.0, 6.0, 5.0, 5.0];
        Tensor::from_data(TensorData::new(values, [2, 2, 1, 2]), device)
    }

    fn values<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> Vec<f32> {
        tensor.into_data().to_vec().unwrap()
    }

    #[test]
    fn stored_statistics_are_used_and_kept_where_gradients_are_recorded() {
        let mut norm = BatchNorm::<Diff>::new(2, 0.0, &cpu());
        norm.running_mean = norm.running_mean.map(|mean| mean.add_scalar(1.0));
        norm.running_var = norm.running_var.map(|variance| variance.mul_scalar(4.0));
        let x = input::<Diff>(&cpu()).require_grad();
        let y = norm.forward(x.clone());
        assert_eq!(values(y.clone()), [0.0, 0.5, 2.0, 2.0, 1.0, 2.5, 2.0, 2.0]);
        let gradients = y.sum().backward();
        assert_eq!(values(x.grad(&gradients).unwrap()), [0.5; 8]);
        assert!(norm.running_mean.val().grad(&gradients).is_none());
        assert!(norm.weight.val().grad(&gradients).is_some());
    }

    #[test]
    fn the_batch_is_normalised_and_its_unbiased_variance_stored() {
        let norm = BatchNorm::<Base>::new(2, 0.0, &cpu());
        let mut observer = BatchObserver::default();
        let x = input::<Base>(&cpu()).narrow(1, 0, 1);
        let one = BatchNorm::<Base>::new(1, 0.0, &cpu());
        let y = values(observer.normalize(&one, x));
        for (actual, centred) in y.iter().zip([-2.0_f32, -1.0, 0.0, 3.0]) {
            assert!((actual - centred / 3.5_f32.sqrt()).abs() < 1e-6, "{y:?}");
        }
        let after = observer.apply(one);
        assert!((values(after.running_mean.val())[0] - 0.3).abs() < 1e-6);
        // 0.9 · 1 + 0.1 · 14/3
        assert!((values(after.running_var.val())[0] - (0.9 + 1.4 / 3.0)).abs() < 1e-6);
        // Another norm's observations do not touch this one.
        let norm = BatchObserver::default().apply(norm);
        assert_eq!(values(norm.running_var.val()), [1.0, 1.0]);
    }

    #[test]
    fn gradients_run_through_the_statistics_of_the_batch() {
        let norm = BatchNorm::<Diff>::new(1, 0.0, &cpu());
        let x = input::<Diff>(&cpu()).narrow(1, 0, 1).require_grad();
        let cotangent = [1.0_f32, 0.0, -2.0, 5.0];
        let weights = TensorData::new(cotangent.to_vec(), [2, 1, 1, 2]);
        let y = BatchObserver::default().normalize(&norm, x.clone());
        let gradients = (y * Tensor::from_data(weights, &cpu())).sum().backward();
        let gradient = values(x.grad(&gradients).unwrap());
        // dx = (c − mean(c) − y·mean(c·y))/σ with mean 3, σ² = 3.5.
        let sigma = 3.5_f32.sqrt();
        let y = [-2.0, -1.0, 0.0, 3.0].map(|centred: f32| centred / sigma);
        let along = cotangent.iter().zip(y).map(|(c, y)| c * y).sum::<f32>() / 4.0;
        for index in 0..4 {
            let expected = (cotangent[index] - 1.0 - y[index] * along) / sigma;
            assert!((gradient[index] - expected).abs() < 1e-5, "{gradient:?}");
        }
    }

    #[test]
    fn a_constant_channel_and_a_single_value_stay_finite() {
        let norm = BatchNorm::<Base>::new(2, 1e-5, &cpu());
        let mut observer = BatchObserver::default();
        let y = values(observer.normalize(&norm, input(&cpu())));
        assert!(y.iter().all(|value| value.is_finite()) && y[2] == 0.0);
        let mut observer = BatchObserver::default();
        observer.normalize(&norm, Tensor::ones([1, 2, 1, 1], &cpu()));
        assert_eq!(values(observer.apply(norm).running_var.val()), [1.0, 1.0]);
    }
}
