//! Losses of the mappers and the GAN's contrastive term against `losses.safetensors`: values and gradients.
//!
//! Catches: swapped softmax directions, wrong λ semantics, `exp` in the wrong form, wrong means, wrong signs.

use burn::module::Param;
use burn::tensor::Tensor;
use mindreader::data::targets::{TargetScaling, clamp_and_scale};
use mindreader::losses::adversarial::{loss_of_calling_fake, loss_of_calling_real};
use mindreader::losses::contrastive::{
    ContrastiveConfig, ContrastiveForm, contrast, contrastive_loss, squared_error_cosine_and_contrastive,
};
use mindreader::losses::regression::{cosine_distance, mean_squared_error, squared_error_and_cosine};
use mindreader::losses::vicreg::{VicregConfig, covariance, invariance, variance, vicreg};
use mindreader::models::mapper::EmbeddingCriticConfig;
use mindreader::tensor_ops::backend::{Base, Diff, cpu};
use mindreader::tensor_ops::similarity::unit_norm;
use mindreader::training::gan::condition_noise::perturb;

use crate::golden::{Golden, values};

type Pair = Tensor<Diff, 2>;

/// Compares `{set}.value` and the gradients of its mean that are stored.
fn check(golden: &Golden, set: &str, loss: impl Fn(Pair, Pair) -> Tensor<Diff, 1>) {
    let device = cpu();
    let pred = golden.tensor::<Diff, 2>("pred", &device).require_grad();
    let target = golden.tensor::<Diff, 2>("target", &device).require_grad();
    let result = loss(pred.clone(), target.clone());
    golden.expect(&format!("{set}.value"), &values(result.clone()));
    let gradients = result.mean().backward();
    for (part, tensor) in [("pred", pred), ("target", target)] {
        let name = format!("{set}.grad_{part}");
        if golden.has(&name) {
            golden.expect(&name, &values(tensor.grad(&gradients).unwrap()));
        }
    }
}

fn config(temperature: f64, row_share: f64) -> ContrastiveConfig {
    ContrastiveConfig { temperature, row_share, form: ContrastiveForm::Scaled }
}

#[test]
fn regression_losses_match() {
    let Some(golden) = Golden::open("losses") else { return };
    check(&golden, "mse", mean_squared_error);
    check(&golden, "cos", cosine_distance);
    check(&golden, "mse_cos_w0.5", |p, t| squared_error_and_cosine(p, t, 0.5));
    check(&golden, "mse_cos_w0.6", |p, t| squared_error_and_cosine(p, t, 0.6));
}

#[test]
fn contrastive_losses_of_the_mappers_match() {
    let Some(golden) = Golden::open("losses") else { return };
    for (set, temperature, row_share) in [
        ("contrastive_t0.5_lam0.5", 0.5, 0.5),
        ("contrastive_t0.5_lam1", 0.5, 1.0),
        ("contrastive_t0.5_lam0", 0.5, 0.0),
        ("contrastive_t0.5_lam0.6_quirk", 0.5, 0.6),
        ("contrastive_t0", 0.0, 0.5),
    ] {
        let config = config(temperature, row_share);
        check(&golden, set, |p, t| contrastive_loss(p, t, &config));
    }
    let config = ContrastiveConfig::default();
    for (set, cosine_weight) in [("mse_cos_contrastive_w0.5", 0.5), ("mse_cos_contrastive_w0.6", 0.6)] {
        check(&golden, set, |p, t| squared_error_cosine_and_contrastive(p, t, cosine_weight, 0.5, &config));
    }
}

#[test]
fn contrast_of_the_gan_matches_in_both_forms() {
    let Some(golden) = Golden::open("losses") else { return };
    for (set, temperature, row_share) in [
        ("gan_contra_t0.5_lam0.5", 0.5, 0.5),
        ("gan_contra_t0.5_lam0.0", 0.5, 0.0),
        ("gan_contra_t0.5_lam1.0", 0.5, 1.0),
        ("gan_contra_t1.0_lam0.5", 1.0, 0.5),
        ("gan_contra_t0.1_lam0.5", 0.1, 0.5),
        ("gan_contra_t0", 0.0, 0.5),
    ] {
        let config = config(temperature, row_share);
        check(&golden, set, |a, b| contrast(a, b, &config));
    }
    // The stored value of the Lafite form has the sign of a loss.
    let lafite = ContrastiveConfig { form: ContrastiveForm::LafiteExp, ..config(0.5, 0.5) };
    check(&golden, "lafite_exp_t0.5_lam0.5", |a, b| contrast(a, b, &lafite).neg());
}

