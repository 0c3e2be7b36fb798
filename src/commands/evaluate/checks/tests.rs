//! Planted faults: what a decoder was made to do wrong, what two-way identification says of it, and which check says it. The figures of
//! docs/trust.md are held here.

use ndarray::{Array1, Array2, ArrayView1, Axis, concatenate, s};
use rand::RngExt;

use super::row::HeldOut;
use super::space::Space;
use super::*;
use crate::commands::evaluate::counts::Counts;
use crate::commands::evaluate::counts::RowHead;
use crate::commands::evaluate::summary::DecoderRow;
use crate::commands::evaluate::tests::{ridge, settings as evaluate_settings};
use crate::commands::evaluate::{Centre, EvaluateConfig, run};
use crate::commands::fixtures::linear_brain::{settings as training, write_all, write_twins};
use crate::commands::train_mapper;
use crate::data::split::SplitRecord;
use crate::metrics::bootstrap::BootstrapConfig;
use crate::metrics::retrieval::RetrievalConfig;
use crate::models::mapper::MapperKind;
use crate::pipelines::inference::{InferenceKind, TransductiveReason};
use crate::pipelines::mapper_betas::BetasControl;
use crate::pipelines::targets::decoded_target::DecodedTarget;
use crate::run::progress::Silent;
use crate::tensor_ops::random::keyed_rng;
use crate::training::ridge::permuted::PermutedRidge;
use crate::training::ridge::{RidgeConfig, RidgeError, fit_ridge, fit_tuned_ridge};

const CATEGORIES: usize = 10;
const DIMENSIONS: usize = 24;
const VOXELS: usize = 50;
const TRAIN: usize = 300;
const HELD_OUT: usize = 120;

/// Images of ten categories, seen once each, and betas that are a linear code of their targets under noise.
struct Made {
    categories: Vec<usize>,
    targets: Array2<f32>,
    betas: Array2<f32>,
}

fn draw(rows: usize, columns: usize, purpose: &str) -> Array2<f32> {
    let mut rng = keyed_rng(3, purpose, 0);
    // Three draws: near enough to a bell.
    Array2::from_shape_fn((rows, columns), |_| (0..3).map(|_| rng.random::<f32>() - 0.5).sum::<f32>() * 2.0)
}

impl Made {
    fn new() -> Self {
        let count = TRAIN + HELD_OUT;
        let categories: Vec<usize> = (0..count).map(|image| image % CATEGORIES).collect();
        let centres = draw(CATEGORIES, DIMENSIONS, "centres") * 1.5;
        let targets = centres.select(Axis(0), &categories) + draw(count, DIMENSIONS, "details");
        let betas = targets.dot(&draw(DIMENSIONS, VOXELS, "code")) + draw(count, VOXELS, "noise") * 12.0;
        Self { categories, targets, betas }
    }

    fn train(&self) -> Array2<f32> {
        self.targets.slice(s![..TRAIN, ..]).to_owned()
    }

    fn held_out(&self) -> Array2<f32> {
        self.targets.slice(s![TRAIN.., ..]).to_owned()
    }

    /// The baseline: what it predicts of the held-out images.
    fn ridge(&self) -> Array2<f32> {
        let (fitting, tuning): (Vec<usize>, Vec<usize>) = ((0..250).collect(), (250..TRAIN).collect());
        let (betas, targets) = (self.betas.view(), self.targets.view());
        let fit = fit_tuned_ridge(betas, targets, &fitting, &tuning, &RidgeConfig::default()).unwrap();
        fit.predict(self.betas.slice(s![TRAIN.., ..]))
    }

    /// The mean training target of each held-out image's category, and hardly anything else.
    fn category_only(&self) -> Array2<f32> {
        let train = self.train();
        let mean = |category: usize| -> Array1<f32> {
            let of: Vec<usize> = (0..TRAIN).filter(|image| self.categories[*image] == category).collect();
            train.select(Axis(0), &of).mean_axis(Axis(0)).unwrap()
        };
        let means: Vec<Array1<f32>> = (0..CATEGORIES).map(mean).collect();
        let views: Vec<ArrayView1<'_, f32>> =
            self.categories[TRAIN..].iter().map(|category| means[*category].view()).collect();
        ndarray::stack(Axis(0), &views).unwrap() + draw(HELD_OUT, DIMENSIONS, "jitter") * 0.02
    }
}

