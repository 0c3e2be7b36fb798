//! Epochs, evaluations, best snapshot, exact resume: for every network that is fitted epoch by epoch.
//!
//! Specification: docs/spec/mapper.md §5. A checkpoint is written before the first step, after every evaluation, on an
//! interruption, and from time to time. It needs no state of a random generator, since tasks key their
//! random choices by their place: a run that was stopped and resumed gives, on one device, bit for bit the losses of one that
//! was not.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tracing::info_span;

use super::checkpoint_clock::CheckpointClock;
use super::error::TrainError;
use super::state::{Place, TrainState, mean};
use super::task::{EpochResult, Task};
use crate::error::Fault;
use crate::interrupt::Shelter;
use crate::run::error::RunError;
use crate::run::interrupt::Interrupted;
use crate::run::progress::Progress;
use crate::run::run_dir::RunDir;
use crate::run::training_log::TrainingLog;

/// Name of the checkpoint in the run folder.
pub const CHECKPOINT_FILE: &str = "checkpoint.mpk";
/// Name of the snapshot with the lowest validation loss of the phase under way or, at the end, of the last phase.
pub const BEST_FILE: &str = "best.safetensors";
/// Name of the snapshot of the last epoch.
pub const LAST_FILE: &str = "last.safetensors";

/// How long a training is, and how often it is looked at.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Epochs of each phase in order; phases of 0 epochs are passed over.
    pub epochs: Vec<usize>,
    /// Epochs between evaluations, each with a checkpoint; the last epoch of a phase has one in any case.
    pub evaluate_every_epochs: usize,
    /// A phase ends after so many epochs without a lower validation loss; `None`: never early.
    pub patience_epochs: Option<usize>,
    /// Time between checkpoints inside an epoch; zero, or a long one: five minutes, or 20 times what writing one takes.
    pub checkpoint_every: Duration,
    /// Number that rows of the event log carry: epochs or steps.
    pub clock: Clock,
}

/// What the rows of an event log are numbered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// Epochs done before, over all phases; rows tell phase and epoch.
    Epochs,
    /// Steps done, over all phases; rows tell their step.
    Steps,
}

/// Where a training writes, what it reports to, and when it stops.
pub struct Run<'a> {
    /// Run folder that gets log, checkpoints and best weights.
    pub dir: &'a RunDir,
    /// Checkpoint to continue from.
    pub resume: Option<&'a Path>,
    /// Told how far it is.
    pub progress: &'a mut dyn Progress,
    /// Asked before every step and evaluation. Usually [`crate::interrupt::requested`].
    pub should_stop: &'a dyn Fn() -> bool,
}

/// Runs `task` to the end of `plan`; writes checkpoint and event log into the run's folder.
///
/// # Errors
/// The task's; after an interruption or a loss that is not finite the checkpoint can be continued from.
pub fn train<T: Task>(task: &mut T, plan: &Plan, run: &mut Run) -> Result<TrainState, T::Error> {
    let state = match run.resume {
        Some(path) => {
            let state = task.load(path).map_err(TrainError::from)?;
            plan.check(task, &state).map_err(|fault| TrainError::from(RunError::from(fault.at(path))))?;
            state
        }
        None => TrainState::default(),
    };
    let mut training = EpochLoop::start(task, plan, run, state)?;
    // From here on there always is a checkpoint with finite weights. Before, nothing is lost: no shelter.
    training.write_checkpoint()?;
    while training.state.place.phase < plan.epochs.len() {
        training.phase()?;
    }
    Ok(training.state)
}

struct EpochLoop<'r, 'a, T: Task> {
    task: &'r mut T,
    plan: &'r Plan,
    run: &'r mut Run<'a>,
    log: TrainingLog,
    state: TrainState,
    checkpoints: CheckpointClock,
    /// Where the last checkpoint stands.
    saved: Place,
}