#[test]
fn the_joint_loss_of_end_to_end_finetuning_matches() {
    let Some(golden) = Golden::open("losses") else { return };
    for (set, row_share) in [("gan_mse_cos_contra_t0.5_lam0.5", 0.5), ("gan_mse_cos_contra_t0.5_lam0", 0.0)] {
        let config = config(0.5, row_share);
        // 0.2 · MSE + 0.3 · cosine − 0.5 · C
        check(&golden, set, |p, t| {
            let contrast = contrast(p.clone(), t.clone(), &config).mean();
            mean_squared_error(p.clone(), t.clone()) * 0.2 + cosine_distance(p, t) * 0.3 - contrast * 0.5
        });
    }
}

#[test]
fn vicreg_and_its_terms_match() {
    let Some(golden) = Golden::open("losses") else { return };
    let device = cpu();
    let config = VicregConfig::default();
    type Loss<'a> = &'a dyn Fn(Pair, Pair) -> Tensor<Diff, 1>;
    let cases: [(&str, Loss); 4] = [
        ("vicreg", &|a, b| vicreg(a, b, &config)),
        ("vicreg_inv", &invariance),
        ("vicreg_var", &|a, b| variance(a, b, config.epsilon)),
        ("vicreg_cov", &covariance),
    ];
    for (set, loss) in cases {
        let z1 = golden.tensor::<Diff, 2>("vicreg.z1", &device).require_grad();
        let z2 = golden.tensor::<Diff, 2>("vicreg.z2", &device).require_grad();
        let result = loss(z1.clone(), z2.clone());
        golden.expect(&format!("{set}.value"), &values(result.clone()));
        let gradients = result.backward();
        for (part, tensor) in [("z1", z1), ("z2", z2)] {
            golden.expect(&format!("{set}.grad_{part}"), &values(tensor.grad(&gradients).unwrap()));
        }
    }
}

#[test]
fn clamped_and_scaled_targets_match() {
    let Some(golden) = Golden::open("losses") else { return };
    let (raw, shape) = golden.f32("clamp.raw");
    let scaled = |threshold: f32, scaling: TargetScaling| -> Vec<f32> {
        let mut rows = raw.clone();
        rows.chunks_exact_mut(shape[1]).for_each(|row| clamp_and_scale(row, threshold, scaling));
        rows
    };
    // The clamp alone: 0..1 of the clamped range, undone.
    let clamped: Vec<f32> =
        scaled(1.5, TargetScaling::ZeroToOne).iter().map(|share| share * 3.0 - 1.5).collect();
    golden.expect("clamp.thresholded", &clamped);
    golden.expect("clamp.normalised", &scaled(1.5, TargetScaling::UnitNorm));
    golden.expect("clamp.clip_std", &scaled(1.5, TargetScaling::Standardise));
    golden.expect("clamp.clip_01", &scaled(1.5, TargetScaling::ZeroToOne));
}

#[test]
fn perturbed_conditions_match() {
    let Some(golden) = Golden::open("losses") else { return };
    let tensor = |name: &str| golden.tensor::<Base, 2>(name, &cpu());
    let noise = tensor("perturb.noise");
    golden.expect("perturb.cond", &values(perturb(tensor("pred"), noise.clone(), 0.1)));
    let pseudo = perturb(unit_norm(tensor("target")), noise, 0.75);
    golden.expect("perturb.pseudo", &values(pseudo));
}

#[test]
fn the_auxiliary_discriminator_matches() {
    let Some(golden) = Golden::open("losses") else { return };
    let config = EmbeddingCriticConfig { embed_dim: 32, hidden: [16, 8] };
    let mut critic = config.init::<Diff>(0, &cpu());
    for (index, layer) in critic.layers.iter_mut().enumerate() {
        let name = |part: &str| format!("auxd.layers.{}.{part}", 2 * index);
        layer.weight = Param::from_tensor(golden.tensor(&name("weight"), &cpu()));
        layer.bias = Param::from_tensor(golden.tensor(&name("bias"), &cpu()));
    }
    let target = golden.tensor::<Diff, 2>("target", &cpu());
    let pred = golden.tensor::<Diff, 2>("pred", &cpu()).require_grad();
    let of_target = critic.forward(target);
    let of_pred = critic.forward(pred.clone().detach());
    golden.expect("auxd_out.logits_target", &values(of_target.clone()));
    golden.expect("auxd_out.logits_pred", &values(of_pred.clone()));
    let error = loss_of_calling_real(of_target).mean() + loss_of_calling_fake(of_pred).mean();
    golden.expect("auxd_out.errD", &values(error.clone()));
    let gradients = error.backward();
    for index in [0, 2] {
        let gradient = critic.layers[index].weight.grad(&gradients).unwrap();
        golden.expect(&format!("auxd_out.errD_grad.layers.{}.weight", 2 * index), &values(gradient));
    }
    golden
        .expect("auxd_out.errD_grad.layers.2.bias", &values(critic.layers[1].bias.grad(&gradients).unwrap()));
    let error = loss_of_calling_real(critic.forward(pred.clone())).mean();
    golden.expect("auxd_out.errG", &values(error.clone()));
    golden.expect("auxd_out.errG_grad_pred", &values(pred.grad(&error.backward()).unwrap()));
}
