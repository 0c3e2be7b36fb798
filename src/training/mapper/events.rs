//! What the training of a mapper says of itself: rows of the event log, results of phases, where a snapshot comes from.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::metrics::bootstrap::Interval;
use crate::metrics::retrieval::RetrievalSummary;
use crate::training::frame::state::PhaseResult;

/// Result of one phase; losses are means of batch losses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PhaseReport {
    /// Phase, from 1.
    pub phase: usize,
    /// Epochs done.
    pub epochs: usize,
    /// Epoch with the lowest validation loss, from 0.
    pub best_epoch: usize,
    /// That loss.
    pub best_validation_loss: f32,
    /// Training loss of the last epoch.
    pub last_train_loss: f32,
    /// Validation loss of the last epoch.
    pub last_validation_loss: f32,
}

impl From<&PhaseResult> for PhaseReport {
    fn from(result: &PhaseResult) -> Self {
        Self {
            phase: result.phase + 1,
            epochs: result.epochs,
            best_epoch: result.best_epoch,
            // Files have these in single precision. The loss came as one (a mean that is rounded before it is
            // compared), so nothing is lost and a resumed run compares the same numbers.
            best_validation_loss: result.best_loss as f32,
            last_train_loss: result.last_train_loss as f32,
            last_validation_loss: result.last_loss as f32,
        }
    }
}

impl From<&PhaseReport> for PhaseResult {
    fn from(report: &PhaseReport) -> Self {
        Self {
            phase: report.phase.saturating_sub(1),
            epochs: report.epochs,
            best_epoch: report.best_epoch,
            best_loss: f64::from(report.best_validation_loss),
            last_train_loss: f64::from(report.last_train_loss),
            last_loss: f64::from(report.last_validation_loss),
        }
    }
}

/// What validation finds beside the loss.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MapperFigures {
    /// Counts on the validation trials.
    pub retrieval: RetrievalSummary,
}

/// An epoch's row of the event log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename = "epoch")]
pub struct MapperEvent {
    /// Phase, from 1.
    pub phase: usize,
    /// Epoch of the phase, from 0.
    pub epoch: usize,
    /// Rate of its last step.
    pub learning_rate: f64,
    /// Mean of its batch losses.
    pub train_loss: f32,
    /// Mean of the validation batches' losses.
    pub validation_loss: f32,
    /// Whether that is the lowest of the phase so far.
    pub is_best: bool,
    /// Further figures of the validation trials.
    pub validation: MapperFigures,
    /// Time of the epoch.
    pub seconds: f64,
    /// For how long of it training waited for targets made anew; none where they are stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_wait_seconds: Option<f64>,
}

impl MapperEvent {
    /// The row in words.
    pub(crate) fn line(&self) -> String {
        let RetrievalSummary { batch_size, forward, backward, chance_over_batches, .. } =
            &self.validation.retrieval;
        let within = |Interval { mean, low, high }: Interval| format!("{mean:.1} [{low:.1}, {high:.1}]");
        format!(
            "phase {} epoch {}: training loss {:.5}, validation loss {:.5}{}, retrieval {} and {} of {batch_size} \
             (chance {chance_over_batches:.1}), {:.1} s",
            self.phase,
            self.epoch,
            self.train_loss,
            self.validation_loss,
            if self.is_best { " (best)" } else { "" },
            within(forward.over_batches),
            within(backward.over_batches),
            self.seconds,
        )
    }
}

/// Where the network of a snapshot comes from.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MapperProvenance<'a> {
    /// Results of the phases so far.
    pub phases: Vec<PhaseReport>,
    /// Settings of the run.
    pub settings: &'a Value,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::retrieval::RetrievalCount;
    use serde_json::json;

    fn event(target_wait_seconds: Option<f64>) -> MapperEvent {
        let count = |first_batch, mean| RetrievalCount {
            first_batch,
            over_batches: Interval { mean, low: mean - 1.0, high: mean + 1.0 },
        };
        let retrieval = RetrievalSummary {
            batch_size: 300,
            num_batches: 30,
            forward: count(7, 6.5),
            backward: count(5, 4.0),
            chance_first_batch: 1.0,
            chance_over_batches: 1.0,
        };
        MapperEvent {
            phase: 2,
            epoch: 0,
            learning_rate: 4e-4,
            train_loss: 0.1,
            validation_loss: 0.25,
            is_best: true,
            validation: MapperFigures { retrieval },
            seconds: 1.5,
            target_wait_seconds,
        }
    }

    #[test]
    fn rows_keep_their_names_their_order_and_the_digits_of_doubles() {
        let row = event(None);
        let expected = json!({
            "event": "epoch",
            "phase": 2,
            "epoch": 0,
            "learning_rate": 4e-4,
            "train_loss": 0.1_f32,
            "validation_loss": 0.25,
            "is_best": true,
            "validation": {"retrieval": row.validation.retrieval},
            "seconds": 1.5,
        });
        assert_eq!(serde_json::to_value(&row).unwrap().to_string(), expected.to_string());
        assert_eq!(serde_json::from_str::<MapperEvent>(&expected.to_string()).unwrap(), row);
        let with_queue = serde_json::to_value(event(Some(0.5))).unwrap().to_string();
        assert!(with_queue.ends_with(",\"seconds\":1.5,\"target_wait_seconds\":0.5}"), "{with_queue}");
    }

    #[test]
    fn a_row_in_words() {
        assert_eq!(
            event(None).line(),
            "phase 2 epoch 0: training loss 0.10000, validation loss 0.25000 (best), retrieval 6.5 [5.5, 7.5] and 4.0 [3.0, 5.0] of 300 \
             (chance 1.0), 1.5 s"
        );
    }
}
