//! `mindreader pretrain-gan`: a conditional GAN on images and noise-perturbed CLIP embeddings, without brains.
//!
//! Specification: docs/spec/gan-training.md §10. Images are those of the subject's training trials, or a collection of
//! others. Writes `config.toml`, `metrics.jsonl`,
//! `samples/*.png`, `snapshots/*`, `generator.safetensors` (averaged), `discriminator.safetensors`, `checkpoint.mpk`.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::models::clip::tokenizer::LongText;
use crate::models::stylegan2::{DiscriminatorConfig, GanSizes, GeneratorConfig};
use crate::pipelines::clip_snapshot::ClipSnapshot;
use crate::pipelines::gan::data::{half_precision, low_level_resnet};
use crate::pipelines::gan::distance::SampleDistance;
use crate::pipelines::gan::pretraining_data::{ConditionChoice, pretraining_data};
pub use crate::pipelines::gan::pretraining_data::{FirstCondition, PretrainImages, SecondCondition};
use crate::pipelines::gan::sample_sheet::{NUM_SAMPLES, SampleSheet, evenly_spread};
use crate::pipelines::gan::snapshots::{GanSnapshots, SnapshotConfig, SnapshotSummary};
use crate::pipelines::pictures::picture::pictures;
use crate::pipelines::pictures::picture_features::FeatureSource;
use crate::pipelines::project::Project;
use crate::pipelines::workbench::Workbench;
use crate::run::device::{self, DeviceChoice};
use crate::run::error::RunError;
use crate::run::interrupt;
use crate::run::progress::Progress;
use crate::run::run_dir::RunDir;
use crate::run::snapshot::{DISCRIMINATOR_KIND, GENERATOR_KIND, Snapshot};
use crate::tensor_ops::backend::{Base, Device};
use crate::training::gan::config::GanTrainConfig;
use crate::training::gan::image_view::FrozenClip;
use crate::training::gan::run_files::{DISCRIMINATOR_FILE, GENERATOR_FILE};
use crate::training::gan::starting_point::StartingPoint;
use crate::training::gan::task::GanTask;
use crate::training::gan::trainer::{GanTrainSummary, GanTraining};

/// Networks, conditions and training.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PretrainGanConfig {
    /// Sizes of the networks.
    pub network: GanSizes,
    /// Where the first head's conditions come from.
    pub first_condition: FirstCondition,
    /// Where the second head's conditions come from.
    pub second_condition: SecondCondition,
    /// What becomes of captions longer than CLIP's context (`error`).
    pub long_captions: LongText,
    /// How they are trained.
    pub train: GanTrainConfig,
    /// Which generators stay, and how they are measured.
    pub snapshots: SnapshotConfig,
}

/// Everything that a run needs.
#[derive(Clone, Debug, Serialize)]
pub struct PretrainGanSettings {
    /// What the networks are trained on.
    pub images: PretrainImages,
    /// CLIP snapshot.
    pub clip: PathBuf,
    /// ResNet-50 snapshot; read for the low-level term only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resnet: Option<PathBuf>,
    /// Network whose features measure snapshots; without one they are not measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub features: Option<FeatureSource>,
    /// Networks, conditions and training.
    pub pretrain_gan: PretrainGanConfig,
    /// Folder of cached embeddings.
    pub cache: PathBuf,
    /// Where to compute.
    pub device: DeviceChoice,
    /// Folder of the runs.
    pub runs: PathBuf,
    /// Folder with the snapshots of a GAN to start from. A resumed run takes its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init_from: Option<PathBuf>,
    /// Checkpoint to continue from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resume: Option<PathBuf>,
}

