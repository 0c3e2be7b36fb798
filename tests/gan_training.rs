//! The GAN training as a whole, on noise images: it runs, resumes exactly, refuses what does not fit.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
#![recursion_limit = "256"]

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::Path;
use std::thread::{self, ThreadId};

use burn::tensor::Tensor;
use mindreader::data::error::DataError;
use mindreader::data::targets::{TargetScale, TargetScaling};
use mindreader::models::clip::ClipConfig;
use mindreader::models::condition_source::ConditionSource;
use mindreader::models::mapper::{Mapper, MapperConfig, MapperSnapshot, MapperTarget};
use mindreader::models::resnet::ResnetConfig;
use mindreader::models::stylegan2::{
    ConditionHeads, DiscriminatorConfig, Generator, GeneratorConfig, HeadNormalisation, ProjectionTerm,
};
use mindreader::run::progress::Silent;
use mindreader::run::run_dir::RunDir;
use mindreader::run::snapshot::Snapshot;
use mindreader::tensor_ops::backend::{Base, Device, Diff, cpu};
use mindreader::tensor_ops::random::keyed_rng;
use mindreader::training::frame::finite_weights::all_finite;
use mindreader::training::frame::schedule::FinalDecay;
use mindreader::training::gan::augmentation::{AugmentConfig, AugmentMode, AugmentPreset};
use mindreader::training::gan::config::{GanTrainConfig, LatentSource};
use mindreader::training::gan::dataset::{GanDataset, ImageSet, SampleSet};
use mindreader::training::gan::error::GanTrainError;
use mindreader::training::gan::image_view::{FrozenClip, ImageEncoder};
use mindreader::training::gan::low_level::FrozenResnet;
use mindreader::training::gan::mappers::config::GanMapperConfig;
use mindreader::training::gan::mappers::joint::{JointMappers, MapperStart};
use mindreader::training::gan::mappers::outputs::mapper_file;
use mindreader::training::gan::run_files::{CHECKPOINT_FILE, DISCRIMINATOR_FILE, GENERATOR_FILE};
use mindreader::training::gan::starting_point::StartingPoint;
use mindreader::training::gan::task::GanTask;
use mindreader::training::gan::trainer::{GanTrainSummary, GanTraining};
use mindreader::training::mapper::targets::{CaptionChoice, EmbeddingTargets};
use ndarray::Array2;
use rand::RngExt;
use serde_json::{Value, json};
use tempfile::TempDir;

const EMBED_DIM: usize = 8;

struct Setup {
    generator: GeneratorConfig,
    discriminator: DiscriminatorConfig,
    config: GanTrainConfig,
    data: GanDataset,
    encoder: Option<Box<dyn ImageEncoder + Send>>,
    resnet: Option<FrozenResnet>,
    start: StartingPoint,
    joint: Option<Joint>,
    device: Device,
    other_devices: Vec<Device>,
    root: TempDir,
}

/// Two small mappers, what they read and what the second aims at.
struct Joint {
    config: GanMapperConfig,
    source: ConditionSource,
    mappers: [(Mapper<Base>, MapperSnapshot); 2],
    betas: Array2<f32>,
    captions: EmbeddingTargets,
}

const VOXELS: usize = 13;

impl Joint {
    fn new(source: ConditionSource, num_samples: usize) -> Self {
        let mapper = |target, seed| {
            let network = MapperConfig {
                signal_len: 16,
                num_blocks: 1,
                hidden: 4,
                fc: 4,
                embed_dim: EMBED_DIM,
                ..MapperConfig::default()
            };
            let weights = network.init::<Base>(seed, &cpu()).unwrap();
            let snapshot = MapperSnapshot {
                network,
                target,
                num_voxels: VOXELS,
                padding_left: 1,
                subject: "subj01".into(),
                roi: "nsdgeneral".into(),
                voxels_sha256: None,
                target_network_sha256: "clip".into(),
            };
            (weights, snapshot)
        };
        let mut rng = keyed_rng(8, "test.joint", 0);
        let mut draw =
            |rows, width| Array2::from_shape_fn((rows, width), |_| rng.random_range(-1.0_f32..1.0));
        let betas = draw(num_samples, VOXELS);
        // Two captions for every sample, so that one is drawn.
        let rows: Vec<_> = (0..num_samples).map(|sample| 2 * sample..2 * sample + 2).collect();
        let images: Vec<usize> = (0..num_samples).collect();
        let scale = TargetScale { clamp: 1.5, scaling: TargetScaling::UnitNorm };
        let raw = draw(2 * num_samples, EMBED_DIM);
        Self {
            config: GanMapperConfig::default(),
            source,
            mappers: [mapper(MapperTarget::Image, 1), mapper(MapperTarget::Caption, 2)],
            betas,
            captions: EmbeddingTargets::new(&raw, &rows, &images, CaptionChoice::Random, scale),
        }
    }

