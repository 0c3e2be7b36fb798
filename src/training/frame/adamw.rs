//! AdamW (Loshchilov and Hutter 2019, <https://arxiv.org/abs/1711.05101>) as Burn's optimisers are used: decay beside the step, not in
//! its moments.

use burn::optim::SimpleOptimizer;
use burn::optim::adaptor::OptimizerAdaptor;
use burn::record::Record;
use burn::tensor::{Tensor, backend::Backend};

use crate::tensor_ops::backend::Diff;
use crate::tensor_ops::optimisers::adamw::{AdamWConstants, adamw_step};

/// AdamW over the parameters of `M`.
pub type AdamWOf<M> = OptimizerAdaptor<AdamW, M, Diff>;

/// The update of one tensor, with moments that decay by 0.9 and 0.999 and ε = 1e−8.
#[derive(Clone, Debug)]
pub struct AdamW {
    weight_decay: f64,
}

impl AdamW {
    /// A new optimiser without moments.
    pub fn init<M: burn::module::AutodiffModule<Diff>>(weight_decay: f64) -> AdamWOf<M> {
        OptimizerAdaptor::from(Self { weight_decay })
    }
}

/// Moments of one tensor.
#[derive(Record, Clone, Debug)]
pub struct AdamWState<B: Backend, const D: usize> {
    /// Steps taken.
    pub time: usize,
    /// Mean of gradients, of the parameter's shape.
    pub moment_1: Tensor<B, D>,
    /// Mean of their squares, likewise.
    pub moment_2: Tensor<B, D>,
}

impl<B: Backend> SimpleOptimizer<B> for AdamW {
    type State<const D: usize> = AdamWState<B, D>;

    fn step<const D: usize>(
        &self,
        lr: f64,
        tensor: Tensor<B, D>,
        grad: Tensor<B, D>,
        state: Option<Self::State<D>>,
    ) -> (Tensor<B, D>, Option<Self::State<D>>) {
        let (time, moments) = match state {
            Some(AdamWState { time, moment_1, moment_2 }) => (time + 1, [moment_1, moment_2]),
            None => (1, [grad.zeros_like(), grad.zeros_like()]),
        };
        let weight_decay = self.weight_decay;
        let constants =
            AdamWConstants { rate: lr, weight_decay, beta_1: 0.9, beta_2: 0.999, epsilon: 1e-8, time };
        let (tensor, [moment_1, moment_2]) = adamw_step(&constants, tensor, grad, moments);
        (tensor, Some(AdamWState { time, moment_1, moment_2 }))
    }

    fn to_device<const D: usize>(state: Self::State<D>, device: &B::Device) -> Self::State<D> {
        let AdamWState { time, moment_1, moment_2 } = state;
        AdamWState { time, moment_1: moment_1.to_device(device), moment_2: moment_2.to_device(device) }
    }
}