impl PretrainGanSettings {
    /// Settings of the command in a project.
    ///
    /// # Errors
    /// When neither images nor the NSD root is set, or no CLIP is there.
    pub fn resolve(
        project: &Project,
        pretrain_gan: &PretrainGanConfig,
        resume: Option<PathBuf>,
    ) -> Result<Self, RunError> {
        let paths = &project.paths;
        let images = match &paths.images {
            Some(images) => {
                PretrainImages::Collection { images: images.clone(), annotations: paths.annotations.clone() }
            }
            None if paths.annotations.is_some() => {
                return Err(RunError::missing("paths.images", "`--annotations`: set it with `--images DIR`"));
            }
            None => PretrainImages::Stimuli {
                nsd: project.nsd()?,
                prepared: project.prepared(),
                captions: project.captions(),
                split: project.split.clone(),
            },
        };
        Ok(Self {
            images,
            clip: project.clip()?,
            resnet: project.low_level_resnet(&pretrain_gan.train)?,
            features: project.snapshot_features(&pretrain_gan.snapshots)?,
            pretrain_gan: pretrain_gan.clone(),
            cache: project.cache(),
            device: project.device,
            runs: project.runs(),
            init_from: None,
            resume,
        })
    }
}

/// What came out.
#[derive(Clone, Debug, Serialize)]
pub struct PretrainGanSummary {
    /// The run's folder.
    pub run: PathBuf,
    /// Distinct images trained on.
    pub num_images: usize,
    /// Images with conditions trained on.
    pub num_samples: usize,
    /// The training.
    pub training: GanTrainSummary,
    /// Generators on the way.
    pub snapshots: SnapshotSummary,
}

/// Runs the command.
///
/// # Errors
/// Data, snapshots or settings that do not fit, an interruption, gradients that are not finite.
pub fn run(
    settings: &PretrainGanSettings,
    progress: &mut dyn Progress,
) -> anyhow::Result<PretrainGanSummary> {
    let mut settings = settings.clone();
    let noise = &mut settings.pretrain_gan.train.condition_noise;
    let is_supervised = settings.pretrain_gan.first_condition == FirstCondition::Captions;
    noise.mixing_probability.get_or_insert(if is_supervised { 0.0 } else { 1.0 });
    let pseudo = settings.pretrain_gan.second_condition == SecondCondition::Pseudo;
    noise.second_mixing_probability.get_or_insert(if pseudo { 1.0 } else { 0.0 });
    if let Some(checkpoint) = &settings.resume {
        settings.init_from = stored_start(checkpoint)?;
    }
    let settings = &settings;
    let config = &settings.pretrain_gan;

    let (device, name) = device::open(settings.device)?;
    let other_devices = device::open_following(&device, config.train.gpus.saturating_sub(1))?;
    half_precision(&config.train).check(&device, &name)?;
    let clip = ClipSnapshot::open(&settings.clip, &device)?;
    let (generator, discriminator) = config.network.configs(clip.config.embed_dim);
    generator.validate()?;
    let choice = ConditionChoice {
        heads: generator.heads,
        first: config.first_condition,
        second: config.second_condition,
        long_captions: config.long_captions,
    };
    let mut bench = Workbench::new(&device, &settings.cache, progress);
    let (data, name) = pretraining_data(&settings.images, &choice, generator.resolution, &clip, &mut bench)?;

    let (start, start_sha256) = starting_point(settings, &generator, &discriminator, &device)?;
    let distance = match &settings.features {
        Some(source) => {
            let distance = SampleDistance {
                network: source.open(config.snapshots.preprocessing, &device)?,
                real: vec![],
                heads: data.conditions(generator.heads).cloned().collect(),
                seed: config.train.seed,
            };
            let real = distance.real_pictures(&data, &config.snapshots, &mut bench)?;
            Some(distance.with_real(vec![real], &config.snapshots)?)
        }
        None => None,
    };
    let run = match &settings.resume {
        Some(checkpoint) => RunDir::of_checkpoint(checkpoint)?,
        None => RunDir::create(&settings.runs, &format!("pretrain-gan-{name}"))?,
    };
    if settings.resume.is_none() {
        run.write_atomic("config.toml", toml::to_string(settings)?.as_bytes())?;
    }
    let shown = data.batch(&evenly_spread(data.len(), NUM_SAMPLES), generator.heads, &device);
    let sheet = SampleSheet {
        ground_truth: pictures(shown.pixels_pm1),
        condition: shown.condition,
        z_dim: generator.z_dim,
        seed: config.train.seed,
    };
    let resnet = low_level_resnet(settings.resnet.as_deref(), &config.train, &device)?;
    let provenance = json!({
        "data": settings.images.provenance(&name),
        "images": data.num_images(),
        "samples": data.len(),
        "clip_sha256": clip.sha256,
        "init_from_sha256": start_sha256,
        "resnet_sha256": resnet.as_ref().map(|(_, sha256)| sha256),
    });
    let mut snapshots = GanSnapshots {
        config: &config.snapshots,
        generator: &generator,
        provenance: &provenance,
        run: &run,
        device: &device,
        distance,
        last: vec![],
    };
    let encoder = FrozenClip::new(clip.clip, clip.config.image_size, clip.config.embed_dim);
    let training = GanTraining {
        task: GanTask {
            generator: &generator,
            discriminator: &discriminator,
            config: &config.train,
            data: &data,
            encoder: Some(&encoder),
            resnet: resnet.as_ref().map(|(resnet, _)| resnet),
            mappers: None,
            start: &start,
        },
        run: &run,
        provenance: &provenance,
        device: &device,
        other_devices: &other_devices,
        interrupted: &interrupt::requested,
    };
    let training = training
        .run(settings.resume.as_deref(), progress, &mut |tick| {
            sheet.write(tick, &run, &device)?;
            snapshots.on_tick(tick)
        })
        .map_err(super::gan_error)?;
    let summary = PretrainGanSummary {
        run: run.path().to_path_buf(),
        num_images: data.num_images(),
        num_samples: data.len(),
        training,
        snapshots: snapshots.summary()?,
    };
    run.write_atomic("summary.json", &serde_json::to_vec_pretty(&summary)?)?;
    Ok(summary)
}

