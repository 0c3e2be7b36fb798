//! Epochs, validation, best snapshot, exact resume: for every network that is fitted epoch by epoch.
//!
//! Specification: docs/spec/mapper.md §5. A phase starts from the best weights of the phase before, with a new
//! optimiser. Every random choice is keyed by (seed, purpose, epoch), so a checkpoint needs no generator state: a run
//! that was stopped and resumed gives, on one device, bit for bit the losses of one that was not.

use std::path::Path;
use std::time::{Duration, Instant};

use burn::module::AutodiffModule;
use burn::optim::GradientsParams;
use burn::tensor::{ElementConversion, Tensor};
use rand::seq::SliceRandom;
use serde_json::{Value, json};

use super::optimiser::{OptimiserConfig, StepPosition};
use super::state::{EpochState, EpochTrainError, PhaseReport, Trained, load, save};
use crate::run::interrupt::Interrupted;
use crate::run::progress::Progress;
use crate::run::run_dir::RunDir;
use crate::run::snapshot::save_snapshot;
use crate::run::training_log::TrainingLog;
use crate::tensor_ops::backend::{Base, Device, Diff};
use crate::tensor_ops::random::keyed_rng;
use crate::training::mapper::companions::Companions;

/// Name of the checkpoint in the run folder.
pub const CHECKPOINT_FILE: &str = "checkpoint.mpk";
/// Name of the snapshot with the lowest validation loss of the phase under way or, at the end, of the last phase.
pub const BEST_FILE: &str = "best.safetensors";
/// Name of the snapshot of the last epoch.
pub const LAST_FILE: &str = "last.safetensors";

/// What is fitted: the network, its batches and its losses.
pub trait EpochTask {
    /// The network.
    type Model: AutodiffModule<Diff>;

    /// Number of training samples.
    fn num_train(&self) -> usize;

    /// Number of validation samples.
    fn num_validation(&self) -> usize;

    /// New networks that `phase` (from 0) trains beside the one it is for.
    fn init_companions(&self, _phase: usize) -> Companions {
        Companions::default()
    }

    /// Told before the steps of an epoch, or of what is left of it, which batches of positions will come, in order;
    /// for work that can be done ahead.
    fn announce(&self, _epoch: usize, _batches: &[&[usize]]) {}

    /// Seconds that training spent waiting for such work since this was last asked; none where nothing is done ahead.
    fn take_waited_seconds(&self) -> Option<f64> {
        None
    }

    /// Loss `[1]` of the training samples at `positions` (each below `num_train`) in `phase` (from 0);
    /// `epoch` counts over all phases and keys random choices. The step of a critic is part of it, that of an expander
    /// follows with the network's.
    ///
    /// # Errors
    /// Targets that cannot be had.
    fn train_loss(
        &self,
        model: &Self::Model,
        companions: &mut Companions,
        phase: usize,
        epoch: usize,
        positions: &[usize],
    ) -> Result<Tensor<Diff, 1>, EpochTrainError>;

    /// Loss `[1]` of validation samples and their predictions `[batch, width]`; no random choice may change
    /// from epoch to epoch.
    fn validation_loss(
        &self,
        model: &<Self::Model as AutodiffModule<Diff>>::InnerModule,
        companions: &Companions,
        phase: usize,
        positions: std::ops::Range<usize>,
    ) -> (Tensor<Base, 1>, Tensor<Base, 2>);

    /// Further numbers for the event log, from the predictions of all validation samples in order.
    ///
    /// # Errors
    /// [`EpochTrainError::Metrics`].
    fn validation_metrics(&self, predicted: Vec<Tensor<Base, 2>>) -> Result<Value, EpochTrainError>;
}

/// Length, batch size and optimiser of a phase.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EpochPhase<'a> {
    /// Epochs at most.
    pub epochs: usize,
    /// Samples per step; the last batch of an epoch may be smaller.
    pub batch: usize,
    /// Its schedule starts anew in every phase.
    pub optimiser: &'a OptimiserConfig,
}

/// How long and how fast.
#[derive(Clone, Debug)]
pub struct EpochPlan<'a> {
    /// Phases in order; those of 0 epochs are passed over.
    pub phases: Vec<EpochPhase<'a>>,
    /// A phase ends after so many epochs without a lower validation loss; `None`: never early.
    pub patience_epochs: Option<usize>,
    /// Time between checkpoints inside an epoch; zero: at the ends of epochs only.
    pub checkpoint_every: Duration,
    /// Seed of the order of samples.
    pub seed: u64,
}

