//! Losses of the mappers and the GAN's contrastive term against `losses.safetensors`: values and gradients.
//!
//! Catches: swapped softmax directions, wrong λ semantics, `exp` in the wrong form, wrong means, wrong signs.

use burn::tensor::Tensor;
use mindreader::losses::contrastive::{
    ContrastiveConfig, ContrastiveForm, contrast, contrastive_loss, squared_error_cosine_and_contrastive,
};
use mindreader::losses::regression::{cosine_distance, mean_squared_error, squared_error_and_cosine};
use mindreader::losses::vicreg::{VicregConfig, covariance, invariance, variance, vicreg};
use mindreader::tensor_ops::backend::{Diff, cpu};

use crate::golden::{Golden, assert_close, values};

type Pair = Tensor<Diff, 2>;

/// Compares `{set}.value` and the gradients of its mean that are stored, at MANIFEST's tolerances.
fn check(
    golden: &Golden,
    set: &str,
    [value, grad_pred, grad_target]: [f32; 3],
    loss: impl Fn(Pair, Pair) -> Tensor<Diff, 1>,
) {
    let device = cpu();
    let pred = golden.tensor::<Diff, 2>("pred", &device).require_grad();
    let target = golden.tensor::<Diff, 2>("target", &device).require_grad();
    let result = loss(pred.clone(), target.clone());
    assert_close(
        &format!("{set}.value"),
        &values(result.clone()),
        &golden.f32(&format!("{set}.value")).0,
        value,
    );
    let gradients = result.mean().backward();
    for (part, tensor, tolerance) in [("pred", pred, grad_pred), ("target", target, grad_target)] {
        let name = format!("{set}.grad_{part}");
        if golden.has(&name) {
            let gradient = values(tensor.grad(&gradients).unwrap());
            assert_close(&name, &gradient, &golden.f32(&name).0, tolerance);
        }
    }
}

fn config(temperature: f64, row_share: f64) -> ContrastiveConfig {
    ContrastiveConfig { temperature, row_share, form: ContrastiveForm::Scaled }
}

/// No gradient with respect to the target is stored.
const NONE: f32 = 0.0;

#[test]
fn regression_losses_match() {
    let Some(golden) = Golden::open("losses") else { return };
    check(&golden, "mse", [5.3e-8, 1.1e-8, NONE], mean_squared_error);
    check(&golden, "cos", [8.6e-7, 1.8e-7, NONE], cosine_distance);
    check(&golden, "mse_cos_w0.5", [5.1e-7, 9.6e-8, NONE], |p, t| squared_error_and_cosine(p, t, 0.5));
    check(&golden, "mse_cos_w0.6", [9.4e-7, 1.1e-7, NONE], |p, t| squared_error_and_cosine(p, t, 0.6));
}

#[test]
fn contrastive_losses_of_the_mappers_match() {
    let Some(golden) = Golden::open("losses") else { return };
    for (set, temperature, row_share, tolerances) in [
        ("contrastive_t0.5_lam0.5", 0.5, 0.5, [2e-6, 3.7e-7, 3.9e-7]),
        ("contrastive_t0.5_lam1", 0.5, 1.0, [2e-6, 3.4e-7, NONE]),
        ("contrastive_t0.5_lam0", 0.5, 0.0, [2e-6, 5.1e-7, NONE]),
        ("contrastive_t0.5_lam0.6_quirk", 0.5, 0.6, [2e-6, 3e-7, NONE]),
        ("contrastive_t0", 0.0, 0.5, [1.2e-6, 1.9e-7, NONE]),
    ] {
        let config = config(temperature, row_share);
        check(&golden, set, tolerances, |p, t| contrastive_loss(p, t, &config));
    }
    let config = ContrastiveConfig::default();
    for (set, cosine_weight, tolerances) in [
        ("mse_cos_contrastive_w0.5", 0.5, [1.2e-6, 3.1e-7, NONE]),
        ("mse_cos_contrastive_w0.6", 0.6, [1.7e-6, 2.6e-7, NONE]),
    ] {
        check(&golden, set, tolerances, |p, t| {
            squared_error_cosine_and_contrastive(p, t, cosine_weight, 0.5, &config)
        });
    }
}

#[test]
fn contrast_of_the_gan_matches_in_both_forms() {
    let Some(golden) = Golden::open("losses") else { return };
    for (set, temperature, row_share, tolerances) in [
        ("gan_contra_t0.5_lam0.5", 0.5, 0.5, [4e-6, 3.7e-7, 2.5e-7]),
        ("gan_contra_t0.5_lam0.0", 0.5, 0.0, [4.1e-6, 5.1e-7, 5e-7]),
        ("gan_contra_t0.5_lam1.0", 0.5, 1.0, [3.8e-6, 3.4e-7, 3.1e-7]),
        ("gan_contra_t1.0_lam0.5", 1.0, 0.5, [3e-6, 2.1e-7, 2.2e-7]),
        ("gan_contra_t0.1_lam0.5", 0.1, 0.5, [5.7e-6, 1.9e-6, 1.4e-6]),
        ("gan_contra_t0", 0.0, 0.5, [1.7e-6, 1.9e-7, NONE]),
    ] {
        let config = config(temperature, row_share);
        check(&golden, set, tolerances, |a, b| contrast(a, b, &config));
    }
    // The stored value of the Lafite form has the sign of a loss.
    let lafite = ContrastiveConfig { form: ContrastiveForm::LafiteExp, ..config(0.5, 0.5) };
    check(&golden, "lafite_exp_t0.5_lam0.5", [3.5e-6, 1.1e-6, NONE], |a, b| contrast(a, b, &lafite).neg());
}

#[test]
fn the_joint_loss_of_end_to_end_finetuning_matches() {
    let Some(golden) = Golden::open("losses") else { return };
    for (set, row_share, tolerances) in [
        ("gan_mse_cos_contra_t0.5_lam0.5", 0.5, [2e-6, 2.2e-7, NONE]),
        ("gan_mse_cos_contra_t0.5_lam0", 0.0, [2e-6, 4e-7, NONE]),
    ] {
        let config = config(0.5, row_share);
        // 0.2 · MSE + 0.3 · cosine − 0.5 · C
        check(&golden, set, tolerances, |p, t| {
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
    let cases: [(&str, [f32; 3], Loss); 4] = [
        ("vicreg", [2.6e-5, 1.5e-6, 1.8e-6], &|a, b| vicreg(a, b, &config)),
        ("vicreg_inv", [4.9e-7, 5.5e-8, 5.5e-8], &invariance),
        ("vicreg_var", [4.2e-7, 3.3e-8, 2.6e-8], &|a, b| variance(a, b, config.epsilon)),
        ("vicreg_cov", [3.4e-6, 2.5e-7, 4.3e-7], &covariance),
    ];
    for (set, [value, grad_z1, grad_z2], loss) in cases {
        let z1 = golden.tensor::<Diff, 2>("vicreg.z1", &device).require_grad();
        let z2 = golden.tensor::<Diff, 2>("vicreg.z2", &device).require_grad();
        let result = loss(z1.clone(), z2.clone());
        let name = format!("{set}.value");
        assert_close(&name, &values(result.clone()), &golden.f32(&name).0, value);
        let gradients = result.backward();
        for (part, tensor, tolerance) in [("z1", z1, grad_z1), ("z2", z2, grad_z2)] {
            let name = format!("{set}.grad_{part}");
            assert_close(&name, &values(tensor.grad(&gradients).unwrap()), &golden.f32(&name).0, tolerance);
        }
    }
}
