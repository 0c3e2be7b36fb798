//! `mindreader microstim`: drives or silences a region and shows what changes in the decoded picture and embedding.
//!
//! Section 3.3 and appendix A.5 of the paper; docs/spec/mapper.md §11. Every trial is decoded twice with the same z, before and after.

mod analysis;
mod changes;
mod config;
mod dose;
mod embeddings;
mod paper_regions;
mod probes;
mod random_region;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use burn::tensor::Tensor;
use image::RgbImage;
use ndarray::Array2;
use serde::{Deserialize, Serialize};

use self::analysis::Analysis;
pub use self::changes::{ChangeShares, EmbeddingChanges, EmbeddingForm};
pub use self::config::{MicrostimConfig, MicrostimSettings};
use self::dose::dose_chart;
pub use self::dose::{DosePoint, HeldAgainst, ProbeDose};
use self::embeddings::write_embeddings;
pub use self::probes::ProbeChange;
use self::probes::probe_changes;
use self::random_region::random_regions;
use crate::data::error::DataError;
use crate::data::image::resize::{Filter, resize_pil};
use crate::data::nsd::stimuli::Stimuli;
use crate::data::prepared::PreparedSubject;
use crate::error::Result;
use crate::interrupt;
use crate::models::condition_source::ConditionSource;
use crate::pipelines::brain_decoder::{BrainDecoder, DecodedEmbeddings, DrawOptions, PixelNoise};
use crate::pipelines::caption_probe::CaptionProbe;
use crate::pipelines::generator_use::refuse_or_warn;
use crate::pipelines::stimulation::{Stimulation, stimulated};
use crate::pipelines::trial_choice::{ChosenTrial, Repeats, TrialChoice, betas_of, choose_trials};
use crate::report::image_grid::contact_sheet;
use crate::run::device;
use crate::run::memory::WorkingMemory;
use crate::run::progress::Progress;
use crate::run::run_dir::RunDir;
use crate::tensor_ops::backend::Base;

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
    /// How the embeddings change, position by position; empty in runs of older versions.
    #[serde(default)]
    pub changes: Vec<EmbeddingChanges>,
    /// Effects by level, ascending, beside random regions; empty in runs of older versions.
    #[serde(default)]
    pub dose: Vec<DosePoint>,
    /// Chart of the effects, where there are several levels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dose_chart: Option<PathBuf>,
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

/// Runs of several regions.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RegionRuns {
    /// One per region, in their order.
    pub regions: Vec<MicrostimSummary>,
    /// Regions of the paper that the subject does not have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
}

/// One run after the other, of every region that the settings name. All regions are looked up before the first run begins.
///
/// # Errors
/// As [`run`]; a region that is unknown or empty, but for those of the paper, which are left out then; none that is there.
pub fn run_regions(settings: &MicrostimSettings, progress: &mut dyn Progress) -> Result<RegionRuns> {
    let config = &settings.microstim;
    let prepared = PreparedSubject::open(&settings.prepared)?;
    let (mut wanted, mut left_out) = (Vec::new(), Vec::new());
    for (roi, action) in config.regions() {
        match prepared.select(&roi) {
            Ok(_) => wanted.push((roi, action)),
            Err(error) if config.paper => {
                progress.note(&format!("{roi} is left out: {error}"));
                left_out.push(roi);
            }
            Err(error) => return Err(error.into()),
        }
    }
    if wanted.is_empty() {
        let hint = "none of the paper's regions is among the prepared voxels; name one with `--roi`";
        return Err(DataError::empty("the list of regions", hint).into());
    }
    let mut regions = Vec::with_capacity(wanted.len());
    for (roi, action) in wanted {
        let microstim = config.for_region(&roi, action);
        regions.push(run(&MicrostimSettings { microstim, ..settings.clone() }, progress)?);
    }
    Ok(RegionRuns { regions, left_out })
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
    let random = random_regions(voxels, prepared.num_voxels(), config.controls, settings.seed);
    let analysis = Analysis {
        config,
        decoder: &inputs.decoder,
        probe: &inputs.probe,
        betas: &betas,
        region: voxels,
        random: &random,
        before: &before.predicted,
        run: &run,
    };
    let (dose, changes) = analysis.counted(&after.predicted)?;
    let dose_chart = write_dose_chart(&run, config, &dose)?;
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
        changes,
        dose,
        dose_chart,
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

/// The chart of the effects by level; none of a single level.
fn write_dose_chart(run: &RunDir, config: &MicrostimConfig, dose: &[DosePoint]) -> Result<Option<PathBuf>> {
    let svg = dose_chart(&config.roi, dose).to_svg_file().filter(|_| dose.len() > 1);
    Ok(svg.map(|svg| run.write_atomic("dose.svg", svg.as_bytes())).transpose()?)
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
