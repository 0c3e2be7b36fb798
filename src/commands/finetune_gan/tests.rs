//! The command on the small subject of `train-mapper`'s tests, from untrained networks.

mod absurd_mappers;

use std::path::{Path, PathBuf};

use serde_json::json;

use super::*;
use crate::commands::fixtures::linear_brain::{settings as mapper_settings, write_all};
use crate::commands::fixtures::small_gan::{write_gan, write_tree};
use crate::commands::microstim::{self, MicrostimConfig, MicrostimSettings, MicrostimSummary};
use crate::commands::reconstruct::{self, ReconstructConfig, ReconstructSettings, ReconstructSummary};
use crate::commands::train_mapper::{self, TrainMapperSettings};
use crate::data::formats::hdf5::H5File;
use crate::data::nsd::tree::NsdTree;
use crate::models::clip::{Clip, ClipConfig};
use crate::models::condition_source::ConditionSource;
use crate::models::mapper::MapperTarget;
use crate::models::resnet::ResnetConfig;
use crate::models::stylegan2::GeneratorConfig;
use crate::pipelines::brain_decoder::DecoderPaths;
use crate::pipelines::pictures::picture_features::FeatureSource;
use crate::pipelines::project::{Project, ProjectPaths};
use crate::pipelines::targets::resnet_vectors::ResnetVector;
use crate::run::device::DeviceChoice;
use crate::run::precision::Precision;
use crate::run::progress::Silent;
use crate::run::snapshot::{Snapshot, save_snapshot};
use crate::tensor_ops::backend::{Base, cpu};
use crate::training::gan::image_view::SmallImages;
use crate::training::gan::mappers::config::MapperMode;
use crate::training::gan::run_files::CHECKPOINT_FILE;

fn write_resnet(path: &Path) {
    let sizes = ResnetConfig { stem_width: 4, planes: [2, 4, 4, 8], blocks: [1; 4], num_classes: None };
    save_snapshot(path, "resnet", &sizes, &json!({}), &sizes.init::<Base>(3, &cpu()).unwrap()).unwrap();
}

/// Files of everything, and settings of a run of two steps.
fn scene(root: &Path) -> (TrainMapperSettings, FinetuneGanSettings) {
    write_all(root);
    write_tree(root);
    write_gan(&root.join("gan"));
    write_resnet(&root.join("resnet.safetensors"));
    let mut mapper = mapper_settings(root);
    mapper.mapper.train.phase1.epochs = 1;
    mapper.mapper.train.phase2.epochs = 0;
    let mut finetune_gan = FinetuneGanConfig::default();
    let train = &mut finetune_gan.train;
    train.total_kimg = 0.008;
    train.batch_size = Some(4);
    train.tick_kimg = 0.004;
    train.crop.small_images = SmallImages::Enlarge;
    let settings = FinetuneGanSettings {
        features: None,
        nsd: root.join("nsd"),
        prepared: mapper.prepared.clone(),
        clip: mapper.target_network.clone(),
        resnet: Some(root.join("resnet.safetensors")),
        image_mapper: train_mapper::run(&mapper, &mut Silent).unwrap().snapshot,
        second_mapper: root.join("none.safetensors"),
        captions: mapper.captions.clone(),
        gan: root.join("gan"),
        split: mapper.split.clone(),
        finetune_gan,
        stimulus_view: mapper.mapper.stimulus_view(),
        cache: mapper.cache.clone(),
        device: DeviceChoice::Cpu,
        runs: root.join("runs"),
        resume: None,
    };
    (mapper, settings)
}

/// How three trials are drawn with these networks.
fn drawing(settings: &FinetuneGanSettings, networks: DecoderPaths) -> ReconstructSettings {
    ReconstructSettings {
        prepared: settings.prepared.clone(),
        stimuli: NsdTree::new(&settings.nsd).stimuli(),
        networks,
        split: settings.split.clone(),
        reconstruct: ReconstructConfig { limit: 3, ..Default::default() },
        targets: None,
        cache: settings.cache.clone(),
        seed: 0,
        device: DeviceChoice::Cpu,
        precision: Precision::Single,
        is_control: false,
        runs: settings.runs.clone(),
    }
}