/// A decoder with a name; a mapper where it has predictions of its training images.
struct Decoder {
    name: &'static str,
    predicted: Array2<f32>,
    training: Option<Array2<f32>>,
}

/// Rows, checks and flags of decoders, in their order.
fn judged(made: &Made, decoders: Vec<Decoder>) -> (Vec<DecoderRow>, Vec<RowChecks>, Vec<Flag>) {
    let ids: Vec<u64> = (0..HELD_OUT as u64).collect();
    let counts = Counts::new(&ids, &RetrievalConfig { batch_size: 60, ..RetrievalConfig::default() });
    let space = Space::of(DecodedTarget::Image, made.train(), CATEGORIES, 1).unwrap();
    let bootstrap = BootstrapConfig::default();
    let held_out = HeldOut { ids: &ids, bootstrap: &bootstrap };
    let (mut rows, mut checks, mut all) = (Vec::new(), Vec::new(), Vec::new());
    for Decoder { name, predicted, training } in decoders {
        let pair = DecodedPair { predicted, target: made.held_out() };
        let mapper = training.map(|predicted| JudgedMapper {
            kind: MapperKind::Ridge,
            training: DecodedPair {
                target: made.targets.slice(s![..predicted.nrows(), ..]).to_owned(),
                predicted,
            },
            held_out: None,
        });
        let head = RowHead {
            name: name.into(),
            betas: BetasControl::Measured,
            mapper: mapper.as_ref().map(|_| "mapper".into()),
            target: DecodedTarget::Image,
        };
        let row = counts.row(head, &pair).unwrap();
        let judged = Judged { place: 0, pair, mapper };
        checks.push(held_out.row(&row, &judged, &space).unwrap());
        rows.push(row);
        all.push(judged);
    }
    let leak = LeakCheck { same_image: 0, same_pixels: None, near_targets: None, examples: Vec::new() };
    let flags = flags(&checks, rows.iter(), &all, &leak, &SplitRecord::default());
    (rows, checks, flags)
}

/// Two-way share, share within the cluster and dimensions, as docs/trust.md tells them; sums of another machine may move the last digit.
fn assert_figures(row: &DecoderRow, checks: &RowChecks, expected: [f64; 3]) {
    let two_way = row.identification.unwrap().share.mean;
    let within = checks.within_cluster.unwrap().identification.share.mean;
    let found = [100.0 * two_way, 100.0 * within, checks.dimensions.predicted.participation_ratio];
    assert!(found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 0.15), "{found:?}");
    assert!((checks.dimensions.target.participation_ratio - 11.3).abs() < 0.1, "{:?}", checks.dimensions);
}

fn baseline(made: &Made) -> Decoder {
    Decoder { name: "ridge", predicted: made.ridge(), training: None }
}

fn names(flags: &[Flag]) -> Vec<(CheckName, Option<&str>)> {
    flags.iter().map(|flag| (flag.check, flag.decoder.as_deref())).collect()
}

#[test]
fn an_honest_decoder_raises_nothing() {
    let made = Made::new();
    let (rows, checks, flags) = judged(&made, vec![baseline(&made)]);
    assert!(flags.is_empty(), "{flags:?}");
    assert_figures(&rows[0], &checks[0], [98.3, 89.8, 7.1]);
    let within = checks[0].within_cluster.unwrap();
    assert!(rows[0].identification.unwrap().share.mean > 0.9 && within.identification.share.low > 0.6);
    assert!(within.num_trials > 110 && checks[0].cluster.share.low > 2.0 * checks[0].cluster.chance);
}

#[test]
fn a_decoder_of_the_category_passes_two_way_and_fails_within_its_cluster() {
    let made = Made::new();
    let category = Decoder { name: "category", predicted: made.category_only(), training: None };
    let (rows, checks, flags) = judged(&made, vec![category]);
    assert!(rows[0].identification.unwrap().share.low > 0.9, "the usual metric is content");
    assert_figures(&rows[0], &checks[0], [95.4, 49.8, 6.8]);
    assert!(checks[0].cluster.share.mean > 0.9, "{:?}", checks[0].cluster);
    assert_eq!(names(&flags), [(CheckName::WithinCluster, Some("category"))], "{flags:?}");

    // Few images whose trials all win the same pairs have a wide two-way interval: the cluster alone tells.
    let mut few = rows;
    few[0].identification.as_mut().unwrap().share.low = 0.4;
    let leak = LeakCheck { same_image: 0, same_pixels: None, near_targets: None, examples: Vec::new() };
    let judged = [Judged {
        place: 0,
        pair: DecodedPair { predicted: made.category_only(), target: made.held_out() },
        mapper: None,
    }];
    let of_few = super::flags::flags(&checks, few.iter(), &judged, &leak, &SplitRecord::default());
    assert_eq!(names(&of_few), [(CheckName::WithinCluster, Some("category"))], "{of_few:?}");
}

