//! Gradients of R1 and path length against numeric ones.
//!
//! Both penalties are functions of first derivatives, so their gradients are second-order. In float64 a step of 1e-6
//! crosses next to no kink of a leaky ReLU, and the central difference of the penalty itself must agree along random
//! directions in the space of all parameters. Catches: a parameter that the nested tape loses, a constant that should
//! not be one, a wrong factor.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{FloatDType, Tensor};
use mindreader::models::stylegan2::{
    Condition, ConditionHeads, Discriminator, DiscriminatorConfig, Generator, GeneratorConfig, Noise,
};
use mindreader::tensor_ops::backend::{Base, Diff, cpu};
use mindreader::tensor_ops::random::{keyed_rng, normal};
use mindreader::training::augmentation::{AugmentPlan, AugmentPreset};
use mindreader::training::regularizers::path_length::{path_length_penalty, path_lengths};
use mindreader::training::regularizers::r1::r1_penalty;

const DOUBLE: FloatDType = FloatDType::F64;
const STEP: f64 = 1e-6;
/// Of the directional derivative; observed below 1e-8.
const TOLERANCE: f64 = 1e-6;

fn double<const D: usize>(shape: [usize; D], purpose: &str, position: u64) -> Tensor<Base, D> {
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
fn check<M>(label: &str, network: &M, penalty: impl Fn(&M) -> Tensor<Diff, 1>) -> usize
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

fn condition(batch: usize) -> Condition<Base> {
    Condition::two(double([batch, 6], "image condition", 0), double([batch, 6], "caption condition", 0))
}

#[test]
fn r1_gradient_equals_the_numeric_one() {
    let config = DiscriminatorConfig {
        heads: ConditionHeads::TwoByMaximum,
        condition_dim: 6,
        second_condition_dim: 6,
        resolution: 16,
        channel_base: 64,
        channel_max: 8,
        mbstd_group: 2,
        ..DiscriminatorConfig::default()
    };
    let network: Discriminator<Diff> = config.init(3, &cpu()).unwrap();
    let pixels = double([4, 3, 16, 16], "pixels", 0);
    // Without cutout: its zeros meet zero biases exactly at the kink of the leaky ReLU.
    let parts = AugmentPreset::Bgcfn.parts();
    let plan = AugmentPlan::draw(4, 16, parts, 0.9, &mut keyed_rng(7, "augment", 0));
    for (label, plan) in [("R1", None), ("R1 through the augmentation", Some(&plan))] {
        let reached = check(label, &network, |network| {
            r1_penalty(network, pixels.clone(), &condition(4), plan).loss(2.0)
        });
        assert!(reached > 10, "only {reached} parameters had a gradient");
    }
}

#[test]
fn path_length_gradient_equals_the_numeric_one() {
    let config = GeneratorConfig {
        z_dim: 6,
        w_dim: 6,
        code_dim: 6,
        heads: ConditionHeads::TwoByMaximum,
        condition_dim: 6,
        second_condition_dim: 6,
        mapping_layers: 2,
        resolution: 16,
        channel_base: 64,
        channel_max: 8,
        ..GeneratorConfig::default()
    };
    let network: Generator<Diff> = config.init(3, &cpu()).unwrap();
    let z = double([2, 6], "z", 0);
    let direction = double([2, 3, 16, 16], "image direction", 0);
    let noise = network.random_noise(2, &mut keyed_rng(7, "noise", 0), &cpu());
    let Noise::Maps(maps) = noise else { panic!("random noise is maps") };
    let noise = Noise::Maps(maps.into_iter().map(|map| map.inner().cast(DOUBLE)).collect());
    let reached = check("path length", &network, |network: &Generator<Diff>| {
        let ws = network.broadcast(network.mapping.forward(Tensor::from_inner(z.clone())));
        let lengths = path_lengths(network, ws, &condition(2), &noise, direction.clone());
        path_length_penalty(lengths, 0.3, 0.01).penalty.mean()
    });
    assert!(reached > 30, "only {reached} parameters had a gradient");
}
