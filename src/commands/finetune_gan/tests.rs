//! The command on the small subject of `train-mapper`'s tests, from untrained networks.

use std::path::Path;

use serde_json::json;

use super::*;
use crate::commands::fixtures::linear_brain::{settings as mapper_settings, write_all};
use crate::commands::fixtures::small_gan::{write_gan, write_tree};
use crate::commands::reconstruct::{self, ReconstructConfig, ReconstructSettings};
use crate::commands::train_mapper::{self, TrainMapperSettings};
use crate::models::condition_source::ConditionSource;
use crate::models::mapper::MapperTarget;
use crate::models::resnet::ResnetConfig;
use crate::models::stylegan2::GeneratorConfig;
use crate::pipelines::brain_decoder::DecoderPaths;
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
    train.batch_size = 4;
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
        let mut drawn = ReconstructSettings {
            prepared: settings.prepared.clone(),
            stimuli: mapper.stimuli.clone(),
            networks: DecoderPaths {
                image_mapper: settings.image_mapper.clone(),
                second_mapper: second,
                generator: summary.training.generator,
            },
            split: settings.split.clone(),
            reconstruct: ReconstructConfig {
                condition: ConditionSource::ImageResnet,
                limit: 3,
                ..Default::default()
            },
            seed: 0,
            device: DeviceChoice::Cpu,
            precision: Precision::Single,
            runs: root.join("runs"),
        };
        assert_eq!(reconstruct::run(&drawn, &mut Silent).unwrap().num_images, 3);
        drawn.reconstruct.condition = ConditionSource::Mean;
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
    assert!(error.contains("SHA-256 of the network it was trained for"), "{error}");
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
