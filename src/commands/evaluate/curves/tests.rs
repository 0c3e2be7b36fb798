//! Curves on a small subject whose betas are a linear code of the colours of two halves.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::found::{Curves, SharedOut};
use super::wanted::Dimensions;
use crate::commands::evaluate::{EvaluateConfig, EvaluateSettings, EvaluateSummary, EvaluationData, run};
use crate::commands::fixtures::linear_brain::{settings as training, write_all};
use crate::commands::train_mapper;
use crate::data::split_file::{SPLIT_FORMAT, SplitFile};
use crate::models::mapper::MapperKind;
use crate::pipelines::targets::decoded_target::DecodedTarget;
use crate::run::progress::Silent;

fn settings(root: &Path, evaluate: EvaluateConfig) -> EvaluateSettings {
    let training = training(root);
    let (clip, data) = (Some(training.target_network.clone()), EvaluationData::from(&training));
    EvaluateSettings {
        mappers: Vec::new(),
        controls: Vec::new(),
        clip,
        own_targets: None,
        resnet: None,
        evaluate,
        data,
    }
}

fn ridge(targets: &[DecodedTarget]) -> EvaluateConfig {
    let ridge_targets = targets.to_vec();
    EvaluateConfig { ridge: true, ridge_targets, pixel_side: 8, ..EvaluateConfig::default() }
}

/// What was found, and that the file says the same.
fn found(settings: &EvaluateSettings) -> (EvaluateSummary, Curves) {
    let found = run(settings, &mut Silent).unwrap();
    let written = std::fs::read(found.run.join("evaluation.json")).unwrap();
    let read: EvaluateSummary = serde_json::from_slice(&written).unwrap();
    assert_eq!(read.table(), found.table());
    let curves = found.curves.clone().unwrap();
    (found, curves)
}

fn error(settings: &EvaluateSettings) -> String {
    run(settings, &mut Silent).unwrap_err().to_string()
}

#[test]
fn two_halves_pass_through_two_dimensions() {
    use Dimensions::{Full, Of};
    let folder = tempfile::tempdir().unwrap();
    write_all(folder.path());
    let bottleneck = vec![Full, Of(5), Of(2), Of(1), Of(2)];
    let settings = settings(folder.path(), EvaluateConfig { bottleneck, ..ridge(&[DecodedTarget::Pixels]) });
    let (evaluation, curves) = found(&settings);
    let [curve] = &curves.bottleneck[..] else { panic!("{curves:?}") };
    // The luminance of a picture is two numbers, whatever its pixels; rounding to bytes leaves a little of a third.
    assert_eq!(curve.rank, 3);
    let widths: Vec<Dimensions> = curve.points.iter().map(|point| point.dimensions).collect();
    assert_eq!(widths, [Of(1), Of(2), Full], "sorted, each once, none beyond the rank");
    let [one, two, full] = &curve.points[..] else { panic!("{curve:?}") };
    let close = |a: f64, b: f64| (a - b).abs() < 1e-6;
    assert!((two.found.cosine.mean - full.found.cosine.mean).abs() < 1e-4, "{curve:?}");
    assert!((two.found.identification.mean - full.found.identification.mean).abs() < 0.02, "{curve:?}");
    assert_eq!(curve.ninety_percent.unwrap().dimensions, Of(2));
    assert!(one.found.cosine.mean < full.found.cosine.mean - 0.01, "{curve:?}");
    // Without a bottleneck it is the evaluation's own row.
    let own = evaluation.ridge[0].identification.unwrap();
    assert!(close(full.found.identification.mean, own.share.mean), "{own:?}");
    let floor = full.floor.unwrap().identification;
    let control = evaluation.ridge_control[0].identification.unwrap();
    assert!(close(floor.mean, control.share.mean) && floor.low < 0.5);
    let reached = curve.ninety_percent.unwrap();
    assert!(reached.low <= reached.dimensions && reached.dimensions <= reached.high && reached.high <= Full);
    let table = evaluation.table();
    for needle in ["ridge, pixels behind a bottleneck", "2 dimensions", "90 % of the way", "in 3 directions"]
    {
        assert!(table.contains(needle), "{needle}: {table}");
    }
}

