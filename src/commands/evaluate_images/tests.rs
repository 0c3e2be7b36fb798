//! On a run of noise pictures: what identical, exchanged and broken pictures give.

use std::path::PathBuf;

use image::RgbImage;
use rand::RngExt;
use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::data::nsd::tree::AnnotationKind;
use crate::models::classifier::{ClassKind, ClassifierConfig, ClassifierSizes, SceneClass};
use crate::models::clip::ClipConfig;
use crate::models::inception::InceptionConfig;
use crate::pipelines::pictures::picture_features::FeatureKind;
use crate::run::device::DeviceChoice;
use crate::run::progress::Silent;
use crate::run::snapshot::{CLASSIFIER_KIND, CLIP_KIND, INCEPTION_KIND, save_snapshot};
use crate::tensor_ops::backend::{Base, cpu};
use crate::tensor_ops::random::keyed_rng;

const IMAGES: usize = 12;

/// Patches of random colours: features tell them apart.
fn picture(image: u64) -> RgbImage {
    let mut rng = keyed_rng(5, "pictures", image);
    let colours: Vec<[u8; 3]> = (0..16).map(|_| rng.random()).collect();
    RgbImage::from_fn(32, 32, |x, y| image::Rgb(colours[(y / 8 * 4 + x / 8) as usize]))
}

/// A run in which the picture of trial t, image t / 2, is that of `shown(image)`.
fn run_folder(root: &TempDir, shown: impl Fn(u64) -> u64) -> PathBuf {
    let folder = root.path().join("00000-reconstruct-subj01");
    std::fs::create_dir_all(folder.join("images")).unwrap();
    let mut images = vec![];
    for trial in 0..2 * IMAGES {
        let image = (trial / 2) as u64;
        let (file, truth) = (format!("images/{trial}.png"), format!("images/truth{image}.png"));
        picture(shown(image)).save(folder.join(&file)).unwrap();
        picture(image).save(folder.join(&truth)).unwrap();
        for sample in 0..2 {
            images.push(json!({
                "file": file, "trials": [trial], "nsd_id": image, "sample": sample, "ground_truth": truth,
            }));
        }
    }
    let manifest = json!({"subject": "subj01", "seed": 0, "images": images});
    std::fs::write(folder.join("manifest.json"), manifest.to_string()).unwrap();
    let settings = "prepared = \"none.h5\"\nstimuli = \"none.hdf5\"\n[split]\n[reconstruct]\n";
    std::fs::write(folder.join("config.toml"), settings).unwrap();
    folder
}

/// Settings with the features of a tiny CLIP.
fn settings(root: &TempDir, evaluated: PathBuf) -> EvaluateImagesSettings {
    let config = ClipConfig {
        image_size: 16,
        patch_size: 8,
        embed_dim: 8,
        vision_width: 16,
        vision_heads: 2,
        vision_layers: 1,
        text_width: 16,
        text_heads: 2,
        text_layers: 1,
        ..ClipConfig::default()
    };
    let path = root.path().join("clip.safetensors");
    save_snapshot(&path, CLIP_KIND, &config, &json!({}), &config.init::<Base>(1, &cpu()).unwrap()).unwrap();
    EvaluateImagesSettings {
        evaluated,
        classifier: None,
        features: FeatureSource::Clip(path),
        evaluate_images: EvaluateImagesConfig { real: RealSets::Test, ..Default::default() },
        cache: root.path().join("cache"),
        device: DeviceChoice::Cpu,
        runs: root.path().join("runs"),
    }
}

#[test]
fn a_perfect_decoder_is_identified_and_has_no_distance() {
    let root = tempfile::tempdir().unwrap();
    let folder = run_folder(&root, |image| image);
    let summary = run(&settings(&root, folder), &mut Silent).unwrap();
    assert_eq!((summary.num_pictures, summary.num_images), (2 * IMAGES, IMAGES));
    assert!(summary.frechet.test.value.abs() < 1e-6, "{:?}", summary.frechet);
    assert!(!summary.frechet.test.is_rank_deficient, "24 rows of 8 features");
    assert_eq!((summary.features.kind, summary.features.width), (FeatureKind::ClipImage, 8));
    assert_eq!(summary.identification.num_trials, IMAGES);
    assert_eq!(summary.identification.skipped_ways, [50]);
    assert!(summary.identification.accuracies.iter().all(|accuracy| accuracy.mean == 1.0));
    let stored: serde_json::Value =
        serde_json::from_slice(&std::fs::read(summary.run.join("evaluation.json")).unwrap()).unwrap();
    assert_eq!(stored["frechet"]["test"]["num_real"], 2 * IMAGES);
    assert_eq!((&stored["decoded"], &stored["noise"]), (&json!("validation"), &json!("constant")));
    let table = summary.table();
    assert!(table.contains("CLIP image features (not a FID)") && table.contains("2-way"), "{table}");
    assert!(table.contains("Subject subj01") && table.contains("50-way: too few"), "{table}");
    assert_eq!(std::fs::read(summary.run.join(NUMBERS_FILE)).unwrap(), summary.numbers().csv().unwrap());
}

