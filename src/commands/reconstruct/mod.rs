//! `mindreader reconstruct`: betas → mappers → generator → one picture per trial, condition and z.

mod config;
mod drawing;
mod grid;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use self::config::{ReconstructConfig, ReconstructSettings};
use self::drawing::Drawing;
pub use self::grid::GridLayout;
use crate::data::error::DataError;
use crate::data::nsd::stimuli::Stimuli;
use crate::data::prepared::PreparedSubject;
use crate::error::Result;
use crate::pipelines::brain_decoder::BrainDecoder;
use crate::pipelines::drawing_manifest::{DrawingRecord, MANIFEST_FILE, ManifestEntry};
use crate::pipelines::trial_choice::{ChosenTrial, Repeats, choose_trials};
use crate::report::image_grid::contact_sheet;
use crate::run::device;
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
    /// The grid beside the ground truth.
    pub grid: PathBuf,
    /// `manifest.json`: trials, condition and z of every picture.
    pub manifest: PathBuf,
}

/// Draws the chosen trials into a new run folder.
///
/// # Errors
/// When an input is missing or does not fit, or the run folder cannot be written.
pub fn run(settings: &ReconstructSettings, progress: &mut dyn Progress) -> Result<ReconstructSummary> {
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
    let drawing = Drawing {
        config,
        seed: settings.seed,
        prepared: &prepared,
        stimuli: &stimuli,
        decoder: &decoder,
        run: &run,
    };
    let (images, shown) = drawing.draw_all(&chosen, progress)?;
    run.write_png("grid.png", &contact_sheet(&config.grid.rows(&shown, config.grid_side), 2))?;
    let manifest = write_manifest(settings, &drawing, &device_name, &images)?;
    progress.finish(&format!("{} images", images.len()));
    Ok(ReconstructSummary {
        run: run.path().to_path_buf(),
        num_images: images.len(),
        num_trials: chosen.len(),
        resolution: decoder.resolution(),
        grid: run.join("grid.png"),
        manifest,
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

/// Lists the pictures in the run's folder.
fn write_manifest(
    settings: &ReconstructSettings,
    drawing: &Drawing<'_>,
    device: &str,
    images: &[ManifestEntry],
) -> Result<PathBuf> {
    let record = DrawingRecord {
        subject: drawing.prepared.subject().to_string(),
        seed: settings.seed,
        settings: &settings.reconstruct,
        split: &settings.split,
        precision: settings.precision,
        device,
        resolution: drawing.decoder.resolution(),
        weights_sha256: drawing.decoder.hashes(),
        program: concat!("mindreader ", env!("CARGO_PKG_VERSION")),
        images,
    };
    // Through `Value`, in which single precision is written as the double that it is.
    let text = serde_json::to_string_pretty(&serde_json::to_value(record)?)?;
    Ok(drawing.run.write_atomic(MANIFEST_FILE, text.as_bytes())?)
}
