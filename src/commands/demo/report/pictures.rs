//! Pictures beside the ground truth.

use std::collections::BTreeMap;
use std::path::Path;

use super::numbers::json_file;
use crate::commands::evaluate_images::RankedPicture;
use crate::commands::microstim::MicrostimSummary;
use crate::commands::reconstruct::ManifestEntry;
use crate::commands::score::microstim_effects;
use crate::metrics::identification::OwnPicture;
use crate::pipelines::stimulation::Stimulation;
use crate::report::number_format::number;
use crate::report::{Block, Cell, ImageGrid, Section, Table};
use crate::run::error::RunError;

/// Pictures of a row of the grid.
const COLUMNS: usize = 10;

/// Similarity and rank of the pictures of `run` that its evaluation ranked, by file name.
fn ranks(run: &Path, evaluation_run: &Path) -> crate::error::Result<BTreeMap<String, OwnPicture>> {
    let path = evaluation_run.join("evaluation.json");
    let evaluation = json_file(&path)?;
    let evaluated = &evaluation["evaluated"];
    if evaluated.as_str().map(Path::new) != Some(run) {
        return Err(RunError::invalid(&path, "evaluated", run.display(), evaluated).into());
    }
    let pictures: Vec<RankedPicture> = serde_json::from_value(evaluation["pictures"].clone())
        .map_err(|error| RunError::invalid(&path, "pictures", "a list of ranked pictures", error))?;
    Ok(pictures.into_iter().map(|picture| (picture.file, picture.own)).collect())
}

/// Ground truth above reconstructions, as the paper's figure 4; `ranking` is an evaluation of that run.
pub(crate) fn reconstructions(run: &Path, ranking: Option<&Path>) -> crate::error::Result<Section> {
    let ranks = ranking.map_or_else(|| Ok(BTreeMap::new()), |ranking| ranks(run, ranking))?;
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
                .collect::<crate::error::Result<_>>()?;
            rows.push(("seen".to_string(), truth));
        }
        let drawn = shown
            .iter()
            .map(|entry| {
                let note = match (ranks.get(&entry.file), entry.trials.as_slice()) {
                    (Some(OwnPicture { similarity, rank, of }), _) => {
                        format!("{similarity:.2}, rank {rank} of {of}")
                    }
                    (None, [trial]) => format!("trial {trial}"),
                    (None, trials) => format!("mean of {}", trials.len()),
                };
                picture(run, &entry.file, &note)
            })
            .collect::<crate::error::Result<_>>()?;
        let condition = match conditions[number] {
            Some(condition) if conditions.len() > 1 => format!(" from {condition}"),
            _ => String::new(),
        };
        rows.push((format!("decoded{condition}, z {}", sample + 1), drawn));
    }
    let ranking = if ranks.is_empty() {
        ""
    } else {
        " Numbers: cosine of the drawn picture's features with those of the seen one, and the seen one's rank among all held-out \
         pictures (1: the nearest)."
    };
    Ok(Section::new("Seen and decoded").with(Block::Images(ImageGrid {
        rows,
        caption: format!(
            "Top: the held-out picture that the subject saw. Below: what the generator draws from the two embeddings decoded \
             from the betas of that picture, one row per random z.{ranking}"
        ),
    })))
}

/// Before and after, with what rose and fell.
pub(crate) fn microstimulation(runs: &[std::path::PathBuf]) -> crate::error::Result<Section> {
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
                .collect::<crate::error::Result<_>>()?;
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
pub(crate) fn picture(run: &Path, file: &str, note: &str) -> crate::error::Result<Cell> {
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
        let error = reconstructions(root.path(), None).err().map(|error| error.to_string()).unwrap();
        assert!(error.contains("manifest.json"), "{error}");
        let entry = serde_json::json!({"images": [{"file": 3}]});
        std::fs::write(root.path().join("manifest.json"), entry.to_string()).unwrap();
        let error = reconstructions(root.path(), None).err().map(|error| error.to_string()).unwrap();
        assert!(error.contains("images"), "{error}");
    }
}
