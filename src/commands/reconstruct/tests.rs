//! Sources of pictures on the small linear brain, drawn by an untrained generator.

use std::path::Path;

use image::RgbImage;

use super::*;
use crate::commands::fixtures::linear_brain::{settings as mapper_settings, write_all};
use crate::commands::fixtures::small_gan::write_gan;
use crate::commands::train_mapper::{self, TargetFiles};
use crate::models::mapper::MapperKind;
use crate::pipelines::brain_decoder::DecoderPaths;
use crate::pipelines::drawing_manifest::Manifest;
use crate::run::precision::Precision;
use crate::run::progress::Silent;

/// Ridge regression finds the embeddings nearly as they are.
fn scene(root: &Path) -> ReconstructSettings {
    write_all(root);
    write_gan(&root.join("gan"));
    let mut mapper = mapper_settings(root);
    mapper.mapper.kind = MapperKind::Ridge;
    let image_mapper = train_mapper::run(&mapper, &mut Silent).unwrap().snapshot;
    let targets = TargetFiles {
        stimuli: mapper.stimuli.clone(),
        captions: mapper.captions.clone(),
        clip: Some(mapper.target_network.clone()),
        own_targets: None,
        resnet: None,
        mapper: mapper.mapper.clone(),
    };
    ReconstructSettings {
        prepared: mapper.prepared,
        stimuli: mapper.stimuli,
        networks: DecoderPaths {
            second_mapper: image_mapper.clone(),
            image_mapper,
            generator: root.join("gan/generator.safetensors"),
        },
        split: mapper.split,
        reconstruct: ReconstructConfig {
            condition: Some(ConditionSource::Image),
            limit: 12,
            ..Default::default()
        },
        targets: Some(targets),
        cache: mapper.cache,
        seed: 3,
        device: mapper.device,
        precision: Precision::Single,
        is_control: false,
        runs: mapper.runs,
    }
}

/// The pictures of a run, what was seen, and the places in the random stream.
struct Drawn {
    run: String,
    pictures: Vec<RgbImage>,
    truth: Vec<RgbImage>,
    entries: Vec<ManifestEntry>,
}

fn draw(
    settings: &ReconstructSettings,
    source: PictureSource,
    change: impl FnOnce(&mut ReconstructConfig),
) -> Drawn {
    let mut settings = settings.clone();
    settings.reconstruct.source = source;
    change(&mut settings.reconstruct);
    let run = super::run(&settings, &mut Silent).unwrap().run;
    let entries = Manifest::read(&run, "a test").unwrap().images;
    let open = |file: &str| image::open(run.join(file)).unwrap().into_rgb8();
    Drawn {
        run: run.file_name().unwrap().to_string_lossy().into_owned(),
        pictures: entries.iter().map(|entry| open(&entry.file)).collect(),
        truth: entries.iter().map(|entry| open(&entry.ground_truth)).collect(),
        entries,
    }
}

/// Mean absolute difference of bytes.
fn apart(a: &[RgbImage], b: &[RgbImage]) -> f64 {
    let all = a.iter().zip(b).flat_map(|(a, b)| a.as_raw().iter().zip(b.as_raw()));
    let differences: Vec<f64> = all.map(|(a, b)| f64::from(a.abs_diff(*b))).collect();
    differences.iter().sum::<f64>() / differences.len() as f64
}

#[test]
fn the_truth_is_the_ceiling_and_the_mean_a_floor_of_the_same_z() {
    let root = tempfile::tempdir().unwrap();
    let settings = scene(root.path());
    let decoded = draw(&settings, PictureSource::Betas, |_| {});
    let truth = draw(&settings, PictureSource::Truth, |_| {});
    let mean = draw(&settings, PictureSource::TrainingMean, |_| {});
    assert!(decoded.run.ends_with("-reconstruct-subj02"), "{}", decoded.run);
    assert!(truth.run.ends_with("-reconstruct-subj02+truth"), "{}", truth.run);
    let places = |drawn: &Drawn| drawn.entries.iter().map(|entry| entry.position).collect::<Vec<_>>();
    assert_eq!((places(&decoded), decoded.truth.len()), (places(&truth), 12));
    // The regression is about right; the mean is not.
    let (near, far) = (apart(&truth.pictures, &decoded.pictures), apart(&truth.pictures, &mean.pictures));
    assert!(near > 0.0 && near < 0.7 * far, "{near} {far}");
    // Nothing of the trial: another seen image of the same z would be drawn alike, so only z tells two pictures apart.
    let alone = draw(&settings, PictureSource::TrainingMean, |drawn| drawn.limit = 0);
    assert_eq!(alone.pictures[0], mean.pictures[0]);
}

#[test]
fn the_nearest_training_image_of_a_training_trial_is_its_own() {
    let root = tempfile::tempdir().unwrap();
    let settings = scene(root.path());
    let of_training = draw(&settings, PictureSource::NearestTraining, |drawn| {
        (drawn.trials, drawn.limit) = (TrialChoice::Train, 0);
        drawn.samples = 2;
    });
    // 84 trials of 42 images: by chance two of the nearest would be right.
    let own = |sample: usize| {
        let pairs = of_training.entries.iter().zip(of_training.pictures.iter().zip(&of_training.truth));
        pairs.filter(|(entry, (picture, truth))| entry.sample == sample && picture == truth).count()
    };
    assert!(own(0) >= 17, "{} of 84", own(0));
    assert!(own(0) + own(1) <= 84, "the second nearest is another image");
    let held_out = draw(&settings, PictureSource::NearestTraining, |_| {});
    assert!(held_out.pictures.iter().zip(&held_out.truth).all(|(picture, truth)| picture != truth));
}

#[test]
fn random_training_images_were_seen_in_training_and_depend_on_the_seed() {
    let root = tempfile::tempdir().unwrap();
    let mut settings = scene(root.path());
    // No file of the embeddings is needed.
    settings.targets = None;
    let first = draw(&settings, PictureSource::RandomTraining, |_| {});
    let all = draw(&settings, PictureSource::RandomTraining, |drawn| {
        (drawn.trials, drawn.limit) = (TrialChoice::Train, 0);
    });
    assert!(first.pictures.iter().all(|picture| all.truth.contains(picture)));
    assert_eq!(draw(&settings, PictureSource::RandomTraining, |_| {}).pictures, first.pictures);
    settings.seed = 4;
    assert_ne!(draw(&settings, PictureSource::RandomTraining, |_| {}).pictures, first.pictures);
}

#[test]
fn training_images_are_compared_by_one_condition() {
    let conditions = vec![ConditionSource::Image, ConditionSource::Caption];
    let config =
        ReconstructConfig { source: PictureSource::NearestTraining, conditions, ..Default::default() };
    let error = config.validate().unwrap_err().to_string();
    assert!(
        error.contains("conditions") && error.contains("nearest-training") && error.contains("2 of them"),
        "{error}"
    );
}

#[test]
fn a_mapper_of_another_target_draws_no_condition_that_it_does_not_predict() {
    let root = tempfile::tempdir().unwrap();
    let mut settings = scene(root.path());
    let runs = || std::fs::read_dir(root.path().join("runs")).unwrap().count();
    let before = runs();
    settings.reconstruct.condition = Some(ConditionSource::Caption);
    let error = super::run(&settings, &mut Silent).unwrap_err().to_string();
    assert!(error.contains("best.safetensors`: target: found `image`, expected `caption`"), "{error}");
    assert_eq!(runs(), before, "nothing was begun");
}
