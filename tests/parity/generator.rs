//! The generator against `generator_s4` and `generator_s2`: styles, images, truncation, gradients.
//!
//! Catches: w handed to the wrong layer, code and w swapped in the style's input, toRGB without its gain,
//! noise before demodulation, a skip image resampled off centre. Tolerances are the manifest's.

use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use mindreader::models::stylegan2::{Condition, ConditionHeads, Generator, Noise, Truncation};
use mindreader::tensor_ops::backend::{Diff, cpu};

use crate::golden::{Golden, values};
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

    fn expect<const D: usize>(&self, name: &str, actual: Tensor<Diff, D>) {
        self.golden.expect(name, &values(actual));
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
    case.expect("output.psi1.ws", truncated(1.0, None));
    case.expect("output.psi0.7.ws", truncated(0.7, None));
    case.expect("output.psi0.5_cutoff3.ws", truncated(0.5, Some(3)));

    let ws = truncated(1.0, None);
    for (index, styles) in generator.synthesis.styles(ws, &case.condition()).into_iter().enumerate() {
        let name = format!("output.psi1_const.styles.{index:02}");
        case.expect(&name, styles);
    }

    case.expect("output.psi1_const.img", case.image(1.0, None, Noise::Constant));
    case.expect("output.psi1_none.img", case.image(1.0, None, Noise::Off));
    case.expect("output.psi0.7_const.img", case.image(0.7, None, Noise::Constant));
    case.expect("output.psi0.7_none.img", case.image(0.7, None, Noise::Off));
    case.expect("output.psi0.5_cutoff3.img", case.image(0.5, Some(3), Noise::Off));
    case.expect("output.train_mode.img", case.image(1.0, None, Noise::Constant));

    let zero = Tensor::zeros([2, 64], &cpu());
    case.expect("output.zero_z.ws", generator.ws_from_z(zero.clone(), Truncation::NONE));
    let image = generator.forward(zero, &case.condition(), &Noise::Constant, Truncation::NONE);
    case.expect("output.zero_z.img", image);

    let mut tracked = case.generator.clone();
    tracked.mapping.track_w_avg(tracked.mapping.forward(case.z.clone()));
    case.expect("output.train_mode.w_avg", tracked.mapping.w_avg());
}

fn run_gradients(set: &str, heads: ConditionHeads) {
    let Some(case) = Case::open(set, heads) else { return };
    let cotangent = case.golden.tensor::<Diff, 4>("input.cotangent", &cpu());
    let ws = case.generator.ws_from_z(case.z.clone(), Truncation::NONE);
    let image = case.generator.synthesis.forward(ws.clone(), &case.condition(), &Noise::Constant);
    let mut gradients = (image * cotangent.clone()).sum().backward();
    let expect = |name: &str, actual: Vec<f32>| case.golden.expect(name, &actual);
    expect("grad.z", values(case.z.grad(&gradients).unwrap()));
    expect("grad.fts", values(case.fts.grad(&gradients).unwrap()));
    let gradients = GradientsParams::from_module(&mut gradients, &case.generator);
    let by_path = gradients_by_path(&case.generator, &gradients);
    let mut compared = 0;
    for name in case.golden.names().iter().filter_map(|name| name.strip_prefix("grad.")) {
        if !name.starts_with("synthesis.") && !name.starts_with("mapping.") {
            continue;
        }
        let path = generator_path(name);
        let gradient = by_path.get(&path).unwrap_or_else(|| panic!("no gradient of {path}"));
        expect(&format!("grad.{name}"), gradient.clone());
        compared += 1;
    }
    assert!(compared >= 7, "only {compared} gradients compared");

    let ws = ws.detach().require_grad();
    let image = case.generator.synthesis.forward(ws.clone(), &case.condition(), &Noise::Constant);
    let gradients = (image * cotangent).sum().backward();
    expect("grad.ws", values(ws.grad(&gradients).unwrap()));
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
