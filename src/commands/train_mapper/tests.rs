//! The command on a small subject whose betas are a linear code of what it saw.

mod folds;
mod kinds;

use std::path::Path;

use serde_json::json;

use super::*;
use crate::commands::evaluate::{self, EvaluateConfig, EvaluateSettings, EvaluationData};
use crate::commands::fixtures::linear_brain::{settings, write_all, write_captions};
use crate::data::error::DataError;
use crate::data::image::augment::AugmentConfig;
use crate::data::image::stimulus_view::ResizeChain;
use crate::models::mapper::{AnyMapperSnapshot, MapperConfig, MapperSnapshot, MapperTarget};
use crate::models::resnet::ResnetConfig;
use crate::pipelines::targets::resnet_vectors::ResnetVector;
use crate::run::error::RunError;
use crate::run::progress::Silent;
use crate::run::snapshot::{Snapshot, save_snapshot};
use crate::tensor_ops::backend::{Base, cpu};
use crate::training::frame::epoch_loop::CHECKPOINT_FILE;
use crate::training::mapper::events::MapperEvent;
use crate::training::mapper::preset::MapperPreset;
use crate::training::mapper::selection::EpochSelection;

#[test]
fn a_linear_brain_is_decoded_above_chance_and_a_shuffled_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    write_all(folder.path());
    let settings = settings(folder.path());
    let summary = run(&settings, &mut Silent).unwrap();
    assert!(summary.run_dir.ends_with("00000-train-mapper-image-subj02"));
    assert_eq!((summary.num_train_trials, summary.num_validation_trials), (84, 36));
    assert_eq!(summary.retrieval.chance_first_batch, 2.0);
    // Over seeds 14 to 24 of 36 forward; the control's mean over 12 seeds and all epochs was 1.9 and 2.2.
    for count in [summary.retrieval.forward, summary.retrieval.backward] {
        assert!(count.over_batches.low > 2.0, "{summary:?}");
    }
    for file in ["config.toml", "metrics.jsonl", "last.safetensors", "summary.json", CHECKPOINT_FILE] {
        assert!(summary.run_dir.join(file).is_file(), "{file}");
    }
    for plot in ["losses-phase1", "losses-phase2", "retrieval", "predicted-true", "components"] {
        let svg = std::fs::read_to_string(summary.run_dir.join(format!("plots/{plot}.svg"))).unwrap();
        assert!(svg.contains("<svg") && svg.len() > 2000, "{plot}");
    }
    let snapshot = Snapshot::open(&summary.snapshot, "mapper").unwrap();
    let config: MapperSnapshot = snapshot.config().unwrap();
    assert_eq!((config.network.signal_len, config.padding_left, config.num_voxels), (64, 12, 40));
    assert_eq!((config.subject.as_str(), config.roi.as_str()), ("subj02", "nsdgeneral"));

    // The same network, counted again from its snapshot, twice: equal numbers, and no gain from a copy of itself.
    let evaluation = evaluate::run(
        &EvaluateSettings {
            mappers: vec![summary.snapshot.clone(); 2],
            clip: Some(settings.target_network.clone()),
            controls: Vec::new(),
            own_targets: None,
            resnet: None,
            evaluate: EvaluateConfig { ridge: true, ridge_targets: Vec::new(), ..EvaluateConfig::default() },
            data: EvaluationData::from(&settings),
        },
        &mut Silent,
    )
    .unwrap();
    assert_eq!(evaluation.mappers[1].by_image, summary.retrieval);
    assert!(evaluation.mappers[0].by_index.forward.first_batch <= summary.retrieval.forward.first_batch);
    assert_eq!(evaluation.mappers[0].by_index.chance_first_batch, 1.0);
    let subsets: Vec<&[usize]> = evaluation.combinations.iter().map(|row| &row.mappers[..]).collect();
    assert_eq!(subsets, [&[0][..], &[1], &[0, 1]]);
    assert_eq!(evaluation.combinations[2].combined.retrieval, evaluation.combinations[0].combined.retrieval);
    assert!(evaluation.table().contains("image mapper (2)"), "{}", evaluation.table());
    // Trial by trial, as the difference of the counts.
    let over = evaluation.mappers[0].over_ridge.unwrap();
    let less =
        summary.retrieval.forward.over_batches.mean - evaluation.ridge[0].by_image.forward.over_batches.mean;
    assert!(
        (over.forward.mean - less).abs() < 1e-9 && over.forward.low <= less && less <= over.forward.high,
        "{over:?}"
    );
    assert!(evaluation.table().contains("minus ridge"), "{}", evaluation.table());
    // One baseline for one kind of target. This brain is linear.
    let [ridge] = &evaluation.ridge[..] else { panic!("{:?}", evaluation.ridge) };
    assert!(ridge.by_image.forward.first_batch > 3 * ridge.by_image.chance_first_batch as usize, "{ridge:?}");
    assert!(ridge.penalty.is_some() && ridge.cosine.mean > 0.5, "{ridge:?}");
    assert_eq!(
        ridge.hits.forward.iter().filter(|hit| **hit).count(),
        ridge.by_image.forward.first_batch,
        "one batch"
    );
    assert_eq!(evaluation.images.len(), evaluation.num_trials);
    assert!(evaluation.run.join("evaluation.json").is_file() && evaluation.run.join("config.toml").is_file());
    let none = EvaluateSettings {
        mappers: Vec::new(),
        clip: None,
        controls: Vec::new(),
        own_targets: None,
        resnet: None,
        evaluate: EvaluateConfig::default(),
        data: EvaluationData::from(&settings),
    };
    let error = evaluate::run(&none, &mut Silent).unwrap_err().to_string();
    assert!(error.contains("number of mappers: found 0, expected 1 to 4"), "{error}");
    let mut leaky = EvaluateSettings {
        mappers: vec![summary.snapshot.clone()],
        clip: Some(settings.target_network.clone()),
        controls: Vec::new(),
        own_targets: None,
        resnet: None,
        evaluate: EvaluateConfig::default(),
        data: EvaluationData::from(&settings),
    };
    leaky.data.split.train_fraction = 0.5;
    let error = evaluate::run(&leaky, &mut Silent).unwrap_err().to_string();
    assert!(error.contains("settings.split"), "{error}");

    let control = TrainMapperSettings { betas: BetasControl::Shuffled, ..settings };
    let shuffled = run(&control, &mut Silent).unwrap();
    assert!(shuffled.run_dir.ends_with("00002-train-mapper-image-subj02-shuffled"));
    // Named as the control that it is, and no decoder of a report.
    let of_control = EvaluateSettings {
        mappers: vec![shuffled.snapshot.clone()],
        clip: Some(control.target_network.clone()),
        controls: Vec::new(),
        own_targets: None,
        resnet: None,
        evaluate: EvaluateConfig::default(),
        data: EvaluationData::from(&control),
    };
    let named = evaluate::run(&of_control, &mut Silent).unwrap();
    assert_eq!((named.mappers[0].name.as_str(), named.decoders().count()), ("image mapper, exchanged", 0));
    for count in [shuffled.retrieval.forward, shuffled.retrieval.backward] {
        assert!(count.over_batches.low <= 2.0, "{shuffled:?}");
    }
    assert!(shuffled.phases[1].best_validation_loss > summary.phases[1].best_validation_loss);
}

