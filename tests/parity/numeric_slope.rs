//! Gradients along random directions in the space of all parameters, beside central differences, in float64.
//!
//! A step of 1e-6 crosses next to no kink of a ReLU.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{FloatDType, Tensor};
use mindreader::tensor_ops::backend::{Base, Diff, cpu};
use mindreader::tensor_ops::random::{keyed_rng, normal};

/// Precision of both sides.
pub const DOUBLE: FloatDType = FloatDType::F64;
const STEP: f64 = 1e-6;
/// Of the directional derivative; observed below 1e-8.
const TOLERANCE: f64 = 1e-6;

pub fn double<const D: usize>(shape: [usize; D], purpose: &str, position: u64) -> Tensor<Base, D> {
    normal::<Base, D>(shape, &mut keyed_rng(7, purpose, position), &cpu()).cast(DOUBLE)
}

/// Every trained parameter in float64, moved by `step` along a random direction.
struct Moved {
    direction: u64,
    step: f64,
    visited: u64,
}

impl ModuleMapper<Diff> for Moved {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<Diff, D>>) -> Param<Tensor<Diff, D>> {
        let (id, tensor, mapper) = param.consume();
        let is_trained = tensor.is_require_grad();
        let mut value = tensor.inner().cast(DOUBLE);
        if is_trained {
            let direction = double(value.dims(), "direction", self.direction * 10_000 + self.visited);
            value = value + direction.mul_scalar(self.step);
            self.visited += 1;
        }
        let value = Tensor::from_inner(value).set_require_grad(is_trained);
        Param::from_mapped_value(id, value, mapper)
    }
}

/// Σ gradient · direction over all trained parameters.
struct Slope<'a> {
    gradients: &'a GradientsParams,
    direction: u64,
    visited: u64,
    sum: f64,
    reached: usize,
}

impl ModuleVisitor<Diff> for Slope<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<Diff, D>>) {
        if !param.val().is_require_grad() {
            return;
        }
        let shape = param.val().dims();
        let direction = double(shape, "direction", self.direction * 10_000 + self.visited);
        self.visited += 1;
        if let Some(gradient) = self.gradients.get::<Base, D>(param.id) {
            self.reached += 1;
            self.sum += scalar((gradient * direction).sum());
        }
    }
}

fn scalar(tensor: Tensor<Base, 1>) -> f64 {
    tensor.into_data().iter::<f64>().next().unwrap()
}

/// Compares along three random directions; returns how many parameters had a gradient.
pub fn check<M>(label: &str, network: &M, penalty: impl Fn(&M) -> Tensor<Diff, 1>) -> usize
where
    M: Module<Diff> + burn::module::AutodiffModule<Diff> + Clone,
{
    let mut reached = 0;
    for direction in 0..3 {
        let moved = |step| network.clone().map(&mut Moved { direction, step, visited: 0 });
        let here: M = moved(0.0);
        let gradients = GradientsParams::from_grads(penalty(&here).backward(), &here);
        let mut slope = Slope { gradients: &gradients, direction, visited: 0, sum: 0.0, reached: 0 };
        here.visit(&mut slope);
        let value = |step| scalar(penalty(&moved(step)).inner());
        let numeric = (value(STEP) - value(-STEP)) / (2.0 * STEP);
        let error = (slope.sum - numeric).abs() / numeric.abs();
        println!(
            "{label}, direction {direction}: exact {:.9e}, numeric {numeric:.9e}, error {error:.1e}",
            slope.sum
        );
        assert!(numeric.abs() > 1e-9, "{label}: the direction must matter");
        assert!(error < TOLERANCE, "{label}: exact {}, numeric {numeric}", slope.sum);
        reached = slope.reached;
    }
    reached
}