impl<'r, 'a, T: Task> EpochLoop<'r, 'a, T> {
    /// The loop with its log, cut back to where `state` stands.
    fn start(
        task: &'r mut T,
        plan: &'r Plan,
        run: &'r mut Run<'a>,
        state: TrainState,
    ) -> Result<Self, TrainError> {
        let now = plan.number(task, state.place);
        forget_later_events(run.dir, plan.clock, state.place, now)?;
        let next = match (run.resume, plan.clock) {
            (None, _) => 0,
            (Some(_), Clock::Epochs) => now,
            // The row of the step that was taken last may be there already.
            (Some(_), Clock::Steps) => now + 1,
        };
        let log = TrainingLog::start(run.dir, next)?;
        let (checkpoints, saved) = (CheckpointClock::start(), state.place);
        Ok(Self { task, plan, run, log, state, checkpoints, saved })
    }

    /// The phase under way, from where it stands.
    fn phase(&mut self) -> Result<(), T::Error> {
        let Place { phase, epoch, step } = self.state.place;
        let _phase = info_span!(parent: self.run.dir.span(), "phase", number = phase + 1).entered();
        // A phase that is resumed has begun already: its optimiser comes from the checkpoint.
        if epoch == 0 && step == 0 {
            self.task.begin_phase(phase);
        }
        let epochs = self.plan.epochs[phase];
        let steps = epochs * self.task.num_steps(phase);
        self.run.progress.start(&self.task.title(phase), steps as u64);
        while self.state.place.epoch < epochs && !self.has_stalled() {
            self.epoch()?;
        }
        let line = self.state.phases.last().map_or_else(String::new, |result| self.task.phase_line(result));
        self.run.progress.finish(&line);
        self.state.place = Place { phase: phase + 1, epoch: 0, step: 0 };
        Ok(())
    }

    /// What is left of the epoch under way.
    fn epoch(&mut self) -> Result<(), T::Error> {
        let started = Instant::now();
        let Place { phase, epoch, .. } = self.state.place;
        let _epoch = info_span!("epoch", number = epoch).entered();
        self.task.begin_epoch(self.state.place);
        while self.state.place.step < self.task.num_steps(phase) {
            self.step()?;
        }
        let done = epoch + 1;
        let is_due = done == self.plan.epochs[phase] || done.is_multiple_of(self.plan.evaluate_every_epochs);
        if is_due {
            self.evaluate(started)?;
        }
        // The checkpoint that follows says "this epoch is done": a run that is killed before it is written repeats
        // the epoch, log row and best snapshot included, with the same numbers.
        self.state.place = Place { phase, epoch: done, step: 0 };
        self.state.losses.clear();
        if is_due {
            self.save()?;
        }
        Ok(())
    }

    fn step(&mut self) -> Result<(), T::Error> {
        self.stop_if_asked()?;
        let place = self.state.place;
        let loss = self.task.step(place)?;
        // Before the loss is noted: the checkpoint on disk stays the last one with numbers.
        self.require_finite("the training loss", f64::from(loss))?;
        self.state.losses.push(loss);
        self.state.place.step += 1;
        let done = place.epoch * self.task.num_steps(place.phase) + self.state.place.step;
        self.run.progress.advance(done as u64, &self.task.step_line(place, loss));
        let every = self.plan.checkpoint_every;
        let is_planned = !every.is_zero() && self.checkpoints.elapsed() >= every;
        if is_planned || self.checkpoints.is_due() {
            self.save()?;
        }
        Ok(())
    }

    /// Ends on request, with a checkpoint of what is done.
    fn stop_if_asked(&mut self) -> Result<(), TrainError> {
        if !(self.run.should_stop)() {
            return Ok(());
        }
        // The request may have come while this very checkpoint was written.
        if self.saved != self.state.place {
            self.save()?;
        }
        Err(TrainError::from(Interrupted { checkpoint: self.checkpoint() }))
    }

    /// Evaluation, best snapshot and the epoch's row of the event log.
    fn evaluate(&mut self, started: Instant) -> Result<(), T::Error> {
        // It may take long and has no checkpoint inside.
        self.stop_if_asked()?;
        let (place, train_loss) = (self.state.place, mean(&self.state.losses));
        let evaluation = self.task.evaluate(place)?;
        self.require_finite("the validation loss", evaluation.loss)?;
        let is_best = self.state.record(train_loss, evaluation.loss);
        let epoch = EpochResult { place, train_loss, evaluation, is_best };
        if is_best {
            self.task.keep_best(&epoch, &self.state.phases)?;
        }
        let event = self.task.event(epoch, started.elapsed().as_secs_f64());
        self.append(place, &event)?;
        if let Some(line) = self.task.epoch_line(&event) {
            self.run.progress.line(&line);
        }
        Ok(())
    }

