//! What the training of a residual decoder says of itself.

use serde::{Deserialize, Serialize};

use crate::training::decoder::trials::ChosenOn;
use crate::training::decoder::tuning::TuningCounts;
use crate::training::decoder::weighted_ridge::ChosenPenalty;

/// Trials that an epoch's network is looked at on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MeasuredOn {
    /// Those of the tuning images, which the network is not fitted to.
    Tuning,
    /// The first of those that it is fitted to: after the choice all are.
    Training,
}

/// What is found at the end of an epoch beside the loss.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ResidualFigures {
    /// Where.
    pub measured_on: MeasuredOn,
    /// Mean of `1 − cos` between the network's prediction, without dropout or ridge, and the target.
    pub cosine_distance: f64,
    /// What the network finds alone, on tuning images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counts: Option<TuningCounts>,
}

/// A row of the event log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename = "epoch")]
pub struct ResidualEvent {
    /// Phase, from 1: the tuning fit, then one per member.
    pub phase: usize,
    /// Epoch of the phase, from 0.
    pub epoch: usize,
    /// Rate of its last step.
    pub learning_rate: f64,
    /// Mean of its batch losses.
    pub train_loss: f64,
    /// What its network achieves.
    #[serde(flatten)]
    pub figures: ResidualFigures,
    /// Time of the epoch.
    pub seconds: f64,
}

/// What an α finds among the tuning images.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BlendCounts {
    /// α.
    pub blend: f64,
    /// What is found with it.
    pub counts: TuningCounts,
}

/// What was chosen on the tuning images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ResidualChoice {
    /// The tuning images.
    #[serde(default)]
    pub chosen_on: ChosenOn,
    /// Penalty of ridge.
    pub ridge: ChosenPenalty,
    /// α: the one that finds the most, among equals the first.
    pub blend: f64,
    /// All that were tried.
    pub blends: Vec<BlendCounts>,
}

impl ResidualEvent {
    /// The row in words.
    pub(crate) fn line(&self) -> String {
        let ResidualFigures { cosine_distance, counts, .. } = &self.figures;
        let found = match counts {
            Some(TuningCounts { retrieval, .. }) => format!(
                ", finds {:.1} and {:.1} of {} tuning trials (chance {:.1})",
                retrieval.forward.over_batches.mean,
                retrieval.backward.over_batches.mean,
                retrieval.batch_size,
                retrieval.chance_over_batches,
            ),
            None => ", on training trials".into(),
        };
        format!(
            "phase {} epoch {}: training loss {:.4}, cosine distance {cosine_distance:.4}{found}, {:.1} s",
            self.phase, self.epoch, self.train_loss, self.seconds,
        )
    }
}
