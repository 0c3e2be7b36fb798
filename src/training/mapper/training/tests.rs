//! On random betas of two trials an image.

use super::*;
use crate::data::targets::{DEFAULT_THRESHOLD, TargetScale, TargetScaling};
use crate::models::mapper::{MapperConfig, MapperTarget};
use crate::run::progress::Silent;
use crate::run::snapshot::Snapshot;
use crate::tensor_ops::backend::{Base, cpu};
use crate::tensor_ops::random::keyed_rng;
use crate::training::frame::epoch_loop::{BEST_FILE, CHECKPOINT_FILE};
use crate::training::frame::error::TrainError;
use crate::training::frame::lars::LarsConfig;
use crate::training::frame::optimiser::{Algorithm, OptimiserConfig};
use crate::training::frame::schedule::StepDecay;
use crate::training::mapper::config::{MapperLoss, MapperPhase, MapperTrainConfig};
use crate::training::mapper::target_queue::TargetQueue;
use crate::training::mapper::targets::{CaptionChoice, EmbeddingTargets};
use burn::module::Module;
use ndarray::Array2;
use rand::RngExt;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::ops::Range;

const TRIALS: usize = 22;
const TRAIN: usize = 16;

fn network() -> MapperConfig {
    MapperConfig { signal_len: 16, num_blocks: 1, hidden: 4, fc: 4, embed_dim: 3, ..MapperConfig::default() }
}

fn snapshot_config() -> MapperSnapshot {
    MapperSnapshot {
        network: network(),
        target: MapperTarget::Image,
        num_voxels: 16,
        padding_left: 0,
        subject: "subj01".into(),
        roi: "nsdgeneral".into(),
        voxels_sha256: None,
        target_network_sha256: String::new(),
    }
}

/// 3 + 3 epochs of 4 steps, with a decay (and a new optimiser) inside each phase.
fn config() -> MapperTrainConfig {
    let mut config = MapperTrainConfig {
        phase1: MapperPhase { loss: MapperLoss::MseCos, epochs: 3, batch: 5, optimiser: None },
        phase2: MapperPhase { loss: MapperLoss::MseCosContrastive, epochs: 3, batch: 5, optimiser: None },
        ..MapperTrainConfig::default()
    };
    config.optimiser.learning_rate = 1e-2;
    config.optimiser.decay = StepDecay { every_epochs: 2, ..StepDecay::default() };
    config
}

#[derive(Clone)]
struct Data {
    betas: Array2<f32>,
    captions: Array2<f32>,
    choice: CaptionChoice,
    ids: Vec<u64>,
    fresh: bool,
}

fn data() -> Data {
    let mut rng = keyed_rng(5, "test", 0);
    let mut draw = |rows, width| Array2::from_shape_fn((rows, width), |_| rng.random::<f32>() - 0.5);
    let ids = (0..TRIALS as u64).map(|trial| trial / 2).collect();
    let (betas, captions) = (draw(TRIALS, 16), draw(TRIALS, 3));
    Data { betas, captions, choice: CaptionChoice::Random, ids, fresh: false }
}

/// Trains in `dir`, stopping before step `stop_at` of this call.
fn fit(
    dir: &RunDir,
    data: &Data,
    config: &MapperTrainConfig,
    resume: Option<&Path>,
    stop_at: usize,
) -> Result<MapperOutcome, MapperTrainError> {
    let device = cpu();
    let trials: Vec<usize> = (0..TRIALS).collect();
    // Two trials per image, two captions each.
    let images: Vec<usize> = (0..TRIALS).map(|trial| trial / 2).collect();
    let rows: Vec<Range<usize>> = (0..TRIALS / 2).map(|image| image * 2..image * 2 + 2).collect();
    let scale = TargetScale { clamp: DEFAULT_THRESHOLD, scaling: TargetScaling::UnitNorm };
    let targets = EmbeddingTargets::new(&data.captions, &rows, &images, data.choice, scale);
    std::thread::scope(|scope| {
        // In place of an encoder: a vector that depends on epoch and trial.
        let queue = data.fresh.then(|| {
            TargetQueue::start(scope, |batch| {
                Ok(Array2::from_shape_fn((batch.trials.len(), 3), |(row, column)| {
                    let key = (batch.epoch * TRIALS + batch.trials[row]) as u64;
                    keyed_rng(9, "fresh", 3 * key + column as u64).random::<f32>() - 0.5
                }))
            })
            .unwrap()
        });
        let trials = MapperTrials {
            betas: &data.betas,
            targets: &targets,
            fresh_targets: queue.as_ref(),
            train: &trials[..TRAIN],
            validation: &trials[TRAIN..],
            image_ids: &data.ids,
            config,
            device: &device,
        };
        let steps = Cell::new(0);
        let interrupted = || steps.replace(steps.get() + 1) == stop_at;
        let (snapshot_config, identity) = (snapshot_config(), serde_json::to_value(config).unwrap());
        let training = MapperTraining {
            trials,
            snapshot_config: &snapshot_config,
            identity: &identity,
            run: dir,
            interrupted: &interrupted,
        };
        training.run(network().init(config.seed, &device).unwrap(), resume, &mut Silent)
    })
}