    /// Conditions of all samples by the mappers as they are at first.
    fn frozen_conditions(&self) -> [Array2<f32>; 2] {
        self.mappers.each_ref().map(|(mapper, snapshot)| {
            let rows: Vec<f32> = self
                .betas
                .rows()
                .into_iter()
                .flat_map(|row| {
                    let row = row.to_owned().insert_axis(ndarray::Axis(0));
                    let vector = snapshot.condition(mapper.forward(snapshot.signal(&row, &cpu())));
                    vector.into_data().to_vec::<f32>().unwrap()
                })
                .collect();
            Array2::from_shape_vec((self.betas.nrows(), EMBED_DIM), rows).unwrap()
        })
    }
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

/// An encoder that refuses to be asked by another thread than the one that it was made on.
struct OnOneThread {
    inner: Box<dyn ImageEncoder + Send>,
    thread: ThreadId,
}

impl ImageEncoder for OnOneThread {
    fn image_size(&self) -> usize {
        self.inner.image_size()
    }

    fn embed_dim(&self) -> usize {
        self.inner.embed_dim()
    }

    fn encode(&self, pixels_pm1: Tensor<Diff, 4>) -> Tensor<Diff, 2> {
        // Gradients lose terms where another thread ends a backward pass meanwhile.
        assert_eq!(thread::current().id(), self.thread, "a round runs on a thread of its own");
        self.inner.encode(pixels_pm1)
    }

    fn on_device(&self, device: &Device) -> Box<dyn ImageEncoder + Send> {
        Box::new(Self { inner: self.inner.on_device(device), thread: self.thread })
    }
}

fn encoder() -> Box<dyn ImageEncoder + Send> {
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
    let clip = FrozenClip::new(config.init::<Base>(5, &cpu()).unwrap(), 16, EMBED_DIM);
    Box::new(OnOneThread { inner: Box::new(clip), thread: thread::current().id() })
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
            batch_size: Some(4),
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
            joint: None,
            device: cpu(),
            other_devices: vec![],
            root: tempfile::tempdir().unwrap(),
        }
    }

    /// Trains in a new folder; stops before step `stop_before`, and then goes on from the checkpoint.
    fn run(&self, stop_before: Option<u64>) -> Result<(GanTrainSummary, RunDir), GanTrainError> {
        let run = RunDir::create(self.root.path(), "test").unwrap();
        let summary = self.run_in(&run, None, stop_before)?;
        Ok((summary, run))
    }

    fn run_in(
        &self,
        run: &RunDir,
        resume: Option<&Path>,
        stop_before: Option<u64>,
    ) -> Result<GanTrainSummary, GanTrainError> {
        let polls = Cell::new(0);
        let interrupted = || {
            polls.set(polls.get() + 1);
            stop_before.is_some_and(|step| polls.get() > step)
        };
        let never = || false;
        let provenance = json!({"data": "noise"});
        let origin = json!({"trained": "by seed"});
        let betas = |samples: &[usize]| -> Result<Array2<f32>, DataError> {
            Ok(self.joint.as_ref().unwrap().betas.select(ndarray::Axis(0), samples))
        };
        let joint = self.joint.as_ref().map(|joint| JointMappers {
            config: &joint.config,
            source: joint.source,
            starts: joint.mappers.each_ref().map(|(network, snapshot)| MapperStart {
                network,
                snapshot,
                sha256: "stage one",
                provenance: &origin,
            }),
            second_targets: Some(&joint.captions),
            betas: &betas,
        });
        let training = |interrupted| GanTraining {
            task: GanTask {
                generator: &self.generator,
                discriminator: &self.discriminator,
                config: &self.config,
                data: &self.data,
                encoder: self.encoder.as_deref().map(|encoder| encoder as &dyn ImageEncoder),
                resnet: self.resnet.as_ref(),
                mappers: joint.as_ref(),
                start: &self.start,
            },
            run,
            provenance: &provenance,
            device: &self.device,
            other_devices: &self.other_devices,
            interrupted,
        };
        match training(&interrupted).run(resume, &mut Silent, &mut |_| Ok(())) {
            Err(GanTrainError::Interrupted(stop)) => {
                assert_eq!(stop.checkpoint, run.join(CHECKPOINT_FILE));
                training(&never).run(Some(&stop.checkpoint), &mut Silent, &mut |_| Ok(()))
            }
            result => result,
        }
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
    setup.config.augment.target = -0.999;
    let (whole, whole_run) = setup.run(None).unwrap();
    let (resumed, resumed_run) = setup.run(Some(3)).unwrap();
    assert_eq!((whole.steps, whole.images_seen), (6, 24));
    assert_eq!(whole.stats, resumed.stats);
    let events = |run: &RunDir| run.events().read::<Value>().unwrap();
    assert_eq!(events(&whole_run).len(), 3);
    assert_eq!(events(&whole_run), events(&resumed_run));
    // The files also hold identities of parameters, which are drawn anew in every process.
    assert!(weights(&whole) == weights(&resumed), "weights differ");
    for value in whole.stats.values() {
        assert!(value.as_f64().unwrap().is_finite());
    }
    for name in ["generator_loss", "discriminator_loss", "r1_penalty", "path_length_penalty"] {
        assert!(whole.stats.contains_key(name), "{name} is missing: {:?}", whole.stats);
    }
    // Scarcely a real image is surer than this target allows, so the probability rises.
    assert!(whole.stats["augment_probability"].as_f64().unwrap() > 0.5, "{:?}", whole.stats);
}

