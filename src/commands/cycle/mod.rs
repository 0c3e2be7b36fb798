//! `mindreader cycle`: picture → encoder → betas → mappers → generator → picture (the paper's appendix A.8, figure 17).
//!
//! Held-out images stand beside what is drawn from their measured betas; pictures of a folder, which nobody saw, have none. Writes
//! pictures, a sheet, `manifest.json` and `summary.json` into a run folder.

mod config;
mod drawing;
mod files;
mod originals;
mod scores;
mod summary;
#[cfg(test)]
mod tests;

use ndarray::Array2;

pub use self::config::{CycleConfig, CycleSettings};
use self::drawing::{Cycled, Features, Networks, clip_features, draw_all, latents, open_networks};
use self::originals::Originals;
pub use self::scores::{CycleIdentification, Likeness};
use self::scores::{Pairs, centred_rows};
pub use self::summary::{BetasScores, CycleEntry, CycleSummary, DrawnScores};
use crate::data::prepared::PreparedSubject;
use crate::error::{Context, Result};
use crate::metrics::bootstrap::BootstrapConfig;
use crate::pipelines::generator_use::refuse_or_warn;
use crate::pipelines::inference::Inference;
use crate::pipelines::workbench::Workbench;
use crate::run::device;
use crate::run::progress::Progress;
use crate::run::run_dir::{RunDir, SUMMARY_FILE};

/// Runs the command.
///
/// # Errors
/// Data or networks that are missing or do not fit each other.
pub fn run(settings: &CycleSettings, progress: &mut dyn Progress) -> Result<CycleSummary> {
    settings.cycle.validate()?;
    let (device, _) = device::open(settings.device)?;
    let prepared = PreparedSubject::open(&settings.prepared)?;
    let networks = open_networks(settings, &prepared, &device)?;
    let is_held_out = settings.images.is_none();
    let misfits = networks.decoder.misfits(&[networks.condition], is_held_out.then_some(&settings.split))?;
    refuse_or_warn(&misfits, settings.cycle.strict, progress)?;
    let originals = Originals::open(settings, &prepared)?;
    let bench = &mut Workbench::new(&device, &settings.cache, progress);
    let latents = latents(settings, &networks, &originals, bench)?;
    let cycled = draw_all(settings, &networks, &prepared, &originals, &latents, progress)?;
    let run = RunDir::create(&settings.runs, &format!("cycle-{}", prepared.subject()))?;
    run.write_atomic("config.toml", toml::to_string(settings)?.as_bytes())?;
    let mut summary = scored(settings, &networks, &originals, &cycled, &run)?;
    if is_held_out {
        let split = settings.split.split(&prepared)?;
        summary.split_record = Some(settings.split.record(&prepared, &split));
        summary.inference = Some(Inference::of_betas(&prepared, settings.split.rule, []));
    }
    summary.warnings = misfits;
    run.write_atomic(SUMMARY_FILE, &serde_json::to_vec_pretty(&summary)?)?;
    progress.finish(&format!("{} pictures", originals.len()));
    Ok(summary)
}

/// Measures everything, and writes pictures, sheet and manifest.
fn scored(
    settings: &CycleSettings,
    networks: &Networks,
    originals: &Originals,
    cycled: &Cycled,
    run: &RunDir,
) -> Result<CycleSummary> {
    let features = &Features {
        originals: clip_features(networks, &cycled.originals)?,
        cycled: clip_features(networks, &cycled.cycled)?,
        measured: cycled
            .measured
            .as_ref()
            .map(|(_, pictures)| clip_features(networks, pictures))
            .transpose()?,
    };
    let ids = &originals.ids();
    let bootstrap = &settings.cycle.bootstrap;
    let drawn = |found| drawn_scores(Pairs { found, truth: &features.originals, ids, bootstrap });
    let to_measured = |truth| Pairs { found: &features.cycled, truth, ids, bootstrap }.likeness();
    let betas = match &cycled.measured {
        Some((measured, _)) => betas_scores([&cycled.predicted, measured], ids, bootstrap)?,
        None => None,
    };
    Ok(CycleSummary {
        run: run.path().to_path_buf(),
        encoder_kind: networks.encoder.snapshot.network.kind(),
        encoder: settings.encoder.clone(),
        num_images: originals.len(),
        images: settings.images.clone(),
        split_record: None,
        inference: None,
        condition: networks.condition,
        resolution: networks.decoder.resolution(),
        cycled: drawn(&features.cycled)?,
        measured: features.measured.as_ref().map(drawn).transpose()?,
        cycled_to_measured: features.measured.as_ref().and_then(to_measured),
        betas,
        sheet: files::write_sheet(cycled, run)?,
        manifest: files::write_pictures(originals, cycled, features, run)?,
        warnings: Vec::new(),
    })
}

/// Drawn pictures beside their originals.
fn drawn_scores(pairs: Pairs<'_>) -> Result<DrawnScores> {
    let to_original = pairs.likeness().context("no picture went round")?;
    Ok(DrawnScores { to_original, identification: pairs.identification()? })
}

/// Predicted betas beside measured ones: r over voxels, and the image by it.
fn betas_scores(
    [predicted, measured]: [&Array2<f32>; 2],
    ids: &[u64],
    bootstrap: &BootstrapConfig,
) -> Result<Option<BetasScores>> {
    let [found, truth] = [predicted, measured].map(centred_rows);
    let pairs = Pairs { found: &found, truth: &truth, ids, bootstrap };
    let identification = pairs.identification()?;
    Ok(pairs.likeness().map(|r| BetasScores { r, identification }))
}