/// The event log without the times.
fn events(dir: &RunDir) -> Vec<Value> {
    let mut events: Vec<Value> = dir.events().read().unwrap();
    for event in &mut events {
        let event = event.as_object_mut().unwrap();
        assert!(event.remove("seconds").is_some());
        event.remove("target_wait_seconds");
    }
    events
}

/// Names and bytes of a snapshot's tensors.
fn tensors(path: &Path) -> BTreeMap<String, Vec<u8>> {
    let bytes = std::fs::read(path).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    file.iter().map(|(name, view)| (name.to_string(), view.data().to_vec())).collect()
}

#[test]
fn stopped_and_resumed_equals_never_stopped_bit_for_bit() {
    stop_and_resume(&data(), config());
}

#[test]
fn so_it_does_with_a_critic() {
    let mut with_critic = config();
    with_critic.critic.weight = 1.0;
    stop_and_resume(&data(), with_critic.clone());
    let root = tempfile::tempdir().unwrap();
    let fit = |name, config: &MapperTrainConfig| {
        let dir = RunDir::create(root.path(), name).unwrap();
        fit(&dir, &data(), config, None, usize::MAX).unwrap().phases[0].last_validation_loss
    };
    assert_ne!(fit("critic", &with_critic), fit("alone", &config()));
}

#[test]
fn so_it_does_with_vicreg_and_its_expander_under_either_optimiser() {
    for algorithm in [Algorithm::Adam, Algorithm::Lars] {
        let mut vicreg = config();
        vicreg.expander_width = 6;
        vicreg.phase2.loss = MapperLoss::Vicreg;
        let lars = LarsConfig { warmup_epochs: 1, ..LarsConfig::default() };
        let own = OptimiserConfig { algorithm, learning_rate: 3e-3, lars, ..OptimiserConfig::default() };
        vicreg.phase2.optimiser = Some(own);
        stop_and_resume(&data(), vicreg);
    }
}

#[test]
fn the_expander_shapes_the_mapper_and_stays_out_of_its_snapshot() {
    let root = tempfile::tempdir().unwrap();
    let fitted = |name: &str, invariance_weight| {
        let mut vicreg = config();
        vicreg.expander_width = 6;
        (vicreg.phase1.epochs, vicreg.phase2.loss) = (1, MapperLoss::Vicreg);
        vicreg.vicreg.invariance_weight = invariance_weight;
        let dir = RunDir::create(root.path(), name).unwrap();
        fit(&dir, &data(), &vicreg, None, usize::MAX).unwrap();
        tensors(&dir.join(LAST_FILE))
    };
    let (last, other) = (fitted("a", 25.0), fitted("b", 0.0));
    let network: Mapper<Base> = network().init(0, &cpu()).unwrap();
    let mapper: usize = network.num_params();
    assert_eq!(last.values().map(|bytes| bytes.len() / 4).sum::<usize>(), mapper);
    // Both come from the same first phase, so that only the second loss tells them apart.
    assert!(last.iter().all(|(name, bytes)| bytes != &other[name]));
}

#[test]
fn so_it_does_with_targets_made_anew_on_another_thread() {
    let made_anew = Data { fresh: true, ..data() };
    stop_and_resume(&made_anew, config());
    let root = tempfile::tempdir().unwrap();
    let fit = |name, data: &Data| {
        let dir = RunDir::create(root.path(), name).unwrap();
        fit(&dir, data, &config(), None, usize::MAX).unwrap().phases[0].last_train_loss
    };
    assert_ne!(fit("fresh", &made_anew), fit("stored", &data()));
}

