//! One step of the GAN training: the phases that are due, the mappers', the average.

use std::path::Path;

use super::batches::Batches;
use super::phase_runner::PhaseRunner;
use super::phases::Phase;
use crate::data::error::DataError;
use crate::tensor_ops::backend::Device;
use crate::training::frame::phase_clock::PhaseClock;
use crate::training::gan::error::GanTrainError;
use crate::training::gan::mappers::runner::MapperPhaseRunner;
use crate::training::gan::state::{Counters, GanState, NonFiniteStreak};
use crate::training::gan::task::GanTask;

/// Share of the images seen that limits the half-life of a generator averaged from scratch
/// (docs/spec/gan-training.md §6).
const EMA_RAMPUP: f64 = 0.05;

/// Why a step cannot be made.
#[derive(Debug)]
pub(crate) enum StepError {
    /// The gradients hold no numbers any more.
    Diverged(NonFiniteStreak),
    /// The betas of the batch cannot be read.
    Betas(DataError),
}

impl From<NonFiniteStreak> for StepError {
    fn from(streak: NonFiniteStreak) -> Self {
        Self::Diverged(streak)
    }
}

impl From<DataError> for StepError {
    fn from(error: DataError) -> Self {
        Self::Betas(error)
    }
}

impl StepError {
    /// For a run that can go on from `checkpoint`.
    pub fn with_checkpoint(self, checkpoint: &Path) -> GanTrainError {
        match self {
            Self::Betas(error) => GanTrainError::Betas(error),
            Self::Diverged(NonFiniteStreak { step, phases }) => {
                GanTrainError::Diverged { step, phases, checkpoint: checkpoint.to_path_buf() }
            }
        }
    }
}

/// Makes steps.
pub(crate) struct StepRunner<'a> {
    task: &'a GanTask<'a>,
    batches: Batches<'a>,
    phases: PhaseRunner<'a>,
    mapper_phases: Option<MapperPhaseRunner<'a>>,
    /// Seconds of every phase since the last report.
    pub clock: PhaseClock,
}

impl<'a> StepRunner<'a> {
    /// For steps from `state` on.
    pub fn new(
        task: &'a GanTask<'a>,
        state: &GanState,
        device: &'a Device,
        other_devices: &[Device],
    ) -> Self {
        Self {
            task,
            batches: Batches::new(task, device),
            phases: PhaseRunner::new(task, state, device, other_devices),
            mapper_phases: task.mappers.map(|joint| MapperPhaseRunner { task, joint, device }),
            clock: PhaseClock::default(),
        }
    }

    /// All phases that are due, then the average.
    pub fn step(&mut self, state: &mut GanState, counters: &mut Counters) -> Result<(), StepError> {
        let config = self.task.config;
        let (batch, mut decoded) =
            self.batches.next(counters.images_seen, counters.step, state.mappers.as_ref())?;
        // In the published order, on one batch: the discriminator learns from a generator that has just moved.
        for phase in Phase::ALL {
            if phase.is_due(counters.step, config, self.task.generator.resolution) {
                let Self { clock, phases, .. } = self;
                clock.time(phase.name(), || phases.run(phase, &batch, state, counters))?;
            }
        }
        if let (Some(runner), Some(decoded)) = (&self.mapper_phases, &mut decoded) {
            self.clock.time("mappers", || runner.run(&batch, decoded, state, counters))?;
        }
        // With the images seen before this step: at the first the average is the network itself.
        self.average(state, counters);
        counters.step += 1;
        counters.images_seen += config.images_per_step() as u64;
        self.clock.count_images(config.images_per_step() as u64);
        Ok(())
    }

    /// Moves the averaged generator and the probability of augmentation; notes the rate where it moves.
    fn average(&self, state: &mut GanState, counters: &mut Counters) {
        let config = self.task.config;
        let is_pretrained = self.task.start.is_pretrained();
        let rampup = config.ema_rampup.unwrap_or(if is_pretrained { 0.0 } else { EMA_RAMPUP });
        state.average(config, counters.images_seen, rampup);
        let Counters { augment, step, running, .. } = counters;
        if let Some(mean_sign) =
            augment.adjust(&config.augment, *step, config.images_per_step(), is_pretrained)
        {
            running.record("augment_mean_sign", mean_sign);
            running.record("augment_probability", f64::from(augment.probability));
        }
        if !config.learning_rate_decay.is_constant() {
            let rate = config.learning_rate * config.rate_factor(counters.images_seen);
            counters.running.record("learning_rate", rate);
        }
    }
}