#[test]
fn a_collapsed_output_is_flagged_beside_ridge_regression() {
    let made = Made::new();
    let predicted = made.ridge();
    let mean = predicted.mean_axis(Axis(0)).unwrap();
    // All that is left of it is one direction, that of the first category from the second.
    let train = made.train();
    let direction = &train.row(0) - &train.row(1);
    let direction = &direction / direction.dot(&direction).sqrt();
    let along = (&predicted - &mean).dot(&direction);
    let line = Array2::from_shape_fn(predicted.dim(), |(row, at)| mean[at] + along[row] * direction[at]);
    let collapsed =
        Decoder { name: "line", training: Some(predicted.slice(s![..50, ..]).to_owned()), predicted: line };
    let (rows, checks, flags) = judged(&made, vec![collapsed, baseline(&made)]);
    assert!(rows[0].identification.unwrap().share.low > 0.5);
    assert_figures(&rows[0], &checks[0], [61.8, 54.0, 1.0]);
    assert!(names(&flags).contains(&(CheckName::OutputCollapse, Some("line"))), "{flags:?}");
    assert!(flags.iter().all(|flag| flag.decoder.as_deref() == Some("line")), "{flags:?}");
}

#[test]
fn a_decoder_that_was_fitted_to_the_held_out_images_is_flagged() {
    let made = Made::new();
    let everything: Vec<usize> = (0..TRAIN + HELD_OUT).collect();
    // More predictors than images: a small penalty learns them by heart.
    let wide = concatenate![Axis(1), made.betas, draw(TRAIN + HELD_OUT, 500, "other voxels") * 20.0];
    let leaked = fit_ridge(wide.view(), made.targets.view(), &everything, 0.05).unwrap().predict(wide.view());
    let honest =
        fit_ridge(wide.view(), made.targets.view(), &everything[..TRAIN], 0.05).unwrap().predict(wide.view());
    let decoder = |name, predicted: &Array2<f32>| Decoder {
        name,
        predicted: predicted.slice(s![TRAIN.., ..]).to_owned(),
        training: Some(predicted.slice(s![..HELD_OUT, ..]).to_owned()),
    };
    let (rows, checks, flags) =
        judged(&made, vec![decoder("leaked", &leaked), decoder("overfitted", &honest), baseline(&made)]);
    assert!(rows[0].identification.unwrap().share.mean > 0.95, "the usual metric is content");
    let cosine =
        |at: usize| (checks[at].centred_cosine.mean, checks[at].training_cosine.map(|found| found.mean));
    assert!(
        (cosine(0).0 - 0.991).abs() < 2e-3 && (cosine(0).1.unwrap() - 0.991).abs() < 2e-3,
        "{:?}",
        cosine(0)
    );
    assert!(
        (cosine(1).0 - 0.290).abs() < 2e-3 && (cosine(1).1.unwrap() - 0.997).abs() < 2e-3,
        "{:?}",
        cosine(1)
    );
    assert!((cosine(2).0 - 0.685).abs() < 2e-3, "{:?}", cosine(2));
    let found = names(&flags);
    assert!(found.contains(&(CheckName::FitGap, Some("leaked"))), "{flags:?}");
    assert!(
        !found.iter().any(|(check, name)| *check == CheckName::FitGap && *name != Some("leaked")),
        "{flags:?}"
    );
}

