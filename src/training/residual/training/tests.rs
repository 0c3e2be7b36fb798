//! On random betas that hold their image's target, two trials an image.

use super::*;
use crate::data::split::tuning::TuningImages;
use crate::run::progress::Silent;
use crate::run::run_dir::RunDir;
use crate::tensor_ops::backend::cpu;
use crate::tensor_ops::host_values::{tensor, values};
use crate::tensor_ops::random::keyed_rng;
use crate::training::decoder::trials::DecoderTrials;
use crate::training::frame::epoch_loop::CHECKPOINT_FILE;
use crate::training::frame::error::TrainError;
use crate::training::residual::config::ResidualTrainConfig;
use crate::training::residual::events::MeasuredOn;
use burn::module::Module;
use burn::tensor::Tensor;
use ndarray::Array2;
use rand::RngExt;
use serde_json::Value;
use std::cell::Cell;

const IMAGES: usize = 14;
const VOXELS: usize = 9;

struct Data {
    betas: Array2<f32>,
    targets: Array2<f32>,
    image_of_trial: Vec<usize>,
    train: Vec<usize>,
}

/// Trials in two rounds over the images; the last two images are not for training.
fn data(noise: f32) -> Data {
    let mut rng = keyed_rng(5, "residual test", 0);
    let mut draw = |rows, columns| Array2::from_shape_fn((rows, columns), |_| rng.random::<f32>() - 0.5);
    let mut targets = draw(IMAGES, 4);
    for mut row in targets.rows_mut() {
        let norm = row.dot(&row).sqrt();
        row /= norm;
    }
    let (map, noises) = (draw(4, VOXELS), draw(2 * IMAGES, VOXELS) * noise);
    let image_of_trial: Vec<usize> = (0..2 * IMAGES).map(|trial| trial % IMAGES).collect();
    let betas = targets.select(ndarray::Axis(0), &image_of_trial).dot(&map) + noises;
    let train = (0..2 * IMAGES).filter(|trial| trial % IMAGES < IMAGES - 2).collect();
    Data { betas, targets, image_of_trial, train }
}

fn config() -> ResidualTrainConfig {
    toml::from_str(
        "hidden = 5\nepochs = 3\nbatch = 5\nnum_members = 2\nevaluate_every_epochs = 1\nlearning_rate = 0.01\n\
         ridge.tuning_fraction = 0.3\nblends = [0.0, 0.5, 1.0]",
    )
    .unwrap()
}

/// Fits in `dir`, stopping before step `stop_at` of this call.
fn fit(
    dir: &RunDir,
    data: &Data,
    config: &ResidualTrainConfig,
    resume: Option<&Path>,
    stop_at: usize,
) -> Result<ResidualOutcome, DecoderError> {
    let steps = Cell::new(0);
    let interrupted = || steps.replace(steps.get() + 1) == stop_at;
    let Data { betas, targets, image_of_trial, train } = data;
    let training = ResidualTraining {
        trials: &DecoderTrials { betas, targets, image_of_trial, train, tuning: TuningImages::SeenLast },
        config,
        identity: &serde_json::to_value(config).unwrap(),
        run: dir,
        device: &cpu(),
        interrupted: &interrupted,
    };
    training.run(resume, &mut Silent)
}

/// The event log without the times.
fn events(dir: &RunDir) -> Vec<Value> {
    let mut events: Vec<Value> = dir.events().read().unwrap();
    events.iter_mut().for_each(|event| {
        event.as_object_mut().unwrap().remove("seconds").unwrap();
    });
    events
}

fn parameters(mapper: &ResidualMapper<Base>) -> Vec<(String, Vec<f32>)> {
    use burn::store::ModuleSnapshot;
    let tensors = mapper.collect(None, None, false);
    tensors
        .into_iter()
        .map(|tensor| (tensor.full_path(), tensor.to_data().unwrap().to_vec().unwrap()))
        .collect()
}

