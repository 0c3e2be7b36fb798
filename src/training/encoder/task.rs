//! The training of the encoding network in the frame: its steps, tuning loss and checkpoints.

use std::path::Path;

use burn::module::{AutodiffModule, Module};
use burn::optim::GradientsParams;
use burn::tensor::ElementConversion;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use super::inputs::EncoderTraining;
use crate::models::encoder::Encoder;
use crate::run::checkpoint::{load_checkpoint, save_checkpoint};
use crate::run::error::RunError;
use crate::tensor_ops::backend::{Base, Diff};
use crate::tensor_ops::random::keyed_rng;
use crate::training::frame::error::TrainError;
use crate::training::frame::exact_floats::ExactFloats;
use crate::training::frame::finite_weights::all_finite;
use crate::training::frame::identity::require_same_identity;
use crate::training::frame::optimiser::{EpochOptimiser, OptimiserRecord, StepPosition};
use crate::training::frame::state::{PhaseResult, Place, TrainState};
use crate::training::frame::task::{EpochResult, Evaluation, Task};

/// Trials that an epoch is looked at on where none choose.
const LOOKED_AT: usize = 300;

type Network = Encoder<Diff>;

/// Network, best network, moments.
type Record =
    (<Network as Module<Diff>>::Record, <Network as Module<Diff>>::Record, OptimiserRecord<Network>);

/// What a checkpoint holds beside weights and moments.
#[derive(Serialize, Deserialize)]
struct StoredState {
    /// Settings of the run as JSON text, compared on resume.
    identity: String,
    state: ExactFloats<TrainState>,
}

/// An epoch's row of the event log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename = "epoch")]
pub struct EncoderEvent {
    /// Phase, from 1; there is one.
    pub phase: usize,
    /// Epoch, from 0.
    pub epoch: usize,
    /// Rate of its last step.
    pub learning_rate: f64,
    /// Mean of its batch losses.
    pub train_loss: f64,
    /// Mean loss of the tuning trials; where none choose, of the first of those that are fitted.
    pub tuning_loss: f64,
    /// Whether that is the lowest so far.
    pub is_best: bool,
    /// Time of the epoch.
    pub seconds: f64,
}

/// Networks and optimiser of a training.
pub(crate) struct EncoderTask<'a> {
    training: EncoderTraining<'a>,
    network: Network,
    /// Weights with the lowest tuning loss.
    best: Network,
    optimiser: EpochOptimiser<Network>,
    /// Trials of the epoch under way.
    order: Vec<usize>,
}

impl<'a> EncoderTask<'a> {
    /// Before the first step.
    pub fn new(training: EncoderTraining<'a>, network: Network) -> Self {
        let optimiser = training.config.optimiser.init();
        Self { training, best: network.clone(), network, optimiser, order: Vec::new() }
    }

    fn is_chosen(&self) -> bool {
        !self.training.trials.tuning.is_empty()
    }

    fn learning_rate(&self, place: Place) -> f64 {
        let config = self.training.config;
        config.optimiser.rate(StepPosition {
            epoch: place.epoch,
            step: place.step,
            steps_per_epoch: self.num_steps(place.phase),
            epochs: config.epochs,
            batch: config.batch,
        })
    }

    /// The network that counts: of the chosen epoch, or of the last one.
    pub fn into_network(self) -> Encoder<Base> {
        if self.is_chosen() { self.best.valid() } else { self.network.valid() }
    }
}

