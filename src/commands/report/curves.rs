//! Training curves from `metrics.jsonl`.

use std::path::Path;

use serde_json::Value;

use super::ReportSettings;
use crate::report::{Block, LineChart, Section, Series};
use crate::run::error::RunError;
use crate::run::event_log::EventLog;

/// Curves of every training run.
pub(super) fn section(settings: &ReportSettings) -> anyhow::Result<Section> {
    let mut section = Section::new("Training");
    if let Some(run) = &settings.clip_run {
        let events = events(run)?;
        section = section.with(chart(
            "CLIP: contrastive loss",
            "epoch",
            "nats",
            vec![
                series("training", &events, "/epoch", "/train_loss"),
                series("held-out", &events, "/epoch", "/held_out/loss"),
            ],
        ));
    }
    for (name, run) in &settings.mapper_runs {
        let events = numbered(events(run)?);
        section = section.with(Block::Chart(losses(&format!("{name}: loss"), &events))).with(chart(
            &format!("{name}: retrieval"),
            "epoch (both phases)",
            "images found",
            vec![
                series("forward", &events, "/number", "/validation/retrieval/forward/first_batch"),
                series("backward", &events, "/number", "/validation/retrieval/backward/first_batch"),
                series("chance", &events, "/number", "/validation/retrieval/chance_first_batch"),
            ],
        ));
    }
    for (name, run) in &settings.gan_runs {
        let events = events(run)?;
        section = section.with(chart(
            &format!("{name}: losses"),
            "images shown",
            "loss",
            ["generator_loss", "discriminator_loss"]
                .map(|key| series(key.trim_end_matches("_loss"), &events, "/images_seen", &format!("/{key}")))
                .to_vec(),
        ));
    }
    Ok(section)
}

/// Training and validation loss of a mapper's run.
pub(in crate::commands) fn mapper_losses(title: &str, run: &Path) -> Result<LineChart, RunError> {
    Ok(losses(title, &numbered(events(run)?)))
}

fn losses(title: &str, events: &[Value]) -> LineChart {
    LineChart {
        title: title.into(),
        x_label: "epoch (both phases)".into(),
        y_label: "loss".into(),
        series: vec![
            series("training", events, "/number", "/train_loss"),
            series("validation", events, "/number", "/validation_loss"),
        ],
    }
}

fn events(run: &Path) -> Result<Vec<Value>, RunError> {
    EventLog::new(run.join("metrics.jsonl")).read()
}

/// Epochs counted over both phases.
fn numbered(events: Vec<Value>) -> Vec<Value> {
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
fn series(name: &str, events: &[Value], x: &str, y: &str) -> Series {
    let number = |event: &Value, pointer: &str| event.pointer(pointer).and_then(Value::as_f64);
    Series::new(
        name,
        events.iter().filter_map(|event| Some((number(event, x)?, number(event, y)?))).collect(),
    )
}

fn chart(title: &str, x_label: &str, y_label: &str, series: Vec<Series>) -> Block {
    Block::Chart(LineChart { title: title.into(), x_label: x_label.into(), y_label: y_label.into(), series })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn events_without_the_number_are_left_out() {
        let events = [json!({"a": 1, "b": {"c": 2.5}}), json!({"a": 2}), json!({"a": 3, "b": {"c": null}})];
        assert_eq!(series("s", &events, "/a", "/b/c").points, [(1.0, 2.5)]);
    }
}