#[test]
fn captions_of_every_image_are_needed_and_resume_finds_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    write_all(folder.path());
    let mut settings = settings(folder.path());
    settings.target = MapperTarget::Caption;
    settings.stimuli = folder.path().join("not needed");
    (settings.mapper.train.phase1.epochs, settings.mapper.train.phase2.epochs) = (2, 0);
    let summary = run(&settings, &mut Silent).unwrap();
    assert_eq!(summary.phases[0].epochs, 2);
    // A finished run continues to its own end.
    settings.resume = Some(summary.run_dir.join(CHECKPOINT_FILE));
    let again = run(&settings, &mut Silent).unwrap();
    assert_eq!((&again.run_dir, &again.phases), (&summary.run_dir, &summary.phases));
    assert_eq!(again.retrieval, summary.retrieval);

    settings.resume = None;
    std::fs::write(&settings.captions, r#"{"3": ["one"]}"#).unwrap();
    let error = run(&settings, &mut Silent).unwrap_err();
    assert!(error.downcast_ref::<DataError>().is_some());
    let text = error.to_string();
    assert!(text.contains("vetted.json`: captions of image 0 is 0, expected at least one"), "{text}");
    settings.target_network = folder.path().join("none.safetensors");
    write_captions(&settings.captions);
    let error = run(&settings, &mut Silent).unwrap_err();
    assert!(error.downcast_ref::<RunError>().is_some() && error.to_string().contains("none.safetensors"));
    let runs = std::fs::read_dir(&settings.runs).unwrap().count();
    assert_eq!(runs, 1, "a run that cannot start leaves no folder");
}

