//! On pictures of discs and bars in two colours.

use super::*;
use crate::metrics::naming::NamingRate;
use crate::models::classifier::{ClassKind, ClassifierSizes, SceneClass, ShownClasses};
use crate::run::progress::Silent;
use crate::run::snapshot::{CLASSIFIER_KIND, Snapshot};
use crate::tensor_ops::backend::{Base, cpu};
use crate::tensor_ops::random::keyed_rng;
use crate::training::classifier::evaluation::evaluate_classifier;
use crate::training::frame::error::TrainError;
use image::{Rgb, RgbImage};
use rand::RngExt;
use serde_json::json;
use std::cell::Cell;
use std::collections::BTreeMap;

fn network() -> ClassifierConfig {
    let class = |id: u32, name: &str, kind| SceneClass { id, name: name.into(), kind };
    ClassifierConfig {
        sizes: ClassifierSizes { side: 16, widths: vec![8, 12, 16] },
        min_share: 0.005,
        classes: vec![
            class(1, "disc", ClassKind::Thing),
            class(2, "bar", ClassKind::Thing),
            class(92, "red", ClassKind::Stuff),
            class(93, "blue", ClassKind::Stuff),
        ],
    }
}

/// A white disc or a white bar, anywhere, on red or blue.
fn pictures(count: usize, seed: u64) -> LabelledImages {
    let mut images = LabelledImages::new(&network());
    for index in 0..count {
        let (is_disc, is_red) = (index % 2 == 0, index / 2 % 2 == 0);
        let mut rng = keyed_rng(seed, "pictures", index as u64);
        let [x0, y0] = [rng.random_range(5..11_i32), rng.random_range(5..11_i32)];
        let ground = if is_red { [180, 30, 40] } else { [30, 40, 180] };
        let picture = RgbImage::from_fn(16, 16, |x, y| {
            let [dx, dy] = [x as i32 - x0, y as i32 - y0];
            let inside = if is_disc { dx * dx + dy * dy <= 10 } else { dx.abs() <= 1 };
            Rgb(if inside { [240, 240, 240] } else { ground })
        });
        let labels =
            ShownClasses { things: Some(vec![is_disc, !is_disc]), stuff: Some(vec![is_red, !is_red]) };
        images.push(&picture, labels);
    }
    images
}

/// Trains in `run`.
fn train(
    run: &RunDir,
    config: &ClassifierTrainConfig,
    resume: Option<&Path>,
    interrupted: &dyn Fn() -> bool,
) -> Result<ClassifierTrainSummary, ClassifierTrainError> {
    ClassifierTraining {
        network: &network(),
        config,
        train: &pictures(96, 1),
        held_out: &pictures(40, 2),
        run,
        provenance: &json!("pictures"),
        device: &cpu(),
        interrupted,
    }
    .run(resume, &mut Silent)
}

fn new_run(root: &Path) -> RunDir {
    RunDir::create(root, "pretrain-classifier").unwrap()
}

fn config(epochs: usize) -> ClassifierTrainConfig {
    ClassifierTrainConfig { epochs, batch_size: 16, learning_rate: 5e-3, ..Default::default() }
}

#[test]
fn forms_and_colours_are_learnt_and_the_snapshot_is_the_best_network() {
    let root = tempfile::tempdir().unwrap();
    let summary = train(&new_run(root.path()), &config(12), None, &|| false).unwrap();
    let rate = |naming: &Option<NamingRate>| naming.as_ref().map(|naming| naming.own.mean).unwrap();
    for kind in [&summary.best.things, &summary.best.stuff] {
        let kind = kind.as_ref().unwrap();
        assert!(kind.mean_auc.unwrap() > 0.95 && rate(&kind.naming) > 0.9, "{summary:?}");
        assert!(kind.mean_average_precision.unwrap() > 0.9, "{kind:?}");
        assert_eq!(kind.chance_average_precision, Some(0.5));
        assert!((kind.naming.as_ref().unwrap().others.unwrap().mean - 0.5).abs() < 0.1);
    }
    assert!(summary.best.loss < 0.3 * std::f64::consts::LN_2, "{summary:?}");
    assert_eq!(summary.classes.len(), 4);
    let snapshot = Snapshot::open(&summary.snapshot, CLASSIFIER_KIND).unwrap();
    let sizes: ClassifierConfig = snapshot.config().unwrap();
    let loaded = snapshot.load_into(sizes.init::<Base>(9, &cpu()).unwrap()).unwrap();
    let (again, _) = evaluate_classifier(&loaded, &sizes, &pictures(40, 2), &cpu()).unwrap();
    assert_eq!(again, summary.best);
}

#[test]
fn a_seed_decides_everything() {
    let root = tempfile::tempdir().unwrap();
    let identity = |config: &ClassifierTrainConfig| {
        let summary = train(&new_run(root.path()), config, None, &|| false).unwrap();
        Snapshot::open(&summary.snapshot, CLASSIFIER_KIND).unwrap().network_sha256().unwrap()
    };
    let first = identity(&config(1));
    assert_eq!(identity(&config(1)), first);
    assert_ne!(identity(&ClassifierTrainConfig { seed: 5, ..config(1) }), first);
}

/// Names and bytes of a snapshot's tensors.
fn tensors(path: &Path) -> BTreeMap<String, Vec<u8>> {
    let bytes = std::fs::read(path).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    file.iter().map(|(name, view)| (name.to_string(), view.data().to_vec())).collect()
}

#[test]
fn stopped_and_resumed_equals_never_stopped_bit_for_bit() {
    let root = tempfile::tempdir().unwrap();
    let whole = new_run(root.path());
    let expected = train(&whole, &config(3), None, &|| false).unwrap();
    // Before the first of six steps, in the middle of an epoch, at its end, in the last epoch.
    for stop_at in [0, 8, 12, 17] {
        let parts = new_run(root.path());
        let polls = Cell::new(0);
        let interrupted = || polls.replace(polls.get() + 1) == stop_at;
        let error = train(&parts, &config(3), None, &interrupted).unwrap_err();
        let ClassifierTrainError::Frame(TrainError::Interrupted(stop)) = error else { panic!("{error}") };
        let resumed = train(&parts, &config(3), Some(&stop.checkpoint), &|| false).unwrap();
        let snapshot = parts.join(CLASSIFIER_FILE);
        assert_eq!(tensors(&snapshot), tensors(&expected.snapshot), "stopped at {stop_at}");
        assert_eq!(resumed, ClassifierTrainSummary { snapshot, ..expected.clone() }, "stopped at {stop_at}");
        let text = |run: &RunDir| std::fs::read_to_string(run.events().path()).unwrap();
        assert_eq!(text(&parts), text(&whole), "stopped at {stop_at}");
    }
    // A finished run continues to its own end.
    let checkpoint = whole.join(CHECKPOINT_FILE);
    assert_eq!(train(&whole, &config(3), Some(&checkpoint), &|| false).unwrap(), expected);
    let other = ClassifierTrainConfig { flip_probability: 0.25, ..config(3) };
    let error = train(&whole, &other, Some(&checkpoint), &|| false).unwrap_err().to_string();
    assert!(error.contains("settings.training.flip_probability: found 0.5, expected 0.25"), "{error}");
}
