//! `mindreader finetune-gan`: stage two, the GAN on embeddings that mappers decode from betas; the mappers stay as they are, or
//! are finetuned with it.
//!
//! Specification: docs/spec/gan-training.md §1.1, §2, §4.5 and §9. One sample is one training trial. Writes what
//! `pretrain-gan` writes, and the mappers beside it where they are finetuned.

use std::path::{Path, PathBuf};

use burn::tensor::Tensor;
use ndarray::Array2;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::data::nsd::stimuli::Stimuli;
use crate::data::nsd::tree::NsdTree;
use crate::data::prepared::PreparedSubject;
use crate::data::split::{Split, SplitConfig};
use crate::data::trial::NsdId;
use crate::models::condition_source::ConditionSource;
use crate::models::mapper::MapperTarget;
use crate::models::stylegan2::{Condition, ConditionHeads, DiscriminatorConfig, GeneratorConfig};
use crate::pipelines::clip_snapshot::ClipSnapshot;
use crate::pipelines::gan::conditions::{DECODED_TRIALS, DecodingMappers, host, stacked};
use crate::pipelines::gan::data::{gan_picture, half_precision, image_set, low_level_resnet};
use crate::pipelines::gan::distance::SampleDistance;
use crate::pipelines::gan::mapper_targets::{check_split, finite_betas, mapper_start, second_targets};
use crate::pipelines::gan::sample_sheet::{NUM_SAMPLES, SampleSheet, evenly_spread};
use crate::pipelines::gan::snapshots::{GanSnapshots, SnapshotConfig, SnapshotSummary};
use crate::pipelines::pictures::picture_features::FeatureSource;
use crate::pipelines::pictures::stimulus_features::StimulusSet;
use crate::pipelines::project::Project;
use crate::pipelines::targets::captioned_stimuli::distinct_images;
use crate::pipelines::workbench::Workbench;
use crate::run::device::{self, DeviceChoice};
use crate::run::error::RunError;
use crate::run::interrupt;
use crate::run::progress::Progress;
use crate::run::run_dir::RunDir;
use crate::run::snapshot::{DISCRIMINATOR_KIND, GENERATOR_KIND, Snapshot};
use crate::tensor_ops::backend::{Base, Device};
use crate::training::gan::config::GanTrainConfig;
use crate::training::gan::dataset::{GanDataset, SampleSet};
use crate::training::gan::image_view::FrozenClip;
use crate::training::gan::loss::SecondVector;
use crate::training::gan::mappers::config::{GanMapperConfig, MapperMode};
use crate::training::gan::mappers::joint::JointMappers;
use crate::training::gan::mappers::outputs::CurrentMappers;
use crate::training::gan::run_files::{DISCRIMINATOR_FILE, GENERATOR_FILE};
use crate::training::gan::starting_point::StartingPoint;
use crate::training::gan::task::GanTask;
use crate::training::gan::trainer::{GanTrainSummary, GanTraining};
use crate::training::gan::transfer::copy_by_name;

/// Conditions and training.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FinetuneGanConfig {
    /// Which decoded embeddings steer the generator.
    pub condition: ConditionSource,
    /// Whether the mappers are trained too, and how.
    pub mappers: GanMapperConfig,
    /// How the networks are trained.
    pub train: GanTrainConfig,
    /// Which generators stay, and how they are measured.
    pub snapshots: SnapshotConfig,
}

impl FinetuneGanConfig {
    /// The same with the loss that belongs to the condition.
    pub fn resolved(&self) -> Self {
        let mut config = self.clone();
        config.train.loss.second_vector = match self.condition.second_target() {
            MapperTarget::Resnet => SecondVector::Resnet,
            MapperTarget::Image | MapperTarget::Caption => SecondVector::Clip,
        };
        config
    }

    /// Whether a ResNet-50 is read: for a loss, or for what a mapper aims at.
    pub fn needs_resnet(&self) -> bool {
        let has_resnet_targets = self.condition.second_target() == MapperTarget::Resnet
            && self.mappers.mode == MapperMode::EndToEnd;
        has_resnet_targets || self.resolved().train.loss.needs_resnet()
    }
}

