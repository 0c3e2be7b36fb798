//! `report.html`: what the runs of a project found, on one self-contained page.
//!
//! Reads the files that the runs left (`summary.json`, `metrics.jsonl`, `manifest.json`, pictures); computes nothing.

mod curves;
mod microstimulation;
mod numbers;
mod pictures;
mod run_files;
mod settings;
mod truth;
mod voxels;

use std::path::PathBuf;

use serde::Serialize;

pub use self::settings::ReportSettings;
use crate::files::write_atomic;
use crate::report::{Block, Page, Section};
use crate::run::progress::Progress;

/// What was written.
#[derive(Clone, Debug, Serialize)]
pub struct ReportSummary {
    /// The page.
    pub report: PathBuf,
    /// Its size.
    pub bytes: usize,
}

/// Writes the report.
///
/// # Errors
/// When a file of a given run is missing or malformed, or the page cannot be written.
pub fn run(settings: &ReportSettings, progress: &mut dyn Progress) -> crate::error::Result<ReportSummary> {
    progress.start("report", 0);
    let mut sections = Vec::new();
    let mut opening = Section::new("The subject");
    for text in &settings.introduction {
        opening = opening.text(text.clone());
    }
    sections.push(opening.with(Block::Table(numbers::facts(&settings.facts))));
    if let Some(run) = &settings.reconstruct_run {
        sections.push(pictures::reconstructions(run, settings.ranking_run.as_deref())?);
    }
    if !settings.mapper_runs.is_empty() {
        sections.push(numbers::retrieval(&settings.mapper_runs)?);
    }
    if !settings.identification.is_empty() {
        sections.push(numbers::identification(&settings.identification, settings.identified_by));
    }
    if !settings.naming.is_empty() {
        sections.push(numbers::naming(&settings.naming));
    }
    if !settings.microstim_runs.is_empty() {
        sections.push(microstimulation::section(&settings.microstim_runs)?);
    }
    if let Some(run) = &settings.encode_run {
        sections.push(voxels::section(run)?);
    }
    if let Some(score) = &settings.score {
        sections.push(truth::section(score));
    }
    sections.push(curves::section(settings)?);
    if let Some(captions) = &settings.captions {
        sections.push(numbers::captions(captions)?);
    }
    let mut provenance = Section::new("Provenance").text(concat!("mindreader ", env!("CARGO_PKG_VERSION")));
    if !settings.commands.is_empty() {
        provenance = provenance.with(Block::Code(settings.commands.join("\n")));
    }
    if let Some(run) = &settings.reconstruct_run {
        provenance = provenance.with(Block::Table(numbers::weights(run)?));
    }
    sections.push(provenance.with(Block::Code(settings.configuration.clone())));

    let page = Page { title: settings.title.clone(), lead: settings.lead.clone(), sections };
    let html = page.to_html()?;
    write_atomic(&settings.out, html.as_bytes())?;
    progress.finish(&settings.out.display().to_string());
    Ok(ReportSummary { report: settings.out.clone(), bytes: html.len() })
}
