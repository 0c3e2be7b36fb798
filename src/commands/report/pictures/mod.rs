//! The grid: what was seen above what was decoded, of the first held-out images, and what the control draws of them.

mod measures;
mod numbers;
pub(super) mod rater_pack;
pub(super) mod way;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

pub(super) use self::numbers::picture_numbers;
use super::finished_run::{EVALUATION_FILE, FinishedRun, is_same_run};
use super::gathered::{Gathered, PicturesBeside};
use super::measures::JudgedPictures;
use super::run_files::{json_file, picture};
use crate::commands::evaluate_images::PictureRanking;
use crate::commands::reconstruct::PictureSource;
use crate::error::Result;
use crate::metrics::identification::OwnPicture;
use crate::models::condition_source::ConditionSource;
use crate::pipelines::drawing_manifest::{MANIFEST_FILE, Manifest, ManifestEntry};
use crate::report::{Block, Cell, ImageGrid};
use crate::run::error::RunError;

/// Pictures of a row.
const COLUMNS: usize = 10;
/// Rows of decoded pictures: of several z and conditions the first.
const MOST_ROWS: usize = 6;

/// Similarity and rank of the pictures of a drawing that an evaluation ranked, by file name.
fn ranks(drawn: &Path, judged: Option<&FinishedRun>) -> Result<BTreeMap<String, OwnPicture>, RunError> {
    let Some(judged) = judged else { return Ok(BTreeMap::new()) };
    let path = judged.folder.join(EVALUATION_FILE);
    let PictureRanking { evaluated, pictures } = json_file(&path, "ranked pictures of a run")?;
    if !is_same_run(&evaluated, drawn) {
        return Err(RunError::invalid(&path, "evaluated", drawn.display(), evaluated.display()));
    }
    Ok(pictures.into_iter().map(|picture| (picture.file, picture.own)).collect())
}

/// Ground truth above reconstructions, as the paper's figure 4. Which images are shown follows from their order alone.
///
/// # Errors
/// A manifest or picture that is missing or cannot be read.
pub(super) fn grid(
    drawn: &FinishedRun,
    gathered: &Gathered,
    judged: Option<&JudgedPictures>,
) -> Result<Block> {
    let run = drawn.folder.as_path();
    let ranks = ranks(run, gathered.judged.as_ref())?;
    let entries = Manifest::read(run, "the report")?.images;
    let lines = Lines::of(&entries);
    let Some(leading) = lines.entries.values().next() else {
        return Err(RunError::invalid(run.join(MANIFEST_FILE), "images", "at least one", "none").into());
    };
    let shown = first_of_images(leading);
    let truth =
        |entry: &&ManifestEntry| picture(run, &entry.ground_truth, &format!("image {}", entry.nsd_id));
    let mut rows = vec![("seen".to_string(), shown.iter().map(truth).collect::<Result<_>>()?)];
    for ((condition, sample), entries) in lines.entries.iter().take(MOST_ROWS) {
        let drawn = |shown: &&ManifestEntry| match same_trials(entries, shown) {
            Some(entry) => picture(run, &entry.file, &note(entry, &ranks)),
            None => Ok(Cell::default()),
        };
        let label = format!("decoded{}, z {}", lines.condition(*condition), sample.saturating_add(1));
        rows.push((label, shown.iter().map(drawn).collect::<Result<_>>()?));
    }
    rows.extend(control_row(gathered, &shown)?);
    rows.extend(rows_beside(gathered, &shown)?);
    let features = judged.filter(|_| !ranks.is_empty()).map(|judged| judged.features.kind.in_words());
    let numbers = (entries.len(), shown.len());
    let caption = caption(drawn, numbers, features, gathered);
    Ok(Block::Images(ImageGrid { rows, caption }))
}

/// The first picture of each of the first images, in the order in which they were drawn.
fn first_of_images<'a>(entries: &[&'a ManifestEntry]) -> Vec<&'a ManifestEntry> {
    let mut seen = BTreeSet::new();
    entries.iter().copied().filter(|entry| seen.insert(entry.nsd_id)).take(COLUMNS).collect()
}

/// The picture of the same trials.
fn same_trials<'a>(entries: &[&'a ManifestEntry], shown: &ManifestEntry) -> Option<&'a ManifestEntry> {
    entries.iter().copied().find(|entry| entry.nsd_id == shown.nsd_id && entry.trials == shown.trials)
}

/// What a mapper of exchanged betas steered the generator to, for the same images.
fn control_row(gathered: &Gathered, shown: &[&ManifestEntry]) -> Result<Option<(String, Vec<Cell>)>> {
    let Some(control) = &gathered.drawn_control else { return Ok(None) };
    let cells = cells_of(control, gathered.judged_control.as_ref(), shown)?;
    Ok(Some(("control: exchanged betas".into(), cells)))
}

/// Pictures of the same images that were not decoded.
fn rows_beside(gathered: &Gathered, shown: &[&ManifestEntry]) -> Result<Vec<(String, Vec<Cell>)>> {
    let row = |beside: &PicturesBeside| {
        let cells = cells_of(&beside.drawn, beside.judged.as_ref(), shown)?;
        Ok((source_label(beside.source).to_string(), cells))
    };
    gathered.beside.iter().map(row).collect()
}

fn source_label(source: PictureSource) -> &'static str {
    match source {
        PictureSource::Betas => "decoded",
        PictureSource::Truth => "ceiling: the truth",
        PictureSource::TrainingMean => "floor: mean embedding",
        PictureSource::NearestTraining => "nearest training image",
        PictureSource::RandomTraining => "floor: random training image",
    }
}

