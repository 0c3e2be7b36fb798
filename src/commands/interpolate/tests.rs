//! Ways on the small linear brain, drawn by an untrained generator.

use std::path::Path;

use image::codecs::gif::GifDecoder;
use image::{AnimationDecoder, RgbImage};
use serde_json::Value;

use super::*;
use crate::commands::fixtures::linear_brain::{settings as mapper_settings, write_all};
use crate::commands::fixtures::small_gan::write_gan;
use crate::commands::reconstruct::{self, ReconstructConfig, ReconstructSettings};
use crate::commands::train_mapper::{self, TargetFiles};
use crate::models::condition_source::ConditionSource;
use crate::models::mapper::MapperKind;
use crate::pipelines::brain_decoder::DecoderPaths;
use crate::pipelines::inference::InferenceKind;
use crate::run::precision::Precision;
use crate::run::progress::Silent;

/// Ridge regression finds the embeddings nearly as they are.
pub(super) fn scene(root: &Path) -> InterpolateSettings {
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
    InterpolateSettings {
        prepared: mapper.prepared,
        stimuli: mapper.stimuli,
        networks: DecoderPaths {
            second_mapper: image_mapper.clone(),
            image_mapper,
            generator: root.join("gan/generator.safetensors"),
        },
        split: mapper.split,
        interpolate: InterpolateConfig {
            condition: Some(ConditionSource::Image),
            frames: 5,
            ..Default::default()
        },
        targets,
        cache: mapper.cache,
        seed: 3,
        device: mapper.device,
        precision: Precision::Single,
        runs: mapper.runs,
    }
}

/// What `reconstruct` draws of one trial.
fn reconstructed(settings: &InterpolateSettings, trial: usize) -> RgbImage {
    let settings = ReconstructSettings {
        prepared: settings.prepared.clone(),
        stimuli: settings.stimuli.clone(),
        networks: settings.networks.clone(),
        split: settings.split.clone(),
        reconstruct: ReconstructConfig {
            trials: TrialChoice::Trial(trial),
            condition: Some(ConditionSource::Image),
            ..Default::default()
        },
        targets: None,
        cache: settings.cache.clone(),
        seed: settings.seed,
        device: settings.device,
        precision: Precision::Single,
        is_control: false,
        runs: settings.runs.clone(),
    };
    let run = reconstruct::run(&settings, &mut Silent).unwrap().run;
    picture(&run.join(format!("images/trial{trial:05}-z0.png")))
}

fn picture(path: &Path) -> RgbImage {
    image::open(path).unwrap().into_rgb8()
}

/// Largest difference of bytes.
fn apart(a: &RgbImage, b: &RgbImage) -> u8 {
    a.as_raw().iter().zip(b.as_raw()).map(|(a, b)| a.abs_diff(*b)).max().unwrap()
}

fn frame(summary: &InterpolateSummary, path: &str, number: usize) -> RgbImage {
    picture(&summary.run.join(format!("{path}/frame{number:04}.png")))
}

fn manifest(summary: &InterpolateSummary) -> Value {
    serde_json::from_slice(&std::fs::read(&summary.manifest).unwrap()).unwrap()
}

#[test]
fn the_ends_are_the_reconstructions_of_the_trials() {
    let root = tempfile::tempdir().unwrap();
    let mut settings = scene(root.path());
    // Images 50 and 57 are held out.
    settings.interpolate.trials = vec![50, 117];
    settings.interpolate.z = LatentPath::Slerp;
    let (first, last) = (reconstructed(&settings, 50), reconstructed(&settings, 117));
    assert!(apart(&first, &last) > 5, "two pictures");
    let summary = run(&settings, &mut Silent).unwrap();
    assert_eq!((summary.num_frames, summary.warnings.len()), (5, 0), "{:?}", summary.warnings);
    for path in ["betas", "embedding"] {
        assert!(apart(&frame(&summary, path, 0), &first) <= 1, "{path}");
        assert!(apart(&frame(&summary, path, 4), &last) <= 1, "{path}");
    }
    // With the z of the first trial throughout the last frame is another picture of the same embedding.
    settings.interpolate.z = LatentPath::Fixed;
    settings.interpolate.path = PathChoice::Embedding;
    let fixed = run(&settings, &mut Silent).unwrap();
    assert!(apart(&frame(&fixed, "embedding", 0), &first) <= 1);
    assert!(apart(&frame(&fixed, "embedding", 4), &last) > 1);
    assert!(!fixed.run.join("betas.gif").exists());
}

