//! The GAN training as a whole, on noise images: it runs, resumes exactly, refuses what does not fit.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
#![recursion_limit = "256"]

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::Tensor;
use mindreader::models::clip::ClipConfig;
use mindreader::models::resnet::ResnetConfig;
use mindreader::models::stylegan2::{
    ConditionHeads, DiscriminatorConfig, Generator, GeneratorConfig, HeadNormalisation, ProjectionTerm,
};
use mindreader::run::progress::Silent;
use mindreader::run::run_dir::RunDir;
use mindreader::run::snapshot::Snapshot;
use mindreader::tensor_ops::backend::{Base, Device, cpu};
use mindreader::tensor_ops::random::keyed_rng;
use mindreader::training::augmentation::{AugmentConfig, AugmentMode, AugmentPreset};
use mindreader::training::gan_config::{GanTrainConfig, LatentSource};
use mindreader::training::gan_dataset::{GanDataset, ImageSet, SampleSet};
use mindreader::training::gan_trainer::{
    CHECKPOINT_FILE, GanTrainError, GanTrainSummary, GanTraining, StartingPoint,
};
use mindreader::training::image_view::{FrozenClip, ImageEncoder};
use mindreader::training::low_level::FrozenResnet;
use ndarray::Array2;
use rand::RngExt;
use serde_json::json;
use tempfile::TempDir;

const EMBED_DIM: usize = 8;

struct Setup {
    generator: GeneratorConfig,
    discriminator: DiscriminatorConfig,
    config: GanTrainConfig,
    data: GanDataset,
    encoder: Option<FrozenClip>,
    resnet: Option<FrozenResnet>,
    start: StartingPoint,
    device: Device,
    other_devices: Vec<Device>,
    root: TempDir,
}

fn dataset(num_images: usize) -> GanDataset {
    let mut rng = keyed_rng(1, "test.images", 0);
    let pixels_u8 = (0..num_images * 3 * 8 * 8).map(|_| rng.random()).collect();
    let mut unit = || {
        let mut rows = Array2::from_shape_fn((num_images, EMBED_DIM), |_| rng.random_range(-1.0_f32..1.0));
        for mut row in rows.rows_mut() {
            let norm = row.dot(&row).sqrt();
            row /= norm;
        }
        rows
    };
    let (image, caption) = (unit(), unit());
    let images = ImageSet { resolution: 8, pixels_u8, embeddings: image.clone() };
    let image_of_sample = (0..num_images).collect();
    let caption_condition = Some(caption);
    let samples = SampleSet { image_of_sample, image_condition: image, caption_condition, mixed_with: None };
    GanDataset::new(images, samples).unwrap()
}

fn encoder() -> FrozenClip {
    let config = ClipConfig {
        image_size: 16,
        patch_size: 8,
        embed_dim: EMBED_DIM,
        vision_width: 16,
        vision_heads: 2,
        vision_layers: 1,
        text_width: 16,
        text_heads: 2,
        text_layers: 1,
        ..ClipConfig::default()
    };
    FrozenClip::new(config.init::<Base>(5, &cpu()).unwrap(), 16, EMBED_DIM)
}

fn resnet() -> FrozenResnet {
    let config =
        ResnetConfig { stem_width: 4, planes: [2, 3, 4, 5], blocks: [1, 1, 1, 1], num_classes: None };
    FrozenResnet::new(config.init(7, &cpu()).unwrap())
}

