//! Ridge regression without a mapper, on a small subject whose betas are a linear code of what it saw.

use std::path::Path;

use super::*;
use crate::commands::fixtures::linear_brain::{settings as training, write_all};
use crate::metrics::pairwise::PairwiseIdentification;
use crate::models::mapper::MapperKind;
use crate::pipelines::measured::ReferenceKind;
use crate::pipelines::targets::decoded_target::DecodedTarget;
use crate::run::progress::Silent;
use crate::training::ridge::GridEdge;

/// Remembers what it was warned of.
#[derive(Default)]
struct Heard(Vec<String>);

impl Progress for Heard {
    fn start(&mut self, _what: &str, _total: u64) {}
    fn advance(&mut self, _done: u64, _message: &str) {}
    fn finish(&mut self, _message: &str) {}
    fn warning(&mut self, text: &str) {
        self.0.push(text.to_string());
    }
}

/// Ridge regression alone on the small subject.
pub(super) fn settings(root: &Path, evaluate: EvaluateConfig) -> EvaluateSettings {
    let training = training(root);
    let (clip, data) = (Some(training.target_network.clone()), EvaluationData::from(&training));
    EvaluateSettings {
        mappers: Vec::new(),
        clip,
        controls: Vec::new(),
        own_targets: None,
        resnet: None,
        evaluate,
        data,
    }
}

pub(super) fn ridge(targets: &[DecodedTarget]) -> EvaluateConfig {
    EvaluateConfig {
        ridge: true,
        ridge_targets: targets.to_vec(),
        pixel_side: 8,
        ..EvaluateConfig::default()
    }
}

fn identification(row: &DecoderRow) -> &PairwiseIdentification {
    row.identification.as_ref().unwrap()
}

#[test]
fn pixels_need_neither_clip_nor_captions_and_the_floor_is_chance() {
    let folder = tempfile::tempdir().unwrap();
    write_all(folder.path());
    let all = [DecodedTarget::Image, DecodedTarget::Caption, DecodedTarget::Pixels];
    let mut settings = settings(folder.path(), ridge(&all));
    (settings.clip, settings.data.captions) = (None, folder.path().join("none.json"));
    let found = run(&settings, &mut Silent).unwrap();
    let [row] = &found.ridge[..] else { panic!("{:?}", found.ridge) };
    let [control] = &found.ridge_control[..] else { panic!("{:?}", found.ridge_control) };
    assert_eq!((row.target, row.name.as_str()), (DecodedTarget::Pixels, "ridge, pixels"));
    // 36 trials of 18 images. Less its mean, a picture of two halves is one of two, bright left or bright right: half of the pairs
    // are ties, and (9 + 8/2)/17 = 0.76 is the most that can be won.
    let own = identification(row);
    assert!((own.share.mean - 0.76).abs() < 0.03 && own.share.low > 0.6 && own.num_images == 18, "{own:?}");
    assert!(own.mean_rank.mean < 6.0 && (own.chance, own.chance_rank) == (0.5, 9.5), "{own:?}");
    assert!((own.share.mean - (18.0 - own.mean_rank.mean) / 17.0).abs() < 1e-9);
    // Two presentations of each image: with less noise no worse.
    let averaged = row.averaged.unwrap();
    assert_eq!((averaged.mean_presentations, averaged.num_repeated_images), (2.0, 18));
    assert!(averaged.identification.share.mean > own.share.mean - 0.02, "{averaged:?}");
    let floor = identification(control);
    assert!(floor.share.low < 0.5 && floor.share.mean < 0.7, "{floor:?}");
    assert_eq!((found.num_search_trials, found.combinations.len(), found.pixel_side), (0, 0, Some(8)));

    let table = found.table();
    for needle in [
        "retrieval, forward, among 36 trials, by image, not centred, of 36:",
        "2-way identification, among 18 images, not centred, %:",
        "exchanged betas",
        "averaged (ceiling)",
        "random training image",
        "luminance at 8 x 8",
        "Penalties, chosen",
        "2.0 presentations of each",
    ] {
        assert!(table.contains(needle), "{needle}: {table}");
    }
    // Beside every number of the decoder stands that of the control, whose rows are not printed twice.
    let numbers = found.numbers();
    assert!(numbers.numbers().iter().all(|number| number.decoder == "ridge, pixels"), "{numbers:?}");
    let pairs = numbers.numbers().iter().find(|number| number.quantity == "2-way identification").unwrap();
    assert_eq!((pairs.value, pairs.chance), (own.share, Some(0.5)));
    assert_eq!(pairs.reference(ReferenceKind::ExchangedBetas).unwrap().value, floor.share.mean);
    let ceiling = pairs.reference(ReferenceKind::AveragedPresentations).unwrap();
    assert_eq!(ceiling.value, averaged.identification.share.mean);
    let context = numbers.context();
    assert_eq!((context.num_images, context.num_trials), (18, 36));
    assert!(context.subject.is_some() && context.seed.is_some() && context.split == found.split_record);
    let spreadsheet = std::fs::read(found.run.join(NUMBERS_FILE)).unwrap();
    assert_eq!(spreadsheet, numbers.csv().unwrap());
    let written = std::fs::read(found.run.join("evaluation.json")).unwrap();
    let read: EvaluateSummary = serde_json::from_slice(&written).unwrap();
    assert_eq!(read.table(), table);
    settings.evaluate.ridge_targets = vec![DecodedTarget::Caption];
    let error = run(&settings, &mut Silent).unwrap_err().to_string();
    assert!(error.contains("nothing to aim at"), "{error}");
}