#[test]
fn a_mapper_gets_the_betas_that_pass() {
    use Dimensions::{Full, Of};
    let folder = tempfile::tempdir().unwrap();
    write_all(folder.path());
    let mut training = training(folder.path());
    training.mapper.kind = MapperKind::Ridge;
    let trained = train_mapper::run(&training, &mut Silent).unwrap();
    let bottleneck = vec![Of(1), Of(6), Full];
    let mut settings = settings(folder.path(), EvaluateConfig { bottleneck, ..ridge(&[]) });
    settings.mappers = vec![trained.snapshot];
    let (evaluation, curves) = found(&settings);
    let [ridge, mapper] = &curves.bottleneck[..] else { panic!("{curves:?}") };
    assert_eq!((ridge.mapper.as_ref(), mapper.mapper.as_ref()), (None, settings.mappers.first()));
    let [one, six, full] = &mapper.points[..] else { panic!("{mapper:?}") };
    let own = evaluation.mappers[0].identification.unwrap();
    assert!((full.found.identification.mean - own.share.mean).abs() < 1e-9, "as it was counted alone");
    let won = |point: &super::found::BottleneckPoint| point.found.identification.mean;
    // Six colours are all that there is to see.
    assert!(won(six) > won(full) - 0.03 && won(one) < won(full) - 0.02, "{mapper:?}");
    assert!(full.floor.unwrap().identification.low < 0.55, "{mapper:?}");
}

#[test]
fn learning_curves_end_where_the_evaluation_is() {
    let folder = tempfile::tempdir().unwrap();
    write_all(folder.path());
    let evaluate = EvaluateConfig {
        learning_curve: true,
        trial_shares: vec![1.0, 0.2, 0.2],
        voxel_shares: vec![0.025, 1.0],
        curve_draws: 2,
        ..ridge(&[DecodedTarget::Image, DecodedTarget::Pixels])
    };
    let mut settings = settings(folder.path(), evaluate);
    let (evaluation, curves) = found(&settings);
    assert_eq!(curves.learning.len(), 4);
    for (place, curve) in curves.learning.iter().enumerate() {
        let row = &evaluation.ridge[place / 2];
        assert_eq!((curve.target, curve.points.len()), (row.target, 2));
        let [part, whole] = &curve.points[..] else { panic!("{curve:?}") };
        // 42 training images, 40 voxels.
        let sizes = (part.count, part.draws, whole.count, whole.draws);
        assert_eq!(
            sizes,
            match curve.of {
                SharedOut::Images => (8, 2, 42, 1),
                SharedOut::Voxels => (1, 2, 40, 1),
            }
        );
        let all = row.identification.unwrap().share;
        assert!((whole.found.identification.mean - all.mean).abs() < 1e-9, "{curve:?}");
        let control = evaluation.ridge_control[place / 2].identification.unwrap().share;
        assert_eq!(curve.floor, Some(control));
        let [worst, best] = part.range_over_draws;
        assert!((part.found.identification.mean - f64::midpoint(worst, best)).abs() < 1e-9);
        let step = curve.last_step.unwrap();
        let rise = whole.found.identification.mean - part.found.identification.mean;
        assert!((step.mean - rise).abs() < 1e-9 && step.low < step.mean && step.mean < step.high);
    }
    // One voxel of a code of six colours says little of an embedding.
    let voxels = &curves.learning[1];
    assert_eq!((voxels.of, voxels.last_step.unwrap().low > 0.0), (SharedOut::Voxels, true), "{voxels:?}");
    let table = evaluation.table();
    for needle in ["20 %, 8 training images", "100 %, 40 voxels", "the curve still rises: voxels"] {
        assert!(table.contains(needle), "{needle}: {table}");
    }
    assert_eq!(run(&settings, &mut Silent).unwrap().table(), table);
    settings.evaluate.trial_shares = vec![0.01];
    let text = error(&settings);
    assert!(
        text.contains("`evaluate.trial_shares`: found 0.01") && text.contains("of 42 training"),
        "{text}"
    );
}

/// Stores a split that holds some of the 60 images out.
fn store(root: &Path, name: &str, is_test: impl Fn(u32) -> bool) -> PathBuf {
    let (test_images, train_images): (Vec<u32>, Vec<u32>) = (0..60).partition(|image| is_test(*image));
    let file = root.join(format!("subj02-{name}.json"));
    let split = SplitFile {
        format: SPLIT_FORMAT.into(),
        name: name.into(),
        subject: "subj02".into(),
        rule: "cluster".into(),
        parameters: BTreeMap::new(),
        network_sha256: None,
        sha256: SplitFile::digest(&train_images, &test_images),
        train_images,
        test_images,
    };
    split.write(&file).unwrap();
    file
}

