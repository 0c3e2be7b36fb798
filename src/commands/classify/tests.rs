//! `classify` on a brain whose categories follow from its voxels.

use std::path::Path;

use super::*;
use crate::commands::fixtures::linear_brain::{settings as mapper_settings, write_all, write_annotations};
use crate::commands::train_mapper::{self, TargetFiles, TrainMapperSettings};
use crate::models::mapper::MapperKind;
use crate::pipelines::measured::ReferenceKind;
use crate::run::progress::Silent;

fn settings(root: &Path) -> ClassifySettings {
    let TrainMapperSettings {
        prepared,
        stimuli,
        captions,
        target_network,
        cache,
        runs,
        device,
        split,
        mapper,
        ..
    } = mapper_settings(root);
    let mut classify = ClassifyConfig {
        min_train_images: 8,
        min_test_images: 3,
        exchanges: 2,
        hidden: HiddenUnits { fmri: [16, 8], clip: [16, 8], resnet: [8, 8] },
        standardize: true,
        ..ClassifyConfig::default()
    };
    classify.train.epochs = 20;
    classify.train.optimiser.learning_rate = 1e-2;
    classify.bootstrap.resamples = 100;
    ClassifySettings {
        nsd: root.join("nsd"),
        prepared,
        image_mapper: None,
        resnet_mapper: None,
        cache,
        runs,
        device,
        split,
        targets: TargetFiles {
            stimuli,
            captions,
            clip: Some(target_network),
            own_targets: None,
            resnet: None,
            mapper,
        },
        classify,
        left_out: vec!["ResNet left out".into()],
    }
}

fn row(summary: &ClassifySummary, input: ClassifierInput, classifier: ClassifierKind) -> &ClassifierRow {
    summary.rows.iter().find(|row| row.input == input && row.classifier == classifier).unwrap()
}

#[test]
fn categories_that_follow_from_voxels_are_told_and_exchanged_ones_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    write_all(root);
    write_annotations(&root.join("nsd"));
    let settings = settings(root);
    let summary = run(&settings, &mut Silent).unwrap();
    // 0.7 of 60 images are 42, each shown twice. Only one image has a boat, and 166 categories are in none.
    assert_eq!((summary.num_train, summary.num_test), ([84, 42], [36, 18]));
    let names: Vec<&str> = summary.categories.iter().map(|category| category.name.as_str()).collect();
    assert_eq!(names, ["cat", "dog", "grass", "sky-other"]);
    assert_eq!(summary.left_out, LeftOut { in_training: 167, in_test: 0 });
    for classifier in ClassifierKind::ALL {
        let fmri = row(&summary, ClassifierInput::Fmri, classifier);
        assert!(fmri.scores.all.auc.mean > 0.9 && fmri.scores.all.auc.low > 0.8, "{fmri:?}");
        assert_eq!((fmri.scores.things.unwrap().num_categories, fmri.scores.all.num_categories), (2, 4));
        let exchanged = fmri.exchanged.unwrap();
        assert!((0.25..0.75).contains(&exchanged.scores.all.auc.mean), "{exchanged:?}");
        assert!(exchanged.exchanges == 2 && exchanged.range[0] < exchanged.range[1]);
        let percent = fmri.percent_of_fmri.unwrap();
        assert_eq!((percent.mean, percent.low, percent.high), (100.0, 100.0, 100.0));
    }
    assert!(row(&summary, ClassifierInput::ClipImage, ClassifierKind::Linear).scores.all.auc.mean > 0.7);
    // No mapper: nothing is decoded.
    assert_eq!(summary.rows.len(), 4);
    assert_eq!(summary.notes, ["ResNet left out"]);
    for file in
        ["config.toml", "summary.json", "charts/categories-fmri.svg", "charts/categories-clip-image.svg"]
    {
        assert!(summary.run.join(file).is_file(), "{file}");
    }
    let table = std::fs::read_to_string(summary.run.join("categories.csv")).unwrap();
    assert_eq!(table.lines().count(), 1 + 4 * 4);
    let numbers = summary.numbers();
    let fmri = numbers.numbers().iter().find(|number| number.decoder == "fMRI, network").unwrap();
    let scored = row(&summary, ClassifierInput::Fmri, ClassifierKind::Network);
    assert_eq!(
        (fmri.value, fmri.chance, fmri.over_ridge),
        (scored.scores.all.auc, Some(0.5), scored.over_linear)
    );
    let floor = fmri.reference(ReferenceKind::ExchangedLabels).unwrap();
    let exchanged = scored.exchanged.unwrap();
    assert_eq!(floor.value, exchanged.scores.all.auc.mean);
    // The refits lie inside of the floor's interval.
    let ([low, high], [lowest, highest]) = (floor.interval.unwrap(), exchanged.range);
    assert!(low <= lowest && highest <= high, "{floor:?}");
    assert_eq!(std::fs::read(summary.run.join(NUMBERS_FILE)).unwrap(), numbers.csv().unwrap());
    let text = summary.text();
    assert!(text.contains("2 things and 2 stuffs; left out as too rare: 167 in training"), "{text}");
    assert!(text.contains("  paper") && text.contains("0.829 ± 0.081"), "{text}");
    let again = run(&settings, &mut Silent).unwrap();
    assert_eq!(again.rows, summary.rows);
}

