//! Where a training stands and how it went so far: with networks and moments, all that a resumed run needs.

use serde::{Deserialize, Serialize};

/// Where a training stands; all counts from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Phase under way.
    pub phase: usize,
    /// Epochs done in this phase.
    pub epoch: usize,
    /// Steps done in this epoch.
    pub step: usize,
}

/// How one phase went; losses are means of batch losses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PhaseResult {
    /// Phase, from 0.
    pub phase: usize,
    /// Epochs done.
    pub epochs: usize,
    /// Epoch with the lowest validation loss, from 0.
    pub best_epoch: usize,
    /// That loss.
    pub best_loss: f64,
    /// Training loss of the last epoch that was evaluated.
    pub last_train_loss: f64,
    /// Validation loss of the same epoch.
    pub last_loss: f64,
}

/// Position and history of a training.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TrainState {
    /// Phase, epoch and batch reached.
    pub place: Place,
    /// Batch losses of this epoch so far.
    pub losses: Vec<f32>,
    /// One per phase that was evaluated at least once.
    pub phases: Vec<PhaseResult>,
}

impl TrainState {
    /// The result of a phase, counted from 0; none before its first evaluation.
    pub fn result(&self, phase: usize) -> Option<&PhaseResult> {
        self.phases.iter().find(|result| result.phase == phase)
    }

    /// Notes the evaluation of the epoch under way; whether its loss is the lowest of the phase so far.
    pub(crate) fn record(&mut self, train_loss: f64, loss: f64) -> bool {
        let Place { phase, epoch, .. } = self.place;
        let new = PhaseResult {
            phase,
            epochs: epoch + 1,
            best_epoch: epoch,
            best_loss: loss,
            last_train_loss: train_loss,
            last_loss: loss,
        };
        let Some(known) = self.phases.iter_mut().find(|result| result.phase == phase) else {
            self.phases.push(new);
            return true;
        };
        // Strictly lower (docs/spec/mapper.md §5.3): of equal epochs the first one stays.
        let is_best = loss < known.best_loss;
        *known = if is_best {
            new
        } else {
            PhaseResult { best_epoch: known.best_epoch, best_loss: known.best_loss, ..new }
        };
        is_best
    }
}

/// Plain mean over batches; a smaller last batch weighs as much as the others, as in the reference.
pub(crate) fn mean(losses: &[f32]) -> f64 {
    losses.iter().map(|loss| f64::from(*loss)).sum::<f64>() / losses.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_epoch_stays_and_the_last_one_moves_on() {
        let mut state = TrainState::default();
        let best: Vec<bool> = [0.5, 0.3, 0.4]
            .into_iter()
            .enumerate()
            .map(|(epoch, loss)| {
                state.place.epoch = epoch;
                state.record(1.0 + epoch as f64, loss)
            })
            .collect();
        assert_eq!(best, [true, true, false]);
        let result = state.result(0).unwrap();
        assert_eq!((result.epochs, result.best_epoch, result.best_loss), (3, 1, 0.3));
        assert_eq!((result.last_train_loss, result.last_loss), (3.0, 0.4));
        state.place = Place { phase: 1, epoch: 0, step: 0 };
        assert!(state.record(1.0, 9.0), "every phase has its own best");
        assert_eq!((state.phases.len(), state.result(2)), (2, None));
    }
}
