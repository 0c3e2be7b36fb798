//! Regions driven or silenced: pictures before and after, and what rose and fell.

use std::path::{Path, PathBuf};

use super::run_files::{json_file, picture};
use crate::commands::microstim::{MicrostimSummary, ProbeChange};
use crate::commands::score::microstim_effects;
use crate::error::Result;
use crate::pipelines::stimulation::Stimulation;
use crate::report::number_format::number;
use crate::report::{Block, ImageGrid, Section, Table};

/// Pictures of a row.
const COLUMNS: usize = 10;

/// A table of all effects, then pictures and sentences of each run.
pub(crate) fn section(runs: &[PathBuf]) -> Result<Section> {
    let mut section = Section::new("Microstimulation").text(
        "The betas of one region are set to a constant, everything else stays. The same z is drawn before and after, so \
         every change comes from the region.",
    );
    if !runs.is_empty() {
        let mut rows = microstim_effects(runs)?.cells().into_iter();
        section = section.with(Block::Table(Table {
            head: rows.next().unwrap_or_default(),
            rows: rows.collect(),
            caption: "Effects: change of the cosine between the decoded image embedding and each sentence, in units of its \
                      deviation over the pictures before, with 95 % intervals over pictures."
                .into(),
        }));
    }
    for run in runs {
        let summary = json_file(&run.join("summary.json"), "a summary of microstim")?;
        section = section.with(before_and_after(run, &summary)?).with(sentences(&summary));
    }
    Ok(section)
}

/// What was seen, what was decoded, and what was decoded from the changed betas.
fn before_and_after(run: &Path, summary: &MicrostimSummary) -> Result<Block> {
    let mut rows = Vec::new();
    for (label, suffix) in [("seen", "truth"), ("before", "before"), ("after", "after")] {
        let mut files: Vec<String> = std::fs::read_dir(run.join("images"))?
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .filter(|name| name.ends_with(&format!("-{suffix}.png")))
            .collect();
        files.sort();
        let shown = files.iter().take(COLUMNS);
        let cells = shown.map(|file| picture(run, &format!("images/{file}"), "")).collect::<Result<_>>()?;
        rows.push((label.to_string(), cells));
    }
    let verb = match summary.action {
        Stimulation::Excite => "driven",
        Stimulation::Silence => "silenced",
    };
    let caption = format!(
        "{} {verb}: {} voxels, {} images. Cosine between the embeddings before and after: image {}, caption {}.",
        summary.roi,
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