fn draw(
    settings: &FinetuneGanSettings,
    networks: &DecoderPaths,
    change: impl FnOnce(&mut ReconstructSettings),
) -> crate::error::Result<ReconstructSummary> {
    let mut drawn = drawing(settings, networks.clone());
    change(&mut drawn);
    reconstruct::run(&drawn, &mut Silent)
}

/// Drives every voxel of three images.
fn stimulate(
    settings: &FinetuneGanSettings,
    networks: DecoderPaths,
    change: impl FnOnce(&mut MicrostimSettings),
) -> crate::error::Result<MicrostimSummary> {
    let microstim = MicrostimConfig { roi: "nsdgeneral".into(), limit: 3, ..Default::default() };
    let drawn = drawing(settings, networks);
    let mut stimulation = MicrostimSettings {
        prepared: drawn.prepared,
        stimuli: drawn.stimuli,
        networks: drawn.networks,
        clip: settings.clip.clone(),
        split: drawn.split,
        microstim,
        seed: 0,
        device: drawn.device,
        precision: drawn.precision,
        runs: drawn.runs,
    };
    change(&mut stimulation);
    microstim::run(&stimulation, &mut Silent)
}

/// A caption mapper that starts from the weights of `seed`.
fn caption_mapper(mapper: &TrainMapperSettings, seed: u64) -> PathBuf {
    let mut mapper = TrainMapperSettings { target: MapperTarget::Caption, ..mapper.clone() };
    mapper.mapper.train.seed = seed;
    train_mapper::run(&mapper, &mut Silent).unwrap().snapshot
}

fn num_runs(settings: &FinetuneGanSettings) -> usize {
    std::fs::read_dir(&settings.runs).unwrap().count()
}

/// Finetuned on captions alone, the network keeps its one head.
fn finetuned_on_captions(
    settings: &mut FinetuneGanSettings,
    mapper: &TrainMapperSettings,
) -> (FinetuneGanSummary, DecoderPaths) {
    settings.second_mapper = caption_mapper(mapper, 1);
    settings.finetune_gan.condition = ConditionSource::Caption;
    let summary = run(settings, &mut Silent).unwrap();
    assert!(!summary.duplicated_head);
    let networks = DecoderPaths {
        image_mapper: settings.image_mapper.clone(),
        second_mapper: settings.second_mapper.clone(),
        generator: summary.training.generator.clone(),
    };
    (summary, networks)
}

#[test]
fn a_generator_finetuned_on_captions_is_used_as_its_snapshot_says() {
    let folder = tempfile::tempdir().unwrap();
    let (mapper, mut settings) = scene(folder.path());
    let (_, networks) = finetuned_on_captions(&mut settings, &mapper);
    pictures_are_drawn_from_the_condition_that_the_generator_was_finetuned_on(&settings, &networks);
    another_mapper_than_the_generators_own_is_named_and_refused_when_strict(&settings, &networks, &mapper);
    sentences_of_another_clip_are_refused_or_named(&settings, &networks, folder.path());
    embeddings_are_written_before_and_after_normalised_and_as_they_are(&settings, &networks);
}

fn pictures_are_drawn_from_the_condition_that_the_generator_was_finetuned_on(
    settings: &FinetuneGanSettings,
    networks: &DecoderPaths,
) {
    let grid = |condition: Option<ConditionSource>| {
        let drawn = draw(settings, networks, |drawn| drawn.reconstruct.condition = condition).unwrap();
        assert!(drawn.warnings.is_empty(), "{:?}", drawn.warnings);
        (drawn.conditions, std::fs::read(drawn.grid).unwrap())
    };
    let (caption, image) = (ConditionSource::Caption, ConditionSource::Image);
    let own = grid(None);
    assert_eq!(own, grid(Some(caption)));
    assert_eq!(own.0, [caption]);
    assert_ne!(own.1, grid(Some(image)).1);
    let stimulated = |condition: Option<ConditionSource>| {
        let run = stimulate(settings, networks.clone(), |changed| changed.microstim.condition = condition);
        run.map(|summary| (summary.condition, std::fs::read(summary.grid).unwrap()))
    };
    let own = stimulated(None).unwrap();
    assert_eq!(own, stimulated(Some(caption)).unwrap());
    assert_eq!(own.0, Some(caption));
    assert_ne!(own.1, stimulated(Some(image)).unwrap().1);
    // Two vectors for one head: one would be dropped.
    let before = num_runs(settings);
    for both in [ConditionSource::Both, ConditionSource::ImageResnet] {
        let drawn = draw(settings, networks, |drawn| drawn.reconstruct.conditions = vec![caption, both]);
        for error in [drawn.unwrap_err().to_string(), stimulated(Some(both)).unwrap_err().to_string()] {
            assert!(error.contains("generator.safetensors`: number of condition heads: found 1"), "{error}");
            assert!(error.contains(&format!("`{both}`")) && error.contains("`caption`"), "{error}");
        }
    }
    assert_eq!(num_runs(settings), before);
}

