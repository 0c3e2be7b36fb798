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
        let section = pictures::reconstructions(run, settings.ranking_run.as_deref())?;
        sections.push(with_caveat(section, settings.caveat_of_pictures.as_ref()));
    }
    if !settings.mapper_runs.is_empty() {
        let section = numbers::retrieval(&settings.mapper_runs)?;
        sections.push(with_caveat(section, settings.caveat_of_counts.as_ref()));
    }
    if !settings.identification.is_empty() {
        let section = numbers::identification(&settings.identification, settings.identified_by);
        sections.push(with_caveat(section, settings.caveat_of_pictures.as_ref()));
    }
    if !settings.naming.is_empty() {
        sections.push(with_caveat(numbers::naming(&settings.naming), settings.caveat_of_pictures.as_ref()));
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

/// The section with the sentence below its numbers.
fn with_caveat(section: Section, caveat: Option<&String>) -> Section {
    match caveat {
        Some(caveat) => section.text(caveat.clone()),
        None => section,
    }
}