#[test]
fn exchanged_pictures_keep_the_distance_and_lose_identification() {
    let root = tempfile::tempdir().unwrap();
    let folder = run_folder(&root, |image| (image + 1) % IMAGES as u64);
    let mut settings = settings(&root, folder);
    settings.evaluate_images.trials = IdentifiedTrials::All;
    let summary = run(&settings, &mut Silent).unwrap();
    assert!(summary.frechet.test.value.abs() < 1e-6, "the set of pictures is the same");
    assert_eq!(summary.identification.num_trials, 2 * IMAGES);
    let ten = summary.identification.accuracies.iter().find(|accuracy| accuracy.ways == 10).unwrap();
    assert!(ten.mean < 0.3, "{ten:?}");
}

#[test]
fn one_picture_for_all_has_a_distance() {
    let root = tempfile::tempdir().unwrap();
    let folder = run_folder(&root, |_| 0);
    let summary = run(&settings(&root, folder), &mut Silent).unwrap();
    assert!(summary.frechet.test.value > 1e-6, "{:?}", summary.frechet);
    assert!(summary.frechet.train.is_none());
}

#[test]
fn a_narrow_inception_is_not_called_a_fid() {
    // An Inception that is moved takes more stack than a test's thread has in builds without optimisation.
    let thread = std::thread::Builder::new().stack_size(64 << 20);
    thread.spawn(narrow_inception).unwrap().join().unwrap();
}

fn narrow_inception() {
    let root = tempfile::tempdir().unwrap();
    let folder = run_folder(&root, |image| image);
    let path = folder.join("manifest.json");
    let mut manifest: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    manifest["images"].as_array_mut().unwrap().truncate(6);
    std::fs::write(&path, manifest.to_string()).unwrap();
    let config = InceptionConfig { channel_divisor: 16 };
    let path = root.path().join("inception.safetensors");
    let network = config.init::<Base>(1, &cpu()).unwrap();
    save_snapshot(&path, INCEPTION_KIND, &config, &json!({}), &network).unwrap();
    let mut settings = settings(&root, folder);
    settings.features = FeatureSource::Inception(path);
    let summary = run(&settings, &mut Silent).unwrap();
    assert_eq!((summary.num_pictures, summary.num_images), (3, 2));
    assert_eq!(summary.features.kind, FeatureKind::NarrowInception);
    assert!(summary.frechet.test.is_rank_deficient, "3 rows of 128 features");
    assert!(summary.frechet.test.value.abs() < 1e-6);
    let table = summary.table();
    assert!(table.contains("not a FID") && table.contains("biased upwards"), "{table}");
}

/// A classifier that always finds a cat, and a tree in which every other image shows one.
fn cat_lover(root: &TempDir, folder: &std::path::Path) -> PathBuf {
    let class = |id: u32, kind| SceneClass { id, name: id.to_string(), kind };
    let config = ClassifierConfig {
        sizes: ClassifierSizes { side: 16, widths: vec![4, 6] },
        min_share: 0.01,
        classes: vec![class(17, ClassKind::Thing), class(18, ClassKind::Thing), class(92, ClassKind::Stuff)],
    };
    let network = config.init::<Base>(1, &cpu()).unwrap().with_logit_biases(&[50.0, -50.0, 0.0]);
    let path = root.path().join("classifier.safetensors");
    save_snapshot(&path, CLASSIFIER_KIND, &config, &json!({}), &network).unwrap();

    let tree = NsdTree::new(root.path().join("nsd"));
    let instances = tree.annotations(AnnotationKind::Instances, "train2017");
    for file in [tree.stim_info(), instances.clone()] {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    }
    let mut table = String::from("nsdId,cocoId,cocoSplit,cropBox,flagged,shared1000\n");
    let (mut images, mut annotations) = (vec![], vec![]);
    for image in 0..IMAGES {
        table += &format!("{image},{image},train2017,\"(0, 0, 0, 0)\",False,False\n");
        images.push(json!({"id": image, "width": 32, "height": 32}));
        let (outline, category) = (json!([[0, 0, 8, 0, 8, 8, 0, 8]]), if image % 2 == 0 { 17 } else { 18 });
        annotations.push(json!({
            "id": image, "image_id": image, "category_id": category, "area": 64, "segmentation": outline,
        }));
    }
    std::fs::write(tree.stim_info(), table).unwrap();
    let file = json!({"images": images, "annotations": annotations});
    std::fs::write(instances, file.to_string()).unwrap();
    let stimuli = tree.stimuli();
    let settings = format!("prepared = \"none.h5\"\nstimuli = {stimuli:?}\n[split]\n[reconstruct]\n");
    std::fs::write(folder.join("config.toml"), settings).unwrap();
    path
}

