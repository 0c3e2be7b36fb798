//! Time of a training step of the paper's mapper on the CPU: forward, backward, Adam.
//!
//! `cargo bench --bench mapper -- FOLDER`; `MAPPER_BATCH` (32) samples a step. Weights, input, output and gradients are
//! written to FOLDER, see `scripts/bench.py`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, missing_docs)]

mod turns;

use std::time::Instant;

use burn::optim::{GradientsParams, Optimizer};
use burn::tensor::Tensor;
use mindreader::models::mapper::{Mapper, MapperConfig};
use mindreader::run::snapshot::{MAPPER_KIND, save_snapshot};
use mindreader::tensor_ops::backend::{Diff, cpu};
use mindreader::tensor_ops::random::{keyed_rng, normal};
use mindreader::training::optimiser::OptimiserConfig;

fn loss(mapper: &Mapper<Diff>, betas: &Tensor<Diff, 2>, targets: &Tensor<Diff, 2>) -> Tensor<Diff, 1> {
    (mapper.forward(betas.clone()) - targets.clone()).powi_scalar(2).mean()
}

fn main() {
    let device = cpu();
    let batch: usize = std::env::var("MAPPER_BATCH").map_or(32, |batch| batch.parse().unwrap());
    let config = MapperConfig::default();
    let mut mapper = config.init::<Diff>(1, &device).unwrap();
    let betas: Tensor<Diff, 2> = normal([batch, config.signal_len], &mut keyed_rng(2, "betas", 0), &device);
    let targets: Tensor<Diff, 2> =
        normal([batch, config.embed_dim], &mut keyed_rng(2, "targets", 0), &device);
    if let Some(folder) = turns::folder() {
        std::fs::create_dir_all(&folder).unwrap();
        let weights = folder.join("mapper.safetensors");
        save_snapshot(&weights, MAPPER_KIND, &config, &"random".into(), &mapper).unwrap();
        let gradients = loss(&mapper, &betas, &targets).backward();
        let first = mapper.down[0].weight.val().grad(&gradients).unwrap();
        let inner = mapper.blocks[1].conv2.weight.val().grad(&gradients).unwrap();
        let head = mapper.head.hidden.weight.val().grad(&gradients).unwrap();
        let bias = mapper.lift.bias.val().grad(&gradients).unwrap();
        let output = mapper.forward(betas.clone());
        let arrays = [
            ("betas", betas.dims().to_vec(), betas.to_data()),
            ("targets", targets.dims().to_vec(), targets.to_data()),
            ("embeddings", output.dims().to_vec(), output.to_data()),
            ("grad down.0.weight", first.dims().to_vec(), first.to_data()),
            ("grad blocks.1.conv2.weight", inner.dims().to_vec(), inner.to_data()),
            ("grad head.hidden.weight", head.dims().to_vec(), head.to_data()),
            ("grad lift.bias", bias.dims().to_vec(), bias.to_data()),
        ];
        let arrays =
            arrays.each_ref().map(|(name, shape, data)| (*name, shape.clone(), data.as_slice().unwrap()));
        turns::write_arrays(&folder.join("mapper.io.safetensors"), &arrays);
    }
    let optimiser_config = OptimiserConfig::default();
    let mut optimiser = optimiser_config.init();
    turns::serve(|| {
        let start = Instant::now();
        let loss = loss(&mapper, &betas, &targets);
        let forward = start.elapsed().as_secs_f64();
        let gradients = GradientsParams::from_grads(loss.backward(), &mapper);
        let backward = start.elapsed().as_secs_f64() - forward;
        mapper = optimiser.step(optimiser_config.learning_rate, mapper.clone(), gradients);
        let adam = start.elapsed().as_secs_f64() - forward - backward;
        vec![("forward", forward), ("backward", backward), ("adam", adam)]
    });
}
