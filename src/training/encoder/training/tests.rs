//! On betas that are a linear code of random embeddings, two trials an image.

use super::*;
use crate::models::encoder::EncoderSizes;
use crate::run::progress::Silent;
use crate::run::run_dir::RunDir;
use crate::tensor_ops::backend::cpu;
use crate::tensor_ops::host_values::values;
use crate::tensor_ops::random::keyed_rng;
use crate::training::encoder::config::EncoderTrainConfig;
use crate::training::encoder::trials::EncoderTrials;
use crate::training::frame::epoch_loop::CHECKPOINT_FILE;
use ndarray::Array2;
use rand::RngExt;
use std::cell::Cell;

const TRIALS: usize = 24;
const VOXELS: usize = 9;
/// Two zeros before the voxels and one behind.
const SIGNAL_LEN: usize = 12;

struct Data {
    latents: Array2<f32>,
    betas: Array2<f32>,
    betas_of: Vec<usize>,
    fitting: Vec<usize>,
    tuning: Vec<usize>,
}

fn data() -> Data {
    let mut rng = keyed_rng(5, "encoder test", 0);
    let mut draw = |rows, columns| Array2::from_shape_fn((rows, columns), |_| rng.random::<f32>() - 0.5);
    let latents = draw(TRIALS, 4);
    let betas = latents.dot(&draw(4, VOXELS)) * 3.0;
    Data {
        latents,
        betas,
        betas_of: (0..TRIALS).collect(),
        fitting: (0..TRIALS).filter(|trial| trial % 4 > 0).collect(),
        tuning: (0..TRIALS).step_by(4).collect(),
    }
}

fn config() -> EncoderTrainConfig {
    toml::from_str("epochs = 3\nbatch = 5\noptimiser.learning_rate = 0.01").unwrap()
}

/// Fits in `dir`, stopping before step or evaluation `stop_at` of this call.
fn fit(
    dir: &RunDir,
    data: &Data,
    config: &EncoderTrainConfig,
    resume: Option<&Path>,
    stop_at: usize,
) -> Result<EncoderOutcome, TrainError> {
    let polls = Cell::new(0);
    let interrupted = || polls.replace(polls.get() + 1) == stop_at;
    let device = cpu();
    let trials = EncoderTrials {
        latents: &data.latents,
        betas: &data.betas,
        betas_of: &data.betas_of,
        fitting: &data.fitting,
        tuning: if config.tuning_fraction > 0.0 { &data.tuning } else { &[] },
        signal_len: SIGNAL_LEN,
        padding_left: 2,
        device: &device,
    };
    let training = EncoderTraining {
        trials,
        config,
        title: "a test",
        identity: &serde_json::to_value(config).unwrap(),
        run: dir,
        interrupted: &interrupted,
    };
    let sizes = EncoderSizes { num_blocks: 1, hidden: 4, fc: 6 };
    training.run(sizes.between(4, SIGNAL_LEN).init(config.seed, &device).unwrap(), resume, &mut Silent)
}

fn weights(outcome: &EncoderOutcome) -> Vec<f32> {
    values(outcome.network.spread.weight.val())
}

#[test]
fn a_stopped_training_goes_on_bit_for_bit() {
    let (root, data, config) = (tempfile::tempdir().unwrap(), data(), config());
    let whole = fit(&RunDir::create(root.path(), "a").unwrap(), &data, &config, None, usize::MAX).unwrap();
    let again = fit(&RunDir::create(root.path(), "b").unwrap(), &data, &config, None, usize::MAX).unwrap();
    assert_eq!(weights(&whole), weights(&again));
    // 18 trials in batches of 5: four steps and an evaluation an epoch.
    for stop_at in [0, 2, 4, 6, 13] {
        let dir = RunDir::create(root.path(), "stopped").unwrap();
        let error = fit(&dir, &data, &config, None, stop_at).unwrap_err();
        assert!(matches!(error, TrainError::Interrupted(_)), "{error}");
        let checkpoint = dir.join(CHECKPOINT_FILE);
        let resumed = fit(&dir, &data, &config, Some(&checkpoint), usize::MAX).unwrap();
        assert_eq!(weights(&resumed), weights(&whole), "stopped before poll {stop_at}");
        assert_eq!(resumed.result, whole.result);
    }
}

#[test]
fn a_checkpoint_of_other_settings_is_refused() {
    let (root, data) = (tempfile::tempdir().unwrap(), data());
    let dir = RunDir::create(root.path(), "a").unwrap();
    fit(&dir, &data, &config(), None, 3).unwrap_err();
    let other = EncoderTrainConfig { cosine_weight: 0.5, ..config() };
    let error = fit(&dir, &data, &other, Some(&dir.join(CHECKPOINT_FILE)), usize::MAX).unwrap_err();
    assert!(error.to_string().contains("settings.cosine_weight: found 0.6, expected 0.5"), "{error}");
}

#[test]
fn the_network_of_the_lowest_tuning_loss_counts_or_the_last_of_a_fixed_length() {
    let (root, data) = (tempfile::tempdir().unwrap(), data());
    let run = |name: &str, config: &EncoderTrainConfig| {
        fit(&RunDir::create(root.path(), name).unwrap(), &data, config, None, usize::MAX).unwrap()
    };
    // In the second epoch the rate is a hundred times as high, and the loss rises.
    let mut wild = EncoderTrainConfig { epochs: 2, ..config() };
    (wild.optimiser.decay.every_epochs, wild.optimiser.decay.factor) = (1, 100.0);
    let chosen = run("chosen", &wild);
    assert_eq!(chosen.result.as_ref().unwrap().best_epoch, 0, "{:?}", chosen.result);
    let short = run("short", &EncoderTrainConfig { epochs: 1, ..wild.clone() });
    assert_eq!(weights(&chosen), weights(&short));
    let fixed = EncoderTrainConfig { tuning_fraction: 0.0, ..wild };
    assert_ne!(weights(&run("fixed", &fixed)), weights(&chosen));
}

#[test]
fn a_linear_code_is_learnt_and_the_padding_is_left_out() {
    let (root, data) = (tempfile::tempdir().unwrap(), data());
    let mut config = EncoderTrainConfig { epochs: 200, tuning_fraction: 0.0, ..config() };
    config.optimiser.decay.every_epochs = 0;
    let outcome = fit(&RunDir::create(root.path(), "a").unwrap(), &data, &config, None, usize::MAX).unwrap();
    let device = cpu();
    let trials = EncoderTrials {
        latents: &data.latents,
        betas: &data.betas,
        betas_of: &data.betas_of,
        fitting: &data.fitting,
        tuning: &data.tuning,
        signal_len: SIGNAL_LEN,
        padding_left: 2,
        device: &device,
    };
    let predicted = trials.predict(&outcome.network, &data.fitting).unwrap();
    let measured = data.betas.select(ndarray::Axis(0), &data.fitting);
    assert_eq!(predicted.dim(), (18, VOXELS));
    let squares = |of: &Array2<f32>| of.iter().map(|value| value * value).sum::<f32>();
    let (error, spread) = (squares(&(&predicted - &measured)), squares(&measured));
    assert!(error < 0.5 * spread, "{error} of {spread}");
}