/// Where a training writes, what it reports to, and when it stops.
pub struct EpochRun<'a> {
    /// Its folder.
    pub dir: &'a RunDir,
    /// Kind of the snapshots.
    pub kind: &'a str,
    /// Configuration stored in the snapshots.
    pub snapshot_config: &'a Value,
    /// Settings of the run; a checkpoint of other settings is refused.
    pub identity: Value,
    /// Checkpoint to continue from.
    pub resume: Option<&'a Path>,
    /// Told how far it is.
    pub progress: &'a mut dyn Progress,
    /// Asked before every step.
    pub should_stop: &'a dyn Fn() -> bool,
    /// Device of the network.
    pub device: &'a Device,
}

/// What a training leaves.
#[derive(Clone, Debug)]
pub struct EpochOutcome<M> {
    /// Weights with the lowest validation loss of the last phase.
    pub best: M,
    /// Results per phase.
    pub phases: Vec<PhaseReport>,
}

/// Fits `model`; writes snapshots, checkpoint and event log into the run's folder.
///
/// # Errors
/// [`EpochTrainError`]; after an interruption or a loss that is not finite the checkpoint can be continued from.
pub fn train<T: EpochTask>(
    task: &T,
    model: T::Model,
    plan: &EpochPlan,
    run: &mut EpochRun,
) -> Result<EpochOutcome<T::Model>, EpochTrainError> {
    for (what, count) in [
        ("training samples", task.num_train()),
        ("validation samples", task.num_validation()),
        ("epochs", plan.phases.iter().map(|phase| phase.epochs).sum()),
        ("samples per batch", plan.phases.iter().map(|phase| phase.batch).min().unwrap_or(0)),
    ] {
        if count == 0 {
            return Err(EpochTrainError::Empty { what });
        }
    }
    let of_phase = |phase: usize| {
        // A finished run stands behind its last phase.
        let phase = phase.min(plan.phases.len() - 1);
        (plan.phases[phase].optimiser.init(), task.init_companions(phase))
    };
    let (trained, state) = match run.resume {
        Some(path) => load(path, model, of_phase, &run.identity, run.device)?,
        None => {
            let best = model.clone();
            let (optimiser, companions) = of_phase(0);
            let trained = Trained { model, best, optimiser, companions };
            (trained, EpochState { identity: run.identity.to_string(), ..EpochState::default() })
        }
    };
    let log = TrainingLog::start(run.dir, position(plan, state.phase, state.epoch) as u64)?;
    let mut trainer = Trainer { task, plan, run, log, trained, state, saved: Instant::now() };
    trainer.forget_later_events()?;
    // From here on there always is a checkpoint with finite weights.
    trainer.save()?;
    while trainer.state.phase < plan.phases.len() {
        trainer.phase()?;
    }
    trainer.snapshot(LAST_FILE, &trainer.trained.model)?;
    Ok(EpochOutcome { best: trainer.trained.best, phases: trainer.state.phases })
}

struct Trainer<'r, 'a, T: EpochTask> {
    task: &'r T,
    plan: &'r EpochPlan<'r>,
    run: &'r mut EpochRun<'a>,
    log: TrainingLog,
    trained: Trained<T::Model>,
    state: EpochState,
    saved: Instant,
}

impl<T: EpochTask> Trainer<'_, '_, T> {
    /// The phase under way, from where it stands.
    fn phase(&mut self) -> Result<(), EpochTrainError> {
        let phase = self.plan.phases[self.state.phase];
        let begins = self.state.epoch == 0 && self.state.step == 0;
        if begins {
            if !self.state.phases.is_empty() {
                self.trained.model = self.trained.best.clone();
            }
            self.trained.optimiser = phase.optimiser.init();
            self.trained.companions = self.task.init_companions(self.state.phase);
        }
        let steps = phase.epochs * self.task.num_train().div_ceil(phase.batch);
        self.run.progress.start(&format!("phase {}", self.state.phase + 1), steps as u64);
        while self.state.epoch < phase.epochs && !self.has_stalled() {
            self.epoch(phase)?;
        }
        let message = match self.state.phases.last() {
            Some(report) => {
                format!(
                    "best validation loss {:.5} in epoch {}",
                    report.best_validation_loss, report.best_epoch
                )
            }
            None => String::new(),
        };
        self.run.progress.finish(&message);
        self.state.phase += 1;
        self.state.epoch = 0;
        Ok(())
    }

