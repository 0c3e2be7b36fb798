//! `mindreader microstim`: drives or silences a region and shows what changes in the decoded picture and embedding.
//!
//! Section 3.3 and appendix A.5 of the paper; docs/spec/mapper.md §11. Every trial is decoded twice with the same z, before and after.

mod embeddings;
mod probes;

use std::path::PathBuf;

use burn::tensor::Tensor;
use image::RgbImage;
use ndarray::Array2;
use serde::{Deserialize, Serialize};

use self::embeddings::write_embeddings;
pub use self::probes::ProbeChange;
use self::probes::probe_changes;
use crate::data::error::DataError;
use crate::data::image::resize::{Filter, resize_pil};
use crate::data::nsd::stimuli::Stimuli;
use crate::data::nsd::tree::NsdTree;
use crate::data::prepared::PreparedSubject;
use crate::data::split::SplitConfig;
use crate::error::{Result, SettingError, in_range, limits};
use crate::interrupt;
use crate::models::condition_source::ConditionSource;
use crate::pipelines::brain_decoder::{
    BrainDecoder, DecodedEmbeddings, DecoderPaths, DrawOptions, PixelNoise,
};
use crate::pipelines::caption_probe::CaptionProbe;
use crate::pipelines::generator_use::refuse_or_warn;
use crate::pipelines::project::Project;
use crate::pipelines::stimulation::{EXCITED_BETA, Stimulation, stimulated};
use crate::pipelines::trial_choice::{ChosenTrial, Repeats, TrialChoice, betas_of, choose_trials};
use crate::report::image_grid::contact_sheet;
use crate::run::device::{self, DeviceChoice};
use crate::run::error::RunError;
use crate::run::memory::WorkingMemory;
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
    /// Value of driven voxels in standard deviations, 0 to 1000 (the paper: 10).
    pub excited_beta: f32,
    /// Trials: validation images, presentations averaged; at most this many, up to 1e6; 0 means all.
    pub limit: usize,
    /// Sentences whose similarity to the decoded embeddings is compared before and after.
    pub probes: Vec<String>,
    /// Which embeddings steer the generator; those that it was trained on where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub condition: Option<ConditionSource>,
    /// Whether networks that do not belong together are refused (off: they are named in a warning).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub strict: bool,
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
            condition: None,
            strict: false,
        }
    }
}

/// Farthest that a region is driven, in standard deviations.
const MOST_EXCITED: f64 = 1000.0;

impl MicrostimConfig {
    /// The same with `condition` where nothing is said.
    fn or_condition(&self, condition: ConditionSource) -> Self {
        Self { condition: self.condition.or(Some(condition)), ..self.clone() }
    }

    /// Checks every range.
    ///
    /// # Errors
    /// [`SettingError`] that names the first key out of range.
    pub fn validate(&self) -> Result<(), SettingError> {
        let check = || {
            in_range("excited_beta", f64::from(self.excited_beta), 0.0..=MOST_EXCITED)?;
            in_range("limit", self.limit, 0..=limits::ITEMS)
        };
        check().map_err(|error: SettingError| error.within("microstim"))
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
        let stimuli = NsdTree::new(project.nsd()?).stimuli();
        let (networks, condition) = project.networks(microstim.condition)?;
        Ok(Self {
            prepared: project.prepared(),
            stimuli,
            networks,
            clip: project.clip()?,
            split: project.split.clone(),
            microstim: microstim.or_condition(condition),
            seed: project.seed,
            device: project.device,
            precision: project.precision,
            runs: project.runs(),
        })
    }
}

/// `summary.json`: what changed when a region was driven or silenced.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MicrostimSummary {
    /// Folder of the run: `config.toml`, `summary.json`, `grid.png`, `images/`, `embeddings.hdf5`.
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
    /// Mean cosine between the second mapper's embeddings before and after: of captions, or of ResNet vectors.
    pub caption_embedding_cosine: f64,
    /// Change of similarity to each sentence, largest rise first.
    pub probes: Vec<ProbeChange>,
    /// Which embeddings steered the generator; unknown in runs of older versions.
    #[serde(default)]
    pub condition: Option<ConditionSource>,
    /// Ground truth, before, after: one column per trial.
    pub grid: PathBuf,
    /// Embeddings before and after; absent in runs of older versions.
    #[serde(default)]
    pub embeddings: Option<PathBuf>,
    /// Networks that do not belong together, a sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// Decodes trials before and after the change, and compares pictures and embeddings.
