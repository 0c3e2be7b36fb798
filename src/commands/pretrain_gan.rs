//! `mindreader pretrain-gan`: stimuli and their CLIP embeddings → conditional generator and discriminator, without brains.
//!
//! gan-training.md 2 and 10. With one head the training is language-free: the condition is the image's own embedding
//! under strong noise. With two heads the second condition is a vetted caption's embedding.

use std::path::{Path, PathBuf};

use ndarray::Array2;
use rand::RngExt;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::mapper_embeddings::read_vetted_captions;
use super::pretrain_clip::ImageChoice;
use crate::data::error::DataError;
use crate::data::nsd::stimuli::Stimuli;
use crate::data::nsd::tree::NsdTree;
use crate::data::prepared::PreparedSubject;
use crate::data::split::SplitConfig;
use crate::data::trial::NsdId;
use crate::models::stylegan2::{ConditionHeads, DiscriminatorConfig, GeneratorConfig};
use crate::pipelines::captioned_stimuli::distinct_images;
use crate::pipelines::clip_snapshot::ClipSnapshot;
use crate::pipelines::gan_images::{SampleGrid, pixels_chw, stimuli_at};
use crate::pipelines::image_embeddings::{unit_caption_embeddings, unit_image_embeddings};
use crate::run::device::{self, DeviceChoice};
use crate::run::error::RunError;
use crate::run::interrupt;
use crate::run::progress::Progress;
use crate::run::run_dir::RunDir;
use crate::tensor_ops::random::keyed_rng;
use crate::training::gan_config::GanTrainConfig;
use crate::training::gan_dataset::GanDataset;
use crate::training::gan_trainer::{GanTrainSummary, GanTraining, StartingPoint, Tick};
use crate::training::image_view::FrozenClip;

/// Networks, images, training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PretrainGanConfig {
    /// Which of the subject's images.
    pub images: ImageChoice,
    /// Condition heads of both networks: one (finetuning copies it into a second), or two from the start.
    pub heads: ConditionHeads,
    /// Chance ρ, per sample, that the first condition is a pseudo one made of the image's own embedding; 1 is
    /// language-free training (gan-training.md 2). Takes the place of `train.condition_noise.mixing_probability`.
    pub language_free_share: f64,
    /// Generator; heads and widths of conditions follow `heads` and CLIP.
    pub generator: GeneratorConfig,
    /// Discriminator; heads, resolution and widths follow the generator and CLIP.
    pub discriminator: DiscriminatorConfig,
    /// Losses, phases, optimisers, length.
    pub train: GanTrainConfig,
    /// Pictures in the sample grid.
    pub samples: usize,
}

impl Default for PretrainGanConfig {
    fn default() -> Self {
        Self {
            images: ImageChoice::Train,
            heads: ConditionHeads::One,
            language_free_share: 1.0,
            generator: GeneratorConfig::default(),
            discriminator: DiscriminatorConfig::default(),
            train: GanTrainConfig::default(),
            samples: 32,
        }
    }
}

impl PretrainGanConfig {
    /// The networks with everything that follows from elsewhere filled in.
    fn networks(&self, embed_dim: usize) -> (GeneratorConfig, DiscriminatorConfig) {
        let generator = GeneratorConfig {
            heads: self.heads,
            condition_dim: embed_dim,
            second_condition_dim: embed_dim,
            ..self.generator.clone()
        };
        let discriminator = DiscriminatorConfig {
            heads: self.heads,
            condition_dim: embed_dim,
            second_condition_dim: embed_dim,
            resolution: generator.resolution,
            image_channels: generator.image_channels,
            ..self.discriminator.clone()
        };
        (generator, discriminator)
    }

    /// The training with the share of pseudo conditions filled in.
    fn training(&self) -> GanTrainConfig {
        let mut train = self.train.clone();
        train.condition_noise.mixing_probability = self.language_free_share;
        train
    }
}

