//! Directional derivatives against `tangent.safetensors`, through the machinery of R1 and path length.
//!
//! With u a free vector, `∂⟨f(x), u⟩/∂x` is linear in u; differentiating its product with a direction t with respect to u
//! gives the derivative of f along t. Catches: an operator whose second derivative is dropped or wrong (minibatch
//! deviation, normalisation, demodulation, leaky ReLU), each alone and inside the whole networks.

use std::collections::BTreeMap;

use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use mindreader::models::stylegan2::epilogue::append_minibatch_deviation;
use mindreader::models::stylegan2::{
    Condition, ConditionHeads, Discriminator, Generator, HeadNormalisation, Noise, ProjectionTerm, Truncation,
};
use mindreader::tensor_ops::activation::LEAKY_RELU;
use mindreader::tensor_ops::backend::{Diff, Diff2, cpu};
use mindreader::tensor_ops::bias_act::BiasAct;
use mindreader::tensor_ops::modulated_conv::modulated_conv;
use mindreader::tensor_ops::resample_conv::Resampling;
use mindreader::tensor_ops::similarity::unit_norm;
use mindreader::tensor_ops::upfirdn::FirFilter;
use mindreader::training::gan::regularizers::second_order::{
    gradient, lift_constant, lift_input, lift_module,
};

use crate::golden::{Golden, values};
use crate::stylegan2_weights::{
    discriminator_config, discriminator_path, golden_discriminator, golden_generator, gradients_by_path,
};

fn open() -> Option<Golden> {
    Golden::open("tangent")
}

/// Derivative of `out` along the tangents of its inputs: the inputs as given to the outer level, and the tangents.
fn derivative<const O: usize>(
    out: Tensor<Diff2, O>,
    products: impl Fn(Tensor<Diff2, O>) -> Tensor<Diff, 1>,
) -> Vec<f32> {
    let u = Tensor::<Diff, O>::ones(out.shape(), &out.device()).require_grad();
    let along = products(out * lift_constant(u.clone()));
    values(u.grad(&along.backward()).unwrap())
}

/// `⟨∂ Σ out / ∂ x, t⟩` for one input.
fn product<const O: usize, const D: usize>(
    out: Tensor<Diff2, O>,
    x: &Tensor<Diff2, D>,
    tangent: &Tensor<Diff, D>,
) -> Tensor<Diff, 1> {
    (gradient(out, x) * tangent.clone()).sum()
}

/// One operator of one input.
fn check_operator<const D: usize>(case: &str, operator: impl Fn(Tensor<Diff2, D>) -> Tensor<Diff2, D>) {
    let Some(golden) = open() else { return };
    let x = lift_input(golden.tensor::<Diff, D>(&format!("{case}.in0"), &cpu()));
    let tangent = golden.tensor::<Diff, D>(&format!("{case}.in0_tangent"), &cpu());
    let out = operator(x.clone());
    golden.expect(&format!("{case}.out"), &values(out.clone()));
    let along = derivative(out, |out| product(out, &x, &tangent));
    golden.expect(&format!("{case}.out_tangent"), &along);
}

#[test]
fn minibatch_deviation() {
    check_operator::<4>("mbstd", |x| append_minibatch_deviation(x, 4, 1));
}

#[test]
fn unit_norm_of_rows() {
    check_operator::<2>("unit_norm", unit_norm);
}

#[test]
fn leaky_relu() {
    check_operator::<2>("lrelu", |x| BiasAct::new(LEAKY_RELU).apply(x, None));
}

#[test]
fn modulated_convolution_of_activations_and_styles() {
    let Some(golden) = open() else { return };
    let input = |name: &str| golden.tensor::<Diff, 4>(name, &cpu());
    let x = lift_input(input("modconv.in0"));
    let styles = lift_input(golden.tensor::<Diff, 2>("modconv.in1", &cpu()));
    let weight = lift_constant(input("modconv.weight"));
    let out = modulated_conv(x.clone(), weight, styles.clone(), &FirFilter::resampling(), Resampling::Up2);
    golden.expect("modconv.out", &values(out.clone()));
    let x_tangent = input("modconv.in0_tangent");
    let styles_tangent = golden.tensor::<Diff, 2>("modconv.in1_tangent", &cpu());
    let along = derivative(out, |out| {
        let gradients = out.sum().backward();
        let of_x = x.grad(&gradients).unwrap() * x_tangent.clone();
        let of_styles = styles.grad(&gradients).unwrap() * styles_tangent.clone();
        of_x.sum() + of_styles.sum()
    });
    golden.expect("modconv.out_tangent", &along);
}

