//! `mindreader reconstruct`: betas → mappers → generator → one picture per trial, condition and z.

mod grid;

use std::path::{Path, PathBuf};

use image::RgbImage;
use ndarray::{Array2, Axis};
use serde::{Deserialize, Serialize};
use serde_json::json;

pub use self::grid::GridLayout;
use self::grid::ShownTrial;
use crate::data::error::DataError;
use crate::data::image::resize::{Filter, resize_pil};
use crate::data::nsd::stimuli::Stimuli;
use crate::data::nsd::tree::NsdTree;
use crate::data::prepared::PreparedSubject;
use crate::data::split::SplitConfig;
use crate::error::{Context, SettingError, in_range};
use crate::files::write_atomic;
use crate::models::condition_source::ConditionSource;
use crate::pipelines::brain_decoder::{BrainDecoder, DecoderPaths, DrawOptions, PixelNoise};
use crate::pipelines::project::Project;
use crate::pipelines::trial_choice::{ChosenTrial, Repeats, TrialChoice, choose_trials};
use crate::report::image_grid::contact_sheet;
use crate::run::device::{self, DeviceChoice};
use crate::run::error::RunError;
use crate::run::precision::Precision;
use crate::run::progress::Progress;
use crate::run::run_dir::RunDir;

/// Which trials, how many pictures, how drawn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReconstructConfig {
    /// Which trials.
    pub trials: TrialChoice,
    /// One picture per presentation, or one per image from the mean of its presentations.
    pub repeats: Repeats,
    /// At most this many trials or images, evenly spread; 0 means all.
    pub limit: usize,
    /// Pictures per trial, each from another z.
    pub samples: usize,
    /// Which embeddings steer the generator.
    pub condition: ConditionSource,
    /// Several of them, one after the other with the same z, in place of `condition`.
    pub conditions: Vec<ConditionSource>,
    /// Pull of w towards its mean; 1 is none.
    pub truncation_psi: f64,
    /// Per-pixel noise.
    pub noise: PixelNoise,
    /// Trials per step.
    pub batch: usize,
    /// What the columns of the grid are.
    pub grid: GridLayout,
    /// Side of the pictures in the grid, in pixels; 0 means the generator's.
    pub grid_side: u32,
}

impl Default for ReconstructConfig {
    fn default() -> Self {
        Self {
            trials: TrialChoice::Validation,
            repeats: Repeats::Single,
            limit: 0,
            samples: 1,
            condition: ConditionSource::Both,
            conditions: vec![],
            truncation_psi: 1.0,
            noise: PixelNoise::Constant,
            batch: 16,
            grid: GridLayout::Trials,
            grid_side: 0,
        }
    }
}

impl ReconstructConfig {
    /// The conditions that pictures are drawn with, in their order.
    pub fn all_conditions(&self) -> Vec<ConditionSource> {
        if self.conditions.is_empty() { vec![self.condition] } else { self.conditions.clone() }
    }

    /// Refuses settings that contradict each other or are out of range.
    ///
    /// # Errors
    /// [`SettingError`] that names the key.
    pub fn validate(&self) -> Result<(), SettingError> {
        let wrong = |field, expected, found: String| {
            Err(SettingError::new(field, expected, found).within("reconstruct"))
        };
        let conditions = self.all_conditions();
        if let Some(twice) = (1..conditions.len()).find(|at| conditions[..*at].contains(&conditions[*at])) {
            return wrong("conditions", "each once", format!("{:?} twice", conditions[twice]));
        }
        if self.grid == GridLayout::Repeats && self.repeats != Repeats::Single {
            let expected = "`single` for a grid of repeats, whose columns are single presentations";
            return wrong("repeats", expected, format!("{:?}", self.repeats));
        }
        in_range("truncation_psi", self.truncation_psi, ..).map_err(|error| error.within("reconstruct"))
    }
}

/// Everything that a run needs.
#[derive(Clone, Debug, Serialize)]
pub struct ReconstructSettings {
    /// Prepared subject.
    pub prepared: PathBuf,
    /// `nsd_stimuli.hdf5`, for the ground truth.
    pub stimuli: PathBuf,
    /// The networks.
    pub networks: DecoderPaths,
    /// Which trials belong to training and validation.
    pub split: SplitConfig,
    /// Which trials, how many pictures, how drawn.
    pub reconstruct: ReconstructConfig,
    /// Decides z and noise.
    pub seed: u64,
    /// Where to compute.
    pub device: DeviceChoice,
    /// Number format of the networks.
    pub precision: Precision,
    /// Folder of the runs.
    pub runs: PathBuf,
}