/// Everything that a run needs.
#[derive(Clone, Debug, Serialize)]
pub struct FinetuneGanSettings {
    /// Root of the NSD tree.
    pub nsd: PathBuf,
    /// Prepared subject.
    pub prepared: PathBuf,
    /// CLIP snapshot.
    pub clip: PathBuf,
    /// ResNet-50 snapshot; read for the low-level term and for ResNet mappers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resnet: Option<PathBuf>,
    /// Image mapper.
    pub image_mapper: PathBuf,
    /// Caption mapper, or the ResNet mapper of [`ConditionSource::ImageResnet`].
    pub caption_mapper: PathBuf,
    /// Vetted captions of `screen-captions`; read where a caption mapper is finetuned.
    pub captions: PathBuf,
    /// Folder with the snapshots of the GAN to start from.
    pub gan: PathBuf,
    /// Which trials belong to training and validation.
    pub split: SplitConfig,
    /// Network whose features measure snapshots; without one they are not measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub features: Option<FeatureSource>,
    /// Conditions and training.
    pub finetune_gan: FinetuneGanConfig,
    /// Folder of cached embeddings.
    pub cache: PathBuf,
    /// Where to compute.
    pub device: DeviceChoice,
    /// Folder of the runs.
    pub runs: PathBuf,
    /// Checkpoint to continue from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resume: Option<PathBuf>,
}

impl FinetuneGanSettings {
    /// Settings of the command in a project.
    ///
    /// # Errors
    /// When the NSD root is not set or a network is missing.
    pub fn resolve(
        project: &Project,
        finetune_gan: &FinetuneGanConfig,
        resume: Option<PathBuf>,
    ) -> Result<Self, RunError> {
        Ok(Self {
            nsd: project.nsd()?,
            prepared: project.prepared(),
            clip: project.clip()?,
            resnet: finetune_gan.needs_resnet().then(|| project.resnet()).transpose()?,
            features: project.snapshot_features(&finetune_gan.snapshots)?,
            image_mapper: project.mapper(MapperTarget::Image)?,
            caption_mapper: project.second_mapper(finetune_gan.condition.second_target())?,
            captions: project.captions(),
            gan: project.pretrained_gan()?,
            split: project.split.clone(),
            finetune_gan: finetune_gan.clone(),
            cache: project.cache(),
            device: project.device,
            runs: project.runs(),
            resume,
        })
    }
}

/// What came out.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FinetuneGanSummary {
    /// The run's folder.
    pub run: PathBuf,
    /// Trials trained on.
    pub num_trials: usize,
    /// Distinct images trained on.
    pub num_images: usize,
    /// Whether the second head was copied from the first.
    pub duplicated_head: bool,
    /// The training.
    pub training: GanTrainSummary,
    /// Generators on the way.
    #[serde(default, skip_deserializing)]
    pub snapshots: SnapshotSummary,
}