impl Setup {
    fn new(heads: ConditionHeads) -> Self {
        let mut config = GanTrainConfig {
            seed: 3,
            total_kimg: 0.024,
            batch_size: 4,
            tick_kimg: 0.008,
            discriminator_interval: 2,
            generator_interval: 2,
            ..Default::default()
        };
        config.loss.clip_condition_weight = 0.0;
        Self {
            generator: GeneratorConfig {
                z_dim: 6,
                w_dim: 6,
                heads,
                condition_dim: EMBED_DIM,
                second_condition_dim: EMBED_DIM,
                code_dim: 6,
                mapping_layers: 1,
                resolution: 8,
                channel_base: 32,
                channel_max: 4,
                ..Default::default()
            },
            discriminator: DiscriminatorConfig {
                heads,
                condition_dim: EMBED_DIM,
                second_condition_dim: EMBED_DIM,
                resolution: 8,
                channel_base: 32,
                channel_max: 4,
                ..Default::default()
            },
            config,
            data: dataset(10),
            encoder: None,
            resnet: None,
            start: StartingPoint::Scratch,
            device: cpu(),
            other_devices: vec![],
            root: tempfile::tempdir().unwrap(),
        }
    }

    /// Trains in a new folder; stops before step `stop_before`, and then goes on from the checkpoint.
    fn run(&self, stop_before: Option<u64>) -> Result<(GanTrainSummary, RunDir), GanTrainError> {
        let run = RunDir::create(self.root.path(), "test").unwrap();
        let polls = Cell::new(0);
        let interrupted = || {
            polls.set(polls.get() + 1);
            stop_before.is_some_and(|step| polls.get() > step)
        };
        let never = || false;
        let provenance = json!({"data": "noise"});
        let training = |interrupted| GanTraining {
            generator: &self.generator,
            discriminator: &self.discriminator,
            config: &self.config,
            data: &self.data,
            encoder: self.encoder.as_ref().map(|encoder| encoder as &dyn ImageEncoder),
            resnet: self.resnet.as_ref(),
            mappers: None,
            start: &self.start,
            run: &run,
            provenance: &provenance,
            device: &self.device,
            other_devices: &self.other_devices,
            interrupted,
        };
        let summary = match training(&interrupted).run(None, &mut Silent, &mut |_| Ok(())) {
            Err(GanTrainError::Interrupted(stop)) => {
                assert_eq!(stop.checkpoint, run.join(CHECKPOINT_FILE));
                training(&never).run(Some(&stop.checkpoint), &mut Silent, &mut |_| Ok(()))
            }
            result => result,
        }?;
        Ok((summary, run))
    }

    fn error(&self) -> String {
        self.run(None).map(|_| ()).unwrap_err().to_string()
    }
}

#[test]
fn a_stopped_and_resumed_run_equals_one_that_was_never_stopped() {
    let mut setup = Setup::new(ConditionHeads::TwoByMaximum);
    setup.encoder = Some(encoder());
    setup.config.loss.clip_condition_weight = 10.0;
    setup.resnet = Some(resnet());
    setup.config.loss.low_level_weight = 10.0;
    setup.config.augment =
        AugmentConfig { mode: AugmentMode::Ada, interval: 1, ramp_kimg: Some(0.02), ..Default::default() };
    setup.config.augment.preset = AugmentPreset::Bgcfnc;
    setup.config.augment.target = -1.0;
    let (whole, whole_run) = setup.run(None).unwrap();
    let (resumed, resumed_run) = setup.run(Some(3)).unwrap();
    assert_eq!((whole.steps, whole.images_seen), (6, 24));
    assert_eq!(whole.stats, resumed.stats);
    let events = |run: &RunDir| run.events().read().unwrap();
    assert_eq!(events(&whole_run).len(), 3);
    assert_eq!(events(&whole_run), events(&resumed_run));
    // The files also hold identities of parameters, which are drawn anew in every process.
    let weights = |summary: &GanTrainSummary| {
        let mut tensors = vec![];
        for path in [&summary.generator, &summary.discriminator] {
            let bytes = std::fs::read(path).unwrap();
            let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
            for (name, view) in file.tensors() {
                tensors.push((name, view.data().to_vec()));
            }
        }
        tensors.sort();
        tensors
    };
    assert!(weights(&whole) == weights(&resumed), "weights differ");
    for value in whole.stats.values() {
        assert!(value.as_f64().unwrap().is_finite());
    }
    for name in ["generator_loss", "discriminator_loss", "r1_penalty", "path_length_penalty"] {
        assert!(whole.stats.contains_key(name), "{name} is missing: {:?}", whole.stats);
    }
    // No real image is surer than a target of −1 allows, so the probability only rises.
    assert!(whole.stats["augment_probability"].as_f64().unwrap() > 0.5, "{:?}", whole.stats);
}

