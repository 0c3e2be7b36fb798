//! The GAN training loop: batch, phases, average, report. Specification: docs/spec/gan-training.md §5 to §7.
//!
//! Everything random depends on (seed, purpose, step), so a run that was stopped and resumed continues bit for
//! bit on the same device. Pretraining and finetuning differ only in their data and their first weights.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tracing::info_span;

use super::check::check;
use super::error::GanTrainError;
use super::run_files::{RunFiles, SavedNetworks};
use super::state::{Counters, GanState};
use super::step::runner::StepRunner;
use super::task::GanTask;
use super::tick::{Tick, TickEvent, TickSchedule};
use crate::interrupt::Shelter;
use crate::run::error::RunError;
use crate::run::interrupt::Interrupted;
use crate::run::progress::Progress;
use crate::run::run_dir::RunDir;
use crate::run::training_log::TrainingLog;
use crate::tensor_ops::backend::Device;
use crate::training::frame::checkpoint_clock::CheckpointClock;
use crate::training::frame::phase_clock::{PhaseClock, PhaseTime};
use crate::training::frame::running_stats::RunningStats;

/// A training with the place where it runs.
pub struct GanTraining<'a> {
    /// Networks, data and settings of the training.
    pub task: GanTask<'a>,
    /// The run's folder.
    pub run: &'a RunDir,
    /// Where data and first weights come from, as a JSON object; stored in the snapshots.
    pub provenance: &'a Value,
    /// Device that holds the networks and batches.
    pub device: &'a Device,
    /// The other devices that share every batch: one less than `task.config.gpus`.
    pub other_devices: &'a [Device],
    /// Polled once a step; `true` stops with a checkpoint. Usually [`crate::interrupt::requested`].
    pub interrupted: &'a dyn Fn() -> bool,
}

/// Called before the first step, at every report, and after the last step.
pub type OnTick<'a> = dyn FnMut(&Tick<'_>) -> Result<(), RunError> + 'a;

/// Steps and images of a finished training, its last figures, and where the networks are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GanTrainSummary {
    /// Steps taken, resumed ones included.
    pub steps: u64,
    /// Real images shown.
    pub images_seen: u64,
    /// Means of the last report period.
    pub stats: Map<String, Value>,
    /// Seconds for a thousand images in this process; none when it had nothing left to do.
    pub seconds_per_kimg: Option<f64>,
    /// Seconds of every phase.
    pub phases: Vec<PhaseTime>,
    /// Snapshot of the averaged generator.
    pub generator: PathBuf,
    /// Snapshot of the discriminator.
    pub discriminator: PathBuf,
    /// Snapshots of the mappers that were trained too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mappers: Vec<PathBuf>,
}

impl GanTraining<'_> {
    /// Trains from the start, or from the checkpoint `resume`, to the last image.
    ///
    /// # Errors
    /// [`GanTrainError`]; [`GanTrainError::Interrupted`] names the checkpoint to continue from. So do
    /// [`GanTrainError::Diverged`] and [`GanTrainError::NotFinite`], which leave the snapshots of that checkpoint.
    pub fn run(
        &self,
        resume: Option<&Path>,
        progress: &mut dyn Progress,
        on_tick: &mut OnTick<'_>,
    ) -> Result<GanTrainSummary, GanTrainError> {
        check(&self.task, 1 + self.other_devices.len())?;
        // Behind the checks: a training that cannot begin writes no checkpoint.
        let course = match resume {
            Some(checkpoint) => Course::resume(self, checkpoint, progress, on_tick)?,
            None => Course::start(self, on_tick)?,
        };
        let result = course.train(progress, on_tick);
        if let Err(GanTrainError::Diverged { checkpoint, .. } | GanTrainError::NotFinite { checkpoint, .. }) =
            &result
        {
            self.fall_back(checkpoint)?;
        }
        result
    }

    fn files(&self) -> RunFiles<'_> {
        RunFiles { task: &self.task, run: self.run, provenance: self.provenance }
    }

    /// Snapshots of a checkpoint, in place of those that a finished run leaves.
    fn fall_back(&self, checkpoint: &Path) -> Result<(), GanTrainError> {
        let mut state = self.task.first_state(self.device)?;
        let counters = state.resume(checkpoint, &self.task.first_counters(), self.device)?;
        self.files().save_snapshots(&state, &counters, self.device)?;
        Ok(())
    }
}