#[test]
fn masked_voxels_take_away_what_is_told_of_categories() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    write_all(root);
    write_annotations(&root.join("nsd"));
    let mut training = mapper_settings(root);
    training.mapper.kind = MapperKind::Ridge;
    let mapper = train_mapper::run(&training, &mut Silent).unwrap().snapshot;
    let mut settings = ClassifySettings { image_mapper: Some(mapper), ..settings(root) };
    settings.classify.inputs = vec![ClassifierInput::ClipMapped, ClassifierInput::Fmri];
    settings.classify.exchanges = 0;
    settings.classify.masking = true;
    settings.classify.mask =
        MaskConfig { ratios: vec![0.0, 0.75, 1.0], masks: 3, retrain: true, resamples: 50 };
    let summary = run(&settings, &mut Silent).unwrap();
    let decoded = row(&summary, ClassifierInput::ClipMapped, ClassifierKind::Linear);
    assert!(decoded.scores.all.auc.mean > 0.7 && decoded.exchanged.is_none(), "{decoded:?}");
    // Two inputs by two classifiers, as they are and retrained.
    assert_eq!(summary.masking.len(), 8);
    for curve in &summary.masking {
        let [none, most, all] = &curve.points[..] else { panic!("{curve:?}") };
        assert_eq!((none.num_masked, most.num_masked, all.num_masked), (0, 30, 40));
        assert_eq!((none.masks, most.masks, all.masks), (1, 3, 1));
        assert!(most.range[0] <= most.auc.mean && most.auc.mean <= most.range[1]);
        assert!(most.auc.mean < none.auc.mean, "{curve:?}");
        assert_eq!(all.auc.mean, CHANCE, "nothing is left, and all scores are equal");
        if !curve.is_retrained {
            let whole = row(&summary, curve.input, curve.classifier).scores.all.auc.mean;
            assert_eq!(none.auc.mean, whole);
        }
    }
    for file in ["masking.csv", "charts/masking.svg"] {
        assert!(summary.run.join(file).is_file(), "{file}");
    }
    settings.classify.mapped_training = MappedTraining::Image;
    settings.classify.masking = false;
    let of_images = run(&settings, &mut Silent).unwrap();
    let of_images = row(&of_images, ClassifierInput::ClipMapped, ClassifierKind::Linear);
    assert_ne!(of_images.scores, decoded.scores);
}

#[test]
fn what_is_missing_or_too_rare_is_said_before_a_run_begins() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    write_all(root);
    let error = |change: fn(&mut ClassifySettings)| {
        let mut settings = settings(root);
        change(&mut settings);
        run(&settings, &mut Silent).unwrap_err().to_string()
    };
    let missing = error(|_| ());
    assert!(missing.contains("instances_train2017.json` is missing"), "{missing}");
    write_annotations(&root.join("nsd"));
    for (found, needle) in [
        (error(|settings| settings.classify.min_test_images = 100), "100 held-out images"),
        (error(|settings| settings.classify.exchanges = 5000), "`classify.exchanges`: found 5000"),
        (error(|settings| settings.split.train_fraction = 1.0), "the validation part of"),
        (
            error(|settings| settings.classify.inputs = vec![ClassifierInput::ResnetImage]),
            "`classify.inputs`",
        ),
        (
            error(|settings| settings.classify.train.optimiser.learning_rate = 1e30),
            "`classify.train.optimiser.learning_rate`",
        ),
    ] {
        assert!(found.contains(needle) && found.lines().count() == 1, "{found}");
    }
    assert!(!root.join("runs").exists());
}
