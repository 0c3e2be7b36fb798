//! Curves of a training, from its `metrics.jsonl`.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use crate::report::{LineChart, Series};
use crate::run::error::RunError;
use crate::run::event_log::EventLog;

/// Charts of a mapper's run with their names: losses of each phase, retrieval.
///
/// # Errors
/// When its metrics cannot be read.
pub(crate) fn mapper_curves(run: &Path) -> Result<Vec<(String, LineChart)>, RunError> {
    let events = numbered(events(run)?);
    let losses = losses("Losses", &events).into_iter().zip(1..);
    let mut charts: Vec<(String, LineChart)> =
        losses.map(|(chart, phase)| (format!("losses-phase{phase}"), chart)).collect();
    charts.push(("retrieval".into(), retrieval("Retrieval", &events)));
    Ok(charts)
}

/// A chart per phase: their losses are different functions.
pub(crate) fn losses(title: &str, events: &[Value]) -> Vec<LineChart> {
    let phases: BTreeSet<u64> = events.iter().filter_map(|event| event["phase"].as_u64()).collect();
    let several = phases.len() > 1;
    let of_phase = |phase| {
        let events: Vec<Value> = events.iter().filter(|event| event["phase"] == phase).cloned().collect();
        LineChart {
            title: if several { format!("{title}, phase {phase}") } else { title.into() },
            x_label: "epoch (both phases)".into(),
            y_label: "loss".into(),
            series: vec![
                series("training", &events, "/number", "/train_loss"),
                series("validation", &events, "/number", "/validation_loss"),
            ],
        }
    };
    phases.into_iter().map(of_phase).collect()
}

/// Images found over the epochs.
pub(crate) fn retrieval(title: &str, events: &[Value]) -> LineChart {
    LineChart {
        title: title.into(),
        x_label: "epoch (both phases)".into(),
        y_label: "images found".into(),
        series: vec![
            series("forward", events, "/number", "/validation/retrieval/forward/over_batches/mean"),
            series("backward", events, "/number", "/validation/retrieval/backward/over_batches/mean"),
            series("chance", events, "/number", "/validation/retrieval/chance_over_batches"),
        ],
    }
}

/// The events of a run, from its `metrics.jsonl`.
///
/// # Errors
/// As [`EventLog::read`].
pub(crate) fn events(run: &Path) -> Result<Vec<Value>, RunError> {
    EventLog::new(run.join("metrics.jsonl")).read()
}

/// Epochs counted over both phases.
pub(crate) fn numbered(events: Vec<Value>) -> Vec<Value> {
    events
        .into_iter()
        .enumerate()
        .map(|(number, mut event)| {
            event["number"] = Value::from(number + 1);
            event
        })
        .collect()
}

/// Points of the events that have both numbers.
pub(crate) fn series(name: &str, events: &[Value], x: &str, y: &str) -> Series {
    let number = |event: &Value, pointer: &str| event.pointer(pointer).and_then(Value::as_f64);
    Series::new(
        name,
        events.iter().filter_map(|event| Some((number(event, x)?, number(event, y)?))).collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn phases_have_charts_of_their_own() {
        let event =
            |phase: u64, loss: f64| json!({"phase": phase, "train_loss": loss, "validation_loss": loss});
        let charts = losses("Losses", &numbered(vec![event(1, 0.5), event(1, 0.4), event(2, 2.0)]));
        assert_eq!(charts.len(), 2);
        assert_eq!(charts[1].title, "Losses, phase 2");
        assert_eq!(charts[1].series[0].points, [(3.0, 2.0)]);
    }

    #[test]
    fn events_without_the_number_are_left_out() {
        let events = [json!({"a": 1, "b": {"c": 2.5}}), json!({"a": 2}), json!({"a": 3, "b": {"c": null}})];
        assert_eq!(series("s", &events, "/a", "/b/c").points, [(1.0, 2.5)]);
    }
}