/// Runs the command.
///
/// # Errors
/// Data, snapshots or settings that do not fit, an interruption, gradients that are not finite.
pub fn run(
    settings: &FinetuneGanSettings,
    progress: &mut dyn Progress,
) -> anyhow::Result<FinetuneGanSummary> {
    let settings =
        &FinetuneGanSettings { finetune_gan: settings.finetune_gan.resolved(), ..settings.clone() };
    let config = &settings.finetune_gan;
    config.mappers.validate()?;
    let (device, name) = device::open(settings.device)?;
    let other_devices = device::open_following(&device, config.train.gpus.saturating_sub(1))?;
    half_precision(&config.train).check(&device, &name)?;
    let prepared = PreparedSubject::open(&settings.prepared)?;
    let split = settings.split.split(&prepared)?;
    let FinetuneGanSettings { image_mapper, caption_mapper, .. } = settings;
    let mappers = DecodingMappers::open(image_mapper, caption_mapper, config.condition, &prepared, &device)?;
    let gan = StartingGan::open(settings, mappers.second.snapshot.network.embed_dim, &device)?;
    let clip = ClipSnapshot::open(&settings.clip, &device)?;
    let resnet = low_level_resnet(settings.resnet.as_deref(), &config.train, &device)?;
    let resnet_space = settings.resnet.as_deref().zip(resnet.as_ref().map(|(_, sha256)| sha256.as_str()));
    mappers.check_space((&settings.clip, &clip), resnet_space)?;

    let images = distinct_images(split.train.iter().map(|trial| prepared.trials()[*trial]));
    let stimuli = NsdTree::new(&settings.nsd).stimuli();
    let resolution = gan.generator.resolution;
    let mut bench = Workbench::new(&device, &settings.cache, progress);
    let images = (image_set(&images, &stimuli, &clip, resolution, &mut bench)?, images);
    let seed = config.train.seed;
    let image_of_sample: Vec<usize> = split
        .train
        .iter()
        .map(|trial| images.1.binary_search(&prepared.trials()[*trial].nsd_id))
        .collect::<Result<_, _>>()
        .map_err(|_| anyhow::anyhow!("an image of a training trial is not among the training images"))?;
    let is_joint = config.mappers.mode == MapperMode::EndToEnd;
    let second_targets = if is_joint {
        for (path, mapper) in [(image_mapper, &mappers.image), (caption_mapper, &mappers.second)] {
            check_split(path, mapper, &settings.split)?;
        }
        second_targets(settings, &clip, &images.1, &image_of_sample, &mut bench)?
    } else {
        None
    };
    // A mix is drawn anew at every step, from the two that are mixed.
    let is_mix = config.condition == ConditionSource::Mix;
    let samples = if is_joint {
        // Conditions are decoded batch by batch.
        let image_condition = Array2::zeros((image_of_sample.len(), 0));
        SampleSet { image_of_sample, image_condition, caption_condition: None, mixed_with: None }
    } else if is_mix {
        let both = ConditionSource::Both;
        let (first, second) = mappers.conditions(&prepared, &split.train, both, seed, progress)?;
        SampleSet {
            image_of_sample,
            image_condition: second.clone(),
            caption_condition: Some(second),
            mixed_with: Some(first),
        }
    } else {
        let source = config.condition;
        let (first, second) = mappers.conditions(&prepared, &split.train, source, seed, progress)?;
        let caption_condition = Some(second);
        SampleSet { image_of_sample, image_condition: first, caption_condition, mixed_with: None }
    };
    let data = GanDataset::new(images.0, samples)?;

    let distance = sample_distance(settings, &gan, &mappers, &prepared, &split, &stimuli, progress)?;
    let run = match &settings.resume {
        Some(checkpoint) => RunDir::of_checkpoint(checkpoint)?,
        None => RunDir::create(&settings.runs, &format!("finetune-gan-{}", prepared.subject()))?,
    };
    if settings.resume.is_none() {
        run.write_atomic("config.toml", toml::to_string(settings)?.as_bytes())?;
    }
    // Held-out trials, if there are any: the sheet then shows how decoding generalises.
    let candidates = if split.validation.is_empty() { &split.train } else { &split.validation };
    let shown: Vec<usize> =
        evenly_spread(candidates.len(), NUM_SAMPLES).into_iter().map(|index| candidates[index]).collect();
    let mut sheet = sample_sheet(settings, &gan, &mappers, &prepared, &shown, &stimuli, progress)?;
    let shown_betas = finite_betas(&prepared, &shown)?;
    let shown_positions: Vec<u64> = shown.iter().map(|trial| *trial as u64).collect();
    let provenance = json!({
        "subject": prepared.subject().to_string(),
        "split": settings.split,
        "trials": data.len(),
        "condition": config.condition,
        "mappers": config.mappers.mode,
        "gan_sha256": gan.sha256,
        "image_mapper_sha256": mappers.image.sha256,
        "caption_mapper_sha256": mappers.second.sha256,
        "clip_sha256": clip.sha256,
        "resnet_sha256": resnet.as_ref().map(|(_, sha256)| sha256),
    });
    let betas = |samples: &[usize]| {
        let trials: Vec<usize> = samples.iter().map(|sample| split.train[*sample]).collect();
        finite_betas(&prepared, &trials)
    };
    let joint = is_joint.then(|| JointMappers {
        config: &config.mappers,
        source: config.condition,
        starts: [mapper_start(&mappers.image), mapper_start(&mappers.second)],
        second_targets: second_targets.as_ref(),
        betas: &betas,
    });
    let mut snapshots = GanSnapshots {
        config: &config.snapshots,
        generator: &gan.generator,
        provenance: &provenance,
        run: &run,
        device: &device,
        distance,
        last: vec![],
    };
    let encoder = FrozenClip::new(clip.clip, clip.config.image_size, clip.config.embed_dim);
    let training = GanTraining {
        task: GanTask {
            generator: &gan.generator,
            discriminator: &gan.discriminator,
            config: &config.train,
            data: &data,
            encoder: Some(&encoder),
            resnet: resnet.as_ref().map(|(resnet, _)| resnet),
            mappers: joint.as_ref(),
            start: &gan.start,
        },
        run: &run,
        provenance: &provenance,
        device: &device,
        other_devices: &other_devices,
        interrupted: &interrupt::requested,
    };
    let training = training
        .run(settings.resume.as_deref(), progress, &mut |tick| {
            if let Some(mappers) = tick.mappers {
                let heads = mappers.heads(&shown_betas, seed, &shown_positions).into_iter();
                sheet.condition = Condition { heads: heads.take(sheet.condition.heads.len()).collect() };
            }
            sheet.write(tick, &run, &device)?;
            if let Some(mappers) = tick.mappers
                && snapshots.measures(tick)
            {
                let trials = drawn_for_distance(&split);
                let heads = decoded_now(mappers, &prepared, trials, seed)
                    .map_err(|error| RunError::invalid(&settings.prepared, "betas", "finite", error))?;
                snapshots.set_conditions(heads);
            }
            snapshots.on_tick(tick)
        })
        .map_err(super::gan_error)?;
    let summary = FinetuneGanSummary {
        run: run.path().to_path_buf(),
        num_trials: data.len(),
        num_images: data.num_images(),
        duplicated_head: gan.duplicated_head,
        training,
        snapshots: snapshots.summary()?,
    };
    run.write_atomic("summary.json", &serde_json::to_vec_pretty(&summary)?)?;
    Ok(summary)
}

