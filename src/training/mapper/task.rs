//! The training of a mapper in the frame: its steps, validation, snapshots and checkpoints.
//!
//! Specification: docs/spec/mapper.md §5. A phase starts from the best weights of the phase before, with a new optimiser and
//! companions of its own.

use std::path::Path;

use burn::module::{AutodiffModule, Module};
use burn::optim::GradientsParams;
use burn::tensor::ElementConversion;
use rand::seq::SliceRandom;
use serde_json::Value;

use super::checkpoint::StoredState;
use super::companions::{Companions, CompanionsRecord};
use super::config::PhasePlan;
use super::error::MapperTrainError;
use super::events::{MapperEvent, MapperFigures, MapperProvenance, PhaseReport};
use super::trials::MapperTrials;
use crate::models::mapper::{Mapper, MapperSnapshot};
use crate::run::checkpoint::{load_checkpoint, save_checkpoint};
use crate::run::error::RunError;
use crate::run::run_dir::RunDir;
use crate::run::snapshot::{MAPPER_KIND, save_snapshot};
use crate::tensor_ops::backend::Diff;
use crate::tensor_ops::random::keyed_rng;
use crate::training::frame::epoch_loop::{BEST_FILE, CHECKPOINT_FILE};
use crate::training::frame::error::TrainError;
use crate::training::frame::finite_weights::all_finite;
use crate::training::frame::identity::require_same_identity;
use crate::training::frame::optimiser::{EpochOptimiser, OptimiserRecord, StepPosition};
use crate::training::frame::state::{PhaseResult, Place, TrainState, mean};
use crate::training::frame::task::{EpochResult, Evaluation, Task};

type Network = Mapper<Diff>;

/// Network, best network, moments of the network's optimiser, companions.
type Record = (
    <Network as Module<Diff>>::Record,
    <Network as Module<Diff>>::Record,
    OptimiserRecord<Network>,
    CompanionsRecord,
);

/// Networks and optimisers of a mapper's training.
pub(crate) struct MapperTask<'a> {
    trials: MapperTrials<'a>,
    snapshot_config: &'a MapperSnapshot,
    /// Settings of the run.
    identity: &'a Value,
    run: &'a RunDir,
    network: Network,
    /// Weights with the lowest validation loss of the phase under way.
    best: Network,
    optimiser: EpochOptimiser<Network>,
    companions: Companions,
    /// Training trials of the epoch under way, as positions in their list.
    order: Vec<usize>,
}

impl<'a> MapperTask<'a> {
    /// Before the first step of the first phase.
    pub fn new(
        trials: MapperTrials<'a>,
        snapshot_config: &'a MapperSnapshot,
        identity: &'a Value,
        run: &'a RunDir,
        network: Network,
    ) -> Self {
        let (optimiser, companions) = (trials.config.phase(0).optimiser.init(), trials.companions(0));
        let best = network.clone();
        Self {
            trials,
            snapshot_config,
            identity,
            run,
            network,
            best,
            optimiser,
            companions,
            order: Vec::new(),
        }
    }

    fn plan(&self, phase: usize) -> PhasePlan<'a> {
        self.trials.config.phase(phase)
    }

    /// Number of the epoch over all phases; it keys random choices.
    fn epoch_of_run(&self, place: Place) -> usize {
        (0..place.phase).map(|phase| self.plan(phase).epochs).sum::<usize>() + place.epoch
    }

    fn learning_rate(&self, place: Place) -> f64 {
        let PhasePlan { epochs, batch, optimiser } = self.plan(place.phase);
        let steps_per_epoch = self.num_steps(place.phase);
        optimiser.rate(StepPosition { epoch: place.epoch, step: place.step, steps_per_epoch, epochs, batch })
    }

    /// Writes the network as it is, as the last of its run.
    pub fn write_snapshot(&self, file: &str, phases: &[PhaseResult]) -> Result<(), RunError> {
        let phases = phases.iter().map(PhaseReport::from).collect();
        let provenance = MapperProvenance { phases, settings: self.identity };
        let path = self.run.join(file);
        save_snapshot(&path, MAPPER_KIND, self.snapshot_config, &provenance, &self.network.valid())
    }

    /// Weights with the lowest validation loss of the last phase.
    pub fn into_best(self) -> Network {
        self.best
    }
}