fn another_mapper_than_the_generators_own_is_named_and_refused_when_strict(
    settings: &FinetuneGanSettings,
    networks: &DecoderPaths,
    mapper: &TrainMapperSettings,
) {
    let other = DecoderPaths { second_mapper: caption_mapper(mapper, 2), ..networks.clone() };
    let hash = |path: &Path| Snapshot::open_any(path).unwrap().sha256()[..12].to_string();
    let drawn = draw(settings, &other, |_| ()).unwrap();
    let manifest: serde_json::Value =
        serde_json::from_slice(&std::fs::read(drawn.manifest).unwrap()).unwrap();
    assert_eq!(manifest["warnings"], json!(drawn.warnings));
    let stimulated = stimulate(settings, other.clone(), |_| ()).unwrap();
    for warnings in [drawn.warnings, stimulated.warnings] {
        let [warning] = &warnings[..] else { panic!("{warnings:?}") };
        for part in [
            other.second_mapper.display().to_string(),
            networks.generator.display().to_string(),
            hash(&other.second_mapper),
            hash(&networks.second_mapper),
        ] {
            assert!(warning.contains(&part), "{warning}");
        }
    }
    let before = num_runs(settings);
    let error = draw(settings, &other, |drawn| drawn.reconstruct.strict = true).unwrap_err();
    assert!(error.to_string().contains("is not the second mapper"), "{error}");
    let error = stimulate(settings, other.clone(), |changed| changed.microstim.strict = true).unwrap_err();
    assert!(error.to_string().contains("is not the second mapper"), "{error}");
    assert_eq!(num_runs(settings), before, "nothing is written");
    assert!(draw(settings, &other, |drawn| drawn.is_control = true).unwrap().warnings.is_empty());
    // A mapper without a part in the condition may be any; the generator's own pass when strict.
    let image = Some(ConditionSource::Image);
    let drawn = draw(settings, &other, |drawn| drawn.reconstruct.condition = image).unwrap();
    assert!(drawn.warnings.is_empty());
    draw(settings, networks, |drawn| drawn.reconstruct.strict = true).unwrap();
    // Images called held out must have been held out.
    let drawn = draw(settings, networks, |drawn| drawn.split.train_fraction = 0.5).unwrap();
    assert_eq!(drawn.warnings.len(), 2, "generator and mapper: {:?}", drawn.warnings);
    assert!(drawn.warnings.iter().all(|warning| warning.contains("another split")));
}

fn sentences_of_another_clip_are_refused_or_named(
    settings: &FinetuneGanSettings,
    networks: &DecoderPaths,
    folder: &Path,
) {
    let own: ClipConfig = Snapshot::open(&settings.clip, "clip").unwrap().config().unwrap();
    let clip = |name: &str, embed_dim: usize| {
        let config = ClipConfig { embed_dim, ..own.clone() };
        let clip: Clip<Base> = config.init(9, &cpu()).unwrap();
        let path = folder.join(name);
        save_snapshot(&path, "clip", &config, &json!({}), &clip).unwrap();
        path
    };
    let wide = clip("wide.safetensors", own.embed_dim + 4);
    let error = stimulate(settings, networks.clone(), |changed| changed.clip = wide).unwrap_err().to_string();
    assert!(error.contains("wide.safetensors`: width of the embedding: found 12, expected 8"), "{error}");
    let other = clip("other.safetensors", own.embed_dim);
    let summary = stimulate(settings, networks.clone(), |changed| changed.clip = other.clone()).unwrap();
    let [warning] = &summary.warnings[..] else { panic!("{:?}", summary.warnings) };
    assert!(
        warning.contains("other.safetensors") && warning.contains("is not the CLIP whose space"),
        "{warning}"
    );
    let strict = stimulate(settings, networks.clone(), |changed| {
        changed.clip = other;
        changed.microstim.strict = true;
    });
    assert_eq!(strict.unwrap_err().to_string(), *warning);
}