/// Everything that a run needs.
#[derive(Clone, Debug, Serialize)]
pub struct PretrainGanSettings {
    /// Root of the NSD tree, for the stimuli.
    pub nsd: PathBuf,
    /// Prepared subject: which images were seen.
    pub prepared: PathBuf,
    /// CLIP snapshot.
    pub clip: PathBuf,
    /// Vetted captions; read for two heads only.
    pub captions: PathBuf,
    /// Which trials belong to training and validation.
    pub split: SplitConfig,
    /// Networks, images, training.
    pub pretrain_gan: PretrainGanConfig,
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

/// What came out.
#[derive(Clone, Debug, Serialize)]
pub struct GanSummary {
    /// The run's folder.
    pub run: PathBuf,
    /// Images trained on, repeats counted.
    pub num_images: usize,
    /// Side of the pictures in pixels.
    pub resolution: usize,
    /// Steps, images seen, last statistics, snapshots.
    pub training: GanTrainSummary,
    /// The last sample grid.
    pub samples: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// When an input is missing or does not fit, a setting is out of range, training diverges or is interrupted.
pub fn run(settings: &PretrainGanSettings, progress: &mut dyn Progress) -> anyhow::Result<GanSummary> {
    let config = &settings.pretrain_gan;
    let (device, _) = device::open(settings.device)?;
    let prepared = PreparedSubject::open(&settings.prepared)?;
    let trials = match config.images {
        ImageChoice::All => (0..prepared.num_trials()).collect(),
        ImageChoice::Train => settings.split.split(&prepared)?.train,
    };
    let images = distinct_images(trials.iter().map(|trial| prepared.trials()[*trial]));
    let clip = ClipSnapshot::open(&settings.clip, &device)?;
    let (generator, discriminator) = config.networks(clip.config.embed_dim);
    generator.validate()?;

    let stimuli_path = NsdTree::new(&settings.nsd).stimuli();
    let embeddings =
        unit_image_embeddings(&clip, &stimuli_path, &images, &settings.cache, &device, progress)?;
    let captions = match generator.heads {
        ConditionHeads::TwoByMaximum => {
            let sentences = one_caption_each(&settings.captions, &images, config.train.seed)?;
            let sentences: Vec<&str> = sentences.iter().map(String::as_str).collect();
            Some(unit_caption_embeddings(&clip, &sentences, &settings.cache, &device, progress)?)
        }
        ConditionHeads::None | ConditionHeads::One => None,
    };
    progress.start("reading stimuli", images.len() as u64);
    let stimuli = Stimuli::open(&stimuli_path)?;
    let pictures =
        stimuli_at(&stimuli, &images, generator.resolution, &mut |done| progress.advance(done, ""))?;
    progress.finish("");

    let shown = spread(images.len(), config.samples);
    let conditions = conditions(generator.heads, &embeddings, captions.as_ref(), &shown);
    let truth = shown.iter().map(|row| pictures[*row].clone()).collect();
    let grid = SampleGrid::new(truth, &conditions, generator.z_dim, config.train.seed, &device);
    let all: Vec<usize> = (0..images.len()).collect();
    let data = GanDataset::new(
        generator.resolution,
        pixels_chw(&pictures, &all),
        embeddings.clone(),
        captions,
        embeddings,
    )?;
    let run = run_dir(
        settings.resume.as_deref(),
        &settings.runs,
        &format!("pretrain-gan-{}", prepared.subject()),
        settings,
    )?;
    let encoder = FrozenClip::new(clip.clip.clone(), clip.config.image_size, clip.config.embed_dim);
    let train = config.training();
    let training = GanTraining {
        generator: &generator,
        discriminator: &discriminator,
        config: &train,
        data: &data,
        encoder: Some(&encoder),
        start: &StartingPoint::Scratch,
        run: &run,
        provenance: &json!({"command": "pretrain-gan", "clip_sha256": clip.sha256, "num_images": images.len()}),
        device: &device,
        interrupted: &interrupt::requested,
    }
    .run(settings.resume.as_deref(), progress, &mut |tick| draw_samples(&run, &grid, tick))?;
    finish(&run, data.len(), generator.resolution, training)
}

/// The run's folder: a new one with its resolved settings, or the checkpoint's.
pub(super) fn run_dir(
    resume: Option<&Path>,
    runs: &Path,
    description: &str,
    settings: &impl Serialize,
) -> anyhow::Result<RunDir> {
    if let Some(checkpoint) = resume {
        return Ok(RunDir::of_checkpoint(checkpoint)?);
    }
    let run = RunDir::create(runs, description)?;
    run.write_atomic("config.toml", toml::to_string(settings)?.as_bytes())?;
    Ok(run)
}

/// Writes the grid of a report, and again under a fixed name.
pub(super) fn draw_samples(run: &RunDir, grid: &SampleGrid, tick: &Tick<'_>) -> Result<(), RunError> {
    let picture = grid.draw(tick.generator_ema);
    let mut png = std::io::Cursor::new(Vec::new());
    let name = format!("samples/images{:09}.png", tick.images_seen);
    picture
        .write_to(&mut png, image::ImageFormat::Png)
        .map_err(|error| RunError::unwritable(run.join(&name), error))?;
    run.write_atomic(&name, png.get_ref())?;
    run.write_atomic(SAMPLES_FILE, png.get_ref())?;
    Ok(())
}

const SAMPLES_FILE: &str = "samples.png";

/// The summary, written into the run folder too.
pub(super) fn finish(
    run: &RunDir,
    num_images: usize,
    resolution: usize,
    training: GanTrainSummary,
) -> anyhow::Result<GanSummary> {
    let summary = GanSummary {
        run: run.path().to_path_buf(),
        num_images,
        resolution,
        training,
        samples: run.join(SAMPLES_FILE),
    };
    run.write_atomic("summary.json", &serde_json::to_vec_pretty(&summary)?)?;
    Ok(summary)
}

/// `count` of `total` rows, evenly spread.
pub(super) fn spread(total: usize, count: usize) -> Vec<usize> {
    let count = count.clamp(1, total.max(1)).min(total);
    (0..count).map(|number| number * total / count).collect()
}

/// Condition rows per head for the sample grid.
fn conditions(
    heads: ConditionHeads,
    image: &Array2<f32>,
    caption: Option<&Array2<f32>>,
    rows: &[usize],
) -> Vec<Array2<f32>> {
    let select = |embeddings: &Array2<f32>| embeddings.select(ndarray::Axis(0), rows);
    match heads {
        ConditionHeads::None => vec![],
        ConditionHeads::One => vec![select(image)],
        ConditionHeads::TwoByMaximum => {
            std::iter::once(select(image)).chain(caption.map(select)).collect()
        }
    }
}

/// One vetted caption per image, drawn once.
fn one_caption_each(path: &Path, images: &[NsdId], seed: u64) -> Result<Vec<String>, DataError> {
    let vetted = read_vetted_captions(path)?;
    images
        .iter()
        .map(|image| {
            let captions = vetted.get(image).map_or(&[][..], Vec::as_slice);
            let mut rng = keyed_rng(seed, "gan caption", u64::from(image.0));
            match captions.len() {
                0 => {
                    let field = format!("captions of image {}", image.0);
                    Err(DataError::invalid(path, field, "at least one", 0))
                }
                count => Ok(captions[rng.random_range(0..count)].clone()),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_spread_and_never_beyond_the_end() {
        assert_eq!(spread(10, 5), [0, 2, 4, 6, 8]);
        assert_eq!(spread(2, 5), [0, 1]);
        assert_eq!(spread(0, 5), Vec::<usize>::new());
    }
}
