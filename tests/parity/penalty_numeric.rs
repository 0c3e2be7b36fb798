//! Gradients of R1 and path length against numeric ones.
//!
//! Both penalties are functions of first derivatives, so their gradients are second-order; the central difference of the
//! penalty itself must agree along random directions in the space of all parameters. Catches: a parameter that the nested tape loses, a constant that should
//! not be one, a wrong factor.

use burn::tensor::Tensor;
use mindreader::models::stylegan2::{
    Condition, ConditionHeads, Discriminator, DiscriminatorConfig, Generator, GeneratorConfig, Noise,
};
use mindreader::tensor_ops::backend::{Base, Diff, cpu};
use mindreader::tensor_ops::random::keyed_rng;
use mindreader::training::gan::augmentation::{AugmentPlan, AugmentPreset};
use mindreader::training::gan::regularizers::path_length::{path_length_penalty, path_lengths};
use mindreader::training::gan::regularizers::r1::r1_penalty;

use crate::numeric_slope::{DOUBLE, check, double};

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
