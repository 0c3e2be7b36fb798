//! Curves of a training, from its `metrics.jsonl`.

use std::collections::BTreeSet;
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::files::file_is_there;
use crate::report::{LineChart, Series};
use crate::run::error::RunError;
use crate::run::event_log::EventLog;

/// The log of a training's steps.
const METRICS_FILE: &str = "metrics.jsonl";

/// A line of a mapper's metrics, as far as it is drawn.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct MapperRow {
    /// Epoch from 1, counted over all phases.
    #[serde(skip)]
    number: usize,
    phase: Option<u64>,
    train_loss: Option<f64>,
    validation_loss: Option<f64>,
    validation: Option<Validation>,
    /// Of a residual mapper: the trials that its network is looked at on.
    measured_on: Option<String>,
    cosine_distance: Option<f64>,
    /// Of a residual mapper, on tuning images.
    counts: Option<Validation>,
}

#[derive(Debug, Clone, Deserialize)]
struct Validation {
    retrieval: Option<Retrieval>,
}

#[derive(Debug, Clone, Deserialize)]
struct Retrieval {
    forward: Direction,
    backward: Direction,
    chance_over_batches: Option<f64>,
}

#[derive(Debug, Clone, Deserialize)]
struct Direction {
    over_batches: OverBatches,
}

#[derive(Debug, Clone, Deserialize)]
struct OverBatches {
    mean: Option<f64>,
}

/// Charts of a mapper's run with their names: losses of each phase, retrieval.
///
/// # Errors
/// When its metrics cannot be read.
pub(crate) fn mapper_curves(run: &Path) -> Result<Vec<(String, LineChart)>, RunError> {
    let rows = mapper_rows(run)?;
    if rows.is_empty() {
        return Ok(vec![]);
    }
    let losses = losses("Losses", &rows).into_iter().zip(1..);
    let mut charts: Vec<(String, LineChart)> =
        losses.map(|(chart, phase)| (format!("losses-phase{phase}"), chart)).collect();
    charts.push(("retrieval".into(), retrieval("Retrieval", &rows)));
    Ok(charts)
}

/// A chart per phase: their losses are different functions.
pub(crate) fn losses(title: &str, rows: &[MapperRow]) -> Vec<LineChart> {
    let phases: BTreeSet<u64> = rows.iter().filter_map(|row| row.phase).collect();
    let several = phases.len() > 1;
    let members = phases.len().saturating_sub(1);
    let of_phase = |phase| {
        let rows: Vec<MapperRow> = rows.iter().filter(|row| row.phase == Some(phase)).cloned().collect();
        let name = match rows.first().and_then(|row| row.measured_on.as_deref()) {
            Some("tuning") => "a trial fit without the tuning images, which chooses the blend".into(),
            Some(_) => format!("network {} of {members} on all training images", phase.saturating_sub(1)),
            None => format!("phase {phase}"),
        };
        let looked_at = rows.iter().any(|row| row.measured_on.as_deref() == Some("tuning"));
        let distance =
            if looked_at { "1 − cosine, tuning images" } else { "1 − cosine, training images" };
        let curves = [
            series("training", &rows, MapperRow::number, |row| row.train_loss),
            series("validation", &rows, MapperRow::number, |row| row.validation_loss),
            series(distance, &rows, MapperRow::number, |row| row.cosine_distance),
        ];
        LineChart {
            title: if several { format!("{title}, {name}") } else { title.into() },
            x_label: "epoch (counted over all phases)".into(),
            y_label: "loss".into(),
            series: curves.into_iter().filter(|curve| !curve.points.is_empty()).collect(),
            ..LineChart::default()
        }
    };
    phases.into_iter().map(of_phase).collect()
}

/// Images found over the epochs.
pub(crate) fn retrieval(title: &str, rows: &[MapperRow]) -> LineChart {
    let counted = |name, count: fn(&Retrieval) -> Option<f64>| {
        let counts = |row: &MapperRow| row.validation.clone().or_else(|| row.counts.clone());
        series(name, rows, MapperRow::number, |row| count(counts(row)?.retrieval.as_ref()?))
    };
    LineChart {
        title: format!("{title} (not centred)"),
        x_label: "epoch (counted over all phases)".into(),
        y_label: "images found".into(),
        series: vec![
            counted("forward", |retrieval| retrieval.forward.over_batches.mean),
            counted("backward", |retrieval| retrieval.backward.over_batches.mean),
            counted("chance", |retrieval| retrieval.chance_over_batches),
        ],
        ..LineChart::default()
    }
}