#[test]
fn a_fixed_augmentation_changes_the_training_and_none_does_not() {
    let losses = |mode, probability| {
        let mut setup = Setup::new(ConditionHeads::One);
        setup.config.total_kimg = 0.008;
        setup.config.augment = AugmentConfig { mode, probability, ..Default::default() };
        let (summary, _) = setup.run(None).unwrap();
        (summary.stats["discriminator_loss"].clone(), summary.stats["r1_penalty"].clone())
    };
    let without = losses(AugmentMode::None, 0.9);
    assert_eq!(losses(AugmentMode::Fixed, 0.0), without);
    assert_ne!(losses(AugmentMode::Fixed, 0.9), without);
}

#[test]
fn two_devices_share_a_batch_as_two_rounds_do_and_resume_exactly() {
    let run = |gpus: usize, stop_before| {
        let mut setup = Setup::new(ConditionHeads::TwoByMaximum);
        setup.encoder = Some(encoder());
        setup.resnet = Some(resnet());
        setup.config.loss.clip_condition_weight = 10.0;
        setup.config.loss.low_level_weight = 10.0;
        setup.config.micro_batch_size = 2;
        setup.config.gpus = gpus;
        setup.other_devices = vec![cpu(); gpus - 1];
        let (summary, run) = setup.run(stop_before).unwrap();
        (summary.stats.clone(), tensors(&summary.generator), run.events().read().unwrap(), setup)
    };
    let (stats, weights, events, _kept) = run(2, None);
    let (_, resumed_weights, resumed_events, _kept) = run(2, Some(3));
    assert_eq!(events, resumed_events);
    assert!(weights == resumed_weights, "weights differ");
    // Averaged instead of summed: Adam does not mind, but for its ε and for path lengths that start from one mean.
    let (of_rounds, _, _, _kept) = run(1, None);
    for name in ["generator_loss", "discriminator_loss", "score_real", "r1_penalty"] {
        let (a, b) = (stats[name].as_f64().unwrap(), of_rounds[name].as_f64().unwrap());
        assert!((a - b).abs() <= 0.02 * b.abs() + 1e-3, "{name}: {a} with two devices, {b} with two rounds");
    }
    let halved = 2.0 * stats["discriminator_gradient_norm"].as_f64().unwrap();
    let whole = of_rounds["discriminator_gradient_norm"].as_f64().unwrap();
    assert!((halved - whole).abs() < 0.1 * whole, "{halved} {whole}");
}

#[test]
fn as_many_devices_as_the_settings_say() {
    let mut setup = Setup::new(ConditionHeads::One);
    setup.config.gpus = 2;
    assert!(setup.error().contains("`gpus`"), "{}", setup.error());
}

