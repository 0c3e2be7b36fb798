//! `pretrain-gan` on every source of images, and its snapshots.

use std::io::Write;
use std::path::{Path, PathBuf};

use mindreader::commands::config::ProjectConfig;
use mindreader::commands::pretrain_gan::{
    self, FirstCondition, PretrainGanSettings, PretrainGanSummary, SecondCondition,
};
use mindreader::models::stylegan2::ConditionHeads;
use mindreader::run::progress::Silent;
use mindreader::run::snapshot::{Snapshot, save_snapshot};
use mindreader::tensor_ops::backend::{Base, cpu};
use serde_json::json;

use crate::configuration;

const IMAGES: usize = 10;
/// Width of the embeddings of the tiny CLIP.
const WIDTH: usize = 16;

/// The tiny configuration with a CLIP of random weights and a training of two steps, and no NSD.
fn without_nsd(root: &Path) -> ProjectConfig {
    let mut chain = configuration("phantom-tiny.toml", root);
    let config = &chain.pretrain_clip.network;
    let clip = config.init::<Base>(1, &cpu()).unwrap();
    let path = root.join("clip.safetensors");
    save_snapshot(&path, "clip", config, &json!({}), &clip).unwrap();
    chain.paths.clip = Some(path);
    chain.paths.nsd = None;
    chain.pretrain_gan.train.total_kimg = 0.016;
    chain
}

/// Pictures with two captions each.
fn files() -> Vec<(String, Vec<u8>)> {
    (0..IMAGES)
        .flat_map(|index| {
            let picture = image::RgbImage::from_fn(20 + index as u32, 24, |x, y| {
                image::Rgb([x as u8 * 8, y as u8 * 8, index as u8 * 20])
            });
            let mut png = std::io::Cursor::new(vec![]);
            picture.write_to(&mut png, image::ImageFormat::Png).unwrap();
            let captions = b"a red thing\na blue thing\n".to_vec();
            [(format!("{index}.png"), png.into_inner()), (format!("{index}.txt"), captions)]
        })
        .collect()
}

fn folder(root: &Path) -> PathBuf {
    let folder = root.join("pictures");
    std::fs::create_dir(&folder).unwrap();
    files().iter().for_each(|(name, bytes)| std::fs::write(folder.join(name), bytes).unwrap());
    folder
}

