//! Decoded pictures below the ground truth.

use std::collections::BTreeMap;
use std::path::Path;

use super::run_files::{json_file, picture};
use crate::commands::evaluate_images::PictureRanking;
use crate::error::Result;
use crate::metrics::identification::OwnPicture;
use crate::models::condition_source::ConditionSource;
use crate::pipelines::drawing_manifest::{Manifest, ManifestEntry};
use crate::report::{Block, ImageGrid, Section};
use crate::run::error::RunError;

/// Pictures of a row.
const COLUMNS: usize = 10;

/// Similarity and rank of the pictures of `run` that its evaluation ranked, by file name.
fn ranks(run: &Path, evaluation_run: &Path) -> Result<BTreeMap<String, OwnPicture>> {
    let path = evaluation_run.join("evaluation.json");
    let PictureRanking { evaluated, pictures } = json_file(&path, "ranked pictures of a run")?;
    if evaluated != run {
        return Err(RunError::invalid(&path, "evaluated", run.display(), evaluated.display()).into());
    }
    Ok(pictures.into_iter().map(|picture| (picture.file, picture.own)).collect())
}

/// Ground truth above reconstructions, as the paper's figure 4; `ranking` is an evaluation of that run.
pub(crate) fn reconstructions(run: &Path, ranking: Option<&Path>) -> Result<Section> {
    let ranks = ranking.map_or_else(|| Ok(BTreeMap::new()), |ranking| ranks(run, ranking))?;
    let entries = Manifest::read(run, "the report")?.images;
    let lines = Lines::of(&entries);
    let mut rows = Vec::new();
    for ((condition, sample), entries) in &lines.entries {
        let step = entries.len().div_ceil(COLUMNS).max(1);
        let shown: Vec<&ManifestEntry> = entries.iter().copied().step_by(step).collect();
        if (*condition, *sample) == (0, 0) {
            let truth = |entry: &&ManifestEntry| {
                picture(run, &entry.ground_truth, &format!("image {}", entry.nsd_id))
            };
            rows.push(("seen".to_string(), shown.iter().map(truth).collect::<Result<_>>()?));
        }
        let drawn = |entry: &&ManifestEntry| picture(run, &entry.file, &note(entry, ranks.get(&entry.file)));
        let drawn = shown.iter().map(drawn).collect::<Result<_>>()?;
        rows.push((format!("decoded{}, z {}", lines.condition(*condition), sample + 1), drawn));
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

/// Pictures of a run in the lines of its grid: one per condition and z.
struct Lines<'a> {
    /// In the order in which they were drawn.
    conditions: Vec<Option<ConditionSource>>,
    /// By the place of the condition and the number of the z.
    entries: BTreeMap<(usize, usize), Vec<&'a ManifestEntry>>,
}

impl<'a> Lines<'a> {
    fn of(pictures: &'a [ManifestEntry]) -> Self {
        let (mut conditions, mut entries) = (Vec::new(), BTreeMap::<_, Vec<_>>::new());
        for entry in pictures {
            let place = conditions.iter().position(|known| *known == entry.condition).unwrap_or_else(|| {
                conditions.push(entry.condition);
                conditions.len() - 1
            });
            entries.entry((place, entry.sample)).or_default().push(entry);
        }
        Self { conditions, entries }
    }

    /// Which condition steered, where there are several.
    fn condition(&self, place: usize) -> String {
        match self.conditions[place] {
            Some(condition) if self.conditions.len() > 1 => format!(" from {condition}"),
            _ => String::new(),
        }
    }
}

/// How near a picture is to its ground truth; else which trials it was decoded from.
fn note(entry: &ManifestEntry, own: Option<&OwnPicture>) -> String {
    match (own, entry.trials.as_slice()) {
        (Some(OwnPicture { similarity, rank, of }), _) => format!("{similarity:.2}, rank {rank} of {of}"),
        (None, [trial]) => format!("trial {trial}"),
        (None, trials) => format!("mean of {}", trials.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_without_manifest_is_named() {
        let root = tempfile::tempdir().unwrap();
        let error = || reconstructions(root.path(), None).err().map(|error| error.to_string()).unwrap();
        assert!(error().contains("manifest.json") && error().contains("the report"), "{}", error());
        let entry = serde_json::json!({"images": [{"file": 3}]});
        std::fs::write(root.path().join("manifest.json"), entry.to_string()).unwrap();
        assert!(error().contains("a manifest of `reconstruct`"), "{}", error());
    }

    #[test]
    fn a_ranking_of_another_run_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let ranking = serde_json::json!({"evaluated": "elsewhere", "pictures": []});
        std::fs::write(root.path().join("evaluation.json"), ranking.to_string()).unwrap();
        let error = ranks(Path::new("here"), root.path()).unwrap_err().to_string();
        assert!(error.contains("here") && error.contains("elsewhere"), "{error}");
        assert!(ranks(Path::new("elsewhere"), root.path()).unwrap().is_empty());
    }
}
