//! `mindreader reconstruct`: betas → mappers → generator → one picture per trial, condition and z.

mod config;
mod drawing;
mod grid;
mod material;
mod source;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use self::config::{ReconstructConfig, ReconstructSettings};
use self::drawing::Drawing;
pub use self::grid::GridLayout;
use self::material::Material;
pub use self::source::PictureSource;
use crate::data::error::DataError;
use crate::data::nsd::stimuli::Stimuli;
use crate::data::prepared::PreparedSubject;
use crate::error::Result;
use crate::models::condition_source::ConditionSource;
use crate::pipelines::brain_decoder::BrainDecoder;
use crate::pipelines::drawing_manifest::{DrawingRecord, MANIFEST_FILE, ManifestEntry};
use crate::pipelines::generator_use::refuse_or_warn;
use crate::pipelines::trial_choice::{ChosenTrial, Repeats, TrialChoice, choose_trials};
use crate::pipelines::workbench::Workbench;
use crate::report::image_grid::contact_sheet;
use crate::run::device;
use crate::run::memory::Need;
use crate::run::progress::Progress;
use crate::run::run_dir::RunDir;

/// What was drawn, and where it lies.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReconstructSummary {
    /// Folder of the run: `config.toml`, `manifest.json`, `grid.png`, `images/`.
    pub run: PathBuf,
    /// Pictures written, without ground truths and the grid.
    pub num_images: usize,
    /// Trials or averaged images decoded.
    pub num_trials: usize,
    /// Side of the pictures in pixels.
    pub resolution: usize,
    /// Which embeddings steered the generator.
    #[serde(default)]
    pub conditions: Vec<ConditionSource>,
    /// The grid beside the ground truth.
    pub grid: PathBuf,
    /// `manifest.json`: trials, condition and z of every picture.
    pub manifest: PathBuf,
    /// Networks that do not belong together, a sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// Draws the chosen trials into a new run folder.
///
/// # Errors
/// When an input is missing or does not fit, or the run folder cannot be written.
pub fn run(settings: &ReconstructSettings, progress: &mut dyn Progress) -> Result<ReconstructSummary> {
    settings.reconstruct.validate()?;
    let (device, device_name) = device::open(settings.device)?;
    settings.precision.check(&device, &device_name)?;
    let prepared = PreparedSubject::open(&settings.prepared)?;
    let stimuli = Stimuli::open(&settings.stimuli)?;
    let decoder = BrainDecoder::open(&settings.networks, &device)?.with_precision(settings.precision);
    if settings.reconstruct.source.is_decoded() {
        decoder.check_input(&prepared)?;
    }
    let reconstruct = settings.reconstruct.or_condition(decoder.condition());
    let settings = &ReconstructSettings { reconstruct, ..settings.clone() };
    let warnings = checked_networks(settings, &decoder, progress)?;
    let chosen = chosen_trials(settings, &prepared)?;
    need(&settings.reconstruct, chosen.len(), decoder.resolution())
        .check(["paths.generator", "reconstruct.samples"], settings.device)?;

    let bench = &mut Workbench::new(&device, &settings.cache, progress);
    let material = Material::read(settings, &prepared, &decoder, bench)?;

    let run = RunDir::create(&settings.runs, &run_name(&prepared, settings.reconstruct.source))?;
    run.write_atomic("config.toml", toml::to_string(settings)?.as_bytes())?;
    let config = &settings.reconstruct;
    let drawing = Drawing {
        config,
        seed: settings.seed,
        prepared: &prepared,
        stimuli: &stimuli,
        decoder: &decoder,
        material: &material,
        run: &run,
    };
    let (images, shown) = drawing.draw_all(&chosen, progress)?;
    run.write_png("grid.png", &contact_sheet(&config.grid.rows(&shown, config.grid_side), 2))?;
    let manifest = write_manifest(settings, &drawing, &device_name, &warnings, &images)?;
    progress.finish(&format!("{} images", images.len()));
    Ok(ReconstructSummary {
        run: run.path().to_path_buf(),
        num_images: images.len(),
        num_trials: chosen.len(),
        resolution: decoder.resolution(),
        conditions: config.all_conditions(),
        grid: run.join("grid.png"),
        manifest,
        warnings,
    })
}

/// Name of the run: what is not decoded must not be taken for the newest pictures of the subject. No subject has a `+` in its name.
fn run_name(prepared: &PreparedSubject, source: PictureSource) -> String {
    match source {
        PictureSource::Betas => format!("reconstruct-{}", prepared.subject()),
        other => format!("reconstruct-{}+{other}", prepared.subject()),
    }
}

/// The least that is in memory at once: the pictures of a batch of trials, and those of the grid.
fn need(config: &ReconstructConfig, num_chosen: usize, resolution: usize) -> Need {
    let lines = (config.all_conditions().len() * config.samples) as u128;
    let (batch, shown) = (config.batch.min(num_chosen) as u128, config.grid.least_shown(num_chosen) as u128);
    let [drawn, enlarged] = [resolution as u128, u128::from(config.grid_side)].map(|side| 3 * side * side);
    Need { images: lines * (batch * drawn + shown * (drawn + enlarged)), ..Need::default() }
}

/// Refuses conditions that the networks do not serve; what else does not belong together is said, or refused as the settings
/// want it.
fn checked_networks(
    settings: &ReconstructSettings,
    decoder: &BrainDecoder,
    progress: &mut dyn Progress,
) -> Result<Vec<String>> {
    let config = &settings.reconstruct;
    let conditions = config.all_conditions();
    for condition in &conditions {
        decoder.check_source(*condition)?;
    }
    if settings.is_control {
        return Ok(vec![]);
    }
    let held_out = (config.trials == TrialChoice::Validation).then_some(&settings.split);
    let misfits = decoder.misfits(&conditions, held_out)?;
    refuse_or_warn(&misfits, config.strict, progress)?;
    Ok(misfits)
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

/// Lists the pictures in the run's folder.
fn write_manifest(
    settings: &ReconstructSettings,
    drawing: &Drawing<'_>,
    device: &str,
    warnings: &[String],
    images: &[ManifestEntry],
) -> Result<PathBuf> {
    // Pictures of all trials, or of named ones, need no split.
    let split = settings.split.split(drawing.prepared).ok();
    let split_record = split.map(|split| settings.split.record(drawing.prepared, &split));
    let record = DrawingRecord {
        subject: drawing.prepared.subject().to_string(),
        seed: settings.seed,
        settings: &settings.reconstruct,
        split: &settings.split,
        split_record,
        precision: settings.precision,
        device,
        resolution: drawing.decoder.resolution(),
        weights_sha256: drawing.decoder.hashes(),
        program: concat!("mindreader ", env!("CARGO_PKG_VERSION")),
        warnings,
        images,
    };
    // Through `Value`, in which single precision is written as the double that it is.
    let text = serde_json::to_string_pretty(&serde_json::to_value(record)?)?;
    Ok(drawing.run.write_atomic(MANIFEST_FILE, text.as_bytes())?)
}