    fn append(&self, place: Place, event: &T::Event) -> Result<(), TrainError> {
        Ok(self.log.append(self.plan.number(self.task, place), event)?)
    }

    fn has_stalled(&self) -> bool {
        let Place { phase, epoch, .. } = self.state.place;
        match (self.state.result(phase), self.plan.patience_epochs) {
            (Some(result), Some(patience)) => epoch > result.best_epoch + patience,
            _ => false,
        }
    }

    fn require_finite(&self, what: &'static str, value: f64) -> Result<(), TrainError> {
        if value.is_finite() {
            return Ok(());
        }
        Err(TrainError::not_finite(what, self.state.place, self.checkpoint()))
    }

    /// Writes the checkpoint and lets nobody disturb it.
    fn save(&mut self) -> Result<(), TrainError> {
        let _shelter = Shelter::new();
        self.write_checkpoint()
    }

    /// Writes the checkpoint; weights that are not finite are refused, so that it stays usable.
    fn write_checkpoint(&mut self) -> Result<(), TrainError> {
        if !self.task.is_finite() {
            return Err(TrainError::not_finite("a weight", self.state.place, self.checkpoint()));
        }
        let path = self.checkpoint();
        let Self { task, state, checkpoints, .. } = self;
        checkpoints.time(|| task.save(&path, state))?;
        self.saved = self.state.place;
        self.run.dir.note_checkpoint(&path, self.plan.steps(self.task, self.saved));
        Ok(())
    }

    fn checkpoint(&self) -> PathBuf {
        self.run.dir.join(CHECKPOINT_FILE)
    }
}

impl Plan {
    /// Refuses a state that no training by this plan can have been in: places are counted with and indexed by.
    fn check(&self, task: &impl Task, state: &TrainState) -> Result<(), Fault> {
        let Place { phase, epoch, step } = state.place;
        let within = |field: &str, found: usize, most: usize| match found <= most {
            true => Ok(()),
            false => Err(Fault::new(format!("state, {field}"), format!("at most {most}"), found)),
        };
        within("phase", phase, self.epochs.len())?;
        let epochs = self.epochs.get(phase).copied().unwrap_or(0);
        within("epoch", epoch, epochs)?;
        within("step", step, if epoch < epochs { task.num_steps(phase) } else { 0 })?;
        for result in &state.phases {
            within("phase of a result", result.phase, phase)?;
            let epochs = self.epochs.get(result.phase).copied().unwrap_or(0);
            within("epochs of a result", result.epochs, epochs)?;
            within("best epoch of a result", result.best_epoch, epochs)?;
        }
        Ok(())
    }

    /// Number of the row that is logged at `place`.
    fn number(&self, task: &impl Task, place: Place) -> u64 {
        let Place { phase, epoch, .. } = place;
        match self.clock {
            Clock::Epochs => (self.epochs.iter().take(phase).sum::<usize>() + epoch) as u64,
            Clock::Steps => self.steps(task, place),
        }
    }

    /// Steps done at `place`, over all phases; those that a phase's early end left out count as done.
    fn steps(&self, task: &impl Task, place: Place) -> u64 {
        let Place { phase, epoch, step } = place;
        let of_phases = self.epochs.iter().take(phase).enumerate().filter(|(_, epochs)| **epochs > 0);
        let before: usize = of_phases.map(|(phase, epochs)| epochs * task.num_steps(phase)).sum();
        // Behind the last phase there are no steps.
        let within = if epoch > 0 { epoch * task.num_steps(phase) } else { 0 };
        (before + within + step) as u64
    }
}

/// A run that was killed may have logged an epoch that its checkpoint does not know: a training that stands at `place`, whose
/// number is `now`, will write those rows again.
fn forget_later_events(dir: &RunDir, clock: Clock, place: Place, now: u64) -> Result<(), RunError> {
    let at = (place.phase as u64 + 1, place.epoch as u64);
    dir.events().retain(|row| match clock {
        Clock::Epochs => row.phase.zip(row.epoch).is_none_or(|row| row < at),
        Clock::Steps => row.step.is_none_or(|step| step <= now),
    })
}