fn condition(golden: &Golden, heads: ConditionHeads, samples: usize) -> Condition<Diff2> {
    let head = |name: &str| lift_constant(golden.tensor::<Diff, 2>(name, &cpu()).narrow(0, 0, samples));
    match heads {
        ConditionHeads::TwoByMaximum => Condition::two(head("input.fts1"), head("input.fts2")),
        _ => Condition::one(head("input.fts1")),
    }
}

fn scores_along_an_image_direction(heads: ConditionHeads, short: &str, set: &str) {
    let Some(golden) = open() else { return };
    let config = discriminator_config(heads, HeadNormalisation::UnitNorm, ProjectionTerm::BatchSum);
    let Some(discriminator) = golden_discriminator(set, &config) else { return };
    let lifted: Discriminator<Diff2> = lift_module(&discriminator);
    let image = lift_input(golden.tensor::<Diff, 4>("input.img", &cpu()));
    let tangent = golden.tensor::<Diff, 4>("input.img_tangent", &cpu());
    let score = |image: &Tensor<Diff2, 4>| lifted.forward(image.clone(), &condition(&golden, heads, 4)).score;
    golden.expect(&format!("{short}.logits"), &values(score(&image)));
    let along = derivative(score(&image), |out| product(out, &image, &tangent));
    golden.expect(&format!("{short}.logits_tangent"), &along);

    // The sum over the batch of the derivatives, differentiated in the weights.
    let sum = product(score(&image), &image, &tangent);
    let gradients = GradientsParams::from_grads(sum.backward(), &discriminator);
    let by_path: BTreeMap<String, Vec<f32>> = gradients_by_path(&discriminator, &gradients);
    let prefix = format!("{short}.grad_of_tangent_sum.");
    let mut compared = 0;
    for name in golden.names().iter().filter_map(|name| name.strip_prefix(&prefix)) {
        golden.expect(&format!("{prefix}{name}"), &by_path[&discriminator_path(name)]);
        compared += 1;
    }
    assert_eq!(compared, 4);
}

#[test]
fn two_head_scores() {
    scores_along_an_image_direction(ConditionHeads::TwoByMaximum, "D4", "discriminator_s4");
}

#[test]
fn one_head_scores() {
    scores_along_an_image_direction(ConditionHeads::One, "D2", "discriminator_s2");
}

fn images_along_a_style_direction(heads: ConditionHeads, short: &str) {
    let Some(golden) = open() else { return };
    let Some(inputs) = Golden::open("generator_s4") else { return };
    let Some(generator) = golden_generator(heads) else { return };
    let z = inputs.tensor::<Diff, 2>("input.z", &cpu());
    let ws = generator.ws_from_z(z, Truncation::NONE);
    golden.expect("G.ws", &values(ws.clone()));
    let lifted: Generator<Diff2> = lift_module(&generator);
    let ws = lift_input(ws);
    let image = lifted.synthesis.forward(ws.clone(), &condition(&golden, heads, 2), &Noise::Constant);
    golden.expect(&format!("{short}.img"), &values(image.clone()));
    let tangent = golden.tensor::<Diff, 3>("input.ws_tangent", &cpu());
    let along = derivative(image, |out| product(out, &ws, &tangent));
    golden.expect(&format!("{short}.img_tangent"), &along);
}

#[test]
fn two_head_images() {
    images_along_a_style_direction(ConditionHeads::TwoByMaximum, "G4");
}

#[test]
fn one_head_images() {
    images_along_a_style_direction(ConditionHeads::One, "G2");
}
