//! `mindreader finetune-gan`: the conditional GAN on embeddings decoded from betas (the paper's stage two).
//!
//! gan-training.md 1, 2, 9. Mappers stay frozen (the paper's best setting). A one-head start gets its second head as a
//! copy of the first.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use ndarray::{Array2, Axis};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::pretrain_gan::{GanSummary, draw_samples, finish, run_dir, spread};
use crate::data::error::DataError;
use crate::data::nsd::stimuli::Stimuli;
use crate::data::nsd::tree::NsdTree;
use crate::data::prepared::PreparedSubject;
use crate::data::split::SplitConfig;
use crate::data::targets::{DEFAULT_THRESHOLD, clamp_and_unit};
use crate::data::trial::NsdId;
use crate::models::stylegan2::{DiscriminatorConfig, GeneratorConfig};
use crate::pipelines::brain_decoder::LoadedMapper;
use crate::pipelines::captioned_stimuli::distinct_images;
use crate::pipelines::clip_snapshot::ClipSnapshot;
use crate::pipelines::gan_images::{SampleGrid, pixels_chw, stimuli_at};
use crate::pipelines::image_embeddings::unit_image_embeddings;
use crate::run::device::{self, DeviceChoice};
use crate::run::error::RunError;
use crate::run::interrupt;
use crate::run::progress::Progress;
use crate::run::snapshot::{DISCRIMINATOR_KIND, GENERATOR_KIND, Snapshot};
use crate::tensor_ops::backend::{Base, Device};
use crate::training::gan_config::GanTrainConfig;
use crate::training::gan_dataset::GanDataset;
use crate::training::gan_trainer::{
    DISCRIMINATOR_FILE, GENERATOR_FILE, GanTraining, StartingPoint,
};
use crate::training::image_view::FrozenClip;

/// Training of stage two. The networks are those of the start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FinetuneGanConfig {
    /// Losses, phases, optimisers, length.
    pub train: GanTrainConfig,
    /// Ramp-up of the average's half-life; none, since the start is trained already (OQ-49). Takes the place of
    /// `train.ema_rampup`.
    pub ema_rampup: f64,
    /// Held-out pictures in the sample grid.
    pub samples: usize,
}

impl Default for FinetuneGanConfig {
    fn default() -> Self {
        Self { train: GanTrainConfig::default(), ema_rampup: 0.0, samples: 32 }
    }
}