#[test]
fn augmented_targets_differ_from_plain_ones_and_repeat_with_the_seed() {
    let folder = tempfile::tempdir().unwrap();
    write_all(folder.path());
    let mut settings = settings(folder.path());
    settings.split.train_fraction = 0.1;
    settings.mapper.train.phase1.batch = 12;
    (settings.mapper.train.phase1.epochs, settings.mapper.train.phase2.epochs) = (1, 0);
    let plain = run(&settings, &mut Silent).unwrap();
    settings.mapper.augment.probability = 1.0;
    settings.mapper.augment.blur_probability = 0.0;
    let augmented = run(&settings, &mut Silent).unwrap();
    assert_ne!(augmented.phases[0].last_train_loss, plain.phases[0].last_train_loss);
    settings.mapper.augment.validation = true;
    let validated = run(&settings, &mut Silent).unwrap();
    assert_eq!(validated.phases[0].last_train_loss, augmented.phases[0].last_train_loss);
    assert_ne!(validated.phases[0].last_validation_loss, augmented.phases[0].last_validation_loss);
    let bytes = |summary: &TrainMapperSummary| {
        let snapshot = std::fs::read(summary.run_dir.join("last.safetensors")).unwrap();
        safetensors::SafeTensors::deserialize(&snapshot)
            .unwrap()
            .tensor("lift.weight")
            .unwrap()
            .data()
            .to_vec()
    };
    assert!(bytes(&validated) == bytes(&augmented) && bytes(&augmented) != bytes(&plain));

    settings.mapper.augment.hue = 2.0;
    let error = run(&settings, &mut Silent).unwrap_err();
    assert_eq!(error.to_string(), "`train_mapper.augment.hue`: found 2, expected 0 to 0.5");
}

#[test]
fn augmentation_that_changes_nothing_is_augmentation_off() {
    let folder = tempfile::tempdir().unwrap();
    write_all(folder.path());
    let mut settings = settings(folder.path());
    settings.split.train_fraction = 0.1;
    settings.mapper.train.phase1.batch = 12;
    (settings.mapper.train.phase1.epochs, settings.mapper.train.phase2.epochs) = (1, 0);
    let losses = |settings: &TrainMapperSettings| {
        let phase = run(settings, &mut Silent).unwrap().phases.remove(0);
        [phase.last_train_loss, phase.last_validation_loss]
    };
    let off = losses(&settings);
    settings.mapper.augment = AugmentConfig {
        probability: 1.0,
        validation: true,
        crop_area: [1.0, 1.0],
        crop_aspect: [1.0, 1.0],
        flip_probability: 0.0,
        jitter_probability: 0.0,
        grey_probability: 0.0,
        blur_probability: 0.0,
        mask_side: 0.0,
        ..AugmentConfig::default()
    };
    let unchanged = losses(&settings);
    assert!(off.iter().zip(unchanged).all(|(a, b)| (a - b).abs() < 1e-6), "{off:?}, {unchanged:?}");

    settings.mapper.resize_chain = ResizeChain::Direct;
    let error = run(&settings, &mut Silent).unwrap_err().to_string();
    assert!(error.contains("`train_mapper.resize_chain`: found direct, expected `through-256`"), "{error}");
    settings.mapper.augment.probability = 0.0;
    let direct = losses(&settings);
    assert!(off.iter().zip(direct).all(|(a, b)| (a - b).abs() > 1e-6), "{off:?}, {direct:?}");
}