/// A training under way.
struct Course<'a> {
    training: &'a GanTraining<'a>,
    files: RunFiles<'a>,
    schedule: TickSchedule,
    state: GanState,
    counters: Counters,
    /// Means of the last report period.
    stats: Map<String, Value>,
    log: TrainingLog,
    /// The checkpoint to return to if the numbers go wrong.
    last_good: PathBuf,
    /// Steps that are in it.
    saved_steps: u64,
    checkpoints: CheckpointClock,
}

impl<'a> Course<'a> {
    /// From the first weights; the first checkpoint and the first report are of them.
    fn start(training: &'a GanTraining<'a>, on_tick: &mut OnTick<'_>) -> Result<Self, GanTrainError> {
        let state = training.task.first_state(training.device)?;
        let counters = training.task.first_counters();
        let log = TrainingLog::start(training.run, 0)?;
        let files = training.files();
        let mut checkpoints = CheckpointClock::start();
        // Something to return to if the first steps diverge already.
        let last_good = checkpoints.time(|| files.save(&state, &counters))?;
        let course = Self {
            training,
            files,
            schedule: TickSchedule::new(training.task.config),
            saved_steps: counters.step,
            state,
            counters,
            stats: Map::new(),
            log,
            last_good,
            checkpoints,
        };
        course.note_checkpoint();
        course.show(on_tick)?;
        Ok(course)
    }

    /// From a checkpoint.
    fn resume(
        training: &'a GanTraining<'a>,
        checkpoint: &Path,
        progress: &mut dyn Progress,
        on_tick: &mut OnTick<'_>,
    ) -> Result<Self, GanTrainError> {
        let GanTask { config, .. } = training.task;
        let mut state = training.task.first_state(training.device)?;
        let mut counters = state.resume(checkpoint, &training.task.first_counters(), training.device)?;
        let (then, now) = (counters.config.learning_rate, config.learning_rate);
        if then != now {
            progress.note(&format!("Learning rate {now} in place of {then}"));
        }
        // Length and rate may have changed; everything else was found equal.
        counters.config = config.clone();
        // Lines behind the checkpoint will be written again.
        let seen = counters.images_seen;
        // The first checkpoint is written before its networks are shown: a kill may have come between.
        let is_shown = seen > 0;
        training.run.events().retain(|at| at.images_seen.is_none_or(|images| is_shown && images <= seen))?;
        let course = Self {
            training,
            files: training.files(),
            schedule: TickSchedule::new(config),
            log: TrainingLog::start(training.run, seen + u64::from(is_shown))?,
            saved_steps: counters.step,
            state,
            counters,
            stats: Map::new(),
            last_good: checkpoint.to_path_buf(),
            checkpoints: CheckpointClock::start(),
        };
        course.note_checkpoint();
        if !is_shown {
            course.show(on_tick)?;
        }
        Ok(course)
    }