impl Task for MapperTask<'_> {
    type Figures = MapperFigures;
    type Event = MapperEvent;
    type Error = MapperTrainError;

    fn num_steps(&self, phase: usize) -> usize {
        self.trials.train.len().div_ceil(self.plan(phase).batch)
    }

    fn begin_phase(&mut self, phase: usize) {
        // In the first phase `best` is the network as it was drawn.
        self.network = self.best.clone();
        self.optimiser = self.plan(phase).optimiser.init();
        self.companions = self.trials.companions(phase);
    }

    fn begin_epoch(&mut self, place: Place) {
        let PhasePlan { batch, optimiser, .. } = self.plan(place.phase);
        if place.step == 0 && optimiser.resets(place.epoch) {
            self.optimiser = optimiser.init();
            if let Some(expander) = &mut self.companions.expander {
                expander.reset_optimiser(optimiser);
            }
        }
        let epoch = self.epoch_of_run(place);
        self.order = (0..self.trials.train.len()).collect();
        self.order.shuffle(&mut keyed_rng(self.trials.config.seed, "shuffle", epoch as u64));
        // After a resume inside an epoch only the batches that are left, in the order that they would have had.
        let left: Vec<&[usize]> = self.order.chunks(batch).skip(place.step).collect();
        self.trials.announce(epoch, &left);
    }

    fn step(&mut self, place: Place) -> Result<f32, MapperTrainError> {
        let (epoch, rate) = (self.epoch_of_run(place), self.learning_rate(place));
        let (trials, size) = (self.trials, self.plan(place.phase).batch);
        let first = place.step * size;
        let batch = &self.order[first..self.order.len().min(first + size)];
        if let Some(critic) = &mut self.companions.critic {
            critic.set_learning_rate(rate);
        }
        let loss = trials.train_loss(&self.network, &mut self.companions, place.phase, epoch, batch)?;
        let value: f32 = loss.clone().into_scalar().elem();
        let mut gradients = loss.backward();
        // `from_module` takes the mapper's gradients out and leaves the expander's for below.
        let own = GradientsParams::from_module(&mut gradients, &self.network);
        self.network = self.optimiser.step(rate, self.network.clone(), own);
        if let Some(expander) = &mut self.companions.expander {
            expander.step(rate, &mut gradients);
        }
        Ok(value)
    }

    fn evaluate(&mut self, place: Place) -> Result<Evaluation<MapperFigures>, MapperTrainError> {
        let (trials, network) = (self.trials, self.network.valid());
        let count = trials.validation.len();
        let size = self.plan(place.phase).batch;
        let (mut losses, mut predicted) = (Vec::new(), Vec::new());
        for start in (0..count).step_by(size) {
            let positions = start..(start + size).min(count);
            let (loss, prediction) =
                trials.validation_loss(&network, &self.companions, place.phase, positions);
            losses.push(loss.into_scalar().elem::<f32>());
            predicted.push(prediction);
        }
        // Rounded before it is compared with the best one, which the checkpoint keeps in single precision.
        let loss = mean(&losses) as f32;
        if !loss.is_finite() {
            // Before the metrics complain of the predictions.
            let checkpoint = self.run.join(CHECKPOINT_FILE);
            return Err(TrainError::not_finite("the validation loss", place, checkpoint).into());
        }
        let figures = MapperFigures { retrieval: trials.retrieval(predicted)? };
        Ok(Evaluation { loss: f64::from(loss), figures })
    }

    fn keep_best(
        &mut self,
        _epoch: &EpochResult<MapperFigures>,
        phases: &[PhaseResult],
    ) -> Result<(), MapperTrainError> {
        self.best = self.network.clone();
        Ok(self.write_snapshot(BEST_FILE, phases)?)
    }

    fn event(&mut self, epoch: EpochResult<MapperFigures>, seconds: f64) -> MapperEvent {
        let EpochResult { place, train_loss, evaluation, is_best } = epoch;
        let last_step = Place { step: place.step.saturating_sub(1), ..place };
        MapperEvent {
            phase: place.phase + 1,
            epoch: place.epoch,
            learning_rate: self.learning_rate(last_step),
            train_loss: train_loss as f32,
            validation_loss: evaluation.loss as f32,
            is_best,
            validation: evaluation.figures,
            seconds,
            target_wait_seconds: self.trials.take_waited_seconds(),
        }
    }

    fn is_finite(&self) -> bool {
        let Companions { critic, expander } = &self.companions;
        all_finite(&self.network)
            && critic.as_ref().is_none_or(|critic| all_finite(critic.network()))
            && expander.as_ref().is_none_or(|expander| all_finite(expander.network()))
    }

    fn save(&self, path: &Path, state: &TrainState) -> Result<(), RunError> {
        let record: Record = (
            self.network.clone().into_record(),
            self.best.clone().into_record(),
            self.optimiser.to_record(),
            self.companions.to_record(),
        );
        let state = StoredState::new(state, self.identity.to_string());
        save_checkpoint::<Diff, _>(path, record, &state)
    }

    fn load(&mut self, path: &Path) -> Result<TrainState, RunError> {
        // Optimiser and companions are those of the phase under way.
        let phase_of = |stored: &StoredState| stored.phase().min(1);
        let ((network, best, moments, companions), stored) =
            load_checkpoint::<Diff, Record, StoredState>(path, self.trials.device, |stored, tensors| {
                require_same_identity(path, &self.identity.to_string(), &stored.identity)?;
                tensors
                    .claim_module("0", &self.network)
                    .and_then(|()| tensors.claim_module("1", &self.best))
                    .and_then(|()| self.trials.companions(phase_of(stored)).claim("3", tensors))
                    .map_err(|fault| fault.at(path).into())
            })?;
        let phase = phase_of(&stored);
        let state = stored.into_state();
        self.network = self.network.clone().load_record(network);
        self.best = self.best.clone().load_record(best);
        self.optimiser = self.plan(phase).optimiser.init::<Network>().load_record(moments);
        self.companions = self.trials.companions(phase).load_record(companions);
        Ok(state)
    }

    fn title(&self, phase: usize) -> String {
        format!("phase {}", phase + 1)
    }

    fn step_line(&self, place: Place, loss: f32) -> String {
        format!("epoch {}, loss {loss:.4}", place.epoch)
    }

    fn epoch_line(&self, event: &MapperEvent) -> Option<String> {
        Some(event.line())
    }

    fn phase_line(&self, result: &PhaseResult) -> String {
        format!("best validation loss {:.5} in epoch {}", result.best_loss, result.best_epoch)
    }
}