#[test]
fn stopped_and_resumed_equals_never_stopped_bit_for_bit() {
    let root = tempfile::tempdir().unwrap();
    let (data, config) = (data(0.5), config());
    let whole_dir = RunDir::create(root.path(), "whole").unwrap();
    let whole = fit(&whole_dir, &data, &config, None, usize::MAX).unwrap();
    // 16 trials in 3 steps an epoch, then 24 in 4, twice: inside phases and at their first steps.
    for stop_at in [0, 1, 5, 9, 10, 14, 21, 30] {
        let dir = RunDir::create(root.path(), "part").unwrap();
        let error = fit(&dir, &data, &config, None, stop_at).unwrap_err();
        assert!(matches!(error, DecoderError::Frame(TrainError::Interrupted(_))), "{stop_at}: {error}");
        let checkpoint = dir.join(CHECKPOINT_FILE);
        let resumed = fit(&dir, &data, &config, Some(&checkpoint), usize::MAX).unwrap();
        assert_eq!(resumed.choice, whole.choice, "{stop_at}");
        assert_eq!(parameters(&resumed.mapper), parameters(&whole.mapper), "{stop_at}");
        assert_eq!(events(&dir), events(&whole_dir), "{stop_at}");
    }
    let other = ResidualTrainConfig { batch: 4, ..config };
    let error = fit(&whole_dir, &data, &other, Some(&whole_dir.join(CHECKPOINT_FILE)), 0).unwrap_err();
    assert!(error.to_string().contains("settings.batch: found 5, expected 4"), "{error}");
}

#[test]
fn the_outcome_is_the_whole_decoder_and_the_log_says_where_it_looked() {
    let root = tempfile::tempdir().unwrap();
    let dir = RunDir::create(root.path(), "a").unwrap();
    let (data, config) = (data(0.5), config());
    let outcome = fit(&dir, &data, &config, None, usize::MAX).unwrap();
    assert_eq!(outcome.network.init::<Base>(0, &cpu()).unwrap().num_params(), outcome.mapper.num_params());
    assert_eq!((outcome.mapper.members.len(), outcome.mapper.blend), (2, outcome.choice.blend));
    assert_ne!(
        values(outcome.mapper.members[0].input.weight.val()),
        values(outcome.mapper.members[1].input.weight.val())
    );
    let blends: Vec<f64> = outcome.choice.blends.iter().map(|blend| blend.blend).collect();
    assert_eq!(blends, config.blends);
    let most = outcome.choice.blends.iter().map(|blend| blend.counts.num_found).max().unwrap();
    let chosen = outcome.choice.blends.iter().find(|blend| blend.counts.num_found == most).unwrap();
    assert_eq!(chosen.blend, outcome.choice.blend, "the first of those that find the most");
    let events: Vec<crate::training::residual::events::ResidualEvent> = dir.events().read().unwrap();
    assert_eq!(events.len(), 9);
    for event in events {
        let expected = if event.phase == 1 { MeasuredOn::Tuning } else { MeasuredOn::Training };
        assert_eq!(event.figures.measured_on, expected);
        assert_eq!(event.figures.counts.is_some(), event.phase == 1);
    }
}

#[test]
fn a_network_that_does_not_move_is_ridge_and_a_moving_one_fits() {
    let root = tempfile::tempdir().unwrap();
    let data = data(0.1);
    let still = ResidualTrainConfig { learning_rate: 1e-20, blends: vec![1.0], ..config() };
    let dir = RunDir::create(root.path(), "still").unwrap();
    let outcome = fit(&dir, &data, &still, None, usize::MAX).unwrap();
    let betas: Tensor<Base, 2> = tensor(data.betas.iter().copied().collect(), [2 * IMAGES, VOXELS], &cpu());
    let ridge = values(crate::tensor_ops::similarity::unit_norm(outcome.mapper.ridge.forward(betas.clone())));
    for (found, expected) in values(outcome.mapper.forward(betas)).iter().zip(ridge) {
        assert!((found - expected).abs() < 1e-5, "{found} {expected}");
    }
    let dir = RunDir::create(root.path(), "moving").unwrap();
    let moving = ResidualTrainConfig { epochs: 30, num_members: 1, hidden: 16, ..config() };
    fit(&dir, &data, &moving, None, usize::MAX).unwrap();
    let events: Vec<crate::training::residual::events::ResidualEvent> = dir.events().read().unwrap();
    let (first, last) = (&events[30], &events[59]);
    assert!(last.train_loss < 0.9 * first.train_loss, "{} {}", first.train_loss, last.train_loss);
}

#[test]
fn trials_beyond_the_training_part_change_nothing() {
    let root = tempfile::tempdir().unwrap();
    let (data, config) = (data(0.5), ResidualTrainConfig { num_members: 1, ..config() });
    let mut other = Data { betas: data.betas.clone(), targets: data.targets.clone(), ..self::data(0.5) };
    for trial in (0..2 * IMAGES).filter(|trial| trial % IMAGES >= IMAGES - 2) {
        other.betas.row_mut(trial).fill(99.0);
        other.targets.row_mut(trial % IMAGES).fill(0.5);
    }
    let run = |data: &Data| {
        let dir = RunDir::create(root.path(), "a").unwrap();
        parameters(&fit(&dir, data, &config, None, usize::MAX).unwrap().mapper)
    };
    assert_eq!(run(&data), run(&other));
}
