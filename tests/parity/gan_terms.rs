//! Phases of the GAN training against `gan_terms_s4` and `gan_terms_s2`: losses and parameter gradients.
//!
//! Catches: a halved weight where none belongs, a perturbed condition in one network and not in the other,
//! R1 without the batch-summed term, a path-length mean cut out of the gradient, approximate second-order
//! gradients. Tolerances: the manifest's rule, twenty times PyTorch's own f32 error, per phase.

use std::collections::BTreeMap;

use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use mindreader::losses::contrastive::ContrastiveConfig;
use mindreader::models::stylegan2::{
    Condition, ConditionHeads, Discriminator, Generator, HeadNormalisation, Noise, ProjectionTerm, Truncation,
};
use mindreader::tensor_ops::backend::{Base, Diff, cpu};
use mindreader::training::gan::condition_noise::perturb;
use mindreader::training::gan::loss::{
    GanLossConfig, GeneratorView, discriminator_fake_loss, discriminator_real_loss, generator_loss,
};
use mindreader::training::gan::regularizers::path_length::{path_length_penalty, path_lengths, slope_in_ws};
use mindreader::training::gan::regularizers::r1::{r1_penalty, slope_in_pixels};

use crate::golden::{Golden, values};
use crate::stylegan2_weights::{
    discriminator_config, discriminator_path, generator_path, golden_discriminator, golden_generator,
    gradients_by_path, norm,
};

const R1_GAMMA: f64 = 0.8192;
const R1_INTERVAL: f64 = 16.0;
const PATH_LENGTH_WEIGHT: f64 = 2.0;
const PATH_LENGTH_INTERVAL: f64 = 4.0;

struct Case {
    golden: Golden,
    generator: Generator<Diff>,
    discriminator: Discriminator<Diff>,
    /// Perturbed, as both networks see it.
    condition: Condition<Diff>,
}

impl Case {
    fn open(heads: ConditionHeads) -> Option<Self> {
        let suffix = if heads == ConditionHeads::One { "s2" } else { "s4" };
        let golden = Golden::open(&format!("gan_terms_{suffix}"))?;
        let generator = golden_generator(heads)?;
        let config = discriminator_config(heads, HeadNormalisation::UnitNorm, ProjectionTerm::BatchSum);
        let discriminator = golden_discriminator(&format!("discriminator_{suffix}"), &config)?;
        let head = |index: usize| {
            let t = golden.tensor::<Diff, 2>(&format!("input.fts{index}"), &cpu());
            let noise = golden.tensor::<Diff, 2>(&format!("input.cond_noise{index}"), &cpu());
            perturb(t, noise, 0.1)
        };
        let condition = match heads {
            ConditionHeads::TwoByMaximum => Condition::two(head(1), head(2)),
            _ => Condition::one(head(1)),
        };
        Some(Self { golden, generator, discriminator, condition })
    }

    fn tensor<const D: usize>(&self, name: &str) -> Tensor<Diff, D> {
        self.golden.tensor::<Diff, D>(name, &cpu())
    }

    fn fake(&self) -> Tensor<Diff, 4> {
        self.generator.forward(
            self.tensor::<2>("input.z"),
            &self.condition,
            &Noise::Constant,
            Truncation::NONE,
        )
    }

    /// Every gradient of a phase that the set holds, and the norm of all of them.
    fn expect_gradients(
        &self,
        phase: &str,
        by_path: &BTreeMap<String, Vec<f32>>,
        path: impl Fn(&str) -> String,
    ) {
        let prefix = format!("{phase}.grad.");
        let names = self.golden.names();
        let names: Vec<&String> = names.iter().filter(|name| name.starts_with(&prefix)).collect();
        assert!(names.len() >= 4, "{phase}: the set holds its gradients");
        for name in names {
            let path = path(name.strip_prefix(&prefix).unwrap());
            let (expected, _) = self.golden.f32(name);
            match by_path.get(&path) {
                Some(gradient) => self.golden.expect(name, gradient),
                // Path length does not reach the last bias.
                None => self.golden.expect(name, &vec![0.0; expected.len()]),
            }
        }
        self.golden.expect(&format!("{phase}.grad_norm_all"), &[norm(by_path)]);
    }
}

fn losses(row_share: f64, semantic_condition_weight: f64) -> GanLossConfig {
    GanLossConfig {
        contrastive: ContrastiveConfig { row_share, ..ContrastiveConfig::default() },
        clip_condition_weight: 0.0,
        semantic_condition_weight,
        ..GanLossConfig::default()
    }
}

/// (name of the phase's variant, λ, itd)
const VARIANTS: [(&str, f64, f64); 3] = [("", 0.5, 10.0), ("_lam0", 0.0, 10.0), ("_itd0", 0.5, 0.0)];

fn generator_main(heads: ConditionHeads) {
    let Some(case) = Case::open(heads) else { return };
    for (suffix, row_share, weight) in VARIANTS {
        let phase = format!("gmain{suffix}");
        let fake = case.discriminator.forward(case.fake(), &case.condition);
        if case.golden.has(&format!("{phase}.scores_fake")) {
            case.golden.expect(&format!("{phase}.scores_fake"), &values(fake.score.clone()));
        }
        let view = GeneratorView {
            fake: &fake,
            condition: &case.condition,
            clip_embedding: None,
            real_clip_embedding: None,
            real_semantic_embeddings: vec![],
            low_level: None,
            real_low_level: None,
            second_low_level: None,
        };
        let loss = generator_loss(&view, &losses(row_share, weight));
        case.golden.expect(&format!("{phase}.G_loss"), &values(loss.clone()));
        let gradients = GradientsParams::from_grads(loss.mean().backward(), &case.generator);
        let by_path = gradients_by_path(&case.generator, &gradients);
        case.expect_gradients(&phase, &by_path, generator_path);
    }
}

