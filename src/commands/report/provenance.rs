//! Where a page's figures come from: program, runs, networks, settings.

use std::path::Path;

use serde::Deserialize;

use super::gathered::Gathered;
use super::run_files::json_file;
use super::settings::ReportSettings;
use crate::pipelines::brain_decoder::DecoderHashes;
use crate::pipelines::drawing_manifest::{MANIFEST_FILE, Manifest};
use crate::report::{Block, Section, Table};
use crate::run::error::RunError;

/// The part of a manifest that says what was wrong with the networks.
#[derive(Debug, Deserialize)]
struct Warnings {
    #[serde(default)]
    warnings: Vec<String>,
}

/// Runs with their folders, hashes of the networks that drew, settings of every run.
pub(super) fn section(settings: &ReportSettings, gathered: &Gathered) -> crate::error::Result<Section> {
    let preface = &settings.preface;
    let mut section = Section::new("Provenance").text(concat!("mindreader ", env!("CARGO_PKG_VERSION")));
    if !preface.commands.is_empty() {
        section = section.with(Block::Code(preface.commands.join("\n")));
    }
    let runs = gathered.all();
    section = section.with(Block::Table(Table {
        head: ["part", "run"].map(String::from).to_vec(),
        rows: runs.iter().map(|(part, run)| vec![part.clone(), run.folder.display().to_string()]).collect(),
        caption: String::new(),
    }));
    if let Some(run) = &gathered.drawn {
        section = section.with(Block::Table(weights(&run.folder)?));
    }
    if !preface.configuration.is_empty() {
        let code = Block::Code(preface.configuration.clone());
        section = section.with(Block::Folded("The whole configuration".into(), vec![code]));
    }
    for (part, run) in runs {
        let title = format!("Settings of {} ({part})", run.name());
        section = section.with(Block::Folded(title, vec![Block::Code(run.config_text.clone())]));
    }
    Ok(section)
}

/// Networks of the drawn pictures that do not belong together, a sentence each.
pub(super) fn warnings(gathered: &Gathered) -> Result<Vec<String>, RunError> {
    let Some(run) = &gathered.drawn else { return Ok(vec![]) };
    let manifest: Warnings = json_file(&run.folder.join(MANIFEST_FILE), "a manifest of `reconstruct`")?;
    Ok(manifest.warnings)
}

/// Hashes of the networks that drew the pictures.
fn weights(run: &Path) -> Result<Table, RunError> {
    let hashes = Manifest::read(run, "the report")?.weights_sha256;
    let rows = hashes.into_iter().flat_map(|DecoderHashes { image_mapper, second_mapper, generator }| {
        [("image mapper", image_mapper), ("caption mapper", second_mapper), ("generator", generator)]
    });
    Ok(Table {
        head: ["network", "SHA-256 of the snapshot"].map(String::from).to_vec(),
        rows: rows.map(|(name, hash)| vec![name.into(), hash]).collect(),
        caption: String::new(),
    })
}