///
/// # Errors
/// When an input is missing or does not fit, the region is unknown or empty, or the run folder cannot be written.
pub fn run(settings: &MicrostimSettings, progress: &mut dyn Progress) -> Result<MicrostimSummary> {
    let inputs = Inputs::open(settings)?;
    let microstim = settings.microstim.or_condition(inputs.decoder.condition());
    let settings = &MicrostimSettings { microstim, ..settings.clone() };
    let config = &settings.microstim;
    let warnings = inputs.checked_networks(settings, progress)?;
    let Inputs { prepared, voxels, .. } = &inputs;
    let (trials, repeats) = (TrialChoice::Validation, Repeats::Average);
    let chosen = choose_trials(prepared, &settings.split, trials, repeats, config.limit)?;
    need(prepared, chosen.len(), inputs.decoder.resolution()).check()?;
    let betas = betas_of(prepared, &chosen)?;
    let run = run_dir(settings, prepared)?;
    progress.start(&format!("microstim {} ({})", config.roi, verb(config.action)), 2);
    let positions: Vec<u64> = chosen.iter().map(|trial| trial.position(1, 0)).collect();
    let before = inputs.decoded(&betas, &positions, settings)?;
    interrupt::check()?;
    progress.advance(1, "");
    let changed = stimulated(&betas, voxels, config.action.value(config.excited_beta));
    let after = inputs.decoded(&changed, &positions, settings)?;
    interrupt::check()?;
    progress.advance(2, "");

    let embeddings = write_embeddings(&run, &chosen, &inputs.decoder, [&before.predicted, &after.predicted])?;
    inputs.write_pictures(&run, &chosen, before.pictures, after.pictures)?;
    let [before, after] =
        [before.predicted, after.predicted].map(|predicted| inputs.decoder.steering(&predicted));
    let summary = MicrostimSummary {
        run: run.path().to_path_buf(),
        roi: config.roi.clone(),
        action: config.action,
        num_voxels: voxels.len(),
        num_trials: chosen.len(),
        probes: probe_changes(&inputs.probe, before.image.clone(), after.image.clone()),
        image_embedding_cosine: mean_cosine(before.image, after.image),
        caption_embedding_cosine: mean_cosine(before.second, after.second),
        condition: config.condition,
        grid: run.join("grid.png"),
        embeddings: Some(embeddings),
        warnings,
    };
    run.write_atomic("summary.json", serde_json::to_string_pretty(&summary)?.as_bytes())?;
    progress.finish(&format!("{} voxels, {} trials", summary.num_voxels, summary.num_trials));
    Ok(summary)
}

/// The least that a run holds: the betas before and after, and the pictures, by themselves and in the grid.
fn need(prepared: &PreparedSubject, num_images: usize, resolution: usize) -> WorkingMemory {
    let betas = 4 * prepared.num_voxels() as u128;
    let picture = 3 * (resolution as u128).pow(2);
    WorkingMemory {
        key: "microstim.limit",
        what: format!("{num_images} images, decoded twice at {resolution}²"),
        bytes: num_images as u128 * (2 * betas + 6 * picture),
        advice: "fewer images need less",
    }
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
    /// As the mappers give them.
    predicted: DecodedEmbeddings,
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
        let width = decoder.image_mapper().1.snapshot.network.embed_dim();
        let probe = CaptionProbe::open(&settings.clip, &config.probes, width, &device)?;
        Ok(Self { prepared, voxels, stimuli, decoder, probe })
    }

    /// Refuses a condition that the networks do not serve; what else does not belong together is said, or refused as the
    /// settings want it.
    fn checked_networks(
        &self,
        settings: &MicrostimSettings,
        progress: &mut dyn Progress,
    ) -> Result<Vec<String>> {
        let source = settings.microstim.condition.unwrap_or_default();
        self.decoder.check_source(source)?;
        let mut misfits = self.decoder.misfits(&[source], Some(&settings.split))?;
        let (path, mapper) = self.decoder.image_mapper();
        misfits.extend(self.probe.other_space(&settings.clip, path, &mapper.snapshot.target_network_sha256));
        refuse_or_warn(&misfits, settings.microstim.strict, progress)?;
        Ok(misfits)
    }

    /// Embeddings and pictures of betas; the same positions give the same z.
    fn decoded(
        &self,
        betas: &Array2<f32>,
        positions: &[u64],
        settings: &MicrostimSettings,
    ) -> Result<Decoded> {
        let options = DrawOptions {
            source: settings.microstim.condition.unwrap_or_default(),
            truncation_psi: 1.0,
            noise: PixelNoise::Constant,
            seed: settings.seed,
        };
        let predicted = self.decoder.predict(betas);
        self.decoder.require_finite(&predicted)?;
        let pictures = self.decoder.draw(&self.decoder.steering(&predicted), positions, &options);
        Ok(Decoded { predicted, pictures })
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

/// Mean cosine of rows of unit norm.
fn mean_cosine(a: Tensor<Base, 2>, b: Tensor<Base, 2>) -> f64 {
    let values: Vec<f32> = (a * b).sum_dim(1).into_data().iter::<f32>().collect();
    values.iter().copied().map(f64::from).sum::<f64>() / values.len().max(1) as f64
}
