//! Tables: facts, retrieval against chance, captions, hashes.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::report::number_format::{number, percent};
use crate::report::{Block, Section, Table};
use crate::run::error::RunError;

/// A JSON file that a run left.
pub(super) fn json_file(path: &Path) -> Result<Value, RunError> {
    let bytes = RunError::read(path, "the report")?;
    serde_json::from_slice(&bytes).map_err(|error| RunError::invalid(path, "content", "JSON", error))
}

pub(super) fn facts(facts: &[(String, String)]) -> Table {
    Table {
        head: vec!["".into(), "".into()],
        rows: facts.iter().map(|(name, value)| vec![name.clone(), value.clone()]).collect(),
        caption: String::new(),
    }
}

/// Retrieval counts of every mapper run, beside chance.
pub(super) fn retrieval(runs: &[(String, PathBuf)]) -> anyhow::Result<Section> {
    let mut rows = Vec::new();
    for (name, run) in runs {
        let summary = json_file(&run.join("summary.json"))?;
        let retrieval = &summary["retrieval"];
        for direction in ["forward", "backward"] {
            let over = &retrieval[direction]["over_batches"];
            let value = |value: &Value| value.as_f64().map_or("none".into(), number);
            rows.push(vec![
                name.clone(),
                direction.into(),
                format!("{} of {}", value(&retrieval[direction]["first_batch"]), value(&retrieval["batch_size"])),
                format!("{} ({} to {})", value(&over["mean"]), value(&over["low"]), value(&over["high"])),
                value(&retrieval["chance_over_batches"]),
            ]);
        }
    }
    let head = ["mapper", "direction", "found in the first batch", "mean over batches (95 %)", "chance"];
    Ok(Section::new("Retrieval of held-out images")
        .text(
            "Forward: each decoded embedding looks for its image among all images of a batch. Backward: each image \
             looks for its decoded embedding. Held-out images took no part in training. The run with exchanged betas \
             is the control: it must be at chance.",
        )
        .with(Block::Table(Table {
            head: head.map(String::from).to_vec(),
            rows,
            caption: "Matches are counted by image, so a repeated presentation in the batch counts as found; chance \
                      takes that into account. Intervals resample images."
                .into(),
        })))
}

/// How many captions survived the screening, with examples.
pub(super) fn captions(path: &Path) -> anyhow::Result<Section> {
    let file = json_file(path)?;
    let images = file["images"].as_array().cloned().unwrap_or_default();
    let mut histogram = std::collections::BTreeMap::new();
    let mut examples = Vec::new();
    for image in &images {
        let kept = image["kept"].as_array().map_or(0, Vec::len);
        *histogram.entry(kept).or_insert(0_usize) += 1;
        if examples.len() < EXAMPLES {
            examples.extend(example(image));
        }
    }
    let rows = histogram
        .into_iter()
        .map(|(kept, count)| vec![kept.to_string(), count.to_string(), percent(count as f64 / images.len() as f64)])
        .collect();
    Ok(Section::new("Caption screening")
        .text("A caption is kept when its probability under CLIP is more than half that of the image's best one.")
        .with(Block::Table(Table {
            head: ["captions kept", "images", "share"].map(String::from).to_vec(),
            rows,
            caption: String::new(),
        }))
        .with(Block::Table(Table {
            head: ["image", "kept", "dropped"].map(String::from).to_vec(),
            rows: examples,
            caption: "Examples.".into(),
        })))
}

const EXAMPLES: usize = 4;

fn example(image: &Value) -> Option<Vec<String>> {
    let captions: Vec<&str> = image["captions"].as_array()?.iter().filter_map(Value::as_str).collect();
    let kept: Vec<usize> =
        image["kept"].as_array()?.iter().filter_map(Value::as_u64).map(|index| index as usize).collect();
    let list = |keep: bool| {
        let chosen = captions.iter().enumerate().filter(|(index, _)| kept.contains(index) == keep);
        chosen.map(|(_, text)| *text).collect::<Vec<_>>().join(" · ")
    };
    Some(vec![image["nsd_id"].to_string(), list(true), list(false)])
}

/// Hashes of the networks that drew the pictures.
pub(super) fn weights(run: &Path) -> anyhow::Result<Table> {
    let manifest = json_file(&run.join("manifest.json"))?;
    let hashes = manifest["weights_sha256"].as_object().cloned().unwrap_or_default();
    Ok(Table {
        head: ["network", "SHA-256 of the snapshot"].map(String::from).to_vec(),
        rows: hashes
            .into_iter()
            .map(|(name, hash)| vec![name.replace('_', " "), hash.as_str().unwrap_or_default().into()])
            .collect(),
        caption: String::new(),
    })
}
