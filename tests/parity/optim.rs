//! Adam with coupled weight decay, the average's weight and the learning rate against `optim.safetensors`.
//!
//! Catches: decoupled decay, ε inside the root, a wrong bias correction, a decay one epoch early.

use burn::module::{Module, Param};
use burn::optim::decay::WeightDecayConfig;
use burn::optim::{AdamConfig, GradientsParams, Optimizer};
use burn::tensor::{Tensor, backend::Backend};
use mindreader::tensor_ops::backend::{Diff, cpu};
use mindreader::training::frame::ema::ema_beta;
use mindreader::training::frame::schedule::StepDecay;

use crate::golden::{Golden, values};

#[derive(Module, Debug)]
struct Parameter<B: Backend> {
    p: Param<Tensor<B, 2>>,
}

fn trajectory(golden: &Golden, set: &str, rate: f64, betas: (f32, f32), decay: f32) -> Vec<f32> {
    let device = cpu();
    let config = AdamConfig::new()
        .with_beta_1(betas.0)
        .with_beta_2(betas.1)
        .with_epsilon(1e-8)
        .with_weight_decay((decay > 0.0).then(|| WeightDecayConfig::new(decay)));
    let mut adam = config.init::<Diff, Parameter<Diff>>();
    let start = golden.tensor::<Diff, 2>(&format!("{set}.p0"), &device);
    let mut module = Parameter { p: Param::from_tensor(start) };
    let gradients = golden.tensor::<Diff, 3>(&format!("{set}.grads"), &device);
    let mut path = Vec::new();
    for step in 0..5 {
        let gradient: Tensor<Diff, 2> = gradients.clone().slice([step..step + 1]).squeeze_dim(0);
        // The gradient of ⟨g, p⟩ is g.
        let loss = (module.p.val() * gradient).sum();
        let gradients = GradientsParams::from_grads(loss.backward(), &module);
        module = adam.step(rate, module, gradients);
        path.extend(values(module.p.val()));
    }
    path
}

#[test]
fn adam_follows_the_golden_trajectories() {
    let Some(golden) = Golden::open("optim") else { return };
    for (set, rate, betas, decay) in [
        ("mapper", 2e-4, (0.9, 0.999), 1e-5),
        ("mapper_big_wd", 2e-4, (0.9, 0.999), 0.1),
        ("gan_G", 0.002, (0.0, 0.991_992), 0.0),
        ("gan_D", 0.002_352_941_2, (0.0, 0.990_585_45), 0.0),
    ] {
        golden.expect(&format!("{set}.trajectory"), &trajectory(&golden, set, rate, betas, decay));
    }
}

#[test]
fn the_averages_weight_and_the_learning_rate_match() {
    let Some(golden) = Golden::open("optim") else { return };
    let (table, _) = golden.f32("ema.table");
    let mut ours = Vec::new();
    for row in table.chunks_exact(5) {
        let rampup = (row[3] >= 0.0).then_some(f64::from(row[3]));
        let beta = ema_beta(row[1] as usize, f64::from(row[2]), row[0] as u64, rampup);
        ours.extend([row[0], row[1], row[2], row[3], beta as f32]);
    }
    golden.expect("ema.table", &ours);
    let (rates, _) = golden.f32("mapper_lr.per_epoch");
    let decay = StepDecay::default();
    let ours: Vec<f32> = (0..rates.len()).map(|epoch| decay.learning_rate(2e-4, epoch) as f32).collect();
    golden.expect("mapper_lr.per_epoch", &ours);
}