impl ReconstructSettings {
    /// Settings of the command in a project.
    ///
    /// # Errors
    /// When the NSD root is not set or a network is missing.
    pub fn resolve(project: &Project, reconstruct: &ReconstructConfig) -> Result<Self, RunError> {
        Ok(Self {
            prepared: project.prepared(),
            stimuli: NsdTree::new(project.nsd()?).stimuli(),
            networks: project.networks(reconstruct.condition.second_target())?,
            split: project.split.clone(),
            reconstruct: reconstruct.clone(),
            seed: project.seed,
            device: project.device,
            precision: project.precision,
            runs: project.runs(),
        })
    }
}

/// One line of `manifest.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ManifestEntry {
    /// File inside the run folder.
    pub file: String,
    /// 0-based trials whose betas were used: one, or all presentations of the image.
    pub trials: Vec<usize>,
    /// 0-based NSD image.
    pub nsd_id: u32,
    /// How often the subject had seen the image before, for each of those trials.
    #[serde(default)]
    pub repetitions: Vec<u8>,
    /// Which embeddings steered the generator; unknown in manifests of older versions.
    #[serde(default)]
    pub condition: Option<ConditionSource>,
    /// Number of the z, from 0.
    pub sample: usize,
    /// Place in the random stream that z and noise come from, beside the seed.
    #[serde(default)]
    pub position: u64,
    /// Ground truth inside the run folder.
    pub ground_truth: String,
}

/// What was drawn.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReconstructSummary {
    /// The run's folder.
    pub run: PathBuf,
    /// Pictures written.
    pub num_images: usize,
    /// Trials or averaged images decoded.
    pub num_trials: usize,
    /// Side of the pictures in pixels.
    pub resolution: usize,
    /// The grid beside the ground truth.
    pub grid: PathBuf,
    /// The manifest.
    pub manifest: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// When an input is missing or does not fit, or the run folder cannot be written.
pub fn run(
    settings: &ReconstructSettings,
    progress: &mut dyn Progress,
) -> crate::error::Result<ReconstructSummary> {
    let config = &settings.reconstruct;
    config.validate()?;
    let (device, device_name) = device::open(settings.device)?;
    settings.precision.check(&device, &device_name)?;
    let prepared = PreparedSubject::open(&settings.prepared)?;
    let stimuli = Stimuli::open(&settings.stimuli)?;
    let decoder = BrainDecoder::open(&settings.networks, &device)?.with_precision(settings.precision);
    decoder.check_input(&prepared)?;
    for condition in config.all_conditions() {
        decoder.check_source(condition, &settings.networks.second_mapper)?;
    }
    let chosen = chosen_trials(settings, &prepared)?;

    let run = RunDir::create(&settings.runs, &format!("reconstruct-{}", prepared.subject()))?;
    run.write_atomic("config.toml", toml::to_string(settings)?.as_bytes())?;
    let conditions = config.all_conditions();
    let samples = config.samples.max(1);
    let shown = config.grid.shown(&chosen);
    let mut manifest = Vec::new();
    let mut grid: Vec<ShownTrial> = Vec::new();
    progress.start("reconstruct", chosen.len() as u64);
    let mut done = 0;
    for trials in chosen.chunks(config.batch.max(1)) {
        let embeddings = decoder.embed(&betas_of(&prepared, trials)?);
        let mut drawn = Vec::with_capacity(conditions.len() * samples);
        for (condition, sample) in lines(&conditions, samples) {
            let options = DrawOptions {
                source: condition,
                truncation_psi: config.truncation_psi,
                noise: config.noise,
                seed: settings.seed,
            };
            let positions: Vec<u64> = trials.iter().map(|trial| trial.position(samples, sample)).collect();
            drawn.push(decoder.draw(&embeddings, &positions, &options));
        }
        for (row, trial) in trials.iter().enumerate() {
            let truth =
                resize_pil(&stimuli.image(trial.nsd_id)?, side(&decoder), side(&decoder), Filter::Bicubic);
            let ground_truth = format!("images/nsd{:05}-truth.png", trial.nsd_id.0);
            write_png(&run, &ground_truth, &truth)?;
            for ((condition, sample), pictures) in lines(&conditions, samples).zip(&drawn) {
                let name = if conditions.len() > 1 { format!("-{condition}") } else { String::new() };
                let file = format!("images/{}{name}-z{sample}.png", trial.label());
                write_png(&run, &file, &pictures[row])?;
                manifest.push(ManifestEntry {
                    file,
                    trials: trial.trials.clone(),
                    nsd_id: trial.nsd_id.0,
                    repetitions: trial.trials.iter().map(|t| prepared.trials()[*t].repetition).collect(),
                    condition: Some(condition),
                    sample,
                    position: trial.position(samples, sample),
                    ground_truth: ground_truth.clone(),
                });
            }
            if shown[done + row] {
                let drawn = drawn.iter().map(|pictures| pictures[row].clone()).collect();
                grid.push(ShownTrial { nsd_id: trial.nsd_id.0, truth, drawn });
            }
        }
        done += trials.len();
        progress.advance(done as u64, "");
    }
    write_png(&run, "grid.png", &contact_sheet(&config.grid.rows(&grid, config.grid_side), 2))?;
    let manifest_path = run.write_atomic(
        "manifest.json",
        serde_json::to_string_pretty(&json!({
            "subject": prepared.subject().to_string(),
            "seed": settings.seed,
            "settings": config,
            "split": settings.split,
            "precision": settings.precision,
            "device": device_name,
            "resolution": decoder.resolution(),
            "weights_sha256": decoder.hashes(),
            "program": concat!("mindreader ", env!("CARGO_PKG_VERSION")),
            "images": manifest,
        }))?
        .as_bytes(),
    )?;
    progress.finish(&format!("{} images", manifest.len()));
    Ok(ReconstructSummary {
        run: run.path().to_path_buf(),
        num_images: manifest.len(),
        num_trials: chosen.len(),
        resolution: decoder.resolution(),
        grid: run.join("grid.png"),
        manifest: manifest_path,
    })
}

