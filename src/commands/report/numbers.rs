//! Tables: facts, retrieval against chance, captions, hashes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::commands::screen_captions::JudgedCaption;
use crate::metrics::identification::IdentificationAccuracy;
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
                format!(
                    "{} of {}",
                    value(&retrieval[direction]["first_batch"]),
                    value(&retrieval["batch_size"])
                ),
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

/// Identification accuracies, beside chance.
pub(super) fn identification(named: &[(String, Vec<IdentificationAccuracy>)]) -> Section {
    let row = |name: &String, accuracy: &IdentificationAccuracy| {
        let IdentificationAccuracy { ways, mean, expected, chance, .. } = accuracy;
        vec![
            name.clone(),
            format!("{ways}-way"),
            percent(*mean),
            format!("{} to {}", percent(expected.low), percent(expected.high)),
            percent(*chance),
        ]
    };
    let rows = named.iter().flat_map(|(name, all)| all.iter().map(move |accuracy| row(name, accuracy)));
    let head = ["pictures", "choice", "right", "95 % (images resampled)", "chance"];
    Section::new("Identification of pictures")
        .text(
            "Each picture is compared with its own ground truth and with other held-out images, in features of the CLIP that \
             the generator was trained with: that flatters it. The control's picture is drawn from a mapper that learned from exchanged betas: it must \
             be at chance.",
        )
        .with(Block::Table(Table {
            head: head.map(String::from).to_vec(),
            rows: rows.collect(),
            caption: "Means of 10 repeats with wrong images drawn anew.".into(),
        }))
}

/// How many captions survived the screening, with examples.
pub(super) fn captions(path: &Path) -> anyhow::Result<Section> {
    let bytes = RunError::read(path, "the report")?;
    let images: BTreeMap<String, Vec<JudgedCaption>> = serde_json::from_slice(&bytes)
        .map_err(|error| RunError::invalid(path, "content", "captions with probabilities", error))?;
    let mut histogram = BTreeMap::new();
    for captions in images.values() {
        *histogram.entry(captions.iter().filter(|caption| caption.kept).count()).or_insert(0_usize) += 1;
    }
    let share = |count: usize| percent(count as f64 / images.len().max(1) as f64);
    let examples = images.iter().take(EXAMPLES).map(|(image, captions)| {
        let list = |kept: bool| {
            let chosen = captions.iter().filter(|caption| caption.kept == kept);
            chosen
                .map(|caption| format!("{} ({})", caption.caption, percent(caption.probability)))
                .collect::<Vec<_>>()
                .join(" · ")
        };
        vec![image.clone(), list(true), list(false)]
    });
    Ok(Section::new("Caption screening")
        .text("A caption is kept when its probability under CLIP is more than half that of the image's best one.")
        .with(Block::Table(Table {
            head: ["captions kept", "images", "share"].map(String::from).to_vec(),
            rows: histogram
                .into_iter()
                .map(|(kept, count)| vec![kept.to_string(), count.to_string(), share(count)])
                .collect(),
            caption: String::new(),
        }))
        .with(Block::Table(Table {
            head: ["image", "kept (probability)", "dropped (probability)"].map(String::from).to_vec(),
            rows: examples.collect(),
            caption: "Examples.".into(),
        })))
}

const EXAMPLES: usize = 4;

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