#[test]
fn a_classifier_measures_and_names() {
    let root = tempfile::tempdir().unwrap();
    let folder = run_folder(&root, |image| (image + 1) % IMAGES as u64);
    let mut settings = settings(&root, folder.clone());
    let named = cat_lover(&root, &folder);
    settings.classifier = Some(named.clone());
    settings.features = FeatureSource::Classifier(named);
    let summary = run(&settings, &mut Silent).unwrap();
    assert_eq!((summary.features.kind, summary.features.width), (FeatureKind::Classifier, 6));
    assert!(summary.frechet.test.value.abs() < 1e-6, "the set of pictures is the same");
    let naming = summary.naming.as_ref().unwrap();
    let things = naming.things.as_ref().unwrap();
    // Six of twelve images show a cat: right for one half, and for one half of the others.
    for rate in [&things.generated, &things.truth] {
        assert_eq!((rate.own.mean, rate.num_names, rate.num_pictures), (0.5, 1, 2 * IMAGES));
        assert!((rate.others.unwrap().mean - 0.5).abs() < 1e-12, "{rate:?}");
    }
    assert!(naming.stuff.is_none(), "nobody annotated stuff");
    let table = summary.table();
    assert!(
        table.contains("scene classifier (not a FID)")
            && table.contains("things named that are shown, one of 2"),
        "{table}"
    );
    let stored: serde_json::Value =
        serde_json::from_slice(&std::fs::read(summary.run.join("evaluation.json")).unwrap()).unwrap();
    assert_eq!(stored["naming"]["things"]["generated"]["own"]["mean"], 0.5);
    assert_eq!(stored["features"]["kind"], "classifier");

    // Another network may measure; without annotations nothing is named.
    settings.features = FeatureSource::Clip(root.path().join("clip.safetensors"));
    let again = run(&settings, &mut Silent).unwrap();
    assert_eq!(again.features.kind, FeatureKind::ClipImage);
    assert_eq!(again.naming.unwrap().things.unwrap().generated, things.generated);
    std::fs::remove_dir_all(root.path().join("nsd")).unwrap();
    assert!(run(&settings, &mut Silent).unwrap().naming.is_none());
    // A snapshot of another kind cannot name.
    settings.classifier = Some(root.path().join("clip.safetensors"));
    cat_lover(&root, &folder);
    let error = run(&settings, &mut Silent).unwrap_err().to_string();
    assert!(error.contains("found `clip`, expected `classifier`"), "{error}");
}

#[test]
fn what_is_missing_or_broken_is_named() {
    let root = tempfile::tempdir().unwrap();
    let folder = run_folder(&root, |image| image);
    let mut settings = settings(&root, folder.clone());
    let error = |settings: &EvaluateImagesSettings| run(settings, &mut Silent).unwrap_err().to_string();
    settings.evaluate_images.real = RealSets::TestAndTrain;
    assert!(error(&settings).contains("none.h5"));
    settings.evaluate_images.real = RealSets::Test;
    std::fs::write(folder.join("images/3.png"), "garbage").unwrap();
    assert!(error(&settings).contains("3.png"));
    std::fs::remove_file(folder.join("images/3.png")).unwrap();
    assert!(error(&settings).contains("3.png"));
    std::fs::write(folder.join("manifest.json"), "{\"subject\": \"subj01\"}").unwrap();
    assert!(error(&settings).contains("manifest.json"));
    settings.evaluated = root.path().join("nowhere");
    assert!(error(&settings).contains("reconstruct"));
}
