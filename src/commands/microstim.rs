//! `mindreader microstim`: drives or silences a region and shows what changes in the decoded picture and embedding.
//!
//! Section 3.3 and appendix A.5 of the paper; docs/spec/mapper.md §11. Every trial is decoded twice with the same z, before and after.

use std::path::PathBuf;

use burn::tensor::Tensor;
use image::RgbImage;
use ndarray::Array2;
use serde::{Deserialize, Serialize};

use crate::data::error::DataError;
use crate::data::image::resize::{Filter, resize_pil};
use crate::data::nsd::stimuli::Stimuli;
use crate::data::nsd::tree::NsdTree;
use crate::data::prepared::PreparedSubject;
use crate::data::split::SplitConfig;
use crate::error::Result;
use crate::metrics::bootstrap::{BootstrapConfig, Interval, mean_interval};
use crate::models::condition_source::ConditionSource;
use crate::models::mapper::MapperTarget;
use crate::pipelines::brain_decoder::{
    BrainDecoder, DecodedEmbeddings, DecoderPaths, DrawOptions, PixelNoise,
};
use crate::pipelines::caption_probe::CaptionProbe;
use crate::pipelines::project::Project;
use crate::pipelines::stimulation::{EXCITED_BETA, Stimulation, stimulated};
use crate::pipelines::trial_choice::{ChosenTrial, Repeats, TrialChoice, betas_of, choose_trials};
use crate::report::image_grid::contact_sheet;
use crate::run::device::{self, DeviceChoice};
use crate::run::error::RunError;
use crate::run::precision::Precision;
use crate::run::progress::Progress;
use crate::run::run_dir::RunDir;
use crate::tensor_ops::backend::Base;

/// What is stimulated, how, and on which trials.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MicrostimConfig {
    /// Region: a file (`floc-faces`), a label (`FFA-1`, `V1`), one hemisphere (`lh.floc-faces`), or `streams:early`;
    /// several joined by `+`.
    pub roi: String,
    /// Whether the region is driven or silenced.
    pub action: Stimulation,
    /// Value of driven voxels in standard deviations (the paper: 10).
    pub excited_beta: f32,
    /// Trials: validation images, presentations averaged; at most this many.
    pub limit: usize,
    /// Sentences whose similarity to the decoded embeddings is compared before and after.
    pub probes: Vec<String>,
}

impl Default for MicrostimConfig {
    fn default() -> Self {
        Self {
            roi: "floc-faces".into(),
            action: Stimulation::Excite,
            excited_beta: EXCITED_BETA,
            limit: 8,
            probes: ["a person", "a dog", "a car on a road", "a sign with letters", "green grass", "the sea"]
                .map(String::from)
                .to_vec(),
        }
    }
}

/// Everything that a run needs.
#[derive(Clone, Debug, Serialize)]
pub struct MicrostimSettings {
    /// Prepared subject whose betas are changed.
    pub prepared: PathBuf,
    /// `nsd_stimuli.hdf5`, for the ground truth.
    pub stimuli: PathBuf,
    /// Snapshots of both mappers and the generator.
    pub networks: DecoderPaths,
    /// CLIP, for the probe sentences.
    pub clip: PathBuf,
    /// Which trials belong to training and validation.
    pub split: SplitConfig,
    /// Region, action, trials and sentences.
    pub microstim: MicrostimConfig,
    /// Decides z, the same before and after.
    pub seed: u64,
    /// Device of the networks.
    pub device: DeviceChoice,
    /// Number format of the networks.
    pub precision: Precision,
    /// Folder of the runs.
    pub runs: PathBuf,
}

impl MicrostimSettings {
    /// Settings of the command in a project.
    ///
    /// # Errors
    /// When the NSD root is not set or a network is missing.
    pub fn resolve(project: &Project, microstim: &MicrostimConfig) -> Result<Self, RunError> {
        Ok(Self {
            prepared: project.prepared(),
            stimuli: NsdTree::new(project.nsd()?).stimuli(),
            networks: project.networks(MapperTarget::Caption)?,
            clip: project.clip()?,
            split: project.split.clone(),
            microstim: microstim.clone(),
            seed: project.seed,
            device: project.device,
            precision: project.precision,
            runs: project.runs(),
        })
    }
}