#[test]
fn half_precision_stays_close_and_gives_way_to_overflow() {
    let run = |half_resolutions, initial, stop_before| {
        let mut setup = Setup::new(ConditionHeads::TwoByMaximum);
        setup.encoder = Some(encoder());
        setup.config.loss.clip_condition_weight = 10.0;
        setup.config.half_resolutions = half_resolutions;
        setup.config.loss_scale.initial = initial;
        let (summary, _) = setup.run(stop_before).unwrap();
        (summary.stats.clone(), tensors(&summary.generator), setup)
    };
    let (single, _, _kept) = run(0, 1.0, None);
    let (half, weights, _kept) = run(1, 1024.0, None);
    for name in
        ["generator_loss", "discriminator_loss", "generator_gradient_norm", "discriminator_gradient_norm"]
    {
        let (a, b) = (half[name].as_f64().unwrap(), single[name].as_f64().unwrap());
        assert!(a != b && (a - b).abs() < 0.05 * b.abs(), "{name}: {a} in half, {b} in single precision");
    }
    assert_eq!(half["phases_left_out"], json!(0.0));
    assert!(!single.contains_key("loss_scale"));
    let (_, resumed, _kept) = run(1, 1024.0, Some(3));
    assert!(weights == resumed, "weights differ");
    let (overflowing, _, _kept) = run(1, 2.0_f32.powi(40), Some(2));
    assert!(overflowing["phases_left_out"].as_f64().unwrap() > 0.0, "{overflowing:?}");
    assert!(overflowing["loss_scale"].as_f64().unwrap() < 2.0_f64.powi(40));
    assert!(overflowing["generator_loss"].as_f64().unwrap().is_finite());
}

/// Tensors of a snapshot.
fn tensors(path: &Path) -> BTreeMap<String, Vec<u8>> {
    let bytes = std::fs::read(path).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    file.tensors().into_iter().map(|(name, view)| (name, view.data().to_vec())).collect()
}

#[test]
fn frozen_layers_keep_their_weights_through_a_resume() {
    let mut setup = Setup::new(ConditionHeads::One);
    // fromRGB, both convolutions and the skip of the only resolution, 8 × 8.
    let layers = ["fromrgb", "blocks.0.conv0", "blocks.0.conv1", "blocks.0.skip"];
    let untrained = {
        setup.config.total_kimg = 0.004;
        setup.config.learning_rate = 1e-30;
        tensors(&setup.run(None).unwrap().0.discriminator)
    };
    setup.config = Setup::new(ConditionHeads::One).config;
    for count in 0..=4 {
        setup.config.frozen_discriminator_layers = count;
        let (summary, _) = setup.run(Some(3)).unwrap();
        let trained = tensors(&summary.discriminator);
        for (index, layer) in layers.iter().enumerate() {
            let name = format!("{layer}.weight");
            assert_eq!(trained[&name] == untrained[&name], index < count, "{count} frozen, {name}");
        }
        assert!(trained["epilogue.out.weight"] != untrained["epilogue.out.weight"]);
    }
    setup.config.frozen_discriminator_layers = 5;
    assert!(setup.error().contains("`frozen_discriminator_layers`: expected at most 4"));
}

#[test]
fn every_variant_trains() {
    for heads in [ConditionHeads::None, ConditionHeads::One, ConditionHeads::TwoByMaximum] {
        for projection in [ProjectionTerm::BatchSum, ProjectionTerm::PerSample, ProjectionTerm::Off] {
            let mut setup = Setup::new(heads);
            setup.config.total_kimg = 0.004;
            setup.config.latent = LatentSource::Zero;
            setup.config.mirror_images = true;
            setup.config.loss.semantic_image_weight = 1.0;
            setup.config.condition_noise.mixing_probability = Some(0.5);
            setup.discriminator.projection = projection;
            setup.discriminator.head_normalisation = HeadNormalisation::UnitNorm;
            let (summary, _) = setup.run(None).unwrap();
            assert_eq!(summary.stats["non_finite_gradients"], 0.0, "{heads:?} {projection:?}");
        }
    }
}

#[test]
fn rounds_of_a_micro_batch_make_one_step() {
    let mut setup = Setup::new(ConditionHeads::One);
    setup.config.micro_batch_size = 2;
    let (summary, _) = setup.run(None).unwrap();
    assert_eq!((summary.steps, summary.images_seen), (6, 24));
}