fn embeddings_are_written_before_and_after_normalised_and_as_they_are(
    settings: &FinetuneGanSettings,
    networks: &DecoderPaths,
) {
    let summary = stimulate(settings, networks.clone(), |_| ()).unwrap();
    let file = H5File::open(&summary.embeddings.unwrap(), "a test").unwrap();
    let rows = |name: &str| -> Vec<Vec<f32>> {
        let values: Vec<f32> = file.dataset(name).unwrap().read_all().unwrap();
        values.chunks(8).map(<[f32]>::to_vec).collect()
    };
    let norm = |row: &[f32]| row.iter().map(|value| value * value).sum::<f32>().sqrt();
    for (name, path) in [("image", &networks.image_mapper), ("caption", &networks.second_mapper)] {
        for moment in ["before", "after"] {
            let unit = rows(&format!("{moment}/{name}"));
            let raw = rows(&format!("{moment}/{name}_unnormalised"));
            assert_eq!((unit.len(), raw.len()), (3, 3));
            for (unit, raw) in unit.iter().zip(&raw) {
                assert!((norm(unit) - 1.0).abs() < 1e-5);
                let length = norm(raw);
                assert!((length - 1.0).abs() > 1e-3, "not scaled: {length}");
                assert!(
                    unit.iter()
                        .zip(raw)
                        .all(|(unit, raw)| (unit * length - raw).abs() < 1e-5 * length.max(1.0))
                );
            }
        }
        // Every voxel is driven to ten: the same embedding whatever was seen.
        let after = rows(&format!("after/{name}_unnormalised"));
        let driven = ndarray::Array2::from_elem((1, 40), 10.0);
        let loaded = crate::pipelines::brain_decoder::LoadedMapper::open(path, &cpu()).unwrap();
        let expected: Vec<f32> = loaded.predict(&driven, &cpu()).into_data().to_vec().unwrap();
        for row in after {
            assert!(
                row.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-4 * b.abs().max(1.0)),
                "{row:?}"
            );
        }
    }
    let ids: Vec<u32> = file.dataset("nsd_id").unwrap().read_all().unwrap();
    assert!(
        ids.len() == 3 && ids.iter().all(|id| *id >= 42),
        "the last 18 of 60 images are held out: {ids:?}"
    );
    let counts: Vec<u32> = file.dataset("num_presentations").unwrap().read_all().unwrap();
    assert_eq!(counts, [2; 3]);
}

