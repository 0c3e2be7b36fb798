//! What a chain will take by arithmetic: settings and sizes of the data, at rates that were measured on two cores.
//!
//! Right within a factor of two or three where nothing else runs; hence "rough". Of a GPU nothing is estimated.

use std::num::NonZero;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::commands::config::ProjectConfig;
use crate::commands::prepare::{self, PrepareSettings};
use crate::data::prepared::PreparedSubject;
use crate::data::trial::Trial;
use crate::error::Result;
use crate::models::encoder::EncoderKind;
use crate::models::mapper::{MapperKind, MapperTarget};
use crate::models::stylegan2::GeneratorConfig;
use crate::pipelines::chain_record::ChainStep;
use crate::pipelines::project::Project;
use crate::pipelines::targets::captioned_stimuli::distinct_images;
use crate::pipelines::trial_choice::Repeats;
use crate::run::existing_output::ExistingOutput;
use crate::run::snapshot::{Snapshot, hex};
use crate::training::gan::run_files::GENERATOR_FILE;

/// Trial × voxel × layer that a core trains in a second (docs/performance.md: 1.4 to 5 million on two cores).
const MAPPER_RATE: f64 = 1e6;
/// Positions that a core trains in a layer of the encoding network in a second.
const ENCODER_RATE: f64 = 4e5;
/// Multiplications of a generator's and a discriminator's convolutions that a core trains in a second.
const GAN_RATE: f64 = 1e8;
/// Drawing takes this share of the time of training on a picture.
const DRAWING: f64 = 0.2;
/// Multiplications of a small CLIP that a core trains in a second.
const CLIP_RATE: f64 = 1e9;
/// Multiplications of dense matrices that a core does in a second.
const MATRIX_RATE: f64 = 1.5e10;
/// Weights of a CLIP, in bytes, that a core applies to a picture in a second.
const EMBEDDING_RATE: f64 = 1.5e9;
/// Bytes of betas that are read in a second.
const READING_RATE: f64 = 2e8;
/// Seconds for reading or writing a picture.
const PICTURE: f64 = 0.005;
/// Seconds that any step takes: files, bootstraps, curves.
const EVERY_STEP: f64 = 1.0;
/// What a step of a GAN takes whatever its sizes, on a core or on many: some 30 ms were measured with the smallest networks.
const GAN_STEP: f64 = 0.03;
/// Bytes of the program without any data.
const PROGRAM_BYTES: u64 = 60_000_000;

/// How large a subject is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sizes {
    pub trials: usize,
    pub images: usize,
    pub voxels: usize,
    /// Bytes of the files that the preparation reads.
    pub source_bytes: u64,
}

/// What decides the time and memory of a subject's steps.
pub(super) struct Outlook<'a> {
    config: &'a ProjectConfig,
    sizes: Option<Sizes>,
    /// Of the CPU; none where a GPU computes.
    cores: Option<f64>,
}

impl<'a> Outlook<'a> {
    /// Of the prepared subject, or else of the tree that it would be prepared from. What cannot be read stays unknown: the step that
    /// needs it will say why.
    pub fn of(config: &'a ProjectConfig) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get) as f64;
        Self { config, sizes: Sizes::find(config).ok(), cores: (!config.device.is_gpu()).then_some(cores) }
    }

    /// As the free function of that name.
    pub fn settings_sha256(&self, step: ChainStep) -> String {
        settings_sha256(step, self.config)
    }

    /// Seconds that a step takes by arithmetic; none of a GPU, and where the sizes are not known.
    pub fn seconds(&self, step: ChainStep) -> Option<f64> {
        let (sizes, cores) = (self.sizes?, self.cores?);
        Some(EVERY_STEP + Work { config: self.config, sizes, cores }.seconds(step))
    }

    /// Bytes that a step holds at least: the betas of all trials, or of a session.
    pub fn least_memory(&self, step: ChainStep) -> Option<u64> {
        let Sizes { trials, voxels, .. } = self.sizes?;
        let betas = 4 * (trials as u64).saturating_mul(voxels as u64);
        Some(match step {
            ChainStep::ScreenCaptions | ChainStep::PretrainClip | ChainStep::PretrainGan => PROGRAM_BYTES,
            ChainStep::EvaluateImages
            | ChainStep::EvaluateImagesControl
            | ChainStep::EvaluateImagesTruth
            | ChainStep::EvaluateImagesNearest
            | ChainStep::Report => PROGRAM_BYTES,
            ChainStep::Prepare => PROGRAM_BYTES + betas.min(4 * 750 * voxels as u64),
            _ => PROGRAM_BYTES + betas,
        })
    }
}