#[test]
fn every_trial_is_held_out_once_by_folds() {
    let folder = tempfile::tempdir().unwrap();
    write_all(folder.path());
    let evaluate = EvaluateConfig { folds: 5, ..ridge(&[DecodedTarget::Image, DecodedTarget::Pixels]) };
    let mut settings = settings(folder.path(), evaluate);
    let found = run(&settings, &mut Silent).unwrap();
    let folds = found.cross_validation.as_ref().unwrap();
    assert_eq!((folds.folds, folds.num_groups, folds.candidates), (5, 60, [24, 24]));
    assert_eq!((found.num_trials, found.images.len()), (120, 120));
    let names: Vec<&str> = folds.rows.iter().chain(&folds.control).map(|row| row.name.as_str()).collect();
    assert_eq!(
        names,
        ["ridge, image", "ridge, pixels", "ridge, image, exchanged", "ridge, pixels, exchanged"]
    );
    for row in folds.rows.iter().chain(&folds.control) {
        // Two presentations of each of 12 images.
        assert!((row.chance - 1.0 / 12.0).abs() < 1e-12);
        assert_eq!((row.penalties.len(), row.identification.num_images), (5, 12));
        assert!(row.forward.low < row.forward.high);
    }
    let [image, pixels] = &folds.rows[..] else { panic!("{folds:?}") };
    assert!(image.identification.share.low > 0.7 && pixels.identification.share.low > 0.65, "{folds:?}");
    assert!(folds.control.iter().all(|row| row.identification.share.low < 0.55), "{folds:?}");
    let table = found.table();
    assert!(
        table.contains("5 folds of 60 images, each trial held out once")
            && table.contains("24 trials of a fold")
    );

    // The seed decides the folds; the same gives the same numbers.
    let again = run(&settings, &mut Silent).unwrap();
    assert_eq!(again.table(), table);
    for (folds, expected) in
        [(31, "found 31, expected 2 to 30 for 60 images"), (1, "found 1, expected 0 (none) or 2 to 1000")]
    {
        settings.evaluate.folds = folds;
        let error = run(&settings, &mut Silent).unwrap_err().to_string();
        assert!(error.contains("evaluate.folds") && error.contains(expected), "{error}");
    }
    (settings.evaluate.folds, settings.evaluate.ridge) = (5, false);
    let error = run(&settings, &mut Silent).unwrap_err().to_string();
    assert!(error.contains("evaluate.folds") && error.contains("--ridge"), "{error}");
}