#[test]
fn snapshots_on_the_way_lie_beside_the_mappers_that_belong_to_them() {
    let folder = tempfile::tempdir().unwrap();
    let (mapper, mut settings) = scene(folder.path());
    settings.finetune_gan.mappers.mode = MapperMode::EndToEnd;
    settings.finetune_gan.train.checkpoint_ticks = 1;
    let (summary, stage_one) = finetuned_on_captions(&mut settings, &mapper);
    let [first, last] = &summary.snapshots.generators[..] else { panic!("{:?}", summary.snapshots) };
    let project = |generator: &Path| Project {
        subject: mapper.subject,
        paths: ProjectPaths {
            work: Some(folder.path().into()),
            generator: Some(generator.into()),
            ..ProjectPaths::default()
        },
        ..Project::default()
    };
    let networks = |generator: &Path| project(generator).networks(None).unwrap();
    let mut embeddings = vec![];
    for generator in [first, last, &summary.training.generator] {
        let (networks, condition) = networks(generator);
        assert_eq!((condition, &networks.image_mapper), (ConditionSource::Caption, &settings.image_mapper));
        assert_eq!(networks.second_mapper.parent(), generator.parent());
        let drawn = draw(&settings, &networks, |drawn| drawn.reconstruct.strict = true).unwrap();
        embeddings.push(std::fs::read(drawn.grid).unwrap());
        // That of stage one is another, and so is that of another moment.
        let wrong = DecoderPaths { second_mapper: stage_one.second_mapper.clone(), ..networks };
        assert_eq!(draw(&settings, &wrong, |_| ()).unwrap().warnings.len(), 1);
    }
    assert_ne!(embeddings[0], embeddings[1], "the mapper is trained between the two");
    assert_eq!(embeddings[1], embeddings[2], "the last snapshot is the run's result");
    let early = DecoderPaths { generator: last.clone(), ..networks(first).0 };
    assert_eq!(draw(&settings, &early, |_| ()).unwrap().warnings.len(), 1);
    // A mapper goes with its generator.
    settings.finetune_gan.snapshots.keep = 1;
    let kept = run(&settings, &mut Silent).unwrap();
    let mut names: Vec<String> = std::fs::read_dir(kept.run.join("snapshots"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["generator-00000008.safetensors", "mapper-caption-00000008.safetensors"]);
}

#[test]
fn the_best_snapshot_is_chosen_on_the_test_images_unless_others_are_kept_apart() {
    let folder = tempfile::tempdir().unwrap();
    let (mapper, mut settings) = scene(folder.path());
    settings.features = Some(FeatureSource::Clip(settings.clip.clone()));
    settings.finetune_gan.snapshots.frechet_ticks = 1;
    let (all, _) = finetuned_on_captions(&mut settings, &mapper);
    settings.finetune_gan.validation_fraction = 0.25;
    let apart = run(&settings, &mut Silent).unwrap();
    let measured = |summary: &FinetuneGanSummary| {
        let frechet = summary.snapshots.frechet.as_ref().unwrap();
        let counts: Vec<_> = frechet.last.iter().map(|set| (set.real, set.distance.num_real)).collect();
        let best = frechet.best.as_ref().unwrap();
        (counts, best.chosen_on, best.note)
    };
    // 60 images twice, 42 of them for training; a quarter of these is 10.5, rounded to 11.
    assert_eq!((all.num_images, all.num_trials), (42, 84));
    let (counts, chosen_on, note) = measured(&all);
    assert_eq!((&counts[..], chosen_on), (&[("test", 36), ("train", 84)][..], "test"));
    assert!(note.contains("validation_fraction"), "{note}");
    assert_eq!((apart.num_images, apart.num_trials), (31, 62));
    let (counts, chosen_on, note) = measured(&apart);
    assert_eq!((&counts[..], chosen_on), (&[("validation", 22), ("train", 62)][..], "validation"));
    assert!(note.contains("no part"), "{note}");
    let origin = |summary: &FinetuneGanSummary| {
        let snapshot = Snapshot::open(&summary.training.generator, "generator").unwrap();
        snapshot.provenance()["validation_fraction"].clone()
    };
    assert_eq!((origin(&all), origin(&apart)), (json!(null), json!(0.25)));
    settings.finetune_gan.validation_fraction = 1.0;
    let error = run(&settings, &mut Silent).unwrap_err().to_string();
    assert!(error.contains("`finetune_gan.validation_fraction`: found 1"), "{error}");
}

#[test]
fn a_resnet_mapper_is_the_second_condition_frozen_and_end_to_end() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let (mut mapper, mut settings) = scene(root);
    mapper.target = MapperTarget::Resnet;
    mapper.target_network = root.join("resnet.safetensors");
    let resnet_mapper =
        |mapper: &TrainMapperSettings| train_mapper::run(mapper, &mut Silent).unwrap().snapshot;
    settings.finetune_gan.condition = ConditionSource::ImageResnet;
    assert!(settings.finetune_gan.needs_resnet());

    // Vectors of another kind cannot be compared with what the loss sees of an image.
    settings.second_mapper = resnet_mapper(&mapper);
    let error = run(&settings, &mut Silent).unwrap_err().to_string();
    assert!(error.contains("[8, 256]") && error.contains("[8, 32]"), "{error}");
    mapper.mapper.resnet.vector = ResnetVector::MaxAndMean;
    settings.second_mapper = resnet_mapper(&mapper);

    for mode in [MapperMode::Frozen, MapperMode::EndToEnd] {
        settings.finetune_gan.mappers.mode = mode;
        let summary = run(&settings, &mut Silent).unwrap();
        assert!(!summary.duplicated_head, "a head of another width is drawn");
        let generator = Snapshot::open(&summary.training.generator, "generator").unwrap();
        assert_eq!(generator.config::<GeneratorConfig>().unwrap().condition_dims(), [8, 256]);
        let second = match mode {
            MapperMode::Frozen => settings.second_mapper.clone(),
            MapperMode::EndToEnd => summary.run.join("mapper-resnet.safetensors"),
        };
        assert_eq!(summary.training.stats.contains_key("second_mapper_loss"), mode == MapperMode::EndToEnd);
        let networks = DecoderPaths {
            image_mapper: match mode {
                MapperMode::Frozen => settings.image_mapper.clone(),
                MapperMode::EndToEnd => summary.run.join("mapper-image.safetensors"),
            },
            second_mapper: second,
            generator: summary.training.generator,
        };
        let changed = stimulate(&settings, networks.clone(), |_| ()).unwrap();
        assert_eq!((changed.condition, changed.warnings.len()), (Some(ConditionSource::ImageResnet), 0));
        let file = H5File::open(&changed.embeddings.unwrap(), "a test").unwrap();
        assert_eq!(file.dataset("after/resnet_unnormalised").unwrap().shape().unwrap(), [3, 256]);
        let mut drawn = drawing(&settings, networks);
        assert_eq!(reconstruct::run(&drawn, &mut Silent).unwrap().num_images, 3);
        drawn.reconstruct.condition = Some(ConditionSource::Mean);
        let error = reconstruct::run(&drawn, &mut Silent).unwrap_err().to_string();
        assert!(error.contains("target: found `resnet`, expected `caption`"), "{error}");
    }
    // A mapper of another space is refused for what it is, and one of another ResNet too.
    settings.finetune_gan.condition = ConditionSource::Both;
    let error = run(&settings, &mut Silent).unwrap_err().to_string();
    assert!(error.contains("target: found `resnet`, expected `caption`"), "{error}");
    settings.finetune_gan.condition = ConditionSource::ImageResnet;
    let other = ResnetConfig { stem_width: 4, planes: [2, 4, 4, 8], blocks: [1; 4], num_classes: None };
    let path = root.join("other.safetensors");
    save_snapshot(&path, "resnet", &other, &json!({}), &other.init::<Base>(9, &cpu()).unwrap()).unwrap();
    settings.resnet = Some(path);
    let error = run(&settings, &mut Silent).unwrap_err().to_string();
    assert!(error.contains("SHA-256 of the network whose space it predicts"), "{error}");
}