/// The networks to start from.
struct StartingGan {
    generator: GeneratorConfig,
    discriminator: DiscriminatorConfig,
    start: StartingPoint,
    duplicated_head: bool,
    sha256: String,
}

impl StartingGan {
    /// `second_width`: values of the second condition.
    fn open(settings: &FinetuneGanSettings, second_width: usize, device: &Device) -> anyhow::Result<Self> {
        let path = settings.gan.join(GENERATOR_FILE);
        let file = Snapshot::open(&path, GENERATOR_KIND)?;
        let (generator, network) = file.network(|config: &GeneratorConfig| config.init::<Base>(0, device))?;
        let sha256 = file.sha256().to_string();
        let path = settings.gan.join(DISCRIMINATOR_FILE);
        let file = Snapshot::open(&path, DISCRIMINATOR_KIND)?;
        let (discriminator, judge) =
            file.network(|config: &DiscriminatorConfig| config.init::<Base>(0, device))?;
        // Only a network without a second branch gets one (docs/spec/open-questions.md OQ-31).
        let config = &settings.finetune_gan;
        let gets_second = config.condition.needs_two_heads() && generator.heads == ConditionHeads::One;
        let duplicated_head = gets_second && generator.condition_dim == second_width;
        if gets_second && !duplicated_head {
            // A head of another width cannot be a copy: it starts as it is drawn (docs/spec/gan-training.md §9).
            let heads = ConditionHeads::TwoByMaximum;
            let generator = GeneratorConfig { heads, second_condition_dim: second_width, ..generator };
            let discriminator =
                DiscriminatorConfig { heads, second_condition_dim: second_width, ..discriminator };
            let seed = config.train.seed;
            let drawn = generator.init::<Base>(seed, device)?;
            let drawn_judge = discriminator.init::<Base>(seed, device)?;
            let start = StartingPoint::Pretrained {
                generator: Box::new(copy_by_name(drawn, &network)),
                discriminator: Box::new(copy_by_name(drawn_judge, &judge)),
            };
            return Ok(Self { generator, discriminator, start, duplicated_head, sha256 });
        }
        if !duplicated_head {
            let start =
                StartingPoint::Pretrained { generator: Box::new(network), discriminator: Box::new(judge) };
            return Ok(Self { generator, discriminator, start, duplicated_head, sha256 });
        }
        Ok(Self {
            generator: generator.with_duplicated_head(),
            discriminator: discriminator.with_duplicated_head(),
            start: StartingPoint::Pretrained {
                generator: Box::new(network.with_duplicated_head()),
                discriminator: Box::new(judge.with_duplicated_head()),
            },
            duplicated_head,
            sha256,
        })
    }
}