impl Sizes {
    fn find(config: &ProjectConfig) -> Result<Self> {
        let project = config.project();
        match PreparedSubject::open(&project.prepared()) {
            Ok(prepared) => {
                Ok(Self::new(prepared.trials(), prepared.num_voxels(), bytes_read(&project, config)?))
            }
            Err(_) => {
                let settings = PrepareSettings::resolve(&project, &config.prepare, ExistingOutput::Replace)?;
                let (trials, voxels) = prepare::sizes(&settings)?;
                Ok(Self::new(&trials, voxels, bytes_read(&project, config)?))
            }
        }
    }

    fn new(trials: &[Trial], voxels: usize, source_bytes: u64) -> Self {
        let images = distinct_images(trials.iter().copied()).len();
        Self { trials: trials.len(), images, voxels, source_bytes }
    }
}

/// Bytes of the files that a subject of NSD is prepared from; nothing of an imported one.
fn bytes_read(project: &Project, config: &ProjectConfig) -> Result<u64> {
    if project.subject.is_own() || config.paths.nsd.is_none() {
        return Ok(0);
    }
    let settings = PrepareSettings::resolve(project, &config.prepare, ExistingOutput::Replace)?;
    let files = prepare::source_files(&settings)?;
    Ok(files.iter().filter_map(|file| Some(std::fs::metadata(file).ok()?.len())).sum())
}

/// SHA-256 of what decides how long a step takes, whoever's data they are: its settings and the device.
pub(super) fn settings_sha256(step: ChainStep, config: &ProjectConfig) -> String {
    let mut settings = settings_of(step, config).unwrap_or(Value::Null);
    without_seeds(&mut settings);
    hex(&Sha256::digest(json!([step, config.device.to_string(), settings]).to_string()))
}

/// The sections of the configuration that decide how long a step takes.
fn settings_of(step: ChainStep, config: &ProjectConfig) -> serde_json::Result<Value> {
    let of = |section: Result<Value, serde_json::Error>| Ok(json!([section?, config.split]));
    match step {
        ChainStep::Prepare => Ok(json!([config.prepare, config.resolution])),
        ChainStep::PretrainClip => of(serde_json::to_value(&config.pretrain_clip)),
        ChainStep::ScreenCaptions => serde_json::to_value(&config.screen_captions),
        ChainStep::ImageMapper
        | ChainStep::CaptionMapper
        | ChainStep::ControlMapper
        | ChainStep::ControlCaptionMapper => of(serde_json::to_value(&config.train_mapper)),
        ChainStep::PretrainGan => serde_json::to_value(&config.pretrain_gan),
        ChainStep::FinetuneGan => of(serde_json::to_value(&config.finetune_gan)),
        ChainStep::Reconstruct
        | ChainStep::ReconstructControl
        | ChainStep::ReconstructTruth
        | ChainStep::ReconstructNearest => of(serde_json::to_value((&config.reconstruct, config.precision))),
        ChainStep::Evaluate => of(serde_json::to_value(&config.evaluate)),
        ChainStep::EvaluateImages
        | ChainStep::EvaluateImagesControl
        | ChainStep::EvaluateImagesTruth
        | ChainStep::EvaluateImagesNearest => serde_json::to_value(&config.evaluate_images),
        // The region is part of the step's name.
        ChainStep::Microstim => {
            of(serde_json::to_value((config.microstim.limit, &config.microstim.probes, config.precision)))
        }
        ChainStep::Encode => of(serde_json::to_value(&config.encode)),
        ChainStep::Score | ChainStep::Report => Ok(Value::Null),
    }
}

/// Takes out what decides numbers and no time.
fn without_seeds(settings: &mut Value) {
    match settings {
        Value::Object(fields) => {
            fields.remove("seed");
            fields.values_mut().for_each(without_seeds);
        }
        Value::Array(items) => items.iter_mut().for_each(without_seeds),
        _ => {}
    }
}

/// The arithmetic of one subject on one machine.
struct Work<'a> {
    config: &'a ProjectConfig,
    sizes: Sizes,
    cores: f64,
}