fn stop_and_resume(data: &Data, config: MapperTrainConfig) {
    let root = tempfile::tempdir().unwrap();
    let whole = RunDir::create(root.path(), "whole").unwrap();
    let outcome = fit(&whole, data, &config, None, usize::MAX).unwrap();
    assert_eq!(outcome.phases.len(), 2);
    assert_eq!(events(&whole).len(), 6);
    // Inside an epoch, at its end, at the change of phase, inside the second phase.
    for stop_at in [5, 8, 12, 18] {
        let parts = RunDir::create(root.path(), "parts").unwrap();
        let error = fit(&parts, data, &config, None, stop_at).unwrap_err();
        assert!(matches!(error, MapperTrainError::Frame(TrainError::Interrupted(_))), "{error}");
        let resumed = fit(&parts, data, &config, Some(&parts.join(CHECKPOINT_FILE)), usize::MAX).unwrap();
        assert_eq!(resumed.phases, outcome.phases, "stopped at {stop_at}");
        assert_eq!(events(&parts), events(&whole), "stopped at {stop_at}");
        for file in [BEST_FILE, LAST_FILE] {
            assert!(tensors(&parts.join(file)) == tensors(&whole.join(file)), "{file}, stopped at {stop_at}");
        }
    }
}

#[test]
fn the_loss_falls_and_the_best_snapshot_is_the_outcome() {
    let root = tempfile::tempdir().unwrap();
    let mut config = config();
    (config.phase1.epochs, config.phase2.epochs) = (60, 0);
    config.optimiser.decay.every_epochs = 0;
    let mut data = data();
    data.choice = CaptionChoice::First;
    let dir = RunDir::create(root.path(), "fit").unwrap();
    let outcome = fit(&dir, &data, &config, None, usize::MAX).unwrap();
    let events = events(&dir);
    let loss = |index: usize| events[index]["train_loss"].as_f64().unwrap();
    assert!(loss(59) < 0.6 * loss(0), "{} to {}", loss(0), loss(59));
    let snapshot = Snapshot::open(&dir.join(BEST_FILE), "mapper").unwrap();
    let saved: MapperSnapshot = snapshot.config().unwrap();
    let saved: Mapper<Base> = snapshot.load_into(saved.network.init(0, &cpu()).unwrap()).unwrap();
    let best = outcome.best.lift.weight.val().inner().into_data();
    assert_eq!(saved.lift.weight.val().into_data(), best);
}

#[test]
fn patience_ends_a_phase() {
    let root = tempfile::tempdir().unwrap();
    let mut config = config();
    (config.phase1.epochs, config.phase2.epochs) = (40, 0);
    config.optimiser.learning_rate = 0.0;
    config.patience_epochs = Some(3);
    let dir = RunDir::create(root.path(), "patience").unwrap();
    let outcome = fit(&dir, &data(), &config, None, usize::MAX).unwrap();
    // Epoch 0 is the best, then three without gain.
    assert_eq!((outcome.phases[0].epochs, outcome.phases[0].best_epoch), (4, 0));
}

#[test]
fn a_loss_that_is_not_finite_stops_with_a_usable_checkpoint() {
    let root = tempfile::tempdir().unwrap();
    let (data, config) = (data(), config());
    let dir = RunDir::create(root.path(), "nan").unwrap();
    let mut broken = data.clone();
    broken.captions.fill(f32::NAN);
    let error = fit(&dir, &broken, &config, None, usize::MAX).unwrap_err();
    assert!(error.to_string().contains("the training loss is not finite in phase 1, epoch 0"), "{error}");
    let outcome = fit(&dir, &data, &config, Some(&dir.join(CHECKPOINT_FILE)), usize::MAX).unwrap();
    assert!(outcome.phases[1].last_validation_loss.is_finite());
}

#[test]
fn a_checkpoint_of_other_settings_and_an_empty_split_are_refused() {
    let root = tempfile::tempdir().unwrap();
    let (data, config) = (data(), config());
    let dir = RunDir::create(root.path(), "other").unwrap();
    fit(&dir, &data, &config, None, 2).unwrap_err();
    let other = MapperTrainConfig { cosine_weight: 0.5, ..config.clone() };
    let error = fit(&dir, &data, &other, Some(&dir.join(CHECKPOINT_FILE)), usize::MAX).unwrap_err();
    assert!(error.to_string().contains("settings.cosine_weight: found 0.6, expected 0.5"), "{error}");
    let mut none = config;
    (none.phase1.epochs, none.phase2.epochs) = (0, 0);
    let error = fit(&dir, &data, &none, None, usize::MAX).unwrap_err();
    assert_eq!(error.to_string(), "no epochs to train with; expected at least 1");
}
