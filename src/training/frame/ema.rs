//! Exponential moving average of a network's parameters, its half-life measured in images.
//!
//! Specification: docs/spec/gan-training.md §6. `average ← current + beta · (average − current)`; buffers are copied
//! outright. A training network enters as `network.valid()`, so that no gradient graph is kept.

use std::any::Any;
use std::collections::VecDeque;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Bool, Int, Tensor, backend::Backend};

/// Images per thousand of images.
const IMAGES_PER_KIMG: f64 = 1000.0;

/// Weight of the old average after one step of `batch` images.
///
/// `half_life_kimg` is in thousands of images; with `rampup` it is at most `images_seen · rampup`
/// (0.05 in StyleGAN2-ADA, none when resuming). The result is in [0, 1).
pub fn ema_beta(batch: usize, half_life_kimg: f64, images_seen: u64, rampup: Option<f64>) -> f64 {
    let mut half_life = half_life_kimg * IMAGES_PER_KIMG;
    if let Some(rampup) = rampup {
        half_life = half_life.min(images_seen as f64 * rampup);
    }
    // With no image seen the half-life is 0 and β vanishes: the average is the network itself.
    0.5_f64.powf(batch as f64 / half_life.max(1e-8))
}

/// Moves `average` towards `current`: `current + beta · (average − current)` for every float parameter.
///
/// Both networks must be of the same shape. Integer and boolean parameters are copied, and so are the float
/// parameters whose last name is in `buffers` (running statistics that are averages already, fixed noise).
pub fn ema_update<B: Backend, M: Module<B>>(average: M, current: &M, beta: f64, buffers: &[&str]) -> M {
    let mut collected = Collected::default();
    // By order, not by id: the average is a copy with ids of its own.
    current.visit(&mut collected);
    average.map(&mut Averaging { current: collected.tensors, beta, buffers, path: Vec::new() })
}

/// The tensors of a network in the order of its traversal.
#[derive(Default)]
struct Collected {
    tensors: VecDeque<Box<dyn Any>>,
}

impl<B: Backend> ModuleVisitor<B> for Collected {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        self.tensors.push_back(Box::new(param.val()));
    }

    fn visit_int<const D: usize>(&mut self, param: &Param<Tensor<B, D, Int>>) {
        self.tensors.push_back(Box::new(param.val()));
    }

    fn visit_bool<const D: usize>(&mut self, param: &Param<Tensor<B, D, Bool>>) {
        self.tensors.push_back(Box::new(param.val()));
    }
}

struct Averaging<'a> {
    current: VecDeque<Box<dyn Any>>,
    beta: f64,
    buffers: &'a [&'a str],
    path: Vec<String>,
}

impl Averaging<'_> {
    /// The counterpart of the tensor that is visited; none only if the two networks differ in structure.
    fn next<T: 'static>(&mut self) -> Option<T> {
        self.current.pop_front().and_then(|tensor| tensor.downcast::<T>().ok()).map(|tensor| *tensor)
    }

    fn is_buffer(&self) -> bool {
        self.path.last().is_some_and(|name| self.buffers.contains(&name.as_str()))
    }
}

impl<B: Backend> ModuleMapper<B> for Averaging<'_> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_string());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
        let (is_buffer, beta) = (self.is_buffer(), self.beta);
        match self.next::<Tensor<B, D>>() {
            Some(current) if is_buffer => param.map(|_| current),
            Some(current) => param.map(|average| current.clone() + (average - current) * beta),
            None => param,
        }
    }

    fn map_int<const D: usize>(&mut self, param: Param<Tensor<B, D, Int>>) -> Param<Tensor<B, D, Int>> {
        match self.next::<Tensor<B, D, Int>>() {
            Some(current) => param.map(|_| current),
            None => param,
        }
    }

    fn map_bool<const D: usize>(&mut self, param: Param<Tensor<B, D, Bool>>) -> Param<Tensor<B, D, Bool>> {
        match self.next::<Tensor<B, D, Bool>>() {
            Some(current) => param.map(|_| current),
            None => param,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_ops::backend::{Base, cpu};

    #[derive(Module, Debug)]
    struct Network<B: Backend> {
        layers: Vec<Layer<B>>,
        w_avg: Param<Tensor<B, 1>>,
    }

    #[derive(Module, Debug)]
    struct Layer<B: Backend> {
        weight: Param<Tensor<B, 2>>,
        bias: Param<Tensor<B, 1>>,
    }

    fn network(value: f32) -> Network<Base> {
        let device = cpu();
        let layer = |offset: f32| Layer {
            weight: Param::from_tensor(Tensor::full([2, 2], value + offset, &device)),
            bias: Param::from_tensor(Tensor::full([2], value * 10.0, &device)),
        };
        Network {
            layers: vec![layer(0.0), layer(100.0)],
            w_avg: Param::from_tensor(Tensor::full([3], value, &device)),
        }
    }

    fn first(tensor: Tensor<Base, 1>) -> f32 {
        tensor.into_data().to_vec::<f32>().unwrap()[0]
    }

    #[test]
    fn parameters_move_by_one_minus_beta_and_buffers_are_copied() {
        let average = ema_update(network(1.0), &network(2.0), 0.75, &["w_avg"]);
        // 2 + 0.75 · (1 − 2) = 1.25
        assert_eq!(first(average.layers[0].weight.val().flatten(0, 1)), 1.25);
        assert_eq!(first(average.layers[1].weight.val().flatten(0, 1)), 101.25);
        assert_eq!(first(average.layers[1].bias.val()), 12.5);
        assert_eq!(first(average.w_avg.val()), 2.0);
        let average = ema_update(network(1.0), &network(2.0), 0.75, &[]);
        assert_eq!(first(average.w_avg.val()), 1.25);
    }

    #[test]
    fn beta_halves_after_the_half_life_and_starts_at_zero_with_rampup() {
        assert!((ema_beta(5000, 5.0, 1_000_000, None) - 0.5).abs() < 1e-12);
        // At the start of training the average is the network itself.
        assert_eq!(ema_beta(16, 5.0, 0, Some(0.05)), 0.0);
        assert!((ema_beta(16, 5.0, 1000, Some(0.05)) - 0.5_f64.powf(16.0 / 50.0)).abs() < 1e-12);
    }
}
