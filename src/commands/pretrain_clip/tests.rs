//! `pretrain-clip` and `screen-captions` one after the other, on a small NSD tree.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use crate::commands::fixtures::silent_subject::{write_prepared, write_stimuli};
use crate::commands::pretrain_clip::{self, PretrainClipConfig, PretrainClipSettings};
use crate::commands::screen_captions::{self, JudgedCaption, ScreenCaptionsConfig, ScreenCaptionsSettings};
use crate::data::image::stimulus_view::StimulusView;
use crate::data::nsd::stimuli::IMAGE_SIDE;
use crate::data::nsd::tree::{AnnotationKind, NsdTree};
use crate::data::split::SplitConfig;
use crate::models::clip::ClipConfig;
use crate::run::device::DeviceChoice;
use crate::run::progress::Silent;
use crate::training::clip::config::ClipTrainConfig;

const COLOURS: [(&str, [u8; 3]); 4] =
    [("red", [220, 30, 30]), ("green", [30, 200, 40]), ("blue", [30, 40, 220]), ("white", [240, 240, 240])];
const NUM_IMAGES: usize = 12;

/// Twelve one-coloured images of ten photographs with a right and a wrong caption each.
fn write_tree(root: &Path) {
    let tree = NsdTree::new(root);
    for path in [tree.stimuli(), tree.stim_info(), tree.annotations(AnnotationKind::Captions, "train2017")] {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    }
    write_stimuli(&tree, NUM_IMAGES, |image| COLOURS[image % 4].1.repeat(IMAGE_SIDE * IMAGE_SIDE));
    let mut table =
        String::from(",cocoId,cocoSplit,cropBox,loss,nsdId,flagged,BOLD5000,shared1000,subject1\n");
    let mut captions = Vec::new();
    for image in 0..NUM_IMAGES {
        let colour = COLOURS[image % 4].0;
        let photograph = photograph(image);
        writeln!(table, "{image},{photograph},train2017,\"(0, 0, 0, 0)\",0,{image},False,False,False,1")
            .unwrap();
        if image < 10 {
            let caption =
                |text: String| serde_json::json!({"image_id": photograph, "id": image, "caption": text});
            captions.push(caption(format!("a {colour} wall")));
            captions.push(caption(format!("a {} wall", COLOURS[(image + 1) % 4].0)));
        }
    }
    std::fs::write(tree.stim_info(), table).unwrap();
    write_captions(root, &captions);
}

fn write_captions(root: &Path, captions: &[serde_json::Value]) {
    let path = NsdTree::new(root).annotations(AnnotationKind::Captions, "train2017");
    std::fs::write(path, serde_json::json!({"annotations": captions}).to_string()).unwrap();
}

/// Images 10 and 11 are second crops of the photographs of 6 and 7.
fn photograph(image: usize) -> u64 {
    1000 + if image < 10 { image as u64 } else { image as u64 - 4 }
}

fn pretrain_settings(root: &Path) -> PretrainClipSettings {
    let network = ClipConfig {
        image_size: 16,
        patch_size: 8,
        vision_width: 16,
        vision_layers: 1,
        vision_heads: 1,
        text_width: 16,
        text_layers: 1,
        text_heads: 1,
        embed_dim: 8,
        ..ClipConfig::default()
    };
    let train =
        ClipTrainConfig { epochs: 60, learning_rate: 1e-2, warmup_steps: 5, ..ClipTrainConfig::default() };
    PretrainClipSettings {
        nsd: root.join("nsd"),
        prepared: root.join("subj01.h5"),
        split: SplitConfig::default(),
        pretrain_clip: PretrainClipConfig { network, train, held_out_fraction: 0.3, ..Default::default() },
        device: DeviceChoice::Cpu,
        runs: root.join("runs"),
        resume: None,
    }
}