#[test]
fn captions_of_the_training_images_are_needed_where_a_caption_mapper_is_trained() {
    let folder = tempfile::tempdir().unwrap();
    let (mut mapper, mut settings) = scene(folder.path());
    mapper.target = MapperTarget::Caption;
    settings.second_mapper = train_mapper::run(&mapper, &mut Silent).unwrap().snapshot;
    settings.captions = folder.path().join("none.json");
    settings.finetune_gan.condition = ConditionSource::Image;
    settings.finetune_gan.mappers.mode = MapperMode::EndToEnd;
    let image_only = run(&settings, &mut Silent).unwrap();
    assert_eq!(image_only.training.mappers, [image_only.run.join("mapper-image.safetensors")]);
    settings.finetune_gan.condition = ConditionSource::Caption;
    let error = run(&settings, &mut Silent).unwrap_err().to_string();
    assert!(error.contains("none.json"), "{error}");
    settings.captions = mapper.captions.clone();
    let caption_only = run(&settings, &mut Silent).unwrap();
    assert_eq!(caption_only.training.mappers, [caption_only.run.join("mapper-caption.safetensors")]);

    // Images that the mapper has seen must not be held out from the GAN, nor the other way round.
    let split = settings.split.clone();
    settings.split.train_fraction = 0.5;
    let error = run(&settings, &mut Silent).unwrap_err().to_string();
    assert!(error.contains("best.safetensors") && error.contains("settings.split"), "{error}");
    settings.split = split;

    // A run may go on for longer, from its own folder, with its mappers.
    settings.finetune_gan.train.total_kimg = 0.016;
    settings.resume = Some(caption_only.run.join(CHECKPOINT_FILE));
    let longer = run(&settings, &mut Silent).unwrap();
    assert_eq!((longer.run, longer.training.images_seen), (caption_only.run, 16));
}