/// The lines of a run's `metrics.jsonl`.
///
/// # Errors
/// As [`EventLog::read`].
pub(crate) fn rows<R: DeserializeOwned>(run: &Path) -> Result<Vec<R>, RunError> {
    EventLog::new(run.join(METRICS_FILE)).read()
}

impl MapperRow {
    fn number(&self) -> Option<f64> {
        Some(self.number as f64)
    }
}

/// Epochs of a mapper's run, counted over both phases; none of one that was fitted in one piece and has no log of steps.
///
/// # Errors
/// When its metrics cannot be read.
pub(crate) fn mapper_rows(run: &Path) -> Result<Vec<MapperRow>, RunError> {
    let log = run.join(METRICS_FILE);
    if !file_is_there(&log)? {
        return Ok(vec![]);
    }
    Ok(numbered(EventLog::new(log).read()?))
}

/// Epochs counted over both phases.
fn numbered(mut rows: Vec<MapperRow>) -> Vec<MapperRow> {
    rows.iter_mut().zip(1..).for_each(|(row, number)| row.number = number);
    rows
}

/// Points of the rows that have both numbers.
pub(crate) fn series<R>(
    name: &str,
    rows: &[R],
    x: impl Fn(&R) -> Option<f64>,
    y: impl Fn(&R) -> Option<f64>,
) -> Series {
    Series::new(name, rows.iter().filter_map(|row| Some((x(row)?, y(row)?))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(events: serde_json::Value) -> Vec<MapperRow> {
        numbered(serde_json::from_value(events).unwrap())
    }

    #[test]
    fn phases_have_charts_of_their_own() {
        let event =
            |phase: u64, loss: f64| json!({"phase": phase, "train_loss": loss, "validation_loss": loss});
        let rows = read(json!([event(1, 0.5), event(1, 0.4), event(2, 2.0)]));
        let charts = losses("Losses", &rows);
        assert_eq!(charts.len(), 2);
        assert_eq!(charts[1].title, "Losses, phase 2");
        assert_eq!(charts[1].series[0].points, [(3.0, 2.0)]);
    }

    #[test]
    fn phases_of_a_residual_mapper_say_what_they_are() {
        let event = |phase: u64, on: &str| json!({"phase": phase, "train_loss": 0.5, "cosine_distance": 0.4, "measured_on": on});
        let rows = read(json!([event(1, "tuning"), event(2, "training"), event(3, "training")]));
        let titles: Vec<String> = losses("Losses", &rows).into_iter().map(|chart| chart.title).collect();
        assert_eq!(
            titles,
            [
                "Losses, a trial fit without the tuning images, which chooses the blend",
                "Losses, network 1 of 2 on all training images",
                "Losses, network 2 of 2 on all training images",
            ]
        );
        let curves: Vec<String> =
            losses("Losses", &rows)[0].series.iter().map(|series| series.name.clone()).collect();
        assert_eq!(curves, ["training", "1 − cosine, tuning images"]);
    }

    #[test]
    fn retrieval_has_a_curve_per_direction_and_one_of_chance() {
        let count = |mean: f64| json!({"over_batches": {"mean": mean}});
        let retrieved = json!({"forward": count(3.0), "backward": count(2.0), "chance_over_batches": 1.0});
        let chart =
            retrieval("Retrieval", &read(json!([{"epoch": 0}, {"validation": {"retrieval": retrieved}}])));
        let points: Vec<_> = chart.series.iter().map(|series| series.points.as_slice()).collect();
        assert_eq!(points, [[(2.0, 3.0)], [(2.0, 2.0)], [(2.0, 1.0)]]);
    }

    #[test]
    fn rows_without_the_number_are_left_out() {
        let rows = read(json!([{"train_loss": 2.5}, {"validation_loss": 1.0}, {"train_loss": null}]));
        assert_eq!(series("s", &rows, MapperRow::number, |row| row.train_loss).points, [(1.0, 2.5)]);
    }
}
