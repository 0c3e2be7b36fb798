//! `mindreader reconstruct`: betas → mappers → generator → one picture per trial and z.

use std::path::{Path, PathBuf};

use anyhow::Context;
use image::RgbImage;
use ndarray::{Array2, Axis};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::commands::trial_choice::{ChosenTrial, Repeats, TrialChoice, choose_trials};
use crate::data::error::DataError;
use crate::data::image::resize::{Filter, resize_pil};
use crate::data::nsd::stimuli::Stimuli;
use crate::data::prepared::PreparedSubject;
use crate::data::split::SplitConfig;
use crate::models::condition_source::ConditionSource;
use crate::pipelines::brain_decoder::{BrainDecoder, DrawOptions, PixelNoise};
use crate::report::image_grid::contact_sheet;
use crate::run::device::{self, DeviceChoice};
use crate::run::precision::Precision;
use crate::run::progress::Progress;
use crate::run::run_dir::{RunDir, write_atomic};

/// The three snapshots that decode.
#[derive(Clone, Debug, Serialize)]
pub struct DecoderPaths {
    /// Image mapper.
    pub image_mapper: PathBuf,
    /// Caption mapper, or the ResNet mapper of [`ConditionSource::ImageResnet`].
    pub caption_mapper: PathBuf,
    /// Generator.
    pub generator: PathBuf,
}

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
    /// Pull of w towards its mean; 1 is none.
    pub truncation_psi: f64,
    /// Per-pixel noise.
    pub noise: PixelNoise,
    /// Trials per step.
    pub batch: usize,
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
            truncation_psi: 1.0,
            noise: PixelNoise::Constant,
            batch: 16,
            grid_side: 0,
        }
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

/// One line of `manifest.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ManifestEntry {
    /// File inside the run folder.
    pub file: String,
    /// 0-based trials whose betas were used: one, or all presentations of the image.
    pub trials: Vec<usize>,
    /// 0-based NSD image.
    pub nsd_id: u32,
    /// Number of the z, from 0.
    pub sample: usize,
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

/// Pictures of a row of the grid: ground truth first.
const GRID_ROWS: usize = 12;

