//! The generator against `generator_s4` and `generator_s2`: styles, images, truncation, gradients.
//!
//! Catches: w handed to the wrong layer, code and w swapped in the style's input, toRGB without its gain,
//! noise before demodulation, a skip image resampled off centre. Tolerances are the manifest's.

use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use mindreader::models::stylegan2::{Condition, ConditionHeads, Generator, Noise, Truncation};
use mindreader::tensor_ops::backend::{Diff, cpu};

use crate::golden::{Golden, assert_close, values};
use crate::stylegan2_weights::{generator_path, golden_generator, gradients_by_path};

struct Case {
    golden: Golden,
    generator: Generator<Diff>,
    z: Tensor<Diff, 2>,
    fts: Tensor<Diff, 2>,
    heads: ConditionHeads,
}

impl Case {
    fn open(set: &str, heads: ConditionHeads) -> Option<Self> {
        let golden = Golden::open(set)?;
        let generator = golden_generator(heads)?;
        let z = golden.tensor::<Diff, 2>("input.z", &cpu()).require_grad();
        let fts = golden.tensor::<Diff, 2>("input.fts", &cpu()).require_grad();
        Some(Self { golden, generator, z, fts, heads })
    }

    fn condition(&self) -> Condition<Diff> {
        match self.heads {
            ConditionHeads::TwoByMaximum => {
                Condition::two(self.fts.clone().narrow(1, 0, 24), self.fts.clone().narrow(1, 24, 16))
            }
            _ => Condition::one(self.fts.clone()),
        }
    }

    fn expect<const D: usize>(&self, name: &str, actual: Tensor<Diff, D>, tolerance: f32) {
        assert_close(name, &values(actual), &self.golden.f32(name).0, tolerance);
    }

    fn image(&self, psi: f64, cutoff: Option<usize>, noise: Noise<Diff>) -> Tensor<Diff, 4> {
        let truncation = Truncation { psi, cutoff };
        self.generator.forward(self.z.clone(), &self.condition(), &noise, truncation)
    }
}

fn run(set: &str, heads: ConditionHeads) {
    let Some(case) = Case::open(set, heads) else { return };
    let generator = &case.generator;
    let truncated = |psi, cutoff| generator.ws_from_z(case.z.clone(), Truncation { psi, cutoff });
    case.expect("output.psi1.ws", truncated(1.0, None), 1.4e-5);
    case.expect("output.psi0.7.ws", truncated(0.7, None), 1e-5);
    case.expect("output.psi0.5_cutoff3.ws", truncated(0.5, Some(3)), 1.4e-5);

    let ws = truncated(1.0, None);
    for (index, styles) in generator.synthesis.styles(ws, &case.condition()).into_iter().enumerate() {
        let name = format!("output.psi1_const.styles.{index:02}");
        let scale = values(styles.clone()).iter().fold(0.0_f32, |m, v| m.max(v.abs()));
        case.expect(&name, styles, 5e-6 * scale);
    }

    case.expect("output.psi1_const.img", case.image(1.0, None, Noise::Constant), 5.8e-5);
    case.expect("output.psi1_none.img", case.image(1.0, None, Noise::Off), 5.1e-5);
    case.expect("output.psi0.7_const.img", case.image(0.7, None, Noise::Constant), 5.9e-5);
    case.expect("output.psi0.7_none.img", case.image(0.7, None, Noise::Off), 4e-5);
    case.expect("output.psi0.5_cutoff3.img", case.image(0.5, Some(3), Noise::Off), 4.5e-5);
    case.expect("output.train_mode.img", case.image(1.0, None, Noise::Constant), 5.8e-5);

    let zero = Tensor::zeros([2, 64], &cpu());
    case.expect("output.zero_z.ws", generator.ws_from_z(zero.clone(), Truncation::NONE), 5.2e-6);
    let image = generator.forward(zero, &case.condition(), &Noise::Constant, Truncation::NONE);
    case.expect("output.zero_z.img", image, 5.9e-5);

    let mut tracked = case.generator.clone();
    tracked.mapping.track_w_avg(tracked.mapping.forward(case.z.clone()));
    case.expect("output.train_mode.w_avg", tracked.mapping.w_avg(), 2.8e-6);
}

fn run_gradients(set: &str, heads: ConditionHeads) {
    let Some(case) = Case::open(set, heads) else { return };
    let cotangent = case.golden.tensor::<Diff, 4>("input.cotangent", &cpu());
    let ws = case.generator.ws_from_z(case.z.clone(), Truncation::NONE);
    let image = case.generator.synthesis.forward(ws.clone(), &case.condition(), &Noise::Constant);
    let mut gradients = (image * cotangent.clone()).sum().backward();
    let expect = |name: &str, actual: Vec<f32>, tolerance: f32| {
        assert_close(name, &actual, &case.golden.f32(name).0, tolerance);
    };
    expect("grad.z", values(case.z.grad(&gradients).unwrap()), 5e-6);
    expect("grad.fts", values(case.fts.grad(&gradients).unwrap()), 2.2e-5);
    let gradients = GradientsParams::from_module(&mut gradients, &case.generator);
    let by_path = gradients_by_path(&case.generator, &gradients);
    for (name, tolerance) in [
        ("synthesis.b4.const", 4.4e-6),
        ("synthesis.b8.conv0.weight", 2.1e-6),
        ("synthesis.b16.conv1.affine_0.bias", 7.8e-6),
        ("synthesis.b32.torgb.weight", 8.9e-6),
        ("synthesis.b16.conv0.noise_strength", 9.6e-6),
        ("synthesis.b8.conv1.pre_0.weight", 5.1e-9),
        ("synthesis.b8.conv1.pre_11.weight", 5.1e-9),
        ("mapping.fc0.weight", 3.1e-8),
    ] {
        let golden_name = format!("grad.{name}");
        if case.golden.has(&golden_name) {
            let path = generator_path(name);
            let gradient = by_path.get(&path).unwrap_or_else(|| panic!("no gradient of {path}"));
            expect(&golden_name, gradient.clone(), tolerance);
        }
    }

    let ws = ws.detach().require_grad();
    let image = case.generator.synthesis.forward(ws.clone(), &case.condition(), &Noise::Constant);
    let gradients = (image * cotangent).sum().backward();
    expect("grad.ws", values(ws.grad(&gradients).unwrap()), 2.2e-6);
}

#[test]
fn two_heads_forward() {
    run("generator_s4", ConditionHeads::TwoByMaximum);
}

#[test]
fn one_head_forward() {
    run("generator_s2", ConditionHeads::One);
}

#[test]
fn two_heads_gradients() {
    run_gradients("generator_s4", ConditionHeads::TwoByMaximum);
}

#[test]
fn one_head_gradients() {
    run_gradients("generator_s2", ConditionHeads::One);
}
