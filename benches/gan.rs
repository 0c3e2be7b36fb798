//! Time of the phases of a GAN training on the CPU: generator, path length, discriminator, R1, and a step of all with
//! their intervals (4 and 16).
//!
//! `cargo bench --bench gan`; `GAN_RESOLUTION` (64), `GAN_CHANNEL_BASE` (1024), `GAN_CHANNEL_MAX` (64) and `GAN_BATCH` (16)
//! choose the networks, `GAN_TURNS` (3) how often each phase runs; the fastest turn counts, with the processor time of all
//! threads in it. The peak of the process's memory follows.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, missing_docs)]
// Of `turns`, only the clock is used.
#![allow(dead_code)]

mod turns;

use std::time::Instant;

use burn::tensor::Tensor;
use mindreader::models::stylegan2::{Condition, ConditionHeads, Discriminator, GanSizes, Generator};
use mindreader::tensor_ops::backend::{Base, Diff, cpu};
use mindreader::tensor_ops::random::{keyed_rng, normal};
use mindreader::tensor_ops::similarity::unit_norm;
use mindreader::training::gan::config::GanTrainConfig;
use mindreader::training::gan::dataset::GanBatch;
use mindreader::training::gan::gradients::make_finite;
use mindreader::training::gan::loss::GanLossConfig;
use mindreader::training::gan::step::phases::{Phase, PhaseContext};

const EMBED_DIM: usize = 64;

fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |value| value.parse().unwrap())
}

fn main() {
    let device = cpu();
    let batch_size = setting("GAN_BATCH", 16);
    let sizes = GanSizes {
        resolution: setting("GAN_RESOLUTION", 64),
        heads: ConditionHeads::TwoByMaximum,
        z_dim: setting("GAN_W_DIM", 64),
        w_dim: setting("GAN_W_DIM", 64),
        code_dim: setting("GAN_W_DIM", 64),
        mapping_layers: 4,
        channel_base: setting("GAN_CHANNEL_BASE", 1024),
        channel_max: setting("GAN_CHANNEL_MAX", 64),
        ..GanSizes::default()
    };
    let (generator_config, discriminator_config) = sizes.configs(EMBED_DIM);
    let generator: Generator<Diff> = generator_config.init(1, &device).unwrap();
    let discriminator: Discriminator<Diff> = discriminator_config.init(2, &device).unwrap();
    let loss = GanLossConfig { clip_condition_weight: 0.0, ..GanLossConfig::default() };
    let config = GanTrainConfig { batch_size: Some(batch_size), loss, ..GanTrainConfig::default() };
    let draw = |name: &str| -> Tensor<Base, 2> {
        unit_norm(normal([batch_size, EMBED_DIM], &mut keyed_rng(3, name, 0), &device))
    };
    let shape = [batch_size, 3, sizes.resolution, sizes.resolution];
    let pixels: Tensor<Base, 4> = normal(shape, &mut keyed_rng(3, "pixels", 0), &device);
    let image_embedding = draw("image");
    let batch = GanBatch {
        pixels_pm1: pixels.mul_scalar(0.3),
        condition: Condition::two(image_embedding.clone(), draw("caption")),
        image_embedding,
    };
    let context = PhaseContext {
        loss_scale: 1.0,
        config: &config,
        generator_config: &generator_config,
        generator: &generator,
        discriminator: &discriminator,
        encoder: None,
        resnet: None,
        path_length_mean: 0.1,
        augment_probability: 0.0,
        device: &device,
    };
    println!(
        "{} × {0}, channels {} / {}, batch {batch_size}",
        sizes.resolution, sizes.channel_base, sizes.channel_max
    );
    let (mut step, mut processor_step) = (0.0, 0.0);
    for phase in Phase::ALL {
        let (mut fastest, mut processor) = (f64::INFINITY, f64::INFINITY);
        let mut norm = 0.0;
        for _ in 0..setting("GAN_TURNS", 3) {
            let (start, before) = (Instant::now(), turns::cpu_seconds());
            let mut gradients = context.run(phase, &batch, 0).gradients;
            let is_generator = matches!(phase, Phase::GeneratorMain | Phase::GeneratorRegularisation);
            norm = match is_generator {
                true => make_finite(&mut gradients, &generator).norm,
                false => make_finite(&mut gradients, &discriminator).norm,
            };
            fastest = fastest.min(start.elapsed().as_secs_f64());
            processor = processor.min(turns::cpu_seconds() - before);
        }
        let share = 1.0 / phase.interval(&config) as f64;
        step += share * fastest;
        processor_step += share * processor;
        println!("{phase:?}: {fastest:.3} s, processor {processor:.2} s, gradient norm {norm:.6}");
    }
    println!("a step on average: {step:.3} s, processor {processor_step:.2} s");
    println!("peak memory: {} MiB", peak_memory_kib() / 1024);
}

/// Largest resident set of this process so far.
fn peak_memory_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()).and_then(|number| number.parse().ok()).unwrap_or(0)
}