#[test]
fn mappers_of_every_kind_are_trained_in_every_fold_and_compared_with_ridge() {
    let folder = tempfile::tempdir().unwrap();
    write_all(folder.path());
    let evaluate = EvaluateConfig {
        folds: 3,
        fold_kinds: vec![MapperKind::Ridge, MapperKind::Residual, MapperKind::KernelRidge, MapperKind::Paper],
        ..ridge(&[DecodedTarget::Image, DecodedTarget::Pixels])
    };
    let mut settings = settings(folder.path(), evaluate);
    let mapper = &mut settings.data.mapper;
    (mapper.train.phase1.epochs, mapper.train.phase2.epochs) = (6, 1);
    (mapper.residual.hidden, mapper.residual.epochs, mapper.residual.batch) = (8, 4, 16);
    let found = run(&settings, &mut Silent).unwrap();
    let folds = found.cross_validation.as_ref().unwrap();
    let names: Vec<&str> = folds.rows.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "ridge, image",
            "ridge, pixels",
            "image mapper, ridge",
            "image mapper, residual",
            "image mapper, kernel-ridge",
            "image mapper, paper"
        ]
    );
    for row in &folds.rows {
        assert_eq!(row.over_ridge.is_some(), row.kind.is_some(), "{}", row.name);
        assert_eq!(row.epochs_chosen_on.is_some(), row.kind == Some(MapperKind::Paper));
        assert!((row.chance - 0.05).abs() < 1e-12, "two presentations of each of 20 images");
        let control = folds.floor(row).unwrap();
        assert_eq!(control.kind, row.kind);
        if row.kind != Some(MapperKind::Paper) {
            assert!(row.identification.share.low > 0.65, "{row:?}");
        }
        assert!(control.identification.share.low < 0.55, "{control:?}");
    }
    // The paired difference is that of the counts; its interval is its own.
    let [baseline, _, ridge, ..] = &folds.rows[..] else { panic!("{folds:?}") };
    let over = ridge.over_ridge.unwrap();
    assert!((over.forward.mean - (ridge.forward.mean - baseline.forward.mean)).abs() < 1e-12);
    let pairs = ridge.identification.share.mean - baseline.identification.share.mean;
    assert!(
        (over.identification.mean - pairs).abs() < 1e-12
            && over.identification.low < over.identification.high
    );

    let table = found.table();
    for needle in
        ["image mapper, kernel-ridge", "exchanged betas", "minus ridge", "not on the trials that are"]
    {
        assert!(table.contains(needle), "{needle}: {table}");
    }
    // The folds' own runs are gone, whatever they needed on the way.
    assert_eq!(std::fs::read_dir(&settings.data.runs).unwrap().count(), 1);
    let written = std::fs::read(found.run.join("evaluation.json")).unwrap();
    assert_eq!(serde_json::from_slice::<EvaluateSummary>(&written).unwrap().table(), table);
}

#[test]
fn kinds_without_folds_or_twice_and_trainings_that_do_not_fit_a_fold_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    write_all(folder.path());
    let mut settings = settings(folder.path(), ridge(&[DecodedTarget::Image]));
    settings.evaluate.fold_kinds = vec![MapperKind::Paper];
    let error = |settings: &EvaluateSettings| run(settings, &mut Silent).unwrap_err().to_string();
    let text = error(&settings);
    assert!(text.contains("evaluate.fold_kinds`: found `paper`") && text.contains("--folds"), "{text}");
    settings.evaluate.folds = 5;
    settings.evaluate.fold_kinds.push(MapperKind::Paper);
    assert!(error(&settings).contains("found `paper` twice"));
    settings.evaluate.fold_kinds.pop();
    settings.data.mapper.train.phase2.batch = 97;
    let text = error(&settings);
    assert!(text.contains("train_mapper.train.phase2.batch`: found 97, expected 1 to 96"), "{text}");
    assert!(!settings.data.runs.exists(), "refused before any work");
}

#[test]
fn a_penalty_at_the_end_of_the_grid_is_told() {
    let folder = tempfile::tempdir().unwrap();
    write_all(folder.path());
    let mut settings = settings(folder.path(), ridge(&[DecodedTarget::Pixels]));
    settings.evaluate.shuffled_control = false;
    settings.evaluate.ridge_fit.penalties = vec![1e3, 1e4];
    let mut heard = Heard::default();
    let found = run(&settings, &mut heard).unwrap();
    let [warning] = &heard.0[..] else { panic!("{heard:?}", heard = heard.0) };
    assert!(warning.contains("ridge, pixels: the penalty 1000 is the smallest"), "{warning}");
    assert_eq!(found.ridge[0].penalty_at_edge, Some(GridEdge::Smallest));
    assert!(found.table().contains("1000 (smallest of the grid)") && found.ridge_control.is_empty());
}

#[test]
fn centring_is_named_and_spreads_embeddings_that_share_a_direction() {
    let folder = tempfile::tempdir().unwrap();
    write_all(folder.path());
    let mut settings = settings(folder.path(), ridge(&[DecodedTarget::Image]));
    let plain = run(&settings, &mut Silent).unwrap();
    settings.evaluate.centre = Centre::TrainingMean;
    let centred = run(&settings, &mut Silent).unwrap();
    // What all images share makes the cosine large; it tells nothing of which one was seen.
    assert!(plain.ridge[0].cosine.mean > centred.ridge[0].cosine.mean + 0.05, "{:?}", centred.ridge);
    assert!(identification(&centred.ridge[0]).share.low > 0.7, "{:?}", centred.ridge);
    assert!(centred.table().contains("Centred: the mean target") && !plain.table().contains("Centred"));
    assert_eq!(plain.ridge[0].penalty, centred.ridge[0].penalty);
    settings.evaluate.centre = Centre::RescaledByTest;
    let rescaled = run(&settings, &mut Silent).unwrap();
    assert_ne!(rescaled.ridge[0].cosine.mean, plain.ridge[0].cosine.mean);
    assert!(
        rescaled.table().contains("Transductive: each output")
            && !plain.table().contains("Transductive: each output")
    );
}
