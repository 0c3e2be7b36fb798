//! What trainings say of themselves that judge a network by a held-out part of their images.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::task::EpochResult;

/// An epoch's row of the event log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeldOutEvent<F> {
    /// Steps done.
    pub step: u64,
    /// Epochs done.
    pub epoch: u64,
    /// Mean of the epoch's batch losses.
    pub train_loss: f64,
    /// Figures of its network.
    pub held_out: F,
}

impl<F> HeldOutEvent<F> {
    /// Of an epoch of a training that has one phase.
    pub(crate) fn new(epoch: EpochResult<F>) -> Self {
        let EpochResult { place, train_loss, evaluation, .. } = epoch;
        // At an evaluation `place.step` is the number of steps of an epoch.
        let epoch = place.epoch as u64 + 1;
        Self { step: epoch * place.step as u64, epoch, train_loss, held_out: evaluation.figures }
    }
}

/// Where the network of a snapshot comes from.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HeldOutProvenance<'a, C, F> {
    /// Where its images come from.
    pub trained_on: &'a Value,
    /// How it was trained.
    pub training: &'a C,
    /// After how many epochs.
    pub epoch: u64,
    /// Its figures.
    pub held_out: &'a F,
}