/// The first picture of each image of a run, in the order in which they were drawn.
fn first_pictures(drawn: &FinishedRun) -> Result<Vec<ManifestEntry>> {
    let mut seen = BTreeSet::new();
    let mut entries = Manifest::read(&drawn.folder, "the report")?.images;
    entries.retain(|entry| seen.insert(entry.nsd_id));
    Ok(entries)
}

/// The first picture that a run has of each of the images.
fn cells_of(
    drawn: &FinishedRun,
    judged: Option<&FinishedRun>,
    shown: &[&ManifestEntry],
) -> Result<Vec<Cell>> {
    let run = drawn.folder.as_path();
    let entries = first_pictures(drawn)?;
    let ranks = ranks(run, judged)?;
    let cell = |shown: &&ManifestEntry| match entries.iter().find(|entry| entry.nsd_id == shown.nsd_id) {
        Some(entry) => picture(run, &entry.file, &note(entry, &ranks)),
        None => Ok(Cell::default()),
    };
    shown.iter().map(cell).collect()
}

fn caption(
    drawn: &FinishedRun,
    (num_pictures, num_shown): (usize, usize),
    features: Option<&str>,
    gathered: &Gathered,
) -> String {
    let limit = drawn.config.reconstruct.as_ref().map_or(0, |section| section.limit);
    let order = match limit {
        0 => "in the order of the experiment".to_string(),
        limit => format!("of {limit} that are evenly spread over the experiment"),
    };
    let mut text = format!(
        "The first {num_shown} held-out images {order}, not picked ({num_pictures} pictures were drawn). Top: what the subject saw. \
         Below: what the generator draws from the embeddings decoded from the betas, one row per random z."
    );
    if gathered.drawn_control.is_some() {
        text.push_str(" Then the same from a mapper that learned from exchanged betas.");
    }
    if gathered.beside(PictureSource::Truth).is_some() {
        text.push_str(" Ceiling: the same generator and z with the true embeddings. Where that is no better than what is decoded, the generator is the limit.");
    }
    if gathered.beside(PictureSource::NearestTraining).is_some() {
        text.push_str(
            " Nearest training image: what the decoded embedding would retrieve from memory; where it looks as good as the decoded \
             picture, memory explains it.",
        );
    }
    if let Some(features) = features {
        text.push_str(&format!(
            " Numbers: cosine of the drawn picture's features with those of the seen one (features of {features}, not centred), and \
             the seen one's rank among all held-out pictures (1: the nearest; by chance the middle one, (n + 1) / 2 of n)."
        ));
    }
    text
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

/// How near a picture is to its ground truth; where none was ranked, which trials it was decoded from.
fn note(entry: &ManifestEntry, ranks: &BTreeMap<String, OwnPicture>) -> String {
    match (ranks.get(&entry.file), entry.trials.as_slice()) {
        (Some(OwnPicture { similarity, rank, of }), _) => format!("{similarity:.2}, {rank}/{of}"),
        (None, _) if !ranks.is_empty() => String::new(),
        (None, [trial]) => format!("trial {trial}"),
        (None, trials) => format!("mean of {}", trials.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(root: &Path, name: &str, file: &str, config: &str, content: &serde_json::Value) -> FinishedRun {
        let folder = root.join(name);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("config.toml"), config).unwrap();
        std::fs::write(folder.join(file), content.to_string()).unwrap();
        FinishedRun::open(&folder).unwrap()
    }

    fn entry(trial: usize, nsd_id: u32) -> serde_json::Value {
        serde_json::json!({"file": format!("{trial}.png"), "trials": [trial], "nsd_id": nsd_id, "sample": 0, "ground_truth": "t.png"})
    }

    #[test]
    fn the_first_images_are_shown_once_each_whatever_their_rank() {
        let manifest = serde_json::json!({"subject": "subj01", "images": (0..40).map(|trial| entry(trial, trial as u32 / 2)).collect::<Vec<_>>()});
        let manifest: Manifest = serde_json::from_value(manifest).unwrap();
        let entries: Vec<&ManifestEntry> = manifest.images.iter().collect();
        let shown: Vec<u32> = first_of_images(&entries).iter().map(|entry| entry.nsd_id).collect();
        assert_eq!(shown, (0..10).collect::<Vec<_>>());
    }

    #[test]
    fn a_manifest_without_pictures_or_with_files_elsewhere_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let drawn = |images: serde_json::Value| {
            let manifest = serde_json::json!({"subject": "subj01", "images": images});
            let drawn = run(root.path(), "r", "manifest.json", "[reconstruct]\n", &manifest);
            grid(&drawn, &Gathered::default(), None).err().map(|error| error.to_string()).unwrap()
        };
        assert!(drawn(serde_json::json!([])).contains("manifest.json`: images: found none"));
        let mut elsewhere = entry(0, 1);
        elsewhere["ground_truth"] = "../../secret.png".into();
        let error = drawn(serde_json::json!([elsewhere]));
        assert!(error.contains("picture: found ../../secret.png"), "{error}");
        assert!(drawn(serde_json::json!([{"file": 3}])).contains("a manifest of `reconstruct`"));
    }

    #[test]
    fn a_ranking_of_another_run_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let ranking = serde_json::json!({"evaluated": "00001-elsewhere", "pictures": []});
        let config = "evaluated = \"x\"\n[evaluate_images]\n";
        let judged = run(root.path(), "e", "evaluation.json", config, &ranking);
        let error = ranks(Path::new("00002-here"), Some(&judged)).unwrap_err().to_string();
        assert!(error.contains("00002-here") && error.contains("00001-elsewhere"), "{error}");
        assert!(ranks(Path::new("moved/00001-elsewhere"), Some(&judged)).unwrap().is_empty());
    }
}
