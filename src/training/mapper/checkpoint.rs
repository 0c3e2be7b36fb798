//! What a mapper's checkpoint holds beside weights and moments.

use serde::{Deserialize, Serialize};

use super::events::PhaseReport;
use crate::training::frame::state::{PhaseResult, Place, TrainState};

/// Position, history and settings of a mapper's training, as files of all versions have them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct StoredState {
    /// Phase under way, from 0.
    phase: usize,
    /// Epochs done in this phase.
    epoch: usize,
    /// Steps done in this epoch.
    step: usize,
    /// Batch losses of this epoch so far.
    losses: Vec<f32>,
    /// One per phase begun.
    phases: Vec<PhaseReport>,
    /// What the run is: its settings as JSON text, compared on resume.
    pub identity: String,
}

impl StoredState {
    pub fn new(state: &TrainState, identity: String) -> Self {
        let Place { phase, epoch, step } = state.place;
        let phases = state.phases.iter().map(PhaseReport::from).collect();
        Self { phase, epoch, step, losses: state.losses.clone(), phases, identity }
    }

    /// Phase under way, from 0.
    pub fn phase(&self) -> usize {
        self.phase
    }

    pub fn into_state(self) -> TrainState {
        let Self { phase, epoch, step, losses, phases, .. } = self;
        let phases = phases.iter().map(PhaseResult::from).collect();
        TrainState { place: Place { phase, epoch, step }, losses, phases }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_of_the_first_files_is_read_and_written_to_the_letter() {
        let text = r#"{"phase":1,"epoch":2,"step":1,"losses":[0.1],"phases":[{"phase":1,"epochs":3,"best_epoch":1,"best_validation_loss":0.3,"last_train_loss":0.7,"last_validation_loss":0.4}],"identity":"{\"a\":1}"}"#;
        let stored: StoredState = serde_json::from_str(text).unwrap();
        let identity = stored.identity.clone();
        let state = stored.into_state();
        assert_eq!(state.place, Place { phase: 1, epoch: 2, step: 1 });
        assert_eq!(state.result(0).unwrap().best_epoch, 1);
        assert_eq!(serde_json::to_string(&StoredState::new(&state, identity)).unwrap(), text);
    }
}