#[test]
fn finetuning_starts_from_a_one_head_snapshot() {
    let mut setup = Setup::new(ConditionHeads::One);
    setup.config.total_kimg = 0.004;
    let (pretrained, _) = setup.run(None).unwrap();
    let snapshot = Snapshot::open(&pretrained.generator, "generator").unwrap();
    let config: GeneratorConfig = snapshot.config().unwrap();
    let generator: Generator<Base> = snapshot.load_into(config.init(0, &cpu()).unwrap()).unwrap();
    let snapshot = Snapshot::open(&pretrained.discriminator, "discriminator").unwrap();
    let other: DiscriminatorConfig = snapshot.config().unwrap();
    let discriminator = snapshot.load_into(other.init::<Base>(0, &cpu()).unwrap()).unwrap();

    setup.generator = config.with_duplicated_head();
    setup.discriminator = other.with_duplicated_head();
    setup.start = StartingPoint::Pretrained {
        generator: Box::new(generator.clone().with_duplicated_head()),
        discriminator: Box::new(discriminator.with_duplicated_head()),
    };
    let (finetuned, _) = setup.run(None).unwrap();
    let snapshot = Snapshot::open(&finetuned.generator, "generator").unwrap();
    let moved: Generator<Base> = snapshot.load_into(setup.generator.init(0, &cpu()).unwrap()).unwrap();
    let w = |generator: &Generator<Base>| -> Vec<f32> {
        generator.mapping.forward(Tensor::ones([1, 6], &cpu())).into_data().to_vec().unwrap()
    };
    let difference: f32 = w(&generator).iter().zip(w(&moved)).map(|(a, b)| (a - b).abs()).sum();
    assert!(difference > 0.0 && difference < 0.1, "one small step from the snapshot: {difference}");
}

#[test]
fn what_does_not_fit_is_refused_by_name() {
    let mut setup = Setup::new(ConditionHeads::One);
    setup.config.batch_size = 6;
    assert!(setup.error().contains("`batch_size`"));

    let mut setup = Setup::new(ConditionHeads::One);
    setup.config.loss.clip_condition_weight = 10.0;
    assert!(setup.error().contains("CLIP snapshot"));

    let mut setup = Setup::new(ConditionHeads::One);
    setup.config.loss.low_level_weight = 10.0;
    assert!(setup.error().contains("ResNet-50 snapshot"));

    let mut setup = Setup::new(ConditionHeads::One);
    setup.generator.condition_dim = 5;
    assert!(setup.error().contains("`generator.condition_dim`"));

    let mut setup = Setup::new(ConditionHeads::One);
    setup.discriminator.resolution = 16;
    assert!(setup.error().contains("`discriminator.resolution`"));
}

#[test]
fn a_checkpoint_of_other_settings_is_refused() {
    let setup = Setup::new(ConditionHeads::One);
    let (_, run) = setup.run(None).unwrap();
    let mut other = Setup::new(ConditionHeads::One);
    other.config.learning_rate = 0.1;
    let folder = RunDir::create(other.root.path(), "test").unwrap();
    let training = GanTraining {
        generator: &other.generator,
        discriminator: &other.discriminator,
        config: &other.config,
        data: &other.data,
        encoder: None,
        resnet: None,
        mappers: None,
        start: &other.start,
        run: &folder,
        provenance: &json!({}),
        device: &other.device,
        other_devices: &[],
        interrupted: &|| false,
    };
    let checkpoint = run.join(CHECKPOINT_FILE);
    let error = training.run(Some(&checkpoint), &mut Silent, &mut |_| Ok(())).unwrap_err().to_string();
    assert!(error.contains("checkpoint.mpk") && error.contains("settings"), "{error}");
}

#[test]
fn gradients_without_numbers_end_the_run() {
    let mut setup = Setup::new(ConditionHeads::One);
    setup.config.learning_rate = 1e30;
    setup.config.total_kimg = 1.0;
    setup.config.max_non_finite_phases = 2;
    let error = setup.error();
    assert!(error.contains("not finite") && error.contains("learning_rate"), "{error}");
}