/// Everything that a run needs.
#[derive(Clone, Debug, Serialize)]
pub struct FinetuneGanSettings {
    /// Root of the NSD tree, for the stimuli.
    pub nsd: PathBuf,
    /// Prepared subject.
    pub prepared: PathBuf,
    /// CLIP snapshot.
    pub clip: PathBuf,
    /// Image mapper.
    pub image_mapper: PathBuf,
    /// Caption mapper.
    pub caption_mapper: PathBuf,
    /// Run folder with the generator and discriminator to start from.
    pub gan: PathBuf,
    /// Which trials belong to training and validation.
    pub split: SplitConfig,
    /// Training.
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

/// Runs the command.
///
/// # Errors
/// When an input is missing or does not fit, a setting is out of range, training diverges or is interrupted.
pub fn run(settings: &FinetuneGanSettings, progress: &mut dyn Progress) -> anyhow::Result<GanSummary> {
    let config = &settings.finetune_gan;
    let (device, _) = device::open(settings.device)?;
    let prepared = PreparedSubject::open(&settings.prepared)?;
    let split = settings.split.split(&prepared)?;
    if split.validation.is_empty() {
        let what = format!("the list of validation trials of `{}`", settings.prepared.display());
        return Err(DataError::empty(what, "choose another `split`").into());
    }
    let clip = ClipSnapshot::open(&settings.clip, &device)?;
    let start = Start::open(&settings.gan, &device)?;
    let resolution = start.generator.resolution;
    let embed = |path: &Path, trials: &[usize]| decoded(path, &prepared, trials, &start, &device);
    let shown: Vec<usize> =
        spread(split.validation.len(), config.samples).into_iter().map(|row| split.validation[row]).collect();
    let image_condition = embed(&settings.image_mapper, &split.train)?;
    let caption_condition = embed(&settings.caption_mapper, &split.train)?;
    let shown_conditions =
        [embed(&settings.image_mapper, &shown)?, embed(&settings.caption_mapper, &shown)?];

    let stimuli_path = NsdTree::new(&settings.nsd).stimuli();
    let stimuli = Stimuli::open(&stimuli_path)?;
    let image_of = |trial: &usize| prepared.trials()[*trial];
    let images = distinct_images(split.train.iter().map(image_of));
    let embeddings =
        unit_image_embeddings(&clip, &stimuli_path, &images, &settings.cache, &device, progress)?;
    progress.start("reading stimuli", images.len() as u64);
    let pictures = stimuli_at(&stimuli, &images, resolution, &mut |done| progress.advance(done, ""))?;
    progress.finish("");
    let row_of: HashMap<NsdId, usize> = images.iter().enumerate().map(|(row, image)| (*image, row)).collect();
    let rows: Vec<usize> = split.train.iter().map(|trial| row_of[&image_of(trial).nsd_id]).collect();

    let shown_images: Vec<NsdId> = shown.iter().map(|trial| image_of(trial).nsd_id).collect();
    let truth = stimuli_at(&stimuli, &shown_images, resolution, &mut |_| {})?;
    let grid =
        SampleGrid::new(truth, &shown_conditions, start.generator.z_dim, config.train.seed, &device);
    let data = GanDataset::new(
        resolution,
        pixels_chw(&pictures, &rows),
        image_condition,
        Some(caption_condition),
        embeddings.select(Axis(0), &rows),
    )?;
    let run = run_dir(
        settings.resume.as_deref(),
        &settings.runs,
        &format!("finetune-gan-{}", prepared.subject()),
        settings,
    )?;
    let encoder = FrozenClip::new(clip.clip.clone(), clip.config.image_size, clip.config.embed_dim);
    let train = GanTrainConfig { ema_rampup: config.ema_rampup, ..config.train.clone() };
    let training = GanTraining {
        generator: &start.generator,
        discriminator: &start.discriminator,
        config: &train,
        data: &data,
        encoder: Some(&encoder),
        start: &start.weights,
        run: &run,
        provenance: &json!({
            "command": "finetune-gan",
            "start_sha256": start.sha256,
            "clip_sha256": clip.sha256,
            "prepared": settings.prepared,
        }),
        device: &device,
        interrupted: &interrupt::requested,
    }
    .run(settings.resume.as_deref(), progress, &mut |tick| draw_samples(&run, &grid, tick))?;
    finish(&run, data.len(), resolution, training)
}

/// A two-head GAN to start from.
struct Start {
    generator: GeneratorConfig,
    discriminator: DiscriminatorConfig,
    weights: StartingPoint,
    sha256: [String; 2],
}

impl Start {
    fn open(run: &Path, device: &Device) -> Result<Self, RunError> {
        let path = run.join(GENERATOR_FILE);
        let generator_file = Snapshot::open(&path, GENERATOR_KIND)?;
        let generator: GeneratorConfig = generator_file.config()?;
        let misfit = |path: &Path, error: &dyn std::fmt::Display| {
            RunError::invalid(path, "config", "sizes that fit together", error)
        };
        let network = generator.init::<Base>(0, device).map_err(|error| misfit(&path, &error))?;
        let network = generator_file.load_into(network)?;
        let path = run.join(DISCRIMINATOR_FILE);
        let discriminator_file = Snapshot::open(&path, DISCRIMINATOR_KIND)?;
        let discriminator: DiscriminatorConfig = discriminator_file.config()?;
        let judge = discriminator.init::<Base>(0, device).map_err(|error| misfit(&path, &error))?;
        let judge = discriminator_file.load_into(judge)?;
        Ok(Self {
            generator: generator.with_duplicated_head(),
            discriminator: discriminator.with_duplicated_head(),
            weights: StartingPoint::Pretrained {
                generator: Box::new(network.with_duplicated_head()),
                discriminator: Box::new(judge.with_duplicated_head()),
            },
            sha256: [generator_file.sha256().into(), discriminator_file.sha256().into()],
        })
    }
}

/// Embeddings of trials by a mapper, clamped and of unit norm.
fn decoded(
    path: &Path,
    prepared: &PreparedSubject,
    trials: &[usize],
    start: &Start,
    device: &Device,
) -> anyhow::Result<Array2<f32>> {
    let mapper = LoadedMapper::open(path, device)?;
    mapper.check_input(prepared.path(), prepared.num_voxels())?;
    let width = mapper.snapshot.network.embed_dim;
    if width != start.generator.condition_dim {
        let expected = format!("{} as the generator takes", start.generator.condition_dim);
        return Err(RunError::invalid(path, "width of the embedding", expected, width).into());
    }
    let mut embeddings = Array2::zeros((trials.len(), width));
    for (block, trials) in trials.chunks(BATCH).enumerate() {
        let values = mapper.embed(&prepared.betas_of(trials)?, device).into_data();
        let rows = block * BATCH..block * BATCH + trials.len();
        let mut target = embeddings.slice_mut(ndarray::s![rows, ..]);
        for (cell, value) in target.iter_mut().zip(values.iter::<f32>()) {
            *cell = value;
        }
    }
    for mut row in embeddings.rows_mut() {
        if let Some(row) = row.as_slice_mut() {
            clamp_and_unit(row, DEFAULT_THRESHOLD);
        }
    }
    Ok(embeddings)
}

/// Trials decoded at a time.
const BATCH: usize = 64;
