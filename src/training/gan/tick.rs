//! Reports of a GAN training: when they are due, what is written in them, and what a caller sees.

use serde::Serialize;
use serde_json::{Map, Value};

use super::config::GanTrainConfig;
use super::mappers::outputs::CurrentMappers;
use super::state::Counters;
use crate::models::stylegan2::Generator;
use crate::run::training_log::TrainingLog;
use crate::tensor_ops::backend::Base;

/// What a caller sees at every report.
pub struct Tick<'a> {
    /// The averaged generator: what is used.
    pub generator_ema: &'a Generator<Base>,
    /// Real images shown so far.
    pub images_seen: u64,
    /// Number of the report, from 0 (before the first step).
    pub tick: u64,
    /// Whether a checkpoint of this state is written next.
    pub is_checkpoint: bool,
    /// Whether training ends here.
    pub is_last: bool,
    /// Means since the last report.
    pub stats: &'a Map<String, Value>,
    /// The mappers as they are, where they are trained too.
    pub mappers: Option<&'a CurrentMappers<'a>>,
    /// Where a picture of this report goes beside the run's numbers.
    pub log: &'a TrainingLog,
}

/// A report as a line of `metrics.jsonl`.
#[derive(Serialize)]
pub(crate) struct TickEvent<'a> {
    pub tick: u64,
    pub step: u64,
    pub images_seen: u64,
    #[serde(flatten)]
    pub stats: &'a Map<String, Value>,
}

/// When reports and checkpoints are due.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TickSchedule {
    /// Images of the whole training.
    total: u64,
    /// Images from one report to the next.
    between_ticks: f64,
    /// Images of a step.
    batch_size: u64,
    /// Reports from one checkpoint to the next.
    checkpoint_ticks: u64,
}

impl TickSchedule {
    pub fn new(config: &GanTrainConfig) -> Self {
        Self {
            total: config.total_images(),
            between_ticks: (config.tick_kimg * 1000.0).max(1.0),
            batch_size: config.images_per_step() as u64,
            checkpoint_ticks: config.checkpoint_ticks,
        }
    }

    /// Images of the whole training.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Whether the training has shown all its images.
    pub fn is_last(&self, counters: &Counters) -> bool {
        counters.images_seen >= self.total
    }

    /// Whether the last step ended a period of reporting, or the training.
    pub fn is_tick_due(&self, counters: &Counters) -> bool {
        let period = |images: u64| (images as f64 / self.between_ticks).floor();
        // A step may jump over a multiple: the periods before and after it are compared, not the remainder.
        self.is_last(counters)
            || period(counters.images_seen) > period(counters.images_seen - self.batch_size)
    }

    /// Whether a report of this state is followed by a checkpoint. A streak of gradients without numbers is waited for: it may
    /// end the training.
    pub fn is_checkpoint_due(&self, counters: &Counters) -> bool {
        let is_scheduled = counters.ticks > 0 && counters.ticks.is_multiple_of(self.checkpoint_ticks);
        self.is_last(counters) || (is_scheduled && counters.non_finite_phases == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_report_keeps_the_order_of_its_numbers() {
        let stats = Map::from_iter([("z".to_string(), json!(0.5)), ("a".to_string(), json!(2))]);
        let event = TickEvent { tick: 1, step: 2, images_seen: 8, stats: &stats };
        let line = serde_json::to_value(&event).unwrap().to_string();
        assert_eq!(line, r#"{"tick":1,"step":2,"images_seen":8,"z":0.5,"a":2}"#);
    }
}