#[test]
fn exchanged_pairs_are_no_better_than_permuted_ones() {
    let made = Made::new();
    let images: Vec<usize> = (0..TRAIN).collect();
    let orders: Vec<Vec<usize>> = (0..20).map(|at| permutations::order(TRAIN, 1, at)).collect();
    let (train, held_out) = (made.betas.slice(s![..TRAIN, ..]), made.betas.slice(s![TRAIN.., ..]));
    let config = RidgeConfig::default();
    let ridge = PermutedRidge {
        x: train,
        image_of_row: &images,
        fitting: &images[..250],
        tuning: &images[250..],
        held_out,
        config: &config,
    };
    let (ids, target, targets) = ((0..HELD_OUT as u64).collect::<Vec<_>>(), made.held_out(), made.train());
    let share = |predicted: &Array2<f32>| {
        let ranks =
            crate::metrics::pairwise::own_ranks(predicted.view(), target.view(), &ids).unwrap().unwrap();
        ranks.iter().map(|own| own.share()).sum::<f64>() / ranks.len() as f64
    };
    let mut null = Vec::new();
    let mut heed = |_, predicted: Array2<f32>| {
        null.push(share(&predicted));
        Ok::<_, RidgeError>(())
    };
    ridge.refit(&[targets.view()], &orders, &mut heed).unwrap();
    let honest = PermutationTest::of(share(&made.ridge()), &null).unwrap();
    assert!(
        (honest.p, honest.resolution) == (1.0 / 21.0, 1.0 / 21.0) && (honest.null_mean - 0.5).abs() < 0.05
    );
    // Betas of each image exchanged for another's before all fits: one more permutation.
    let exchanged =
        made.betas.select(Axis(0), &(0..TRAIN).map(|image| (image * 7 + 3) % TRAIN).collect::<Vec<_>>());
    let fit =
        fit_tuned_ridge(exchanged.view(), targets.view(), &images[..250], &images[250..], &config).unwrap();
    let shuffled = PermutationTest::of(share(&fit.predict(held_out)), &null).unwrap();
    assert!(shuffled.p > 0.05, "{shuffled:?}");
    let (_, mut checks, _) = judged(&made, vec![baseline(&made)]);
    checks[0].permutation = Some(shuffled);
    assert!(flags::permutation(&checks[0]).unwrap().contains("permuted pairs do as well"));
    checks[0].permutation = Some(honest);
    assert_eq!(flags::permutation(&checks[0]), None);
}

fn ridge_config() -> EvaluateConfig {
    ridge(&[DecodedTarget::Image, DecodedTarget::Pixels])
}

#[test]
fn checks_are_on_by_default_and_an_honest_evaluation_raises_nothing() {
    let folder = tempfile::tempdir().unwrap();
    write_all(folder.path());
    let mut settings = evaluate_settings(folder.path(), ridge_config());
    let found = run(&settings, &mut Silent).unwrap();
    let checks = found.checks.as_ref().unwrap();
    let table = found.table();
    assert!(checks.flags.is_empty(), "{:?}", checks.flags);
    assert_eq!((checks.rows.len(), checks.clusters.len()), (4, 2));
    assert_eq!(
        (checks.leak.same_image, checks.leak.same_pixels, checks.leak.near_targets),
        (0, Some(0), Some(0))
    );
    let test = checks.rows[0].permutation.unwrap();
    assert_eq!((test.num_permutations, test.p), (20, 1.0 / 21.0));
    assert!((test.null_mean - 0.5).abs() < 0.15, "{test:?}");
    assert!(checks.rows[2].permutation.is_none(), "of a control there is none");
    // Scaled within the session by all trials, held-out ones too.
    let inference = found.inference.as_ref().unwrap();
    assert_eq!(inference.reasons, [TransductiveReason::ScaledBySession]);
    for needle in [
        "p ≤ 0.048, the smallest that 20",
        "knows only the cluster of 2",
        "Flags: none",
        "Transductive: betas",
    ] {
        assert!(table.contains(needle), "{needle}: {table}");
    }

    // Other lures, by name; the counts stay.
    settings.evaluate.permutations = 0;
    for (lures, head) in
        [(Lures::Train, "among 42 training images"), (Lures::Cluster, "images of the same cluster, not")]
    {
        settings.evaluate.lures = lures;
        let other = run(&settings, &mut Silent).unwrap();
        assert_eq!(other.lures, lures);
        assert!(other.table().contains(head) && !other.table().contains("Permutation test"));
        let (one, plain) = (&other.ridge[0], &found.ridge[0]);
        assert_eq!(one.by_image, plain.by_image);
        assert!(one.averaged.is_some());
        let images = one.identification.unwrap().num_images;
        assert!(if lures == Lures::Train { images == 43 } else { (2..18).contains(&images) }, "{images}");
        if lures == Lures::Cluster {
            assert_eq!(one.identification, checks.rows[0].within_cluster.map(|found| found.identification));
        }
    }
    settings.evaluate.folds = 5;
    let error = run(&settings, &mut Silent).unwrap_err().to_string();
    assert!(error.contains("evaluate.lures") && error.contains("`test` with"), "{error}");
}

