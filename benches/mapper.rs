//! Time of a training step of the paper's mapper on the CPU, part by part: gathering the batch on the host, forward, loss,
//! backward of the loss, backward of the mapper, optimiser.
//!
//! `cargo bench --bench mapper -- FOLDER`; `MAPPER_BATCH` (32) samples a step, `MAPPER_LOSS` (mse) as a phase names it: with
//! `vicreg` the expander belongs to the loss, and its own step is one more part. Weights, input, output and gradients of
//! the mean squared error are written to FOLDER, see `scripts/bench.py`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, missing_docs)]

mod turns;

use std::time::Instant;

use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use mindreader::models::mapper::{ExpanderConfig, Mapper, MapperConfig};
use mindreader::run::snapshot::{MAPPER_KIND, save_snapshot};
use mindreader::tensor_ops::backend::{Device, Diff, cpu};
use mindreader::tensor_ops::random::{keyed_rng, normal};
use mindreader::training::frame::host_rows::gather;
use mindreader::training::mapper::config::{MapperLoss, MapperTrainConfig};
use mindreader::training::mapper::joint_expander::JointExpander;
use ndarray::Array2;
use rand::RngExt;

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
        save_snapshot(&weights, MAPPER_KIND, &config, &"random", &mapper).unwrap();
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
    let training = training();
    let phase = training.phase(0);
    let mut optimiser = phase.optimiser.init();
    let mut expander = (training.loss_kind(0) == MapperLoss::Vicreg).then(|| {
        let sizes = ExpanderConfig { embed_dim: config.embed_dim, width: training.expander_width };
        JointExpander::new(&sizes, &training.vicreg, phase.optimiser, training.seed, &device)
    });
    let stored = Stored::new(&config);
    let mut turn = 0;
    turns::serve(|| {
        let trials = stored.trials(batch, turn);
        turn += 1;
        let mut clock = Clock::start();
        let betas: Tensor<Diff, 2> = rows(&stored.betas, &trials, &device);
        let targets: Tensor<Diff, 2> = rows(&stored.targets, &trials, &device);
        clock.lap("gather");
        let predicted = mapper.forward(betas);
        clock.lap("forward");
        // The graph is cut at the prediction, so that the two backward passes can be told apart.
        let cut = Tensor::from_inner(predicted.clone().inner()).require_grad();
        let loss = match &mut expander {
            Some(expander) => expander.loss(cut.clone(), targets),
            None => training.loss(0, cut.clone(), targets),
        };
        loss.clone().into_scalar();
        clock.lap("loss");
        let mut of_loss = loss.backward();
        let slope = Tensor::from_inner(cut.grad(&of_loss).unwrap());
        clock.lap("loss_backward");
        let mut of_mapper = (predicted * slope).sum().backward();
        let gradients = GradientsParams::from_module(&mut of_mapper, &mapper);
        clock.lap("mapper_backward");
        mapper = optimiser.step(phase.optimiser.learning_rate, mapper.clone(), gradients);
        clock.lap("optimiser");
        if let Some(expander) = &mut expander {
            expander.step(phase.optimiser.learning_rate, &mut of_loss);
            clock.lap("expander_optimiser");
        }
        clock.parts
    });
}

/// Settings of the phase that is timed, as first phase.
fn training() -> MapperTrainConfig {
    let loss = std::env::var("MAPPER_LOSS").unwrap_or_else(|_| "mse".into());
    toml::from_str(&format!("phase1 = {{ loss = \"{loss}\" }}")).unwrap()
}

/// Data of as many trials as do not fit into a cache.
struct Stored {
    betas: Array2<f32>,
    targets: Array2<f32>,
}

impl Stored {
    const TRIALS: usize = 1024;

    fn new(config: &MapperConfig) -> Self {
        let draw = |purpose: &str, width| {
            let mut rng = keyed_rng(3, purpose, 0);
            Array2::from_shape_simple_fn((Self::TRIALS, width), || rng.random::<f32>() - 0.5)
        };
        Self {
            betas: draw("stored betas", config.signal_len),
            targets: draw("stored targets", config.embed_dim),
        }
    }

    /// Trials of a step, in no order.
    fn trials(&self, batch: usize, turn: u64) -> Vec<usize> {
        let mut rng = keyed_rng(3, "trials", turn);
        (0..batch).map(|_| rng.random_range(0..Self::TRIALS)).collect()
    }
}

fn rows(stored: &Array2<f32>, trials: &[usize], device: &Device) -> Tensor<Diff, 2> {
    gather(stored.ncols(), trials.iter().map(|trial| stored.row(*trial)), device)
}

/// Laps of a turn.
struct Clock {
    last: Instant,
    parts: turns::Parts,
}

impl Clock {
    fn start() -> Self {
        Self { last: Instant::now(), parts: Vec::new() }
    }

    fn lap(&mut self, name: &'static str) {
        self.parts.push((name, self.last.elapsed().as_secs_f64()));
        self.last = Instant::now();
    }
}