#[test]
fn a_snapshot_from_before_the_choice_of_a_chain_was_made_of_stimuli_as_they_are() {
    let settings = |text: &str| TrainMapperConfig::of_training(serde_json::from_str(text).unwrap()).unwrap();
    assert_eq!(settings("{}").resize_chain, ResizeChain::Direct);
    assert_eq!(settings(r#"{"resize_chain": "through-256"}"#).resize_chain, ResizeChain::Through256);
}

#[test]
fn a_resnet_mapper_predicts_vectors_of_0_to_1() {
    let folder = tempfile::tempdir().unwrap();
    write_all(folder.path());
    let sizes = ResnetConfig { stem_width: 4, planes: [2, 4, 4, 8], blocks: [1; 4], num_classes: None };
    let network = folder.path().join("resnet.safetensors");
    save_snapshot(&network, "resnet", &sizes, &json!({}), &sizes.init::<Base>(3, &cpu()).unwrap()).unwrap();
    let mut settings = settings(folder.path());
    settings.target = MapperTarget::Resnet;
    settings.mapper.train.phase1.epochs = 2;
    let error = run(&settings, &mut Silent).unwrap_err().to_string();
    assert!(error.contains("clip.safetensors") && error.contains("resnet"), "{error}");

    settings.target_network = network;
    for (vector, width) in [(ResnetVector::ChannelAverage, 32), (ResnetVector::MaxAndMean, 256)] {
        settings.mapper.resnet.vector = vector;
        let summary = run(&settings, &mut Silent).unwrap();
        assert_eq!(summary.phases.len(), 1, "the published run has one phase");
        let snapshot = Snapshot::open(&summary.snapshot, "mapper").unwrap();
        let config: MapperSnapshot = snapshot.config().unwrap();
        assert_eq!(config.target, MapperTarget::Resnet);
        let MapperConfig { embed_dim, num_down, fc, hidden, sigmoid, .. } = config.network;
        assert_eq!((embed_dim, num_down, fc, hidden, sigmoid), (width, 2, 256, 16, true));
        let first = summary.phases[0].best_validation_loss;
        assert!(first.is_finite() && first > 0.0);
    }
    let caches = std::fs::read_dir(&settings.cache).unwrap().map(|file| file.unwrap().file_name());
    assert_eq!(caches.filter(|name| name.to_string_lossy().starts_with("resnet-")).count(), 2);
}

#[test]
fn a_run_starts_from_another_ones_weights_if_sizes_agree() {
    let folder = tempfile::tempdir().unwrap();
    write_all(folder.path());
    let mut settings = settings(folder.path());
    settings.mapper.train.phase2.epochs = 0;
    let fit = |settings: &TrainMapperSettings| run(settings, &mut Silent).unwrap();
    let first = fit(&settings);
    settings.mapper.train.phase1.epochs = 1;
    settings.mapper.train.optimiser.learning_rate = 1e-4;
    let fresh = fit(&settings).phases[0].last_validation_loss;
    settings.init_from = Some(first.snapshot.clone());
    let warm = fit(&settings);
    let best = first.phases[0].best_validation_loss;
    let loss = warm.phases[0].last_validation_loss;
    assert!((loss - best).abs() < 0.1 * (fresh - best), "{fresh}, {best}, then {loss}");
    let weights = |path: &Path| {
        let bytes = std::fs::read(path).unwrap();
        safetensors::SafeTensors::deserialize(&bytes).unwrap().tensor("lift.weight").unwrap().data().to_vec()
    };
    assert!(weights(&warm.snapshot) != weights(&first.snapshot), "loaded weights learn");

    settings.mapper.network.hidden = 8;
    let error = run(&settings, &mut Silent).unwrap_err().to_string();
    assert!(error.contains("best.safetensors`: network") && error.contains("\"hidden\":8"), "{error}");
}

#[test]
fn a_part_of_the_training_images_chooses_the_epochs_and_is_not_fitted() {
    let folder = tempfile::tempdir().unwrap();
    write_all(folder.path());
    let mut settings = settings(folder.path());
    (settings.mapper.train.phase1.epochs, settings.mapper.train.phase2.epochs) = (4, 0);
    let rows = |settings: &TrainMapperSettings| -> (TrainMapperSummary, Vec<MapperEvent>) {
        let summary = run(settings, &mut Silent).unwrap();
        let text = std::fs::read_to_string(summary.run_dir.join("metrics.jsonl")).unwrap();
        (summary, text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
    };
    let (published, events) = rows(&settings);
    assert_eq!(published.epochs_chosen_on, Some(EpochSelection::Validation));
    assert!(events.iter().all(|event| event.validation.retrieval.batch_size == 36));
    // As versions wrote it that knew no other choice.
    let train = settings.mapper.identity().unwrap()["train"].clone();
    assert!(train.get("selection").is_none() && train.get("tuning_fraction").is_none(), "{train}");

    settings.mapper.train.selection = EpochSelection::TrainPart;
    let (summary, events) = rows(&settings);
    assert_eq!(summary.epochs_chosen_on, Some(EpochSelection::TrainPart));
    // 7 of 42 training images, two trials each, choose; the same 36 trials are counted.
    assert!(events.iter().all(|event| event.validation.retrieval.batch_size == 14), "{events:?}");
    assert_eq!((summary.retrieval.batch_size, summary.num_train_trials), (36, 84));
    let best = events.iter().min_by(|a, b| a.validation_loss.total_cmp(&b.validation_loss)).unwrap();
    assert_eq!(summary.phases[0].best_epoch, best.epoch);

    let resumed =
        TrainMapperSettings { resume: Some(published.run_dir.join(CHECKPOINT_FILE)), ..settings.clone() };
    let error = run(&resumed, &mut Silent).unwrap_err().to_string();
    assert!(error.contains("train.selection"), "{error}");
    settings.mapper.train.phase1.batch = 71;
    let error = run(&settings, &mut Silent).unwrap_err().to_string();
    assert!(error.contains("train_mapper.train.phase1.batch`: found 71, expected 1 to 70"), "{error}");
    settings.mapper.train.phase1.batch = 16;
    settings.mapper.train.tuning_fraction = 0.999;
    let error = run(&settings, &mut Silent).unwrap_err().to_string();
    assert!(error.contains("`train_mapper.train.tuning_fraction`: found 0.999"), "{error}");
}

#[test]
fn a_preset_is_what_its_values_are_and_old_settings_stay_as_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let mut mapper = settings(folder.path()).mapper;
    let plain = mapper.decisive().unwrap();
    assert!(plain.get("preset").is_none(), "as older versions wrote it: {plain}");
    mapper.preset = MapperPreset::Tuned;
    // The demo's short phases and a fast rate give way.
    let tuned = mapper.for_target(MapperTarget::Caption).train;
    assert_eq!((tuned.phase1.epochs, tuned.phase2.epochs, tuned.optimiser.learning_rate), (24, 12, 4e-4));
    assert_eq!((tuned.contrastive.temperature, tuned.selection), (0.5, EpochSelection::TrainPart));
    assert_eq!((tuned.phase1.batch, tuned.phase2.batch), (16, 32));
    let resnet = mapper.for_target(MapperTarget::Resnet).train;
    assert_eq!((resnet.phase1.epochs, resnet.optimiser.learning_rate), (30, 2.26e-4));
    assert_eq!(resnet.selection, EpochSelection::Validation);
    mapper.kind = MapperKind::Residual;
    assert_eq!(mapper.for_target(MapperTarget::Image).train, mapper.train, "of the paper's network alone");
}

#[test]
fn ridge_is_a_mapper_that_every_reader_takes() {
    let folder = tempfile::tempdir().unwrap();
    write_all(folder.path());
    let mut settings = settings(folder.path());
    settings.mapper.kind = MapperKind::Ridge;
    // Of augmented images there is one target each time; a regression is fitted once, and leaves them alone.
    settings.mapper.augment.probability = 1.0;
    let summary = run(&settings, &mut Silent).unwrap();
    assert_eq!((summary.kind, summary.num_parameters), (MapperKind::Ridge, 40 * 8 + 8));
    assert!(summary.phases.is_empty() && summary.run_dir.join("ridge.json").is_file());
    let Some(FitReport::Ridge(report)) = &summary.fit else { panic!("{:?}", summary.fit) };
    assert!(report.cross_validated_r2 > 0.3, "{report:?}");
    assert_eq!((report.num_rows, report.num_voxels, report.bands.len()), (84, 40, 0));
    let snapshot: AnyMapperSnapshot = Snapshot::open(&summary.snapshot, "mapper").unwrap().config().unwrap();
    assert_eq!(
        (snapshot.network.kind(), snapshot.num_voxels, snapshot.padding_left),
        (MapperKind::Ridge, 40, 0)
    );

    // Counted again from its snapshot, beside the baseline, which has one penalty for all outputs.
    let evaluation = EvaluateSettings {
        mappers: vec![summary.snapshot.clone()],
        clip: Some(settings.target_network.clone()),
        controls: Vec::new(),
        own_targets: None,
        resnet: None,
        evaluate: EvaluateConfig { ridge: true, ridge_targets: Vec::new(), ..EvaluateConfig::default() },
        data: EvaluationData::from(&settings),
    };
    let found = evaluate::run(&evaluation, &mut Silent).unwrap();
    assert_eq!(found.mappers[0].by_image, summary.retrieval);
    let baseline = found.ridge[0].by_image.forward.first_batch as f64;
    assert!(
        (found.mappers[0].by_image.forward.first_batch as f64 - baseline).abs() <= 0.3 * baseline,
        "{found:?}"
    );

    let control = TrainMapperSettings { betas: BetasControl::Shuffled, ..settings.clone() };
    let shuffled = run(&control, &mut Silent).unwrap().retrieval;
    assert!(shuffled.forward.over_batches.low <= 2.0, "{shuffled:?}");
    assert!(summary.retrieval.forward.over_batches.low > 6.0, "{:?}", summary.retrieval);

    let resumed = TrainMapperSettings { resume: Some(folder.path().join("stimuli.hdf5")), ..settings };
    let error = run(&resumed, &mut Silent).unwrap_err().to_string();
    assert!(error.contains("`--resume`") && error.contains("in one piece"), "{error}");
}

#[test]
fn residual_and_kernel_mappers_are_trained_read_and_resumed_alike() {
    let folder = tempfile::tempdir().unwrap();
    write_all(folder.path());
    let mut settings = settings(folder.path());
    settings.mapper.residual.hidden = 16;
    settings.mapper.residual.epochs = 6;
    settings.mapper.residual.batch = 16;
    for (kind, target) in [
        (MapperKind::Residual, MapperTarget::Image),
        (MapperKind::KernelRidge, MapperTarget::Image),
        (MapperKind::Residual, MapperTarget::Caption),
    ] {
        settings.mapper.kind = kind;
        settings.target = target;
        let summary = run(&settings, &mut Silent).unwrap();
        assert_eq!((summary.kind, summary.target), (kind, target));
        let evaluation = EvaluateSettings {
            mappers: vec![summary.snapshot.clone()],
            clip: Some(settings.target_network.clone()),
            controls: Vec::new(),
            own_targets: None,
            resnet: None,
            evaluate: EvaluateConfig::default(),
            data: EvaluationData::from(&settings),
        };
        let found = evaluate::run(&evaluation, &mut Silent).unwrap();
        assert_eq!(found.mappers[0].by_image, summary.retrieval);
        if target == MapperTarget::Image {
            assert!(summary.retrieval.forward.over_batches.low > 6.0, "{kind}: {:?}", summary.retrieval);
        }
    }
    // What only a training in steps can do.
    settings.mapper.kind = MapperKind::KernelRidge;
    let resumed = TrainMapperSettings { resume: Some(folder.path().join("stimuli.hdf5")), ..settings };
    let error = run(&resumed, &mut Silent).unwrap_err().to_string();
    assert!(error.contains("`--resume`") && error.contains("in one piece"), "{error}");
}