impl Work<'_> {
    fn seconds(&self, step: ChainStep) -> f64 {
        let config = self.config;
        match step {
            ChainStep::Prepare => self.sizes.source_bytes as f64 / READING_RATE,
            ChainStep::PretrainClip => self.clip(),
            ChainStep::ScreenCaptions => 2.0 * self.embedding(),
            ChainStep::ImageMapper => self.embedding() + self.mapper(MapperTarget::Image),
            ChainStep::CaptionMapper | ChainStep::ControlCaptionMapper => self.mapper(MapperTarget::Caption),
            ChainStep::ControlMapper => self.mapper(MapperTarget::Image),
            ChainStep::PretrainGan => {
                let sizes = &config.pretrain_gan.network;
                let picture = picture(sizes.resolution, sizes.channel_base, sizes.channel_max);
                let train = &config.pretrain_gan.train;
                self.gan(train.total_kimg, picture, train.images_per_step())
            }
            ChainStep::FinetuneGan => {
                let train = &config.finetune_gan.train;
                self.embedding() + self.gan(train.total_kimg, self.picture(), train.images_per_step())
            }
            ChainStep::Reconstruct | ChainStep::ReconstructControl => {
                self.drawing(config.reconstruct.samples)
            }
            ChainStep::ReconstructTruth => self.embedding() + self.drawing(config.reconstruct.samples),
            ChainStep::ReconstructNearest => self.embedding() + 2.0 * PICTURE * self.pictures(),
            ChainStep::Evaluate => self.evaluation(),
            ChainStep::EvaluateImages
            | ChainStep::EvaluateImagesControl
            | ChainStep::EvaluateImagesTruth
            | ChainStep::EvaluateImagesNearest => {
                2.0 * PICTURE * self.pictures() * config.reconstruct.samples as f64
            }
            ChainStep::Microstim => {
                let limit = config.microstim.limit;
                let trials = self.held_out_images();
                let trials = if limit > 0 { trials.min(limit as f64) } else { trials };
                2.0 * trials * (PICTURE + self.drawn_picture())
            }
            ChainStep::Encode => self.encoding(),
            ChainStep::Score | ChainStep::Report => 0.0,
        }
    }

    fn train_trials(&self) -> f64 {
        self.sizes.trials as f64 * self.config.split.train_fraction
    }

    fn held_out_images(&self) -> f64 {
        self.sizes.images as f64 * (1.0 - self.config.split.train_fraction)
    }

    /// Every image through the CLIP that is named, and read once; of one that is trained, the reading.
    fn embedding(&self) -> f64 {
        let clip = self.config.paths.clip.as_ref().and_then(|clip| std::fs::metadata(clip).ok());
        let bytes = clip.map_or(0.0, |file| file.len() as f64);
        self.sizes.images as f64 * (PICTURE / 2.0 + bytes / (EMBEDDING_RATE * self.cores))
    }

    fn clip(&self) -> f64 {
        let network = &self.config.pretrain_clip.network;
        let layers = |layers: usize, tokens: usize, width: usize| {
            layers as f64 * tokens as f64 * 12.0 * (width as f64).powi(2)
        };
        let patches = network.image_size.checked_div(network.patch_size).unwrap_or(1).pow(2);
        let vision = layers(network.vision_layers, patches, network.vision_width);
        let text = layers(network.text_layers, network.context_length, network.text_width);
        let seen = self.sizes.images as f64 * self.config.pretrain_clip.train.epochs as f64;
        // Forward once, backward twice.
        3.0 * seen * (vision + text) / (CLIP_RATE * self.cores)
    }

    fn mapper(&self, target: MapperTarget) -> f64 {
        let config = self.config.train_mapper.for_target(target);
        let voxels = self.sizes.voxels as f64;
        let epochs: usize = (0..2).map(|phase| config.train.phase(phase).epochs).sum();
        let steps = |epochs: usize, layers: usize| {
            self.train_trials() * epochs as f64 * voxels * (1 + layers) as f64 / (MAPPER_RATE * self.cores)
        };
        match config.kind {
            MapperKind::Paper => steps(epochs, config.network.num_blocks),
            // Five folds and the final fit.
            MapperKind::Ridge | MapperKind::KernelRidge => 6.0 * self.ridge(),
            MapperKind::Residual => {
                // Dense matrices, once forward and twice backward; a trial fit, then the members.
                let train = &config.residual;
                // The width of a CLIP that is named is not read; that of one to train is the usual one, too.
                let width = self.config.pretrain_clip.network.embed_dim;
                let sizes = train.network([self.sizes.voxels, width]);
                let member = sizes.least_values() as f64 / sizes.num_members.max(1) as f64;
                let seen = self.train_trials() * (train.epochs * (1 + train.num_members)) as f64;
                self.ridge() + 3.0 * seen * member / (MATRIX_RATE * self.cores)
            }
        }
    }

    /// One fit: the Gram matrix of the smaller side, and its reduction.
    fn ridge(&self) -> f64 {
        let [trials, voxels] = [self.train_trials(), self.sizes.voxels as f64];
        let (small, large) = (trials.min(voxels), trials.max(voxels));
        (small * small * large + 2.0 * small.powi(3)) / (MATRIX_RATE * self.cores)
    }

    /// Every encoder, each once more for the control.
    fn encoding(&self) -> f64 {
        let encode = &self.config.encode;
        let of_kind = |kind: &EncoderKind| match kind {
            EncoderKind::Ridge => self.sizes.trials as f64 * self.sizes.voxels as f64 / (5e6 * self.cores),
            EncoderKind::Paper => {
                // The trunk is as long as the embedding, and twice as long behind its doubling layer.
                let positions = self.config.pretrain_clip.network.embed_dim * (encode.network.num_blocks + 2);
                let seen = self.train_trials() * encode.train.epochs as f64;
                seen * positions as f64 / (ENCODER_RATE * self.cores)
            }
        };
        let fits = if encode.control { 2.0 } else { 1.0 };
        fits * encode.kind.kinds().iter().map(of_kind).sum::<f64>()
    }

    /// With a control; over folds each once.
    fn evaluation(&self) -> f64 {
        let fits = self.config.evaluate.folds.max(2);
        2.0 * fits as f64 * self.ridge() + 2.0 + self.embedding()
    }

    fn gan(&self, kimg: f64, picture: f64, batch: usize) -> f64 {
        let images = 1000.0 * kimg;
        let arithmetic = images * picture / (GAN_RATE * self.cores);
        // Small networks take their time between the multiplications.
        let overhead = images / batch.max(1) as f64 * GAN_STEP;
        PICTURE / 2.0 * self.sizes.images as f64 + arithmetic + overhead
    }

    /// Multiplications that a picture of the GAN in use takes: of the one that is named, else of the one that would be trained.
    fn picture(&self) -> f64 {
        let folder = self.config.paths.pretrained_gan.as_ref();
        let named = folder.and_then(|folder| Snapshot::config_of(&folder.join(GENERATOR_FILE)));
        let named: Option<GeneratorConfig> = named.and_then(|config| serde_json::from_value(config).ok());
        let sizes = &self.config.pretrain_gan.network;
        match named {
            Some(generator) => picture(generator.resolution, generator.channel_base, generator.channel_max),
            None => picture(sizes.resolution, sizes.channel_base, sizes.channel_max),
        }
    }

    fn drawn_picture(&self) -> f64 {
        DRAWING * self.picture() / (GAN_RATE * self.cores)
    }

    /// Trials, or images where their presentations are averaged.
    fn pictures(&self) -> f64 {
        let reconstruct = &self.config.reconstruct;
        let all = match reconstruct.repeats {
            Repeats::Single => self.sizes.trials as f64 - self.train_trials(),
            Repeats::First | Repeats::Average => self.held_out_images(),
        };
        if reconstruct.limit > 0 { all.min(reconstruct.limit as f64) } else { all }
    }

    fn drawing(&self, samples: usize) -> f64 {
        self.pictures() * samples as f64 * (PICTURE + self.drawn_picture())
    }
}