/// Runs the command.
///
/// # Errors
/// When an input is missing or does not fit, or the run folder cannot be written.
pub fn run(
    settings: &ReconstructSettings,
    progress: &mut dyn Progress,
) -> anyhow::Result<ReconstructSummary> {
    let config = &settings.reconstruct;
    let (device, device_name) = device::open(settings.device)?;
    settings.precision.check(&device, &device_name)?;
    let prepared = PreparedSubject::open(&settings.prepared)?;
    let stimuli = Stimuli::open(&settings.stimuli)?;
    let networks = &settings.networks;
    let decoder =
        BrainDecoder::open(&networks.image_mapper, &networks.caption_mapper, &networks.generator, &device)?;
    let decoder = decoder.with_precision(settings.precision);
    decoder.check_input(&prepared)?;
    decoder.check_source(config.condition, &networks.caption_mapper)?;
    let chosen = choose_trials(&prepared, &settings.split, config.trials, config.repeats, config.limit)?;
    let betas = betas_of(&prepared, &chosen)?;

    let run = RunDir::create(&settings.runs, &format!("reconstruct-{}", prepared.subject()))?;
    run.write_atomic("config.toml", toml::to_string(settings)?.as_bytes())?;
    let options = DrawOptions {
        source: config.condition,
        truncation_psi: config.truncation_psi,
        noise: config.noise,
        seed: settings.seed,
    };
    let samples = config.samples.max(1);
    let mut manifest = Vec::new();
    let mut grid: Vec<Vec<RgbImage>> = Vec::new();
    progress.start("reconstruct", chosen.len() as u64);
    for (batch, trials) in chosen.chunks(config.batch.max(1)).enumerate() {
        let first = batch * config.batch.max(1);
        let rows: Vec<usize> = (first..first + trials.len()).collect();
        let embeddings = decoder.embed(&betas.select(Axis(0), &rows));
        let mut drawn = Vec::with_capacity(samples);
        for sample in 0..samples {
            let positions: Vec<u64> = trials.iter().map(|trial| trial.position(samples, sample)).collect();
            drawn.push(decoder.draw(&embeddings, &positions, &options));
        }
        for (row, trial) in trials.iter().enumerate() {
            let truth =
                resize_pil(&stimuli.image(trial.nsd_id)?, side(&decoder), side(&decoder), Filter::Bicubic);
            let ground_truth = format!("images/nsd{:05}-truth.png", trial.nsd_id.0);
            write_png(&run, &ground_truth, &truth)?;
            let mut grid_row = vec![truth];
            for (sample, pictures) in drawn.iter().enumerate() {
                let file = format!("images/{}-z{sample}.png", trial.label());
                write_png(&run, &file, &pictures[row])?;
                grid_row.push(pictures[row].clone());
                manifest.push(ManifestEntry {
                    file,
                    trials: trial.trials.clone(),
                    nsd_id: trial.nsd_id.0,
                    sample,
                    ground_truth: ground_truth.clone(),
                });
            }
            grid.push(grid_row);
        }
        progress.advance((first + trials.len()) as u64, "");
    }
    let grid_path = run.join("grid.png");
    let grid = thinned(grid, GRID_ROWS);
    let grid: Vec<Vec<RgbImage>> = (0..samples + 1)
        .map(|line| grid.iter().map(|row| enlarged(&row[line], config.grid_side)).collect())
        .collect();
    write_png(&run, "grid.png", &contact_sheet(&grid, 2))?;
    let manifest_path = run.write_atomic(
        "manifest.json",
        serde_json::to_string_pretty(&json!({
            "subject": prepared.subject().to_string(),
            "seed": settings.seed,
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
        grid: grid_path,
        manifest: manifest_path,
    })
}

/// Betas of the chosen trials, presentations averaged where a choice holds several.
///
/// # Errors
/// When the prepared file cannot be read or holds a number that is not finite.
pub fn betas_of(prepared: &PreparedSubject, chosen: &[ChosenTrial]) -> anyhow::Result<Array2<f32>> {
    let mut rows = Array2::zeros((chosen.len(), prepared.num_voxels()));
    for (mut row, trial) in rows.rows_mut().into_iter().zip(chosen) {
        // Only these rows are read: a subject's betas can be larger than memory.
        let betas = prepared.betas_of(&trial.trials)?;
        if let Some(((place, voxel), value)) = betas.indexed_iter().find(|(_, value)| !value.is_finite()) {
            let field = format!("betas of trial {}, voxel {voxel}", trial.trials[place]);
            return Err(DataError::invalid(prepared.path(), field, "a finite number", value).into());
        }
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
pub fn write_png(run: &RunDir, name: &str, image: &RgbImage) -> anyhow::Result<()> {
    let mut png = std::io::Cursor::new(Vec::new());
    image.write_to(&mut png, image::ImageFormat::Png)?;
    write_atomic(&Path::new(run.path()).join(name), png.get_ref())?;
    Ok(())
}

/// At most `count` items, evenly spread.
fn thinned<T>(items: Vec<T>, count: usize) -> Vec<T> {
    let step = items.len().div_ceil(count.max(1)).max(1);
    items.into_iter().step_by(step).collect()
}

/// Nearest-neighbour enlargement, so that small pictures can be looked at; 0 keeps the size.
fn enlarged(image: &RgbImage, side: u32) -> RgbImage {
    match side {
        0 => image.clone(),
        side => image::imageops::resize(image, side, side, image::imageops::FilterType::Nearest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thinning_spreads_evenly() {
        assert_eq!(thinned((0..10).collect(), 5), [0, 2, 4, 6, 8]);
        assert_eq!(thinned(vec![1], 5), [1]);
    }
}
