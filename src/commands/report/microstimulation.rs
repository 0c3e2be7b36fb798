//! Regions driven or silenced: pictures before and after, and what rose and fell.

use std::path::{Path, PathBuf};

use super::finished_run::FinishedRun;
use super::run_files::{files_with, json_file, picture};
use crate::commands::microstim::{MicrostimSummary, ProbeChange};
use crate::commands::score::microstim_effects;
use crate::error::Result;
use crate::pipelines::stimulation::Stimulation;
use crate::report::number_format::number;
use crate::report::{Block, ImageGrid, Section, Table};

/// Pictures of a row.
const COLUMNS: usize = 10;

/// A table of all effects, then pictures and sentences of each run.
pub(super) fn section(runs: &[FinishedRun]) -> Result<Section> {
    let folders: Vec<PathBuf> = runs.iter().map(|run| run.folder.clone()).collect();
    let mut rows = microstim_effects(&folders)?.cells().into_iter();
    let effects = Table {
        head: rows.next().unwrap_or_default(),
        rows: rows.collect(),
        caption: "Effects: change of the cosine between the decoded image embedding and each sentence, in units of its \
                  deviation over the pictures before, with 95 % intervals over pictures."
            .into(),
    };
    let mut section = Section::new("Microstimulation")
        .text(
            "The betas of one region are set to a constant, everything else stays. The same z is drawn before and after, so \
             every change comes from the region.",
        )
        .with(Block::Table(effects));
    for run in folders {
        let summary = json_file(&run.join("summary.json"), "a summary of `microstim`")?;
        let numbers = Block::Folded(format!("Sentences, {}", region(&summary)), vec![sentences(&summary)]);
        section = section.with(Block::Group(vec![before_and_after(&run, &summary)?, numbers]));
    }
    Ok(section)
}

/// The region and what was done to it.
fn region(summary: &MicrostimSummary) -> String {
    let verb = match summary.action {
        Stimulation::Excite => "driven",
        Stimulation::Silence => "silenced",
    };
    format!("{} {verb}", summary.roi)
}

/// What was seen, what was decoded, and what was decoded from the changed betas.
fn before_and_after(run: &Path, summary: &MicrostimSummary) -> Result<Block> {
    let mut rows = Vec::new();
    for (label, suffix) in [("seen", "truth"), ("before", "before"), ("after", "after")] {
        let files = files_with(&run.join("images"), &format!("-{suffix}.png"))?;
        let shown = files.iter().take(COLUMNS);
        let cells = shown.map(|file| picture(run, &format!("images/{file}"), "")).collect::<Result<_>>()?;
        rows.push((label.to_string(), cells));
    }
    let caption = format!(
        "{}: {} voxels, {} images. Cosine between the embeddings before and after: image {}, caption {}.",
        region(summary),
        summary.num_voxels,
        summary.num_trials,
        number(summary.image_embedding_cosine),
        number(summary.caption_embedding_cosine),
    );
    Ok(Block::Images(ImageGrid { rows, caption }))
}

/// Similarity to each sentence before and after.
fn sentences(summary: &MicrostimSummary) -> Block {
    let row = |ProbeChange { sentence, before, after, change, .. }: &ProbeChange| {
        let change = format!("{} ({} to {})", number(change.mean), number(change.low), number(change.high));
        vec![sentence.clone(), number(*before), number(*after), change]
    };
    Block::Table(Table {
        head: ["sentence", "similarity before", "after", "change (95 %)"].map(String::from).to_vec(),
        rows: summary.probes.iter().map(row).collect(),
        caption: "Cosine of the decoded image embedding with the embedding of each sentence.".into(),
    })
}