#[test]
fn a_rate_falls_at_the_end_of_the_training_and_resumes_exactly() {
    let run = |learning_rate_decay, stop_before| {
        let mut setup = Setup::new(ConditionHeads::One);
        setup.config.learning_rate_decay = learning_rate_decay;
        // 5 steps and a report after each.
        setup.config.total_kimg = 0.02;
        setup.config.tick_kimg = 0.004;
        let (summary, run) = setup.run(stop_before).unwrap();
        let rates: Vec<Option<f64>> = run
            .events()
            .read::<Value>()
            .unwrap()
            .iter()
            .map(|event| event["learning_rate"].as_f64())
            .collect();
        (weights(&summary), rates)
    };
    let decay = FinalDecay { share: 0.4, factor: 0.01 };
    let (falling, rates) = run(decay, None);
    // The rate is that of the step's beginning: constant for 60 %, then a tenth per half of the rest.
    let expected = [0.0025, 0.0025, 0.0025, 0.0025, 0.00025];
    assert_eq!(rates.len(), expected.len());
    for (rate, expected) in rates.into_iter().zip(expected) {
        assert!((rate.unwrap() - expected).abs() < 1e-9, "{rate:?} {expected}");
    }
    assert!(falling == run(decay, Some(4)).0, "weights differ after a resume");
    let (constant, rates) = run(FinalDecay::default(), None);
    assert!(rates.into_iter().all(|rate| rate.is_none()));
    assert!(constant != falling, "the rate made no difference");
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
        (summary.stats.clone(), tensors(&summary.generator), run.events().read::<Value>().unwrap(), setup)
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
    assert!(setup.error().contains("`train.gpus`"), "{}", setup.error());
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

/// Tensors of all snapshots of a run.
fn weights(summary: &GanTrainSummary) -> Vec<BTreeMap<String, Vec<u8>>> {
    let gan = [&summary.generator, &summary.discriminator];
    gan.into_iter().chain(&summary.mappers).map(|path| tensors(path)).collect()
}

#[test]
fn mappers_are_trained_along_and_resume_exactly() {
    for (heads, source, trained) in [
        (ConditionHeads::TwoByMaximum, ConditionSource::Both, &["image", "caption"][..]),
        (ConditionHeads::One, ConditionSource::Mix, &["image", "caption"]),
        (ConditionHeads::One, ConditionSource::Caption, &["caption"]),
    ] {
        let mut setup = Setup::new(heads);
        setup.config.mirror_images = true;
        setup.config.micro_batch_size = 2;
        setup.config.condition_noise.mixing_probability = Some(0.25);
        let mut joint = Joint::new(source, 10);
        joint.config.interval = 2;
        setup.joint = Some(joint);
        let (whole, whole_run) = setup.run(None).unwrap();
        let (resumed, resumed_run) = setup.run(Some(3)).unwrap();
        let events = |run: &RunDir| run.events().read::<Value>().unwrap();
        assert_eq!(events(&whole_run), events(&resumed_run));
        assert!(weights(&whole) == weights(&resumed), "{source:?}: weights differ");
        for value in whole.stats.values() {
            assert!(value.as_f64().unwrap().is_finite());
        }
        let files: Vec<_> =
            trained.iter().map(|name| whole_run.join(&format!("mapper-{name}.safetensors"))).collect();
        assert_eq!(whole.mappers, files);
        for path in &files {
            let snapshot = Snapshot::open(path, "mapper").unwrap();
            let config: MapperSnapshot = snapshot.config().unwrap();
            let joint = setup.joint.as_ref().unwrap();
            let (start, expected) = joint.mappers.iter().find(|(_, s)| s.target == config.target).unwrap();
            assert_eq!(config, *expected);
            assert_eq!(snapshot.provenance()["finetuned_from_sha256"], "stage one");
            assert_eq!(snapshot.provenance()["finetuned_with_gan"]["images_seen"], 24);
            let moved: Mapper<Base> = snapshot.load_into(config.network.init(0, &cpu()).unwrap()).unwrap();
            let difference = (moved.lift.weight.val() - start.lift.weight.val()).abs().max().into_scalar();
            // Three steps of at most rate · (1 - rounding) each: Adam without a first moment moves by the rate.
            assert!(difference > 1e-4 && difference < 0.03, "{source:?}: {difference}");
        }
    }
}

/// A mapper that does not move conditions the GAN as a stored condition does.
#[test]
fn mappers_that_stand_still_give_the_frozen_training() {
    for (source, mixed) in [(ConditionSource::Both, false), (ConditionSource::Mix, true)] {
        let mut setup = Setup::new(ConditionHeads::TwoByMaximum);
        let mut joint = Joint::new(source, 10);
        joint.config.learning_rate = Some(1e-30);
        let [image, caption] = joint.frozen_conditions();
        setup.joint = Some(joint);
        let (moving, _) = setup.run(None).unwrap();
        setup.joint = None;
        let base = dataset(10);
        let batch = base.batch(&(0..10).collect::<Vec<_>>(), ConditionHeads::One, &cpu());
        let embeddings = batch.image_embedding.into_data().to_vec::<f32>().unwrap();
        let embeddings = Array2::from_shape_vec((10, EMBED_DIM), embeddings).unwrap();
        let pixels: Vec<f32> = batch.pixels_pm1.into_data().to_vec().unwrap();
        let pixels_u8 = pixels.iter().map(|value| ((value + 1.0) * 127.5).round() as u8).collect();
        let images = ImageSet { resolution: 8, pixels_u8, embeddings };
        let image_of_sample = (0..10).collect();
        let samples = if mixed {
            SampleSet {
                image_of_sample,
                image_condition: caption.clone(),
                caption_condition: Some(caption),
                mixed_with: Some(image),
            }
        } else {
            SampleSet {
                image_of_sample,
                image_condition: image,
                caption_condition: Some(caption),
                mixed_with: None,
            }
        };
        setup.data = GanDataset::new(images, samples).unwrap();
        let (frozen, _) = setup.run(None).unwrap();
        for name in ["generator_loss", "discriminator_loss", "r1_penalty", "path_length_penalty"] {
            let [a, b] = [&moving, &frozen].map(|summary| summary.stats[name].as_f64().unwrap());
            assert!((a - b).abs() < 1e-4 * b.abs(), "{source:?} {name}: {a} {b}");
        }
        assert!(!frozen.stats.contains_key("image_mapper_loss"));
    }
}

#[test]
fn mappers_that_do_not_fit_are_refused_by_name() {
    let mut setup = Setup::new(ConditionHeads::None);
    setup.joint = Some(Joint::new(ConditionSource::Both, 10));
    assert!(setup.error().contains("`mappers.mode`"));

    let mut setup = Setup::new(ConditionHeads::TwoByMaximum);
    setup.joint = Some(Joint::new(ConditionSource::Both, 9));
    let error = setup.error();
    assert!(error.contains("targets of the second mapper") && error.contains("10"), "{error}");

    let mut setup = Setup::new(ConditionHeads::TwoByMaximum);
    setup.joint = Some(Joint::new(ConditionSource::Both, 10));
    setup.generator.second_condition_dim = 5;
    setup.discriminator.second_condition_dim = 5;
    assert!(setup.error().contains("`generator.condition_dim`"));

    let mut setup = Setup::new(ConditionHeads::TwoByMaximum);
    let mut joint = Joint::new(ConditionSource::Both, 10);
    joint.config.interval = 0;
    setup.joint = Some(joint);
    assert!(setup.error().contains("`mappers.interval`"));

    // A checkpoint with mappers is not one without, and other weights of the objective are another training.
    let mut setup = Setup::new(ConditionHeads::TwoByMaximum);
    setup.joint = Some(Joint::new(ConditionSource::Both, 10));
    let (_, run) = setup.run(None).unwrap();
    let checkpoint = run.join(CHECKPOINT_FILE);
    let resume =
        |setup: &Setup| setup.run_in(&run, Some(&checkpoint), None).map(|_| ()).map_err(|e| e.to_string());
    setup.joint.as_mut().unwrap().config.learning_rate = Some(0.1);
    assert_eq!(resume(&setup), Ok(()), "only the rate is another");
    setup.joint.as_mut().unwrap().config.gan_weight = 0.2;
    assert!(resume(&setup).unwrap_err().contains("checkpoint.mpk"));
    setup.joint = None;
    assert!(resume(&setup).unwrap_err().contains("checkpoint.mpk"));
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
    assert!(setup.error().contains("`train.frozen_discriminator_layers`: found 5, expected at most 4"));
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
    setup.config.batch_size = Some(6);
    assert!(setup.error().contains("`train.batch_size`"));

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
    other.config.r1_gamma = Some(0.1);
    let folder = RunDir::create(other.root.path(), "test").unwrap();
    let training = GanTraining {
        task: GanTask {
            generator: &other.generator,
            discriminator: &other.discriminator,
            config: &other.config,
            data: &other.data,
            encoder: None,
            resnet: None,
            mappers: None,
            start: &other.start,
        },
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

/// Loads what a run left; both networks must hold numbers.
fn assert_usable(run: &RunDir) {
    let snapshot = Snapshot::open(&run.join(GENERATOR_FILE), "generator").unwrap();
    let config: GeneratorConfig = snapshot.config().unwrap();
    let generator: Generator<Base> = snapshot.load_into(config.init(0, &cpu()).unwrap()).unwrap();
    assert!(all_finite(&generator));
    let snapshot = Snapshot::open(&run.join(DISCRIMINATOR_FILE), "discriminator").unwrap();
    let config: DiscriminatorConfig = snapshot.config().unwrap();
    assert!(all_finite(&snapshot.load_into(config.init::<Base>(0, &cpu()).unwrap()).unwrap()));
}

#[test]
fn gradients_without_numbers_end_the_run_and_leave_a_state_to_continue_from() {
    let mut setup = Setup::new(ConditionHeads::One);
    let mut joint = Joint::new(ConditionSource::Caption, 10);
    joint.config.learning_rate = Some(0.0025);
    setup.joint = Some(joint);
    // One good report with its checkpoint, then an absurd rate.
    setup.config.total_kimg = 0.008;
    setup.config.checkpoint_ticks = 1;
    setup.config.max_non_finite_phases = 2;
    let run = RunDir::create(setup.root.path(), "test").unwrap();
    let good = setup.run_in(&run, None, None).unwrap();
    assert_eq!(good.images_seen, 8);
    let before = weights(&good);
    let checkpoint = std::fs::read(run.join(CHECKPOINT_FILE)).unwrap();
    setup.config.total_kimg = 1.0;
    setup.config.learning_rate = 1e30;
    let error = setup.run_in(&run, Some(&run.join(CHECKPOINT_FILE)), None).unwrap_err();
    let GanTrainError::Diverged { checkpoint: named, .. } = &error else { panic!("{error}") };
    assert_eq!(*named, run.join(CHECKPOINT_FILE));
    let text = error.to_string();
    assert!(
        text.contains("not finite") && text.contains("learning_rate") && text.contains("--resume"),
        "{text}"
    );
    assert!(checkpoint == std::fs::read(named).unwrap(), "the last good checkpoint stays");
    assert_usable(&run);
    assert!(weights(&good) == before, "the snapshots are of that checkpoint");
    assert!(run.join(&mapper_file(MapperTarget::Caption)).is_file());

    // At a reasonable rate it goes on from there.
    setup.config.learning_rate = 0.001;
    setup.config.total_kimg = 0.016;
    let continued = setup.run_in(&run, Some(&run.join(CHECKPOINT_FILE)), None).unwrap();
    assert_eq!((continued.images_seen, continued.steps), (16, 4));
    assert_usable(&run);
}

#[test]
fn a_run_that_diverges_from_the_start_leaves_what_it_started_from() {
    let mut setup = Setup::new(ConditionHeads::One);
    setup.config.learning_rate = 1e30;
    setup.config.total_kimg = 0.04;
    setup.config.max_non_finite_phases = 1;
    let run = RunDir::create(setup.root.path(), "test").unwrap();
    let error = setup.run_in(&run, None, None).unwrap_err();
    let GanTrainError::Diverged { checkpoint, .. } = &error else { panic!("{error}") };
    assert_eq!(checkpoint, &run.join(CHECKPOINT_FILE));
    assert_usable(&run);
    setup.config.learning_rate = 0.001;
    setup.config.total_kimg = 0.004;
    assert_eq!(setup.run_in(&run, Some(checkpoint), None).unwrap().steps, 1);
}
