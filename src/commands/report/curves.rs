//! Training curves from `metrics.jsonl`.

use std::path::Path;

use serde::Deserialize;

use super::gathered::{Gathered, mapper_name};
use super::measures::Findings;
use super::run_files::json_file;
use crate::commands::train_mapper::FitReport;
use crate::files::file_is_there;
use crate::pipelines::training_curves::{losses, mapper_rows, retrieval, rows, series};
use crate::report::number_format::number;
use crate::report::{Block, LineChart, Section, Series};
use crate::run::error::RunError;
use crate::training::residual::events::ResidualChoice;

/// A line of a CLIP's metrics, as far as it is drawn.
#[derive(Debug, Deserialize)]
struct ClipRow {
    epoch: Option<f64>,
    train_loss: Option<f64>,
    held_out: Option<HeldOut>,
}

#[derive(Debug, Deserialize)]
struct HeldOut {
    loss: Option<f64>,
}

/// A line of a GAN's metrics, as far as it is drawn: a report with losses, or the distances of its samples.
#[derive(Debug, Deserialize)]
struct GanRow {
    images_seen: Option<f64>,
    generator_loss: Option<f64>,
    discriminator_loss: Option<f64>,
    image_mapper_loss: Option<f64>,
    second_mapper_loss: Option<f64>,
    frechet: Option<Distances>,
}

#[derive(Debug, Deserialize)]
struct Distances {
    name: Option<String>,
    real: Option<f64>,
    validation: Option<f64>,
    test: Option<f64>,
    train: Option<f64>,
}

/// A GAN run's summary, as far as it is told.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct GanSummary {
    snapshots: Snapshots,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Snapshots {
    frechet: Option<Frechet>,
}

#[derive(Debug, Deserialize)]
struct Frechet {
    name: String,
    best: Option<Best>,
}

/// Runs of older versions do not say what the snapshot was chosen on.
#[derive(Debug, Deserialize)]
struct Best {
    images_seen: u64,
    value: f64,
    note: Option<String>,
}

/// Which snapshot of a GAN run is the best, and what chose it; nothing where none was measured.
fn best_snapshot(name: &str, run: &Path) -> crate::error::Result<Option<String>> {
    let path = run.join("summary.json");
    if !file_is_there(&path)? {
        return Ok(None);
    }
    let summary: GanSummary = json_file(&path, "a summary of a GAN's training")?;
    let best = summary.snapshots.frechet.and_then(|frechet| Some((frechet.name, frechet.best?)));
    Ok(best.map(|(distance, Best { images_seen, value, note })| {
        let note = note.unwrap_or_else(|| "chosen by that distance".into());
        format!(
            "{name}: the best snapshot is that of {images_seen} images, {distance} {}; {note}.",
            number(value)
        )
    }))
}

/// Curves of every training run; nothing where none is shown.
pub(super) fn section(gathered: &Gathered, findings: &Findings) -> crate::error::Result<Option<Section>> {
    let mut section = Section::new("Training");
    if let Some(run) = &gathered.clip {
        section = section.with(of_clip(&run.folder)?);
    }
    for (run, (_, summary)) in gathered.mappers.iter().zip(&findings.mappers) {
        let name = mapper_name(run);
        if let Some(FitReport::Residual(choice)) = &summary.fit {
            section = section.text(share_of_network(&name, choice));
        }
        let rows = mapper_rows(&run.folder)?;
        if rows.is_empty() {
            continue;
        }
        for chart in losses(&format!("{name}: loss"), &rows) {
            section = section.with(Block::Chart(chart));
        }
        let found = retrieval(&format!("{name}: retrieval"), &rows);
        if found.series.iter().any(|series| !series.points.is_empty()) {
            section = section.with(Block::Chart(found));
        }
    }
    let gans = [("GAN, pretraining", &gathered.pretraining), ("GAN, finetuning", &gathered.finetuning)];
    for (name, run) in gans {
        if let Some(run) = run {
            section.blocks.extend(of_gan(name, &run.folder)?);
        }
    }
    Ok((!section.blocks.is_empty()).then_some(section))
}

/// Which share of a residual mapper its network is, as the training images chose it.
fn share_of_network(name: &str, choice: &ResidualChoice) -> String {
    let tried: Vec<String> = choice.blends.iter().map(|tried| number(tried.blend)).collect();
    let chosen = format!("{name}: the chosen share α of its network is {}", number(choice.blend));
    let chosen_on = format!("of {}, on training images", tried.join(", "));
    match choice.blend {
        0.0 => format!(
            "{chosen} ({chosen_on}): the mapper is its ridge regression, and the curves are those of a network that has no part in it."
        ),
        1.0 => {
            format!("{chosen} ({chosen_on}): ridge regression has a part in it as the network's start alone.")
        }
        _ => format!("{chosen} ({chosen_on}); the rest is ridge regression."),
    }
}

fn of_clip(run: &Path) -> Result<Block, RunError> {
    let rows: Vec<ClipRow> = rows(run)?;
    let curves = vec![
        series("training", &rows, |row| row.epoch, |row| row.train_loss),
        series("held-out", &rows, |row| row.epoch, |row| row.held_out.as_ref()?.loss),
    ];
    Ok(chart("CLIP: contrastive loss", "epoch", "nats", curves))
}