/// Similarity of the decoded image embedding to a sentence, over trials.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ProbeChange {
    /// The sentence whose text embedding is compared.
    pub sentence: String,
    /// Mean cosine over trials before.
    pub before: f64,
    /// Mean cosine over trials after.
    pub after: f64,
    /// Standard deviation of the cosine over trials before (N − 1); unknown in runs of older versions.
    #[serde(default)]
    pub spread: Option<f64>,
    /// Mean change with its 95 % interval over trials.
    pub change: Interval,
}

/// `summary.json`: what changed when a region was driven or silenced.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MicrostimSummary {
    /// Folder of the run: `config.toml`, `summary.json`, `grid.png`, `images/`.
    pub run: PathBuf,
    /// Region as the settings name it.
    pub roi: String,
    /// What was done to it.
    pub action: Stimulation,
    /// Voxels of the region among the prepared ones.
    pub num_voxels: usize,
    /// Images decoded, each from the mean of its presentations.
    pub num_trials: usize,
    /// Mean cosine between the image embeddings before and after.
    pub image_embedding_cosine: f64,
    /// Mean cosine between the caption embeddings before and after.
    pub caption_embedding_cosine: f64,
    /// Change of similarity to each sentence, largest rise first.
    pub probes: Vec<ProbeChange>,
    /// Ground truth, before, after: one column per trial.
    pub grid: PathBuf,
}

/// Decodes trials before and after the change, and compares pictures and embeddings.
///
/// # Errors
/// When an input is missing or does not fit, the region is unknown or empty, or the run folder cannot be written.
pub fn run(settings: &MicrostimSettings, progress: &mut dyn Progress) -> Result<MicrostimSummary> {
    let config = &settings.microstim;
    let inputs = Inputs::open(settings)?;
    let Inputs { prepared, voxels, .. } = &inputs;
    let (trials, repeats) = (TrialChoice::Validation, Repeats::Average);
    let chosen = choose_trials(prepared, &settings.split, trials, repeats, config.limit)?;
    let betas = betas_of(prepared, &chosen)?;
    let run = run_dir(settings, prepared)?;
    progress.start(&format!("microstim {} ({})", config.roi, verb(config.action)), 2);
    let positions: Vec<u64> = chosen.iter().map(|trial| trial.position(1, 0)).collect();
    let before = inputs.decoded(&betas, &positions, settings.seed);
    progress.advance(1, "");
    let changed = stimulated(&betas, voxels, config.action.value(config.excited_beta));
    let after = inputs.decoded(&changed, &positions, settings.seed);
    progress.advance(2, "");

    inputs.write_pictures(&run, &chosen, before.pictures, after.pictures)?;
    let (before, after) = (before.embeddings, after.embeddings);
    let summary = MicrostimSummary {
        run: run.path().to_path_buf(),
        roi: config.roi.clone(),
        action: config.action,
        num_voxels: voxels.len(),
        num_trials: chosen.len(),
        probes: probe_changes(&inputs.probe, before.image.clone(), after.image.clone()),
        image_embedding_cosine: mean_cosine(before.image, after.image),
        caption_embedding_cosine: mean_cosine(before.second, after.second),
        grid: run.join("grid.png"),
    };
    run.write_atomic("summary.json", serde_json::to_string_pretty(&summary)?.as_bytes())?;
    progress.finish(&format!("{} voxels, {} trials", summary.num_voxels, summary.num_trials));
    Ok(summary)
}

/// What a run reads, checked.
struct Inputs {
    prepared: PreparedSubject,
    /// Columns of the betas that belong to the region.
    voxels: Vec<usize>,
    stimuli: Stimuli,
    decoder: BrainDecoder,
    probe: CaptionProbe,
}

/// What betas are decoded into.
struct Decoded {
    embeddings: DecodedEmbeddings,
    pictures: Vec<RgbImage>,
}

impl Inputs {
    fn open(settings: &MicrostimSettings) -> Result<Self> {
        let config = &settings.microstim;
        let (device, device_name) = device::open(settings.device)?;
        settings.precision.check(&device, &device_name)?;
        let prepared = PreparedSubject::open(&settings.prepared)?;
        let voxels = prepared.select(&config.roi)?;
        if voxels.is_empty() {
            let hint = "the region has no voxel in this subject's prepared file";
            return Err(DataError::empty(format!("region `{}`", config.roi), hint).into());
        }
        let stimuli = Stimuli::open(&settings.stimuli)?;
        let decoder = BrainDecoder::open(&settings.networks, &device)?.with_precision(settings.precision);
        decoder.check_input(&prepared)?;
        let probe = CaptionProbe::open(&settings.clip, &config.probes, &device)?;
        Ok(Self { prepared, voxels, stimuli, decoder, probe })
    }