/// Values of a layer times its channels, over all sizes of a picture up to `resolution`.
fn picture(resolution: usize, channel_base: usize, channel_max: usize) -> f64 {
    let sides = std::iter::successors(Some(4_usize), |side| side.checked_mul(2));
    sides
        .take_while(|side| *side <= resolution)
        .map(|side| {
            let channels = (channel_base / side).min(channel_max) as f64;
            (side * side) as f64 * channels * channels
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::device::DeviceChoice;

    fn demo() -> ProjectConfig {
        toml::from_str(include_str!("../../../configs/demo.toml")).unwrap()
    }

    fn outlook(config: &ProjectConfig) -> Outlook<'_> {
        let sizes = Sizes { trials: 3000, images: 1000, voxels: 1200, source_bytes: 40_000_000 };
        Outlook { config, sizes: Some(sizes), cores: Some(2.0) }
    }

    #[test]
    fn arithmetic_is_near_what_was_measured() {
        // Pictures of the bench in docs/performance.md: 16 of 64 × 64 in 0.33 and 0.82 s on two cores.
        for (base, most, seconds) in [(1024, 64, 0.33), (2048, 128, 0.82)] {
            let rough = 16.0 * picture(64, base, most) / (2.0 * GAN_RATE);
            assert!((seconds / 3.0..seconds * 3.0).contains(&rough), "{rough} for {seconds}");
        }
        // The demo's mapper: 14 s. The paper's of 6,508 trials: 260 to 340 s an epoch.
        let mut config = demo();
        config.train_mapper.kind = MapperKind::Paper;
        let mapper = outlook(&config).seconds(ChainStep::ControlMapper).unwrap();
        assert!((7.0..42.0).contains(&mapper), "{mapper}");
        // A residual mapper of the same trials: 25 s of a core (docs/mappers.md).
        config.train_mapper.kind = MapperKind::Residual;
        let residual = outlook(&config).seconds(ChainStep::ControlMapper).unwrap();
        assert!((6.0..60.0).contains(&residual), "{residual}");
        config.train_mapper = Default::default();
        config.train_mapper.kind = MapperKind::Paper;
        config.train_mapper.train.phase1.epochs = 1;
        config.train_mapper.train.phase2.epochs = 0;
        config.split.train_fraction = 1.0;
        let sizes = Sizes { trials: 6508, images: 6508, voxels: 15_724, source_bytes: 0 };
        let paper = Outlook { config: &config, sizes: Some(sizes), cores: Some(2.0) };
        let epoch = paper.seconds(ChainStep::ControlMapper).unwrap();
        assert!((100.0..900.0).contains(&epoch), "{epoch}");
    }

    #[test]
    fn steps_of_the_smallest_gan_are_not_free() {
        let mut config = demo();
        let network = &mut config.pretrain_gan.network;
        (network.resolution, network.channel_base, network.channel_max) = (16, 64, 4);
        config.pretrain_gan.train.total_kimg = 1000.0;
        config.pretrain_gan.train.batch_size = Some(8);
        // 3.6 s a kimg were measured with the tiny phantom's networks and batches of 8.
        let seconds = outlook(&config).seconds(ChainStep::PretrainGan).unwrap();
        assert!((1200.0..10_800.0).contains(&seconds), "{seconds} for 3600");
    }

    #[test]
    fn a_first_run_has_a_time_for_every_step_and_a_gpu_or_unknown_data_none() {
        let config = demo();
        let known = outlook(&config);
        assert!(ChainStep::ALL.into_iter().all(|step| known.seconds(step).is_some_and(|time| time >= 1.0)));
        assert!(ChainStep::ALL.into_iter().all(|step| known.least_memory(step).is_some()));
        assert_eq!(known.least_memory(ChainStep::Evaluate), Some(60_000_000 + 4 * 3000 * 1200));
        let gpu = Outlook { cores: None, ..outlook(&config) };
        assert_eq!(gpu.seconds(ChainStep::ImageMapper), None);
        let unknown = Outlook { sizes: None, ..outlook(&config) };
        assert_eq!(
            (unknown.seconds(ChainStep::Encode), unknown.least_memory(ChainStep::Encode)),
            (None, None)
        );
    }

    #[test]
    fn other_settings_have_another_hash_and_another_seed_has_not() {
        let mut config = demo();
        let hash = |config: &ProjectConfig, step| outlook(config).settings_sha256(step);
        let before = hash(&config, ChainStep::ImageMapper);
        config.train_mapper.train.seed += 1;
        assert_eq!(hash(&config, ChainStep::ImageMapper), before);
        let encode = hash(&config, ChainStep::Encode);
        config.train_mapper.train.phase1.epochs += 1;
        assert_ne!(hash(&config, ChainStep::ImageMapper), before);
        assert_eq!(hash(&config, ChainStep::Encode), encode);
        config.device = DeviceChoice::Cuda(0);
        assert_ne!(hash(&config, ChainStep::Encode), encode);
    }
}