/// Distances to the ground truth of the validation trials, and to the stimuli of the training trials, where there is a feature
/// network. Pictures are drawn from what the mappers decode from the validation trials.
fn sample_distance(
    settings: &FinetuneGanSettings,
    gan: &StartingGan,
    mappers: &DecodingMappers<'_>,
    prepared: &PreparedSubject,
    split: &Split,
    stimuli: &Path,
    progress: &mut dyn Progress,
) -> anyhow::Result<Option<SampleDistance>> {
    let Some(source) = &settings.features else { return Ok(None) };
    let FinetuneGanConfig { condition, train, snapshots, .. } = &settings.finetune_gan;
    let device = mappers.device;
    let sets = if split.validation.is_empty() {
        vec![("train", &split.train)]
    } else {
        vec![("test", &split.validation), ("train", &split.train)]
    };
    let drawn = drawn_for_distance(split);
    let (first, second) = mappers.conditions(prepared, drawn, *condition, train.seed, progress)?;
    let heads = [first, second].into_iter().take(gan.generator.condition_dims().len()).collect();
    let network = source.open(snapshots.preprocessing, device)?;
    let distance = SampleDistance { network, real: vec![], heads, seed: train.seed };
    let mut real = vec![];
    for (name, trials) in sets {
        let images: Vec<NsdId> = trials.iter().map(|trial| prepared.trials()[*trial].nsd_id).collect();
        let set = StimulusSet { name, stimuli, images: &images, side: gan.generator.resolution as u32 };
        real.push(distance.real_trials(
            set,
            snapshots,
            &mut Workbench::new(device, &settings.cache, progress),
        )?);
    }
    Ok(Some(distance.with_real(real, snapshots)?))
}

/// Trials whose decoded conditions the pictures of a distance are drawn from.
fn drawn_for_distance(split: &Split) -> &[usize] {
    if split.validation.is_empty() { &split.train } else { &split.validation }
}

/// What mappers in training decode at present from `trials`: `[trials, width]` for each head.
fn decoded_now(
    mappers: &CurrentMappers<'_>,
    prepared: &PreparedSubject,
    trials: &[usize],
    seed: u64,
) -> anyhow::Result<Vec<Array2<f32>>> {
    let mut heads = [vec![], vec![]];
    for rows in trials.chunks(DECODED_TRIALS) {
        let positions: Vec<u64> = rows.iter().map(|trial| *trial as u64).collect();
        let decoded = mappers.heads(&finite_betas(prepared, rows)?, seed, &positions);
        for (parts, part) in heads.iter_mut().zip(decoded) {
            parts.push(host(part)?);
        }
    }
    heads.iter().map(|parts| stacked(parts)).collect()
}

fn sample_sheet(
    settings: &FinetuneGanSettings,
    gan: &StartingGan,
    mappers: &DecodingMappers<'_>,
    prepared: &PreparedSubject,
    trials: &[usize],
    stimuli: &Path,
    progress: &mut dyn Progress,
) -> anyhow::Result<SampleSheet> {
    let config = &settings.finetune_gan;
    let stimuli = Stimuli::open(stimuli)?;
    let ground_truth = trials
        .iter()
        .map(|trial| {
            let image = stimuli.image(prepared.trials()[*trial].nsd_id)?;
            Ok(gan_picture(&image, gan.generator.resolution))
        })
        .collect::<anyhow::Result<_>>()?;
    let (first, second) =
        mappers.conditions(prepared, trials, config.condition, config.train.seed, progress)?;
    let tensor = |rows: Array2<f32>| {
        let (count, width) = rows.dim();
        let values: Vec<f32> = rows.iter().copied().collect();
        Tensor::from_data(burn::tensor::TensorData::new(values, [count, width]), mappers.device)
    };
    let heads = [tensor(first), tensor(second)];
    let count = gan.generator.condition_dims().len();
    Ok(SampleSheet {
        ground_truth,
        condition: Condition { heads: heads.into_iter().take(count).collect() },
        z_dim: gan.generator.z_dim,
        seed: config.train.seed,
    })
}

#[cfg(test)]
pub(crate) mod tests;