    /// Embeddings and pictures of betas; the same positions give the same z.
    fn decoded(&self, betas: &Array2<f32>, positions: &[u64], seed: u64) -> Decoded {
        let options = DrawOptions {
            source: ConditionSource::Both,
            truncation_psi: 1.0,
            noise: PixelNoise::Constant,
            seed,
        };
        let embeddings = self.decoder.embed(betas);
        let pictures = self.decoder.draw(&embeddings, positions, &options);
        Decoded { embeddings, pictures }
    }

    /// Writes every picture by itself, and all in a grid: ground truth, before, after, one column per trial.
    fn write_pictures(
        &self,
        run: &RunDir,
        chosen: &[ChosenTrial],
        before: Vec<RgbImage>,
        after: Vec<RgbImage>,
    ) -> Result<()> {
        let side = self.decoder.resolution() as u32;
        let mut truths = Vec::with_capacity(chosen.len());
        for (number, trial) in chosen.iter().enumerate() {
            let truth = resize_pil(&self.stimuli.image(trial.nsd_id)?, side, side, Filter::Bicubic);
            let label = trial.label();
            run.write_png(&format!("images/{label}-truth.png"), &truth)?;
            run.write_png(&format!("images/{label}-before.png"), &before[number])?;
            run.write_png(&format!("images/{label}-after.png"), &after[number])?;
            truths.push(truth);
        }
        run.write_png("grid.png", &contact_sheet(&[truths, before, after], 2))?;
        Ok(())
    }
}

/// The run's new folder, named by region and action, with its settings.
fn run_dir(settings: &MicrostimSettings, prepared: &PreparedSubject) -> Result<RunDir> {
    let MicrostimConfig { roi, action, .. } = &settings.microstim;
    // Only what every file system takes.
    let region = roi.replace(|letter: char| !letter.is_ascii_alphanumeric() && !"-.".contains(letter), "-");
    let name = format!("microstim-{region}-{}-{}", verb(*action), prepared.subject());
    let run = RunDir::create(&settings.runs, &name)?;
    run.write_atomic("config.toml", toml::to_string(settings)?.as_bytes())?;
    Ok(run)
}

fn verb(action: Stimulation) -> &'static str {
    match action {
        Stimulation::Excite => "excite",
        Stimulation::Silence => "silence",
    }
}

/// Similarity to each sentence before and after, largest rise first.
fn probe_changes(probe: &CaptionProbe, before: Tensor<Base, 2>, after: Tensor<Base, 2>) -> Vec<ProbeChange> {
    let before = probe.similarities(before);
    let after = probe.similarities(after);
    let mut changes: Vec<ProbeChange> = probe
        .sentences()
        .iter()
        .enumerate()
        .filter_map(|(sentence, text)| {
            let column = |rows: &[Vec<f64>]| rows.iter().map(|row| row[sentence]).collect::<Vec<f64>>();
            let (before, after) = (column(&before), column(&after));
            let change: Vec<f64> = after.iter().zip(&before).map(|(after, before)| after - before).collect();
            let trials: Vec<u64> = (0..change.len() as u64).collect();
            let change = mean_interval(&change, &trials, &BootstrapConfig::default())?;
            let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
            Some(ProbeChange {
                sentence: text.clone(),
                before: mean(&before),
                after: mean(&after),
                spread: Some(deviation(&before)),
                change,
            })
        })
        .collect();
    changes.sort_by(|a, b| b.change.mean.total_cmp(&a.change.mean));
    changes
}

/// Standard deviation with N − 1; 0 for a single value.
fn deviation(values: &[f64]) -> f64 {
    let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (squares / values.len().saturating_sub(1).max(1) as f64).sqrt()
}

/// Mean cosine of rows of unit norm.
fn mean_cosine(a: Tensor<Base, 2>, b: Tensor<Base, 2>) -> f64 {
    let values: Vec<f32> = (a * b).sum_dim(1).into_data().iter::<f32>().collect();
    values.iter().copied().map(f64::from).sum::<f64>() / values.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deviation_by_hand() {
        assert!((deviation(&[1.0, 2.0, 3.0, 4.0]) - (5.0_f64 / 3.0).sqrt()).abs() < 1e-12);
        assert_eq!(deviation(&[7.0]), 0.0);
    }
}