#[test]
fn stored_splits_stand_beside_random_ones_of_their_sizes() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    write_all(root);
    let names = ["cluster-k2-0", "cluster-k2-1", "tau", "tau"].map(String::from).to_vec();
    let evaluate = EvaluateConfig {
        compare_splits: names,
        fold_kinds: vec![MapperKind::Ridge],
        shuffled_control: false,
        ..ridge(&[DecodedTarget::Image])
    };
    let mut settings = settings(root, evaluate);
    let tau = store(root, "tau", |image| image % 4 == 0);
    settings.data.compared_splits = vec![
        store(root, "cluster-k2-0", |image| image < 20),
        store(root, "cluster-k2-1", |image| image >= 20),
        tau.clone(),
        tau,
    ];
    let (evaluation, curves) = found(&settings);
    let [clusters, tau] = &curves.splits[..] else { panic!("{curves:?}") };
    assert_eq!((clusters.name.as_str(), clusters.num_splits, tau.num_splits), ("cluster-k2", 2, 1));
    assert_eq!((clusters.train_images, clusters.held_out_images), ([20, 40], [20, 40]));
    assert_eq!((tau.train_images, tau.held_out_images), ([45, 45], [15, 15]));
    for comparison in [clusters, tau] {
        let names: Vec<&str> = comparison.rows.iter().map(|row| row.name.as_str()).collect();
        assert_eq!(names, ["ridge, image", "image mapper, ridge"]);
        for row in &comparison.rows {
            let difference = row.random.identification.mean - row.stored.identification.mean;
            assert!((row.difference.mean - difference).abs() < 1e-9 && row.difference.low < difference);
            assert!(row.stored.identification.low > 0.6, "{row:?}");
            let same =
                row.same_candidates.map(|same| same.identification.mean - row.stored.identification.mean);
            assert_eq!(same.is_some(), row.is_paired);
            if let (Some(same), Some(of_training)) = (same, row.of_training) {
                assert!((same - of_training.mean).abs() < 1e-9 && of_training.low < same, "{row:?}");
            }
            // Clusters hold every trial out once, and so do their counterparts.
            assert_eq!(row.is_paired, comparison.num_splits == 2);
        }
        // Two presentations of each image; as many candidates.
        assert!((comparison.rows[0].chance[0] - comparison.rows[0].chance[1]).abs() < 1e-12);
    }
    let table = evaluation.table();
    for needle in ["cluster-k2: 2 splits, 20 to 40 images", "of the same trials", "random minus stored"] {
        assert!(table.contains(needle), "{needle}: {table}");
    }
    settings.data.compared_splits = vec![root.join("splits/subj02-none.json")];
    let text = error(&settings);
    assert!(
        text.contains("`evaluate.compare_splits`: found no `") && text.contains("mindreader split"),
        "{text}"
    );
    settings.data.compared_splits = vec![store(root, "one", |image| image == 3)];
    assert!(error(&settings).contains("expected splits that hold 2 images out"));
}

#[test]
fn curves_without_ridge_or_over_folds_are_refused_by_key() {
    let folder = tempfile::tempdir().unwrap();
    let none = settings(folder.path(), EvaluateConfig::default());
    let refused = |change: fn(&mut EvaluateConfig)| {
        let mut settings = none.clone();
        change(&mut settings.evaluate);
        settings.evaluate.validate().unwrap_err().to_string()
    };
    let text = refused(|config| config.learning_curve = true);
    assert!(text.contains("evaluate.learning_curve") && text.contains("--ridge"), "{text}");
    let text = refused(|config| {
        (config.ridge, config.folds, config.bottleneck) = (true, 5, vec![Dimensions::Full]);
    });
    assert!(text.contains("evaluate.bottleneck") && text.contains("--folds"), "{text}");
    let text = refused(|config| {
        (config.ridge, config.folds, config.compare_splits) = (true, 5, vec!["tau".into()]);
    });
    assert!(text.contains("evaluate.compare_splits"), "{text}");
    let plain = toml::to_string(&EvaluateConfig::default()).unwrap();
    assert!(!plain.contains("shares") && !plain.contains("curve"), "written as before there were curves");
}
