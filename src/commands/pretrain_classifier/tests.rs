//! `pretrain-classifier` on a small NSD tree.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};

use crate::commands::fixtures::silent_subject::{write_prepared, write_stimuli};
use crate::commands::pretrain_classifier::{self, PretrainClassifierConfig, PretrainClassifierSettings};
use crate::data::nsd::stimuli::IMAGE_SIDE;
use crate::data::nsd::tree::{AnnotationKind, NsdTree};
use crate::data::split::SplitConfig;
use crate::models::classifier::ClassifierSizes;
use crate::pipelines::classifier_snapshot::ClassifierSnapshot;
use crate::run::device::DeviceChoice;
use crate::run::progress::Silent;
use crate::tensor_ops::backend::cpu;
use crate::training::classifier::config::ClassifierTrainConfig;

const NUM_IMAGES: usize = 24;
const DOG: u32 = 18;
const BOAT: u32 = 9;
const SKY: u32 = 157;
const GRASS: u32 = 124;

/// Has an image a dog, is its ground the sky?
fn shown(image: usize) -> (bool, bool) {
    (image.is_multiple_of(2), (image / 2).is_multiple_of(2))
}

/// A bright square for the dog on blue or green.
fn pixels(image: usize) -> Vec<u8> {
    let (has_dog, is_sky) = shown(image);
    let ground = if is_sky { [40, 60, 200] } else { [40, 180, 60] };
    let pixel = |place: usize| {
        let inside = [place / IMAGE_SIDE, place % IMAGE_SIDE].iter().all(|at| (100..300).contains(at));
        if inside && has_dog { [230, 220, 210] } else { ground }
    };
    (0..IMAGE_SIDE * IMAGE_SIDE).flat_map(pixel).collect()
}

/// Half of the images have a dog, half of either are of the sky. Image 0 has a boat, too.
fn write_tree(root: &Path) {
    let tree = NsdTree::new(root);
    for path in [tree.stimuli(), tree.stim_info(), tree.annotations(AnnotationKind::Stuff, "train2017")] {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    }
    write_stimuli(&tree, NUM_IMAGES, pixels);
    let mut table = String::from("nsdId,cocoId,cocoSplit,cropBox,flagged,shared1000\n");
    let (mut photographs, mut things, mut stuff) = (vec![], vec![], vec![]);
    let outline = |id, image, category: u32, from: usize, to: usize| {
        let ring = [from, from, to, from, to, to, from, to];
        json!({"id": id, "image_id": image, "category_id": category, "segmentation": [ring]})
    };
    for image in 0..NUM_IMAGES {
        let (has_dog, is_sky) = shown(image);
        writeln!(table, "{image},{image},train2017,\"(0, 0, 0, 0)\",False,False").unwrap();
        photographs.push(json!({"id": image, "width": 425, "height": 425}));
        if has_dog {
            things.push(outline(image, image, DOG, 100, 300));
        }
        stuff.push(outline(image, image, if is_sky { SKY } else { GRASS }, 0, 425));
    }
    things.push(outline(99, 0, BOAT, 0, 100));
    std::fs::write(tree.stim_info(), table).unwrap();
    let write = |kind, annotations: Vec<Value>| {
        let file = json!({"images": photographs, "annotations": annotations});
        std::fs::write(tree.annotations(kind, "train2017"), file.to_string()).unwrap();
    };
    write(AnnotationKind::Instances, things);
    write(AnnotationKind::Stuff, stuff);
}

fn settings(root: &Path) -> PretrainClassifierSettings {
    let train =
        ClassifierTrainConfig { epochs: 25, batch_size: 8, learning_rate: 1e-2, ..Default::default() };
    PretrainClassifierSettings {
        nsd: root.join("nsd"),
        prepared: root.join("subj01.h5"),
        split: SplitConfig::default(),
        pretrain_classifier: PretrainClassifierConfig {
            held_out_fraction: 0.3,
            min_images: 3,
            network: ClassifierSizes { side: 16, widths: vec![6, 8, 10] },
            train,
            ..Default::default()
        },
        device: DeviceChoice::Cpu,
        runs: root.join("runs"),
        resume: None,
    }
}

#[test]
fn a_classifier_is_trained_on_the_categories_that_are_frequent() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    write_tree(&root.join("nsd"));
    write_prepared(&root.join("subj01.h5"), 0..NUM_IMAGES as u64);
    let summary = pretrain_classifier::run(&settings(root), &mut Silent).unwrap();
    // 0.85 of 24 photographs are 20, of which 6 are set aside.
    assert_eq!((summary.train_images, summary.held_out_images), (14, 6));
    assert_eq!((summary.num_things, summary.num_stuff), (1, 2));
    assert!(summary.held_out.loss < 0.3, "{summary:?}");
    assert_eq!(summary.held_out.stuff.as_ref().unwrap().naming.as_ref().unwrap().own.mean, 1.0);
    let classifier = ClassifierSnapshot::open(&summary.snapshot, &cpu()).unwrap();
    let names: Vec<&str> = classifier.config.classes.iter().map(|class| class.name.as_str()).collect();
    assert_eq!(names, ["dog", "grass", "sky-other"]);
    assert_eq!(classifier.config.min_share, 0.005);
    for file in ["config.toml", "metrics.jsonl", "classifier.safetensors", "summary.json"] {
        assert!(summary.run.join(file).is_file(), "{file}");
    }
    let stored: Value =
        serde_json::from_slice(&std::fs::read(summary.run.join("summary.json")).unwrap()).unwrap();
    assert_eq!(stored["classes"][0]["name"], "dog");
    assert_eq!(stored["held_out"]["things"]["num_classes"], 1);
}

#[test]
fn what_is_missing_or_out_of_range_is_named_before_a_run_begins() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    write_tree(&root.join("nsd"));
    write_prepared(&root.join("subj01.h5"), 0..NUM_IMAGES as u64);
    let error = |change: fn(&mut PretrainClassifierConfig)| {
        let mut settings = settings(root);
        change(&mut settings.pretrain_classifier);
        pretrain_classifier::run(&settings, &mut Silent).unwrap_err().to_string()
    };
    for (found, needle) in [
        (error(|config| config.min_images = 100), "at least 100 training images"),
        (error(|config| config.min_share = 0.0), "min_share"),
        (error(|config| config.held_out_fraction = 1.0), "held_out_fraction"),
        (error(|config| config.network.side = 18), "`pretrain_classifier.network.side`: found 18"),
        (error(|config| config.train.epochs = 0), "`pretrain_classifier.train.epochs`"),
    ] {
        assert!(found.contains(needle), "{found}");
    }
    std::fs::remove_dir_all(NsdTree::new(root.join("nsd")).annotations_dir()).unwrap();
    let missing = error(|_| ());
    assert!(missing.contains("instances_train2017.json") && missing.contains("is missing"), "{missing}");
    assert!(!root.join("runs").exists());
}