fn discriminator_main(heads: ConditionHeads) {
    let Some(case) = Case::open(heads) else { return };
    let fake_image = case.fake().detach();
    for (suffix, row_share, weight) in VARIANTS {
        let phase = format!("dmain{suffix}");
        let fake = case.discriminator.forward(fake_image.clone(), &case.condition);
        let real = case.discriminator.forward(case.tensor::<4>("input.real_img"), &case.condition);
        for (name, score) in [("scores_fake", &fake.score), ("scores_real", &real.score)] {
            let name = format!("{phase}.{name}");
            if case.golden.has(&name) {
                case.golden.expect(&name, &values(score.clone()));
            }
        }
        let real = discriminator_real_loss(&real, &case.condition, &losses(row_share, weight));
        let loss = discriminator_fake_loss(&fake) + real;
        case.golden.expect(&format!("{phase}.D_loss"), &values(loss.clone()));
        let gradients = GradientsParams::from_grads(loss.mean().backward(), &case.discriminator);
        let by_path = gradients_by_path(&case.discriminator, &gradients);
        case.expect_gradients(&phase, &by_path, discriminator_path);
    }
}

fn discriminator_r1(heads: ConditionHeads) {
    let Some(case) = Case::open(heads) else { return };
    let condition: Condition<Base> = case.condition.clone().map(Tensor::inner);
    let real = case.golden.tensor::<Base, 4>("input.real_img", &cpu());
    let slope = slope_in_pixels(&case.discriminator, real.clone(), &condition, None);
    case.golden.expect("r1.first_order_grad", &values(slope.gradient));
    let r1 = r1_penalty(&case.discriminator, real, &condition, None);
    case.golden.expect("r1.scores_real", &values(r1.score.clone()));
    case.golden.expect("r1.r1_penalty", &values(r1.squared_norms.clone()));
    let per_sample = r1.squared_norms.clone().mul_scalar(R1_GAMMA / 2.0);
    case.golden.expect("r1.D_reg", &values(per_sample));
    let loss = r1.loss(R1_GAMMA).mul_scalar(R1_INTERVAL);
    let gradients = GradientsParams::from_grads(loss.backward(), &case.discriminator);
    let by_path = gradients_by_path(&case.discriminator, &gradients);
    case.expect_gradients("r1", &by_path, discriminator_path);
}

fn generator_path_length(heads: ConditionHeads) {
    let Some(case) = Case::open(heads) else { return };
    let condition: Condition<Base> = case.condition.clone().map(|t| t.inner().narrow(0, 0, 2));
    let z = case.tensor::<2>("input.z").narrow(0, 0, 2);
    let direction = case.golden.tensor::<Base, 4>("input.pl_noise", &cpu());
    let ws = case.generator.ws_from_z(z, Truncation::NONE);
    let noise = Noise::Constant;
    let slope = slope_in_ws(&case.generator, ws.clone(), &condition, &noise, direction.clone());
    case.golden.expect("pl.first_order_grad", &values(slope));
    let lengths = path_lengths(&case.generator, ws, &condition, &noise, direction);
    case.golden.expect("pl.lengths", &values(lengths.clone()));
    let mean_before = f64::from(case.golden.scalar("input.pl_mean"));
    let result = path_length_penalty(lengths, mean_before, 0.01);
    case.golden.expect("pl.mean_after", &values(result.mean_after.clone()));
    case.golden.expect("pl.pl_penalty", &values(result.penalty.clone()));
    let weighted = result.penalty.mul_scalar(PATH_LENGTH_WEIGHT);
    case.golden.expect("pl.G_reg", &values(weighted.clone()));
    let loss = weighted.mean().mul_scalar(PATH_LENGTH_INTERVAL);
    let gradients = GradientsParams::from_grads(loss.backward(), &case.generator);
    let by_path = gradients_by_path(&case.generator, &gradients);
    case.expect_gradients("pl", &by_path, generator_path);
}

#[test]
fn two_heads_generator_main() {
    generator_main(ConditionHeads::TwoByMaximum);
}

#[test]
fn one_head_generator_main() {
    generator_main(ConditionHeads::One);
}

#[test]
fn two_heads_discriminator_main() {
    discriminator_main(ConditionHeads::TwoByMaximum);
}

#[test]
fn one_head_discriminator_main() {
    discriminator_main(ConditionHeads::One);
}

#[test]
fn two_heads_r1() {
    discriminator_r1(ConditionHeads::TwoByMaximum);
}

#[test]
fn one_head_r1() {
    discriminator_r1(ConditionHeads::One);
}

#[test]
fn two_heads_path_length() {
    generator_path_length(ConditionHeads::TwoByMaximum);
}

#[test]
fn one_head_path_length() {
    generator_path_length(ConditionHeads::One);
}