fn screen_settings(root: &Path, clip: &Path) -> ScreenCaptionsSettings {
    ScreenCaptionsSettings {
        nsd: root.join("nsd"),
        prepared: root.join("subj01.h5"),
        clip: clip.to_path_buf(),
        screen_captions: ScreenCaptionsConfig::default(),
        cache: root.join("cache"),
        output: root.join("captions.json"),
        probabilities: root.join("captions-probabilities.json"),
        report: root.join("captions-screening.json"),
        device: DeviceChoice::Cpu,
        stimulus_view: StimulusView::default(),
    }
}

fn read<T: serde::de::DeserializeOwned>(path: &Path) -> T {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn a_clip_is_trained_and_screens_the_captions_of_every_image() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    write_tree(&root.join("nsd"));
    write_prepared(&root.join("subj01.h5"), (0..NUM_IMAGES).map(photograph));
    let trained = pretrain_clip::run(&pretrain_settings(root), &mut Silent).unwrap();
    // 0.85 of ten photographs are eight: images 0 to 7 and the second crops of 6 and 7; two are set aside.
    assert_eq!(trained.train_images + trained.held_out_images, 10);
    assert_eq!(trained.train_photographs, 6);
    assert!(trained.snapshot.is_file() && trained.run.join("config.toml").is_file());

    let settings = screen_settings(root, &trained.snapshot);
    let summary = screen_captions::run(&settings, &mut Silent).unwrap();
    assert_eq!((summary.num_images, summary.num_captions), (NUM_IMAGES, 2 * NUM_IMAGES));
    let mut stored: BTreeMap<String, serde_json::Value> = read(&settings.output);
    assert!(
        stored.remove("clip_sha256").is_some_and(|hash| hash.as_str().is_some_and(|hash| hash.len() == 64))
    );
    let kept = stored.into_iter().map(|(image, captions)| (image, serde_json::from_value(captions).unwrap()));
    let kept: BTreeMap<String, Vec<String>> = kept.collect();
    let judged: BTreeMap<String, Vec<JudgedCaption>> = read(&settings.probabilities);
    assert_eq!((kept.len(), judged.len()), (NUM_IMAGES, NUM_IMAGES));
    assert_eq!(kept.values().map(Vec::len).sum::<usize>(), summary.num_kept);
    assert_eq!(summary.images_by_kept.values().sum::<usize>(), NUM_IMAGES);
    assert!((0.0..=1.0).contains(&summary.share_of_one_to_three));
    let report: screen_captions::ScreenCaptionsSummary = read(&settings.report);
    assert_eq!((report.num_kept, &report.images_by_kept), (summary.num_kept, &summary.images_by_kept));
    assert_eq!(report.examples.len(), summary.examples.len());
    for (image, captions) in &judged {
        let best = captions.iter().map(|caption| caption.probability).fold(0.0, f64::max);
        assert!((captions.iter().map(|caption| caption.probability).sum::<f64>() - 1.0).abs() < 1e-9);
        assert!(captions.iter().all(|caption| caption.kept == (caption.probability > 0.5 * best)));
        let expected: Vec<&String> =
            captions.iter().filter(|caption| caption.kept).map(|caption| &caption.caption).collect();
        assert_eq!(kept[image].iter().collect::<Vec<_>>(), expected);
    }
    // The same again comes from the cache and is the same.
    assert_eq!(screen_captions::run(&settings, &mut Silent).unwrap(), summary);
}

#[test]
fn an_image_without_captions_is_named_before_any_work() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    write_tree(&root.join("nsd"));
    write_prepared(&root.join("subj01.h5"), (0..NUM_IMAGES).map(photograph));
    write_captions(&root.join("nsd"), &[serde_json::json!({"image_id": 1000, "id": 1, "caption": "a wall"})]);
    let settings = screen_settings(root, &root.join("none.safetensors"));
    let error = screen_captions::run(&settings, &mut Silent).unwrap_err().to_string();
    assert!(error.contains("captions of coco 1001 (nsd 1)"), "{error}");
    assert!(!settings.output.exists() && !settings.probabilities.exists());
    let error = pretrain_clip::run(&pretrain_settings(root), &mut Silent).unwrap_err().to_string();
    assert!(error.contains("at least one caption"), "{error}");
    assert!(!root.join("runs").exists());
}