    fn epoch(&mut self, phase: EpochPhase<'_>) -> Result<(), EpochTrainError> {
        let started = Instant::now();
        let (number, epoch) = (self.state.phase, self.state.epoch);
        if self.state.step == 0 && phase.optimiser.resets(epoch) {
            self.trained.optimiser = phase.optimiser.init();
            if let Some(expander) = &mut self.trained.companions.expander {
                expander.reset_optimiser(phase.optimiser);
            }
        }
        let position = position(self.plan, number, epoch);
        let mut order: Vec<usize> = (0..self.task.num_train()).collect();
        order.shuffle(&mut keyed_rng(self.plan.seed, "shuffle", position as u64));
        let batches = order.len().div_ceil(phase.batch);
        let rate_of = |step: usize| {
            let epochs = phase.epochs;
            phase.optimiser.rate(StepPosition {
                epoch,
                step,
                steps_per_epoch: batches,
                epochs,
                batch: phase.batch,
            })
        };
        let left: Vec<&[usize]> = order.chunks(phase.batch).skip(self.state.step).collect();
        self.task.announce(position, &left);
        for batch in left {
            if (self.run.should_stop)() {
                self.save()?;
                return Err(Interrupted { checkpoint: self.run.dir.join(CHECKPOINT_FILE) }.into());
            }
            let rate = rate_of(self.state.step);
            let Trained { model, companions, .. } = &mut self.trained;
            if let Some(critic) = &mut companions.critic {
                critic.set_learning_rate(rate);
            }
            let loss = self.task.train_loss(model, companions, number, position, batch)?;
            let value: f32 = loss.clone().into_scalar().elem();
            self.require_finite("the training loss", value)?;
            let mut gradients = loss.backward();
            let Trained { model, optimiser, companions, .. } = &mut self.trained;
            let own = GradientsParams::from_module(&mut gradients, model);
            *model = optimiser.step(rate, model.clone(), own);
            if let Some(expander) = &mut companions.expander {
                expander.step(rate, &mut gradients);
            }
            self.state.losses.push(value);
            self.state.step += 1;
            let done = (epoch * batches + self.state.step) as u64;
            self.run.progress.advance(done, &format!("epoch {epoch}, loss {value:.4}"));
            if !self.plan.checkpoint_every.is_zero() && self.saved.elapsed() >= self.plan.checkpoint_every {
                self.save()?;
            }
        }
        let train_loss = mean(&self.state.losses);
        self.validate(phase, rate_of(self.state.step.saturating_sub(1)), train_loss, started)?;
        self.state.epoch += 1;
        self.state.step = 0;
        self.state.losses.clear();
        self.save()
    }

    /// Validation, best snapshot and the epoch's row of the event log.
    fn validate(
        &mut self,
        phase: EpochPhase<'_>,
        rate: f64,
        train_loss: f32,
        started: Instant,
    ) -> Result<(), EpochTrainError> {
        let (number, epoch) = (self.state.phase, self.state.epoch);
        let network = self.trained.model.valid();
        let (mut losses, mut predicted) = (Vec::new(), Vec::new());
        let count = self.task.num_validation();
        for start in (0..count).step_by(phase.batch) {
            let positions = start..(start + phase.batch).min(count);
            let (loss, prediction) =
                self.task.validation_loss(&network, &self.trained.companions, number, positions);
            losses.push(loss.into_scalar().elem::<f32>());
            predicted.push(prediction);
        }
        let loss = mean(&losses);
        self.require_finite("the validation loss", loss)?;
        let metrics = self.task.validation_metrics(predicted)?;
        let report = PhaseReport {
            phase: number + 1,
            epochs: epoch + 1,
            best_epoch: epoch,
            best_validation_loss: loss,
            last_train_loss: train_loss,
            last_validation_loss: loss,
        };
        let is_best = match self.state.phases.iter_mut().find(|known| known.phase == number + 1) {
            Some(known) => {
                let is_best = loss < known.best_validation_loss;
                let (best_epoch, best) = (known.best_epoch, known.best_validation_loss);
                *known = report;
                if !is_best {
                    (known.best_epoch, known.best_validation_loss) = (best_epoch, best);
                }
                is_best
            }
            None => {
                self.state.phases.push(report);
                true
            }
        };
        if is_best {
            self.trained.best = self.trained.model.clone();
            self.snapshot(BEST_FILE, &self.trained.best)?;
        }
        let mut event = json!({
            "event": "epoch",
            "phase": number + 1,
            "epoch": epoch,
            "learning_rate": rate,
            "train_loss": train_loss,
            "validation_loss": loss,
            "is_best": is_best,
            "validation": metrics,
            "seconds": started.elapsed().as_secs_f64(),
        });
        if let Some(waited) = self.task.take_waited_seconds() {
            event["target_wait_seconds"] = waited.into();
        }
        self.log.append(position(self.plan, number, epoch) as u64, &event)?;
        self.run.progress.line(&epoch_line(&event));
        Ok(())
    }