#[test]
fn similarity_goes_from_one_trial_to_the_other() {
    let root = tempfile::tempdir().unwrap();
    let settings = scene(root.path());
    let summary = run(&settings, &mut Silent).unwrap();
    assert_eq!(summary.trials, [42, 51], "the first and the middle one of the held-out images");
    assert_eq!(summary.inference.kind, InferenceKind::Transductive, "betas were scaled by session");
    let found = manifest(&summary);
    for path in [0, 1] {
        let path = &found["paths"][path];
        let cosine = |frame: usize, which: &str, trial: usize| {
            path["frames"][frame]["similarity"][0][which][trial].as_f64().unwrap()
        };
        // Regression is about right: each end is nearer to its own image than the other end is.
        assert!(cosine(0, "to_trials", 0) > cosine(4, "to_trials", 0), "{path}");
        assert!(cosine(4, "to_trials", 1) > cosine(0, "to_trials", 1), "{path}");
        assert!((cosine(0, "perfect", 0) - 1.0).abs() < 1e-6 && (cosine(4, "perfect", 1) - 1.0).abs() < 1e-6);
        let floor = &path["frames"][2]["similarity"][0]["others"];
        assert!(floor["low"].as_f64() < floor["high"].as_f64(), "{floor}");
        assert_eq!(path["evenness"].as_array().unwrap().len(), 2, "the embedding and the pictures");
        assert_eq!(path["evenness"][1]["of"], "pixels");
        let chart = std::fs::read_to_string(summary.run.join(path["charts"][0].as_str().unwrap())).unwrap();
        assert!(chart.contains("to trial 42") && chart.contains("perfect decoder"));
    }
    // On the sphere every step is as long as every other.
    let arc = found["paths"][1]["evenness"][0]["largest_by_mean"].as_f64().unwrap();
    assert!((arc - 1.0).abs() < 1e-3, "{arc}");
    assert_eq!(found["trials"][0]["is_held_out"], true);
    assert!(summary.strip.is_file() && summary.text().contains("embedding.gif"));
}

#[test]
fn a_loop_closes_and_its_animation_does_not_stop_there() {
    let root = tempfile::tempdir().unwrap();
    let mut settings = scene(root.path());
    settings.interpolate.trials = vec![42, 3, 57];
    settings.interpolate.is_loop = true;
    settings.interpolate.batch = 4;
    let summary = run(&settings, &mut Silent).unwrap();
    assert_eq!(summary.num_frames, 13);
    for path in ["betas", "embedding"] {
        assert!(apart(&frame(&summary, path, 0), &frame(&summary, path, 12)) <= 1, "{path}");
        let file =
            std::io::BufReader::new(std::fs::File::open(summary.run.join(format!("{path}.gif"))).unwrap());
        let frames = GifDecoder::new(file).unwrap().into_frames().collect_frames().unwrap();
        assert_eq!(frames.len(), 12);
    }
    // Image 3 is one of the training's.
    assert!(summary.warnings.iter().any(|warning| warning.ends_with("no decoding of new images: 3")));
    let found = manifest(&summary);
    assert_eq!(found["paths"][0]["frames"][10]["between"], serde_json::json!([57, 42]));
    assert_eq!(found["paths"][0]["evenness"].as_array().unwrap().len(), 6, "two of each leg");
    // The same again is the same.
    let again = run(&settings, &mut Silent).unwrap();
    assert_eq!(manifest(&again)["paths"], found["paths"]);
    assert_eq!(frame(&again, "betas", 7), frame(&summary, "betas", 7));
}

#[test]
fn what_cannot_be_drawn_is_refused_before_anything_is_begun() {
    let root = tempfile::tempdir().unwrap();
    let settings = scene(root.path());
    let runs = || std::fs::read_dir(root.path().join("runs")).unwrap().count();
    let before = runs();
    let error = |change: &dyn Fn(&mut InterpolateSettings)| {
        let mut settings = settings.clone();
        change(&mut settings);
        run(&settings, &mut Silent).unwrap_err().to_string()
    };
    let text = error(&|settings| settings.interpolate.trials = vec![42, 120]);
    assert!(text.contains("trial `120`") && text.contains("0 to 119"), "{text}");
    let text = error(&|settings| settings.interpolate.condition = Some(ConditionSource::Caption));
    assert!(text.contains("target: found `image`, expected `caption`"), "{text}");
    let text = error(&|settings| settings.targets.clip = None);
    assert!(text.contains("--clip FILE"), "{text}");
    let text = error(&|settings| settings.interpolate.frames = 1);
    assert!(text.contains("`interpolate.frames`: found 1, expected 2 to 500"), "{text}");
    assert_eq!(runs(), before, "nothing was begun");
}
