//! Voxel-wise accuracy of the encoding model, seen through the brain and by region.

use std::collections::BTreeMap;
use std::path::Path;

use super::run_files::picture;
use crate::commands::encode::{EncodeSummary, RegionAccuracy};
use crate::metrics::bootstrap::Interval;
use crate::report::number_format::{number, percent};
use crate::report::{Block, Cell, ImageGrid, Section, Table};

/// Files whose regions are listed.
const LISTED: [&str; 5] = ["prf-visualrois", "floc-faces", "floc-bodies", "floc-places", "floc-words"];

/// Maps and the table of regions.
pub(super) fn section(run: &Path, summary: &EncodeSummary) -> crate::error::Result<Section> {
    let mut rows: Vec<(String, Vec<Cell>)> = Vec::new();
    for (map, from, file) in &summary.views {
        let cell = picture(run, file, from)?;
        match rows.last_mut().filter(|(name, _)| name == map) {
            Some((_, cells)) => cells.push(cell),
            None => rows.push((map.clone(), vec![cell])),
        }
    }
    let mut lines = vec![line("all", &summary.all)];
    let mut by_file: BTreeMap<&str, Vec<(&String, &RegionAccuracy)>> = BTreeMap::new();
    for (name, region) in &summary.regions {
        by_file.entry(name.split_once(':').map_or("", |(file, _)| file)).or_default().push((name, region));
    }
    for file in LISTED {
        for (name, region) in by_file.get(file).into_iter().flatten() {
            lines.push(line(name.split_once(':').map_or(name.as_str(), |(_, region)| region), region));
        }
    }
    let mut section = Section::new("What every voxel follows").text(format!(
        "The way back: from the embedding (`{}`) to the betas by the encoder `{}`, scored on {} held-out trials. \
         Accuracy is Pearson's r of single trials, by chance 0; the noise ceiling is the largest r that a voxel's noise leaves. \
         {}",
        summary.space,
        summary.kind,
        summary.num_trials,
        intervals_in_words(summary)
    ));
    if !rows.is_empty() {
        let caption = "Means along the line of sight over the prepared voxels, dark to bright; grey: none.";
        section = section.with(Block::Images(ImageGrid { rows, caption: caption.into() }));
    }
    Ok(section.with(Block::Folded(
        "By region".into(),
        vec![Block::Table(Table {
            head: ["region", "voxels", "accuracy", "exchanged betas", "noise ceiling", "share"]
                .map(String::from)
                .to_vec(),
            rows: lines,
            caption: "Means over voxels.".into(),
        })],
    )))
}

/// What stands beside the means.
fn intervals_in_words(summary: &EncodeSummary) -> &'static str {
    match (summary.all.interval, summary.all.control) {
        (None, _) => {
            "The means over voxels have no interval, and no encoding model of exchanged betas is fitted beside."
        }
        (_, None) => {
            "Intervals are over the held-out images; no encoding model of exchanged betas was fitted beside."
        }
        _ => "Intervals are over the held-out images; the floor is the same model fitted to exchanged betas.",
    }
}

fn within(Interval { mean, low, high }: Interval) -> String {
    format!("{} ({} to {})", number(mean), number(low), number(high))
}

fn line(name: &str, region: &RegionAccuracy) -> Vec<String> {
    let share = region.ceiling.filter(|ceiling| *ceiling > 0.0).map(|ceiling| region.accuracy / ceiling);
    vec![
        name.to_string(),
        region.num_voxels.to_string(),
        region.interval.map_or_else(|| number(region.accuracy), within),
        region.control.map_or_else(|| "0 by chance".into(), within),
        region.ceiling.map_or(String::new(), number),
        share.map_or(String::new(), percent),
    ]
}