    fn has_stalled(&self) -> bool {
        let report = self.state.phases.iter().find(|report| report.phase == self.state.phase + 1);
        match (report, self.plan.patience_epochs) {
            (Some(report), Some(patience)) => self.state.epoch > report.best_epoch + patience,
            _ => false,
        }
    }

    fn require_finite(&self, what: &'static str, value: f32) -> Result<(), EpochTrainError> {
        if value.is_finite() {
            return Ok(());
        }
        Err(EpochTrainError::NotFinite {
            what,
            phase: self.state.phase + 1,
            epoch: self.state.epoch,
            step: self.state.step,
            checkpoint: self.run.dir.join(CHECKPOINT_FILE),
        })
    }

    fn save(&mut self) -> Result<(), EpochTrainError> {
        save(&self.run.dir.join(CHECKPOINT_FILE), &self.trained, &self.state)?;
        self.saved = Instant::now();
        Ok(())
    }

    fn snapshot(&self, file: &str, model: &T::Model) -> Result<(), EpochTrainError> {
        let provenance = json!({"phases": self.state.phases, "settings": self.run.identity});
        let path = self.run.dir.join(file);
        Ok(save_snapshot(&path, self.run.kind, self.run.snapshot_config, &provenance, &model.valid())?)
    }

    /// A run that was killed may have logged an epoch that its checkpoint does not know.
    fn forget_later_events(&self) -> Result<(), EpochTrainError> {
        let at = (self.state.phase as u64 + 1, self.state.epoch as u64);
        self.run.dir.events().retain(|row| row.phase.zip(row.epoch).is_none_or(|row| row < at))?;
        Ok(())
    }
}

/// An epoch's row of the event log in words.
fn epoch_line(event: &Value) -> String {
    let number = |value: &Value| value.as_f64().unwrap_or(f64::NAN);
    let mut line = format!(
        "phase {} epoch {}: training loss {:.5}, validation loss {:.5}{}",
        event["phase"],
        event["epoch"],
        number(&event["train_loss"]),
        number(&event["validation_loss"]),
        if event["is_best"] == true { " (best)" } else { "" },
    );
    if let Some(retrieval) = event["validation"].get("retrieval") {
        let [forward, backward] =
            ["forward", "backward"].map(|way| number(&retrieval[way]["over_batches"]["mean"]));
        line.push_str(&format!(
            ", retrieval {forward:.1} and {backward:.1} of {} (chance {:.1})",
            retrieval["batch_size"],
            number(&retrieval["chance_over_batches"])
        ));
    }
    line.push_str(&format!(", {:.1} s", number(&event["seconds"])));
    line
}

/// Number of an epoch over all phases.
fn position(plan: &EpochPlan, phase: usize, epoch: usize) -> usize {
    plan.phases.iter().take(phase).map(|phase| phase.epochs).sum::<usize>() + epoch
}

/// Plain mean over batches; a smaller last batch weighs as much as the others, as in the reference.
fn mean(losses: &[f32]) -> f32 {
    (losses.iter().map(|loss| f64::from(*loss)).sum::<f64>() / losses.len() as f64) as f32
}