fn of_gan(name: &str, run: &Path) -> crate::error::Result<Vec<Block>> {
    let rows: Vec<GanRow> = rows(run)?;
    let losses = vec![
        series("generator", &rows, |row| row.images_seen, |row| row.generator_loss),
        series("discriminator", &rows, |row| row.images_seen, |row| row.discriminator_loss),
    ];
    let mut blocks = vec![chart(&format!("{name}: losses"), "images shown", "loss", losses)];
    if let Some((title, distances)) = distances(&rows) {
        blocks.push(chart(&format!("{name}: {title}"), "images shown", "distance", distances));
    }
    if let Some(text) = best_snapshot(name, run)? {
        blocks.push(Block::Text(text));
    }
    // Only of a run that trained them.
    let mappers = mapper_losses(&rows);
    if mappers.iter().any(|series| !series.points.is_empty()) {
        blocks.push(chart(&format!("{name}: mappers"), "images shown", "loss", mappers));
    }
    Ok(blocks)
}

/// Distances of generated samples from each set of real pictures, and what they are called; none where nothing was measured.
fn distances(rows: &[GanRow]) -> Option<(String, Vec<Series>)> {
    let name = rows.iter().find_map(|row| row.frechet.as_ref()?.name.clone())?;
    let of_set = |set, distance: fn(&Distances) -> Option<f64>| {
        series(set, rows, |row| row.images_seen, |row| distance(row.frechet.as_ref()?))
    };
    let of_sets = [
        of_set("real", |frechet| frechet.real),
        of_set("validation", |frechet| frechet.validation),
        of_set("test", |frechet| frechet.test),
        of_set("train", |frechet| frechet.train),
    ];
    Some((name, of_sets.into_iter().filter(|set| !set.points.is_empty()).collect()))
}

/// Losses of mappers that were trained with a GAN.
fn mapper_losses(rows: &[GanRow]) -> Vec<Series> {
    vec![
        series("image mapper", rows, |row| row.images_seen, |row| row.image_mapper_loss),
        series("second mapper", rows, |row| row.images_seen, |row| row.second_mapper_loss),
    ]
}

fn chart(title: &str, x_label: &str, y_label: &str, series: Vec<Series>) -> Block {
    let (title, x_label, y_label) = (title.into(), x_label.into(), y_label.into());
    Block::Chart(LineChart { title, x_label, y_label, series, ..LineChart::default() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(events: serde_json::Value) -> Vec<GanRow> {
        serde_json::from_value(events).unwrap()
    }

    #[test]
    fn a_network_without_a_share_is_said_to_have_none() {
        let choice = |blend| ResidualChoice {
            chosen_on: Default::default(),
            ridge: crate::training::decoder::weighted_ridge::ChosenPenalty { penalty: 1.0, edge: None },
            blend,
            blends: vec![],
        };
        assert!(share_of_network("image mapper", &choice(0.0)).contains("α of its network is 0 ("));
        assert!(share_of_network("image mapper", &choice(0.0)).ends_with("has no part in it."));
        assert!(share_of_network("image mapper", &choice(0.5)).ends_with("; the rest is ridge regression."));
    }

    #[test]
    fn distances_have_a_curve_per_set() {
        let event = |images: u64, test: f64| json!({"images_seen": images, "frechet": {"name": "FID", "test": test, "train": 2.0 * test}});
        let rows = read(json!([{"images_seen": 0}, event(1, 9.0), event(2, 8.0)]));
        let (name, sets) = distances(&rows).unwrap();
        assert_eq!((name.as_str(), sets.len()), ("FID", 2));
        assert_eq!(sets[1].points, [(1.0, 18.0), (2.0, 16.0)]);
        assert!(distances(&read(json!([{"images_seen": 0}]))).is_none());
    }

    #[test]
    fn the_report_says_on_what_the_best_snapshot_was_chosen() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(best_snapshot("GAN", root.path()).unwrap(), None);
        let write = |best: serde_json::Value| {
            let frechet = json!({"name": "FID", "best": best, "last": []});
            let summary = json!({"run": "r", "snapshots": {"generators": [], "frechet": frechet}});
            std::fs::write(root.path().join("summary.json"), summary.to_string()).unwrap();
            best_snapshot("GAN", root.path()).unwrap()
        };
        let best = json!({"images_seen": 80, "value": 12.5, "chosen_on": "test", "note": "chosen on the test images"});
        let text = write(best).unwrap();
        assert_eq!(text, "GAN: the best snapshot is that of 80 images, FID 12.5; chosen on the test images.");
        assert!(
            write(json!({"images_seen": 80, "value": 12.5})).unwrap().ends_with("chosen by that distance.")
        );
        assert_eq!(write(json!(null)), None);
    }

    #[test]
    fn mappers_trained_with_a_gan_have_series_where_they_were() {
        let rows = read(json!([{"images_seen": 8, "generator_loss": 2.0, "image_mapper_loss": 1.5}]));
        let [image, second] = &mapper_losses(&rows)[..] else { panic!("two series") };
        assert_eq!((image.name.as_str(), &image.points[..]), ("image mapper", &[(8.0, 1.5)][..]));
        assert!(second.points.is_empty());
    }
}
