//! What a training has to know, so that the frame can run it: one step, one evaluation, what of it is stored.

use std::path::Path;

use serde::Serialize;

use super::error::TrainError;
use super::state::{PhaseResult, Place, TrainState};
use crate::run::error::RunError;

/// A training with its networks and optimisers.
///
/// Every random choice is keyed by (seed, purpose, place): a task that was loaded from a checkpoint goes on, on one device, bit
/// for bit like one that was never stopped.
pub trait Task {
    /// What an evaluation finds beside its loss.
    type Figures;
    /// A row of the event log.
    type Event: Serialize;
    /// Why the training may end early.
    type Error: From<TrainError>;

    /// Steps of an epoch of `phase`, at least 1.
    fn num_steps(&self, phase: usize) -> usize;

    /// Told before the first step of a phase, not of one that is resumed.
    fn begin_phase(&mut self, _phase: usize) {}

    /// Told before the steps of an epoch, or of what is left of it from `place` on.
    fn begin_epoch(&mut self, _place: Place) {}

    /// One step of the optimisers; the loss before it.
    ///
    /// # Errors
    /// When the batch cannot be had.
    fn step(&mut self, place: Place) -> Result<f32, Self::Error>;

    /// Judges the network on samples that it is not fitted to, at the end of an epoch. No random choice may change from epoch to
    /// epoch.
    ///
    /// # Errors
    /// When the figures cannot be computed.
    fn evaluate(&mut self, place: Place) -> Result<Evaluation<Self::Figures>, Self::Error>;

    /// Keeps the network of an epoch that is the best of its phase so far.
    ///
    /// # Errors
    /// When its snapshot cannot be written.
    fn keep_best(
        &mut self,
        epoch: &EpochResult<Self::Figures>,
        phases: &[PhaseResult],
    ) -> Result<(), Self::Error>;

    /// An epoch's row of the event log; `seconds` is the time of its steps (after a resume: of the last of them) and evaluation.
    fn event(&mut self, epoch: EpochResult<Self::Figures>, seconds: f64) -> Self::Event;

    /// Whether all weights are numbers; others never reach a checkpoint.
    fn is_finite(&self) -> bool;

    /// Writes a checkpoint: all that [`Self::load`] needs.
    ///
    /// # Errors
    /// [`RunError::unwritable`].
    fn save(&self, path: &Path, state: &TrainState) -> Result<(), RunError>;

    /// Continues from a checkpoint of a run with the same settings.
    ///
    /// # Errors
    /// [`RunError`] that says what is wrong with the file, or what differs.
    fn load(&mut self, path: &Path) -> Result<TrainState, RunError>;

    /// What is under way in a phase, for a person.
    fn title(&self, phase: usize) -> String;

    /// A step in words.
    fn step_line(&self, _place: Place, loss: f32) -> String {
        format!("loss {loss:.4}")
    }

    /// An evaluated epoch in words, where it deserves a line of its own.
    fn epoch_line(&self, _event: &Self::Event) -> Option<String> {
        None
    }

    /// The result of a phase in words.
    fn phase_line(&self, result: &PhaseResult) -> String {
        format!("held-out loss {:.4} after epoch {}", result.best_loss, result.best_epoch + 1)
    }
}

/// What [`Task::evaluate`] found.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation<F> {
    /// The lower, the better; decides which network is the best.
    pub loss: f64,
    /// Further figures.
    pub figures: F,
}

/// An epoch that ended with an evaluation.
#[derive(Clone, Debug, PartialEq)]
pub struct EpochResult<F> {
    /// Phase and epoch; the step is their number.
    pub place: Place,
    /// Mean of its batch losses.
    pub train_loss: f64,
    /// What its network achieves.
    pub evaluation: Evaluation<F>,
    /// Whether its loss is the lowest of the phase so far.
    pub is_best: bool,
}