/// The GAN that an interrupted run started from: it decides how the averaged generator is warmed up.
fn stored_start(checkpoint: &Path) -> Result<Option<PathBuf>, RunError> {
    let path = checkpoint.with_file_name("config.toml");
    let bytes = RunError::read(&path, "`--resume`: what the run started from")?;
    let table: toml::Table = std::str::from_utf8(&bytes)
        .map_err(|error| error.to_string())
        .and_then(|text| toml::from_str(text).map_err(|error| error.to_string()))
        .map_err(|error| RunError::invalid(&path, "settings", "TOML", error.trim_end()))?;
    Ok(table.get("init_from").and_then(toml::Value::as_str).map(PathBuf::from))
}

/// Weights as they are drawn, or those of another GAN of the same sizes, with the hash of its generator. Its conditions may be of
/// another CLIP: training teaches it the new ones.
fn starting_point(
    settings: &PretrainGanSettings,
    generator: &GeneratorConfig,
    discriminator: &DiscriminatorConfig,
    device: &Device,
) -> anyhow::Result<(StartingPoint, Option<String>)> {
    let Some(folder) = &settings.init_from else { return Ok((StartingPoint::Scratch, None)) };
    let path = folder.join(GENERATOR_FILE);
    let file = Snapshot::open(&path, GENERATOR_KIND)?;
    same_sizes(&path, &file.config()?, generator)?;
    let sha256 = file.network_sha256()?;
    let network = file.load_into(generator.init::<Base>(0, device)?)?;
    let path = folder.join(DISCRIMINATOR_FILE);
    let file = Snapshot::open(&path, DISCRIMINATOR_KIND)?;
    same_sizes(&path, &file.config()?, discriminator)?;
    let judge = file.load_into(discriminator.init::<Base>(0, device)?)?;
    let start = StartingPoint::Pretrained { generator: Box::new(network), discriminator: Box::new(judge) };
    Ok((start, Some(sha256)))
}

fn same_sizes<C: PartialEq + std::fmt::Debug>(path: &Path, found: &C, expected: &C) -> Result<(), RunError> {
    if found == expected {
        return Ok(());
    }
    let expected = format!("that of `[pretrain_gan.network]` and the CLIP: {expected:?}");
    Err(RunError::invalid(path, "config", expected, format!("{found:?}")))
}
