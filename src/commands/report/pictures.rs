//! Pictures beside the ground truth.

use std::collections::BTreeMap;
use std::path::Path;

use super::numbers::json_file;
use crate::commands::microstim::MicrostimSummary;
use crate::commands::reconstruct::ManifestEntry;
use crate::commands::score::microstim_effects;
use crate::pipelines::stimulation::Stimulation;
use crate::report::number_format::number;
use crate::report::{Block, Cell, ImageGrid, Section, Table};
use crate::run::error::RunError;

/// Pictures of a row of the grid.
const COLUMNS: usize = 10;

/// Ground truth above reconstructions, as the paper's figure 4.
pub(super) fn reconstructions(run: &Path) -> anyhow::Result<Section> {
    let path = run.join("manifest.json");
    let manifest = json_file(&path)?;
    let entries: Vec<ManifestEntry> = serde_json::from_value(manifest["images"].clone())
        .map_err(|error| RunError::invalid(&path, "images", "a list of pictures", error))?;
    // Conditions in the order in which they were drawn.
    let mut conditions = Vec::new();
    let mut by_line: BTreeMap<(usize, usize), Vec<&ManifestEntry>> = BTreeMap::new();
    for entry in &entries {
        let number = conditions.iter().position(|known| *known == entry.condition).unwrap_or_else(|| {
            conditions.push(entry.condition);
            conditions.len() - 1
        });
        by_line.entry((number, entry.sample)).or_default().push(entry);
    }
    let mut rows = Vec::new();
    for ((number, sample), entries) in by_line {
        let step = entries.len().div_ceil(COLUMNS).max(1);
        let shown: Vec<&&ManifestEntry> = entries.iter().step_by(step).collect();
        if (number, sample) == (0, 0) {
            let truth = shown
                .iter()
                .map(|entry| picture(run, &entry.ground_truth, &format!("image {}", entry.nsd_id)))
                .collect::<anyhow::Result<_>>()?;
            rows.push(("seen".to_string(), truth));
        }
        let drawn = shown
            .iter()
            .map(|entry| {
                let note = match entry.trials.as_slice() {
                    [trial] => format!("trial {trial}"),
                    trials => format!("mean of {}", trials.len()),
                };
                picture(run, &entry.file, &note)
            })
            .collect::<anyhow::Result<_>>()?;
        let condition = match conditions[number] {
            Some(condition) if conditions.len() > 1 => format!(" from {condition}"),
            _ => String::new(),
        };
        rows.push((format!("decoded{condition}, z {}", sample + 1), drawn));
    }
    Ok(Section::new("Seen and decoded").with(Block::Images(ImageGrid {
        rows,
        caption:
            "Top: the held-out picture that the subject saw. Below: what the generator draws from the two \
                  embeddings decoded from the betas of that picture, one row per random z."
                .into(),
    })))
}

/// Before and after, with what rose and fell.
pub(super) fn microstimulation(runs: &[std::path::PathBuf]) -> anyhow::Result<Section> {
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
        let path = run.join("summary.json");
        let summary: MicrostimSummary = serde_json::from_value(json_file(&path)?)
            .map_err(|error| RunError::invalid(&path, "content", "a summary of microstim", error))?;
        let mut rows = Vec::new();
        for (label, suffix) in [("seen", "truth"), ("before", "before"), ("after", "after")] {
            let mut files: Vec<String> = std::fs::read_dir(run.join("images"))?
                .flatten()
                .map(|entry| entry.file_name().to_string_lossy().into_owned())
                .filter(|name| name.ends_with(&format!("-{suffix}.png")))
                .collect();
            files.sort();
            let cells = files
                .iter()
                .take(COLUMNS)
                .map(|file| picture(run, &format!("images/{file}"), ""))
                .collect::<anyhow::Result<_>>()?;
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
        section = section.with(Block::Images(ImageGrid { rows, caption })).with(Block::Table(Table {
            head: ["sentence", "similarity before", "after", "change (95 %)"].map(String::from).to_vec(),
            rows: summary
                .probes
                .iter()
                .map(|probe| {
                    let change = &probe.change;
                    vec![
                        probe.sentence.clone(),
                        number(probe.before),
                        number(probe.after),
                        format!(
                            "{} ({} to {})",
                            number(change.mean),
                            number(change.low),
                            number(change.high)
                        ),
                    ]
                })
                .collect(),
            caption: "Cosine of the decoded image embedding with the embedding of each sentence.".into(),
        }));
    }
    Ok(section)
}

/// A picture of a run's folder.
pub(super) fn picture(run: &Path, file: &str, note: &str) -> anyhow::Result<Cell> {
    let path = run.join(file);
    let image = image::open(&path)
        .map_err(|error| RunError::invalid(&path, "picture", "a readable PNG", error))?
        .to_rgb8();
    Ok(Cell::new(&image, note)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_without_manifest_is_named() {
        let root = tempfile::tempdir().unwrap();
        let error = reconstructions(root.path()).err().map(|error| error.to_string()).unwrap();
        assert!(error.contains("manifest.json"), "{error}");
        let entry = serde_json::json!({"images": [{"file": 3}]});
        std::fs::write(root.path().join("manifest.json"), entry.to_string()).unwrap();
        let error = reconstructions(root.path()).err().map(|error| error.to_string()).unwrap();
        assert!(error.contains("images"), "{error}");
    }
}