#[test]
fn a_picture_on_both_sides_and_transductive_choices_are_named() {
    let folder = tempfile::tempdir().unwrap();
    write_all(folder.path());
    // Image 3 is of training, image 58 is held out.
    write_twins(folder.path(), 3, 58);
    let config = EvaluateConfig {
        permutations: 0,
        shuffled_control: false,
        centre: Centre::RescaledByTest,
        ..ridge_config()
    };
    let found = run(&evaluate_settings(folder.path(), config), &mut Silent).unwrap();
    let checks = found.checks.as_ref().unwrap();
    assert_eq!(
        (checks.leak.same_image, checks.leak.same_pixels, checks.leak.near_targets),
        (0, Some(1), Some(1))
    );
    assert!(names(&checks.flags).contains(&(CheckName::SplitLeak, None)), "{:?}", checks.flags);
    assert_eq!(checks.leak.examples.len(), 1);
    let inference = found.inference.as_ref().unwrap();
    assert_eq!(inference.kind, InferenceKind::Transductive);
    assert_eq!(inference.reasons, [TransductiveReason::ScaledBySession, TransductiveReason::RescaledByTest]);
}

#[test]
fn a_mapper_whose_run_held_out_other_pictures_is_flagged() {
    let folder = tempfile::tempdir().unwrap();
    write_all(folder.path());
    let mut training = training(folder.path());
    training.mapper.kind = MapperKind::Ridge;
    let trained = train_mapper::run(&training, &mut Silent).unwrap();
    let config = EvaluateConfig { permutations: 0, shuffled_control: false, ..ridge_config() };
    let mut settings = evaluate_settings(folder.path(), config);
    settings.mappers = vec![trained.snapshot.clone()];
    let found = run(&settings, &mut Silent).unwrap();
    let checks = found.checks.unwrap();
    assert!(checks.flags.is_empty(), "{:?}", checks.flags);
    assert!(checks.rows[0].training_cosine.is_some() && checks.rows[0].permutation.is_none());
    // As if the file of its split had named other pictures then.
    let summary = trained.snapshot.with_file_name("summary.json");
    let text = std::fs::read_to_string(&summary).unwrap();
    let sha256 = trained.split_record.unwrap().sha256;
    std::fs::write(&summary, text.replace(&sha256, &"0".repeat(64))).unwrap();
    let found = run(&settings, &mut Silent).unwrap();
    let flags = found.checks.unwrap().flags;
    assert_eq!(names(&flags), [(CheckName::SplitRecord, Some("image mapper, ridge"))], "{flags:?}");
}

#[test]
fn a_mapper_is_tested_by_trainings_from_exchanged_betas() {
    let folder = tempfile::tempdir().unwrap();
    write_all(folder.path());
    let mut training = training(folder.path());
    training.mapper.kind = MapperKind::Ridge;
    let trained = train_mapper::run(&training, &mut Silent).unwrap();
    let config =
        EvaluateConfig { mapper_permutations: 6, permutations: 0, shuffled_control: false, ..ridge_config() };
    let mut settings = evaluate_settings(folder.path(), config);
    settings.mappers = vec![trained.snapshot];
    let found = run(&settings, &mut Silent).unwrap();
    let checks = found.checks.as_ref().unwrap();
    let test = checks.rows[0].permutation.unwrap();
    assert_eq!((test.num_permutations, test.p, test.resolution), (6, 1.0 / 7.0, 1.0 / 7.0));
    assert_eq!(test.observed, found.mappers[0].identification.unwrap().share.mean);
    assert!((test.null_mean - 0.5).abs() < 0.15 && test.null_range[0] < test.null_range[1], "{test:?}");
    assert!(found.table().contains("image mapper, ridge: "), "{}", found.table());
    let again = run(&settings, &mut Silent).unwrap();
    assert_eq!(again.checks.unwrap().rows[0].permutation, Some(test), "the seed decides");
    // No directory of a training is left, and nothing is asked of mappers that are not there.
    settings.evaluate.folds = 3;
    let error = run(&settings, &mut Silent).unwrap_err().to_string();
    assert!(error.contains("evaluate.mapper_permutations") && error.contains("0 with"), "{error}");
}