impl Task for EncoderTask<'_> {
    type Figures = ();
    type Event = EncoderEvent;
    type Error = TrainError;

    fn num_steps(&self, _phase: usize) -> usize {
        self.training.trials.fitting.len().div_ceil(self.training.config.batch.max(1))
    }

    fn begin_epoch(&mut self, place: Place) {
        let EncoderTraining { config, trials, .. } = self.training;
        if place.step == 0 && config.optimiser.resets(place.epoch) {
            self.optimiser = config.optimiser.init();
        }
        self.order = trials.fitting.to_vec();
        self.order.shuffle(&mut keyed_rng(config.seed, "encoder order", place.epoch as u64));
    }

    fn step(&mut self, place: Place) -> Result<f32, TrainError> {
        let EncoderTraining { config, trials, .. } = self.training;
        let first = place.step * config.batch;
        let batch = &self.order[first..self.order.len().min(first + config.batch)];
        let loss = trials.loss(&self.network, batch, config.cosine_weight);
        let value: f32 = loss.clone().into_scalar().elem();
        let gradients = GradientsParams::from_grads(loss.backward(), &self.network);
        self.network = self.optimiser.step(self.learning_rate(place), self.network.clone(), gradients);
        Ok(value)
    }

    fn evaluate(&mut self, _place: Place) -> Result<Evaluation<()>, TrainError> {
        let EncoderTraining { config, trials, .. } = self.training;
        let looked_at = match self.is_chosen() {
            true => trials.tuning,
            false => &trials.fitting[..trials.fitting.len().min(LOOKED_AT)],
        };
        let loss = trials.mean_loss(&self.network.valid(), looked_at, config.cosine_weight);
        Ok(Evaluation { loss, figures: () })
    }

    fn keep_best(&mut self, _epoch: &EpochResult<()>, _phases: &[PhaseResult]) -> Result<(), TrainError> {
        self.best = self.network.clone();
        Ok(())
    }

    fn event(&mut self, epoch: EpochResult<()>, seconds: f64) -> EncoderEvent {
        let EpochResult { place, train_loss, evaluation, is_best } = epoch;
        let last_step = Place { step: place.step.saturating_sub(1), ..place };
        EncoderEvent {
            phase: place.phase + 1,
            epoch: place.epoch,
            learning_rate: self.learning_rate(last_step),
            train_loss,
            tuning_loss: evaluation.loss,
            is_best,
            seconds,
        }
    }

    fn is_finite(&self) -> bool {
        all_finite(&self.network)
    }

    fn save(&self, path: &Path, state: &TrainState) -> Result<(), RunError> {
        let record: Record =
            (self.network.clone().into_record(), self.best.clone().into_record(), self.optimiser.to_record());
        let identity = self.training.identity.to_string();
        save_checkpoint::<Diff, _>(path, record, &StoredState { identity, state: ExactFloats(state.clone()) })
    }

    fn load(&mut self, path: &Path) -> Result<TrainState, RunError> {
        let EncoderTraining { config, trials, identity, .. } = self.training;
        let ((network, best, moments), stored) =
            load_checkpoint::<Diff, Record, StoredState>(path, trials.device, |stored, tensors| {
                require_same_identity(path, &identity.to_string(), &stored.identity)?;
                tensors
                    .claim_module("0", &self.network)
                    .and_then(|()| tensors.claim_module("1", &self.best))
                    .map_err(|fault| fault.at(path).into())
            })?;
        self.network = self.network.clone().load_record(network);
        self.best = self.best.clone().load_record(best);
        self.optimiser = config.optimiser.init::<Network>().load_record(moments);
        Ok(stored.state.0)
    }

    fn title(&self, _phase: usize) -> String {
        self.training.title.into()
    }

    fn step_line(&self, place: Place, loss: f32) -> String {
        format!("epoch {}, loss {loss:.4}", place.epoch)
    }

    fn epoch_line(&self, event: &EncoderEvent) -> Option<String> {
        let EncoderEvent { epoch, train_loss, tuning_loss, seconds, .. } = event;
        let of = if self.is_chosen() { "tuning images" } else { "fitted trials" };
        let best = if event.is_best && self.is_chosen() { " (best)" } else { "" };
        Some(format!(
            "epoch {epoch}: training loss {train_loss:.5}, loss of {of} {tuning_loss:.5}{best}, {seconds:.1} s"
        ))
    }

    fn phase_line(&self, result: &PhaseResult) -> String {
        match self.is_chosen() {
            true => format!("tuning loss {:.5} after epoch {}", result.best_loss, result.best_epoch),
            false => format!("loss {:.5} at the end", result.last_loss),
        }
    }
}