    /// All steps that are left.
    fn train(
        mut self,
        progress: &mut dyn Progress,
        on_tick: &mut OnTick<'_>,
    ) -> Result<GanTrainSummary, GanTrainError> {
        let GanTraining { task, device, other_devices, interrupted, .. } = self.training;
        let mut steps = StepRunner::new(task, &self.state, device, other_devices);
        let total = self.schedule.total();
        let _training = info_span!(parent: self.training.run.span(), "training").entered();
        progress.start("training the GAN", total);
        while !self.schedule.is_last(&self.counters) {
            if interrupted() {
                // Between steps: the checkpoint is of a whole step, or resuming would not be exact. The request may have come while
                // this very checkpoint was written.
                if self.saved_steps != self.counters.step {
                    self.save_if_finite()?;
                }
                return Err(Interrupted { checkpoint: self.last_good }.into());
            }
            steps
                .step(&mut self.state, &mut self.counters)
                .map_err(|error| error.with_checkpoint(&self.last_good))?;
            progress.advance(self.counters.images_seen.min(total), &brief(&self.counters.running));
            if self.schedule.is_tick_due(&self.counters) {
                self.report(on_tick)?;
                progress.line(&format!("{} images: {}", self.counters.images_seen, steps.clock.line()));
                if self.schedule.is_checkpoint_due(&self.counters) {
                    self.save_if_finite()?;
                }
            }
            // A streak of gradients without numbers is waited for, as by the schedule.
            if self.checkpoints.is_due() && self.counters.non_finite_phases == 0 {
                self.save_if_finite()?;
            }
        }
        self.finish(&steps.clock, progress)
    }

    /// Snapshots of the last state, and what the run achieved.
    fn finish(
        self,
        clock: &PhaseClock,
        progress: &mut dyn Progress,
    ) -> Result<GanTrainSummary, GanTrainError> {
        let Self { training, files, state, counters, stats, .. } = self;
        let SavedNetworks { generator, discriminator, mappers } =
            files.save_snapshots(&state, &counters, training.device)?;
        progress.finish(&format!("{} images in {} steps", counters.images_seen, counters.step));
        Ok(GanTrainSummary {
            steps: counters.step,
            images_seen: counters.images_seen,
            stats,
            seconds_per_kimg: clock.seconds_per_kimg(),
            phases: clock.times(),
            generator,
            discriminator,
            mappers,
        })
    }

    /// The checkpoint, unless it would put weights without numbers in place of the last good ones. Nobody disturbs it.
    fn save_if_finite(&mut self) -> Result<(), GanTrainError> {
        let _shelter = Shelter::new();
        if !self.state.is_finite() {
            let checkpoint = self.last_good.clone();
            return Err(GanTrainError::NotFinite { step: self.counters.step, checkpoint });
        }
        let Self { files, state, counters, checkpoints, .. } = self;
        self.last_good = checkpoints.time(|| files.save(state, counters))?;
        self.saved_steps = self.counters.step;
        self.note_checkpoint();
        Ok(())
    }

    /// Tells what the run goes on from.
    fn note_checkpoint(&self) {
        self.training.run.note_checkpoint(&self.last_good, self.saved_steps);
    }

    /// Writes the means since the last report and shows the networks to the caller.
    fn report(&mut self, on_tick: &mut OnTick<'_>) -> Result<(), GanTrainError> {
        let Self { counters, stats, log, .. } = self;
        counters.ticks += 1;
        let _tick = info_span!("tick", number = counters.ticks).entered();
        *stats = counters.running.take();
        let Counters { ticks, step, images_seen, .. } = *counters;
        log.append(images_seen, &TickEvent { tick: ticks, step, images_seen, stats })?;
        Ok(self.show(on_tick)?)
    }

    /// Shows the networks to the caller.
    fn show(&self, on_tick: &mut OnTick<'_>) -> Result<(), RunError> {
        let Self { training, schedule, state, counters, stats, log, .. } = self;
        let joint = training.task.mappers.zip(state.mappers.as_ref());
        let mappers = joint.map(|(joint, pair)| joint.current(pair, training.device));
        on_tick(&Tick {
            generator_ema: &state.generator_ema,
            images_seen: counters.images_seen,
            tick: counters.ticks,
            stats,
            mappers: mappers.as_ref(),
            is_checkpoint: schedule.is_checkpoint_due(counters),
            is_last: schedule.is_last(counters),
            log,
        })
    }
}

/// The losses so far, for the progress line.
fn brief(running: &RunningStats) -> String {
    match (running.mean("generator_loss"), running.mean("discriminator_loss")) {
        (Some(generator), Some(discriminator)) => format!("G {generator:.2} D {discriminator:.2}"),
        _ => String::new(),
    }
}
