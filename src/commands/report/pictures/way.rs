//! The way between two trials: frames between what was seen, and how near they are to it.

use std::path::Path;

use crate::commands::interpolate::{PathKind, PathRecord, WayManifest};
use crate::commands::report::run_files::{json_file, picture};
use crate::error::Result;
use crate::pipelines::drawing_manifest::MANIFEST_FILE;
use crate::report::{Block, Cell, ImageGrid, Section};

/// Frames of a row.
const COLUMNS: usize = 8;

/// The first leg of every way, with the chart of the first space.
///
/// # Errors
/// A manifest or picture that is missing or malformed.
pub(in crate::commands::report) fn section(run: &Path) -> Result<Section> {
    let way: WayManifest = json_file(&run.join(MANIFEST_FILE), "a manifest of `interpolate`")?;
    let rows = way.paths.iter().map(|path| row(run, &way, path)).collect::<Result<_>>()?;
    let trials: Vec<usize> = way.trials.iter().map(|trial| trial.trial).collect();
    let names: Vec<String> = way.trials.iter().take(2).map(|trial| trial.image.clone()).collect();
    let caption =
        format!("From trial to trial: what was seen, frames, what was seen ({}).", names.join(", "));
    let mut section = Section::new("Between two trials")
        .text(
            "Between two decoded trials lie pictures that nobody saw. On the first way betas are joined by a straight line and every \
             point of it is decoded, on the second the decoded embeddings are joined on their sphere.",
        )
        .with(Block::Images(ImageGrid { rows, caption }));
    for path in &way.paths {
        let title = format!("Similarity along the way: {}", name(path.path));
        section = section
            .with_some(path.chart(title, &trials, 0).map(|chart| Block::Group(vec![Block::Chart(chart)])));
    }
    Ok(section.text(way.inference.line()))
}

fn name(path: PathKind) -> &'static str {
    match path {
        PathKind::Betas => "betas in a straight line",
        PathKind::Embedding => "embeddings on the sphere",
    }
}

/// What was seen, frames of the first leg, what was seen.
fn row(run: &Path, way: &WayManifest, path: &PathRecord) -> Result<(String, Vec<Cell>)> {
    let first = path.frames.first().map(|frame| frame.between);
    let mut files: Vec<&str> = path
        .frames
        .iter()
        .filter(|frame| Some(frame.between) == first)
        .map(|frame| frame.file.as_str())
        .collect();
    // Of several legs the first frame of the second is the last of the first.
    let behind = path.frames.get(files.len()).map(|frame| frame.file.as_str());
    files.extend(behind);
    let count = files.len().min(COLUMNS);
    let shown = (0..count).map(|place| files[place * (files.len() - 1) / (count - 1).max(1)]);
    let seen = |trial: usize| way.trials.get(trial).map(|trial| trial.ground_truth.as_str());
    let cells = seen(0).into_iter().chain(shown).chain(seen(1)).map(|file| picture(run, file, ""));
    Ok((name(path.path).to_string(), cells.collect::<Result<_>>()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::RgbImage;
    use serde_json::json;

    #[test]
    fn a_row_is_framed_by_what_was_seen() {
        let root = tempfile::tempdir().unwrap();
        for file in ["a.png", "b.png", "0.png", "1.png", "2.png"] {
            RgbImage::new(2, 2).save(root.path().join(file)).unwrap();
        }
        let trial = |trial: usize, file: &str| {
            json!({"trial": trial, "nsd_id": trial, "image": format!("nsd {trial}"), "is_held_out": true, "position": trial,
                   "ground_truth": file})
        };
        let frame = |number: usize| {
            json!({"file": format!("{number}.png"), "between": [4, 9], "share": 0.5 * number as f64,
                   "similarity": [{"target": "image", "to_trials": [0.9, 0.1], "perfect": [1.0, 0.0], "others": null}]})
        };
        let manifest = json!({
            "trials": [trial(4, "a.png"), trial(9, "b.png")], "inference": {"kind": "inductive"},
            "paths": [{"path": "betas", "gif": "betas.gif", "charts": [], "evenness": [], "frames": [frame(0), frame(1), frame(2)]}],
        });
        std::fs::write(root.path().join("manifest.json"), manifest.to_string()).unwrap();
        let section = section(root.path()).unwrap();
        let Block::Images(grid) = &section.blocks[1] else { panic!("{:?}", section.blocks) };
        assert_eq!((grid.rows.len(), grid.rows[0].1.len()), (1, 5));
        assert!(grid.caption.contains("nsd 4, nsd 9"), "{}", grid.caption);
        let Block::Group(blocks) = &section.blocks[2] else { panic!("{:?}", section.blocks) };
        let Block::Chart(chart) = &blocks[0] else { panic!("{blocks:?}") };
        assert_eq!(chart.series[0].points, [(0.0, 0.9), (0.5, 0.9), (1.0, 0.9)]);
        std::fs::remove_file(root.path().join("b.png")).unwrap();
        let error = super::section(root.path()).unwrap_err().to_string();
        assert!(error.contains("b.png"), "{error}");
    }
}