/// The trials to decode; for a grid of repeats every presentation of the images, and the limit counts images.
fn chosen_trials(
    settings: &ReconstructSettings,
    prepared: &PreparedSubject,
) -> Result<Vec<ChosenTrial>, DataError> {
    let config = &settings.reconstruct;
    let choose = |repeats| choose_trials(prepared, &settings.split, config.trials, repeats, config.limit);
    if config.grid == GridLayout::Trials {
        return choose(config.repeats);
    }
    let images = choose(Repeats::Average)?;
    let single = |image: ChosenTrial| {
        image.trials.into_iter().map(move |trial| ChosenTrial { trials: vec![trial], nsd_id: image.nsd_id })
    };
    Ok(images.into_iter().flat_map(single).collect())
}

/// Every condition with every z, in the order in which they are drawn and shown.
fn lines(
    conditions: &[ConditionSource],
    samples: usize,
) -> impl Iterator<Item = (ConditionSource, usize)> + use<'_> {
    conditions.iter().flat_map(move |condition| (0..samples).map(move |sample| (*condition, sample)))
}

/// Betas of the chosen trials, presentations averaged where a choice holds several.
///
/// # Errors
/// When the prepared file cannot be read or holds a number that is not finite.
pub fn betas_of(prepared: &PreparedSubject, chosen: &[ChosenTrial]) -> crate::error::Result<Array2<f32>> {
    let mut rows = Array2::zeros((chosen.len(), prepared.num_voxels()));
    for (mut row, trial) in rows.rows_mut().into_iter().zip(chosen) {
        // Only these rows are read: a subject's betas can be larger than memory.
        let betas = prepared.betas_of(&trial.trials)?;
        row.assign(&betas.mean_axis(Axis(0)).context("a choice without trials")?);
    }
    Ok(rows)
}

fn side(decoder: &BrainDecoder) -> u32 {
    decoder.resolution() as u32
}

/// Writes a picture into the run folder in one step.
///
/// # Errors
/// When the file cannot be written.
pub fn write_png(run: &RunDir, name: &str, image: &RgbImage) -> crate::error::Result<()> {
    let mut png = std::io::Cursor::new(Vec::new());
    image.write_to(&mut png, image::ImageFormat::Png)?;
    write_atomic(&Path::new(run.path()).join(name), png.get_ref())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_contradict_each_other_are_named() {
        let error = |config: ReconstructConfig| config.validate().unwrap_err().to_string();
        let (image, both) = (ConditionSource::Image, ConditionSource::Both);
        let twice = ReconstructConfig { conditions: vec![image, both, image], ..Default::default() };
        assert!(error(twice).contains("`conditions`"));
        let averaged =
            ReconstructConfig { grid: GridLayout::Repeats, repeats: Repeats::Average, ..Default::default() };
        assert!(error(averaged).contains("`repeats`"));
        let psi = ReconstructConfig { truncation_psi: f64::NAN, ..Default::default() };
        assert!(error(psi).contains("`truncation_psi`"));
    }

    #[test]
    fn every_condition_is_drawn_with_every_z() {
        let (image, both) = (ConditionSource::Image, ConditionSource::Both);
        let drawn: Vec<_> = lines(&[both, image], 2).collect();
        assert_eq!(drawn, [(both, 0), (both, 1), (image, 0), (image, 1)]);
        let config = ReconstructConfig { condition: image, ..Default::default() };
        assert_eq!(config.all_conditions(), [image]);
        let config = ReconstructConfig { conditions: vec![both, image], ..config };
        assert_eq!(config.all_conditions(), [both, image]);
    }
}