fn archive(path: &Path, files: &[(String, Vec<u8>)]) {
    let mut writer = zip::ZipWriter::new(std::fs::File::create(path).unwrap());
    for (name, bytes) in files {
        writer.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap();
}

fn run(chain: &ProjectConfig) -> mindreader::error::Result<PretrainGanSummary> {
    pretrain_gan::run(
        &PretrainGanSettings::resolve(&chain.project(), &chain.pretrain_gan, None)?,
        &mut Silent,
    )
}

fn metrics(summary: &PretrainGanSummary) -> String {
    std::fs::read_to_string(summary.run.join("metrics.jsonl")).unwrap()
}

/// Language-free with one head, with captions and with pseudo captions for two heads.
#[test]
fn a_folder_and_its_archive_train_alike() {
    let root = tempfile::tempdir().unwrap();
    let mut chain = without_nsd(root.path());
    let folder = folder(root.path());
    let packed = root.path().join("pictures.zip");
    archive(&packed, &files());
    for (heads, first, second, num_samples) in [
        (ConditionHeads::One, FirstCondition::Images, SecondCondition::Captions, 10),
        (ConditionHeads::One, FirstCondition::Captions, SecondCondition::Captions, 20),
        (ConditionHeads::TwoByMaximum, FirstCondition::Images, SecondCondition::Captions, 20),
        (ConditionHeads::TwoByMaximum, FirstCondition::Images, SecondCondition::Pseudo, 10),
    ] {
        chain.pretrain_gan.network.heads = heads;
        chain.pretrain_gan.first_condition = first;
        chain.pretrain_gan.second_condition = second;
        let mut of = |images: &PathBuf| {
            chain.paths.images = Some(images.clone());
            let summary = run(&chain).unwrap();
            assert_eq!(
                (summary.num_images, summary.num_samples),
                (IMAGES, num_samples),
                "{heads:?} {second:?}"
            );
            assert!(summary.training.generator.is_file());
            metrics(&summary)
        };
        assert_eq!(of(&folder), of(&packed), "{heads:?} {first:?} {second:?}");
    }
    std::fs::remove_file(folder.join("7.txt")).unwrap();
    chain.pretrain_gan.second_condition = SecondCondition::Captions;
    chain.pretrain_gan.network.heads = ConditionHeads::TwoByMaximum;
    chain.paths.images = Some(folder);
    let error = run(&chain).unwrap_err();
    assert!(error.to_string().contains("7.txt"), "{error}");
}

#[test]
fn stored_features_steer_without_clip() {
    let root = tempfile::tempdir().unwrap();
    let mut chain = without_nsd(root.path());
    let vector = |image: usize, caption: usize| -> Vec<f64> {
        (0..WIDTH).map(|at| ((image * 7 + caption * 3 + at) as f64).sin() * 5.0).collect()
    };
    let dataset = |image_features: bool| {
        let names = (0..IMAGES).map(|index| format!("{index}.png"));
        let image: Vec<_> = names.clone().map(|n| json!([n, vector(n.len(), 9)])).collect();
        let text: Vec<_> = names
            .enumerate()
            .map(|(i, n)| json!([n, (0..1 + i % 2).map(|c| vector(i, c)).collect::<Vec<_>>()]))
            .collect();
        let image = if image_features { json!(image) } else { json!(null) };
        json!({"labels": null, "clip_img_features": image, "clip_txt_features": text})
    };
    let pack = |dataset: serde_json::Value| {
        let mut files = files();
        files.retain(|(name, _)| name.ends_with(".png"));
        files.push(("dataset.json".into(), dataset.to_string().into_bytes()));
        let path = root.path().join("lafite.zip");
        archive(&path, &files);
        path
    };
    chain.paths.images = Some(pack(dataset(true)));
    chain.pretrain_gan.first_condition = FirstCondition::Captions;
    let summary = run(&chain).unwrap();
    assert_eq!((summary.num_images, summary.num_samples), (IMAGES, 15));
    assert!(!root.path().join("work/cache").exists(), "CLIP had nothing to compute");
    // Without image features CLIP computes them; the captions' are still those of the file.
    pack(dataset(false));
    let computed = run(&chain).unwrap();
    assert_eq!(computed.num_samples, 15);
    assert_eq!(std::fs::read_dir(root.path().join("work/cache")).unwrap().count(), 1);
    // Supervised by captions alone, training is the same; language-free it is not.
    assert_eq!(metrics(&summary), metrics(&computed));
    chain.pretrain_gan.first_condition = FirstCondition::Images;
    let by_computed = run(&chain).unwrap();
    assert_eq!(by_computed.num_samples, IMAGES);
    pack(dataset(true));
    assert_ne!(metrics(&by_computed), metrics(&run(&chain).unwrap()));
    // A CLIP of another width.
    let mut narrow = dataset(true);
    narrow["clip_img_features"][4][1].as_array_mut().unwrap().pop();
    pack(narrow);
    let error = run(&chain).unwrap_err().to_string();
    assert!(
        error.contains("dataset.json") && error.contains("4.png") && error.contains("expected 16"),
        "{error}"
    );
}

#[test]
fn annotations_of_coco_give_captions() {
    let root = tempfile::tempdir().unwrap();
    let mut chain = without_nsd(root.path());
    chain.paths.images = Some(folder(root.path()));
    let annotations = root.path().join("captions_train2014.json");
    let images: Vec<_> = (0..8).map(|id| json!({"id": id, "file_name": format!("{id}.png")})).collect();
    let captions: Vec<_> =
        (0..24).map(|at| json!({"image_id": at % 8, "id": at, "caption": format!("a thing {at}")})).collect();
    std::fs::write(&annotations, json!({"images": images, "annotations": captions}).to_string()).unwrap();
    chain.paths.annotations = Some(annotations);
    chain.pretrain_gan.network.heads = ConditionHeads::TwoByMaximum;
    let summary = run(&chain).unwrap();
    assert_eq!((summary.num_images, summary.num_samples), (8, 24));
    chain.paths.images = None;
    assert!(
        PretrainGanSettings::resolve(&chain.project(), &chain.pretrain_gan, None)
            .unwrap_err()
            .to_string()
            .contains("paths.images")
    );
}

/// Two reports, then two more: the lines are those of four reports in one go.
#[test]
fn snapshots_are_kept_measured_and_resumed() {
    let root = tempfile::tempdir().unwrap();
    let mut chain = without_nsd(root.path());
    chain.paths.images = Some(folder(root.path()));
    let gan = &mut chain.pretrain_gan;
    gan.train.tick_kimg = 0.008;
    gan.train.checkpoint_ticks = 1;
    gan.train.total_kimg = 0.032;
    gan.snapshots.keep = 2;
    gan.snapshots.frechet_ticks = 2;
    gan.snapshots.clip_features = true;
    let whole = run(&chain).unwrap();
    let lines = metrics(&whole);
    let distances: Vec<serde_json::Value> = lines
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .filter(|event| !event["frechet"].is_null())
        .collect();
    assert_eq!(distances.iter().map(|event| event["tick"].as_u64().unwrap()).collect::<Vec<_>>(), [2, 4]);
    assert!(distances[0]["frechet"]["name"].as_str().unwrap().contains("not a FID"));
    let frechet = whole.snapshots.frechet.unwrap();
    assert_eq!(
        (frechet.last.len(), frechet.last[0].real, frechet.last[0].distance.num_real),
        (1, "real", IMAGES)
    );
    assert_eq!(frechet.last[0].distance.num_other, IMAGES, "as many as there are real ones");
    let last = distances[1]["frechet"]["real"].as_f64().unwrap();
    assert!((last - frechet.last[0].distance.value).abs() < 1e-9, "{last}");
    let best = frechet.best.unwrap();
    let values: Vec<f64> = distances.iter().map(|event| event["frechet"]["real"].as_f64().unwrap()).collect();
    assert_eq!(best.value, values[0].min(values[1]));
    // The two newest, and the best where it is older.
    let names: Vec<String> = whole
        .snapshots
        .generators
        .iter()
        .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    let name = |images: u64| format!("generator-{images:08}.safetensors");
    let mut expected = vec![name(24), name(32)];
    if best.images_seen < 24 {
        expected.insert(0, name(best.images_seen));
    }
    assert_eq!(names, expected);
    let snapshot = Snapshot::open(whole.snapshots.generators.last().unwrap(), "generator").unwrap();
    assert_eq!(snapshot.provenance()["images_seen"], 32);
    let last = std::fs::read(&whole.training.generator).unwrap();
    assert_eq!(std::fs::read(whole.snapshots.generators.last().unwrap()).unwrap(), last);

    chain.pretrain_gan.train.total_kimg = 0.016;
    let half = run(&chain).unwrap();
    chain.pretrain_gan.train.total_kimg = 0.032;
    // What a run that was killed later leaves: a snapshot of a future that will be another file.
    let stale = half.run.join("snapshots/generator-00009999.safetensors");
    std::fs::write(&stale, b"stale").unwrap();
    let checkpoint = half.run.join("checkpoint.mpk");
    let resumed = pretrain_gan::run(
        &PretrainGanSettings::resolve(&chain.project(), &chain.pretrain_gan, Some(checkpoint)).unwrap(),
        &mut Silent,
    )
    .unwrap();
    assert_eq!(metrics(&resumed), lines);
    assert!(!stale.exists());
    assert_eq!(resumed.snapshots.generators.len(), whole.snapshots.generators.len());
    assert_eq!(std::fs::read(resumed.snapshots.generators.last().unwrap()).unwrap(), last);

    chain.pretrain_gan.snapshots.frechet_samples = 1;
    let error = run(&chain).unwrap_err().to_string();
    assert!(error.contains("frechet_samples"), "{error}");
}
