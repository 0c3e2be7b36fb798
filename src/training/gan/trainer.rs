//! The GAN training loop: batch, phases, average, report. Specification: docs/spec/gan-training.md §5 to §7.
//!
//! Everything random depends on (seed, purpose, step), so a run that was stopped and resumed continues bit for
//! bit on the same device. Pretraining and finetuning differ only in their data and their first weights.

use std::path::{Path, PathBuf};

use burn::module::AutodiffModule;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::augmentation::ada::AdaState;
use super::config::{GanConfigError, GanTrainConfig};
use super::dataset::{GanDataset, GanDatasetError, SampleOrder};
use super::image_view::ImageEncoder;
use super::loss_scale::LossScale;
use super::low_level::FrozenResnet;
use super::mappers::joint::JointMappers;
use super::mappers::outputs::CurrentMappers;
use super::state::{Counters, GanState};
use super::step::replicas::{NetworkView, Replica};
use crate::data::error::DataError;
use crate::models::mapper::MapperConfigError;
use crate::models::stylegan2::{ConfigError, Discriminator, DiscriminatorConfig, Generator, GeneratorConfig};
use crate::run::error::RunError;
use crate::run::interrupt::Interrupted;
use crate::run::progress::Progress;
use crate::run::run_dir::RunDir;
use crate::run::training_log::TrainingLog;
use crate::tensor_ops::backend::{Base, Device, Diff};
use crate::training::frame::phase_clock::{PhaseClock, PhaseTime};
use crate::training::frame::running_stats::RunningStats;

/// The averaged generator.
pub const GENERATOR_FILE: &str = "generator.safetensors";
/// The discriminator.
pub const DISCRIMINATOR_FILE: &str = "discriminator.safetensors";
/// The file to continue from.
pub const CHECKPOINT_FILE: &str = "checkpoint.mpk";

/// Why training ended early.
#[derive(Debug, thiserror::Error)]
pub enum GanTrainError {
    /// The networks' sizes do not fit.
    #[error(transparent)]
    Network(#[from] ConfigError),
    /// A training setting is out of range.
    #[error(transparent)]
    Config(#[from] GanConfigError),
    /// The data do not fit together.
    #[error(transparent)]
    Data(#[from] GanDatasetError),
    /// The gradients hold no numbers any more.
    #[error(
        "gradients were not finite in {phases} phases in a row, up to step {step}; lower the `learning_rate` and continue from \
         the last good state, `--resume {}`; the snapshots beside it are of that state",
        checkpoint.display()
    )]
    Diverged {
        /// Steps taken.
        step: u64,
        /// Phases in a row.
        phases: u64,
        /// State before the numbers went wrong.
        checkpoint: PathBuf,
    },
    /// A network holds no numbers any more.
    #[error(
        "a weight is not finite after step {step}; lower the `learning_rate` and continue from the last good state, \
         `--resume {}`; the snapshots beside it are of that state",
        checkpoint.display()
    )]
    NotFinite {
        /// Steps taken.
        step: u64,
        /// State before the numbers went wrong.
        checkpoint: PathBuf,
    },
    /// The betas of a batch cannot be read.
    #[error(transparent)]
    Betas(#[from] DataError),
    /// A mapper's sizes make no network.
    #[error(transparent)]
    Mapper(#[from] MapperConfigError),
    /// A file of the run.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The user asked to stop.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

/// Weights to start from.
#[derive(Clone, Debug)]
pub enum StartingPoint {
    /// Drawn from the seed.
    Scratch,
    /// A trained pair; the average starts from the generator.
    Pretrained {
        /// Generator.
        generator: Box<Generator<Base>>,
        /// Discriminator.
        discriminator: Box<Discriminator<Base>>,
    },
}

/// What a caller sees at every report.
pub struct Tick<'a> {
    /// The averaged generator: what is used.
    pub generator_ema: &'a Generator<Base>,
    /// Real images shown so far.
    pub images_seen: u64,
    /// Number of the report, from 0 (before the first step).
    pub tick: u64,
    /// Whether a checkpoint of this state is written next.
    pub is_checkpoint: bool,
    /// Whether training ends here.
    pub is_last: bool,
    /// Means since the last report.
    pub stats: &'a Map<String, Value>,
    /// The mappers as they are, where they are trained too.
    pub mappers: Option<&'a CurrentMappers<'a>>,
    /// Where a picture of this report goes beside the run's numbers.
    pub log: &'a TrainingLog,
}

/// What a run reads and where it writes.
pub struct GanTraining<'a> {
    /// Sizes of the generator.
    pub generator: &'a GeneratorConfig,
    /// Sizes of the discriminator.
    pub discriminator: &'a DiscriminatorConfig,
    /// How to train them.
    pub config: &'a GanTrainConfig,
    /// Training images and conditions.
    pub data: &'a GanDataset,
    /// CLIP's image tower; may be absent when no loss term needs it.
    pub encoder: Option<&'a dyn ImageEncoder>,
    /// ResNet of the low-level term; may be absent when its weight is 0.
    pub resnet: Option<&'a FrozenResnet>,
    /// Mappers that are trained too; the conditions are then theirs, and those of `data` are not read.
    pub mappers: Option<&'a JointMappers<'a>>,
    /// Weights to start from.
    pub start: &'a StartingPoint,
    /// The run's folder.
    pub run: &'a RunDir,
    /// Where the data come from; stored in the snapshots.
    pub provenance: &'a Value,
    /// Where to compute.
    pub device: &'a Device,
    /// The other devices that share every batch: one less than `config.gpus`.
    pub other_devices: &'a [Device],
    /// Polled once a step; `true` stops with a checkpoint. Usually [`crate::run::interrupt::requested`].
    pub interrupted: &'a dyn Fn() -> bool,
}

/// What a finished run achieved.
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
    /// Where they went.
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
    /// `on_tick` is called before the first step, at every report, and after the last step.
    ///
    /// # Errors
    /// [`GanTrainError`]; [`GanTrainError::Interrupted`] names the checkpoint to continue from. So do
    /// [`GanTrainError::Diverged`] and [`GanTrainError::NotFinite`], which leave the snapshots of that checkpoint.
    pub fn run(
        &self,
        resume: Option<&Path>,
        progress: &mut dyn Progress,
        on_tick: &mut dyn FnMut(&Tick<'_>) -> Result<(), RunError>,
    ) -> Result<GanTrainSummary, GanTrainError> {
        self.check()?;
        let mut last_good = resume.map(Path::to_path_buf);
        let result = self.train(resume, &mut last_good, progress, on_tick);
        match (result, last_good) {
            (Err(GanTrainError::Diverged { step, phases, .. }), Some(checkpoint)) => {
                self.fall_back(&checkpoint)?;
                Err(GanTrainError::Diverged { step, phases, checkpoint })
            }
            (Err(GanTrainError::NotFinite { step, .. }), Some(checkpoint)) => {
                self.fall_back(&checkpoint)?;
                Err(GanTrainError::NotFinite { step, checkpoint })
            }
            (result, _) => result,
        }
    }

    fn train(
        &self,
        resume: Option<&Path>,
        last_good: &mut Option<PathBuf>,
        progress: &mut dyn Progress,
        on_tick: &mut dyn FnMut(&Tick<'_>) -> Result<(), RunError>,
    ) -> Result<GanTrainSummary, GanTrainError> {
        let mut state = self.first_state()?;
        let mut counters = self.fresh_counters();
        let mut stats = Map::new();
        let log;
        if let Some(path) = resume {
            counters = state.resume(path, &counters, self.device)?;
            let (then, now) = (counters.config.learning_rate, self.config.learning_rate);
            if then != now {
                progress.note(&format!("Learning rate {now} in place of {then}"));
            }
            counters.config = self.config.clone();
            let seen = counters.images_seen;
            // Lines behind the checkpoint will be written again.
            self.run.events().retain(|position| position.images_seen.is_none_or(|n| n <= seen))?;
            log = TrainingLog::start(self.run, seen + 1)?;
        } else {
            log = TrainingLog::start(self.run, 0)?;
            // Something to return to if the first steps diverge already.
            *last_good = Some(self.save(&state, &counters)?);
            self.show(&state, &counters, &stats, &log, on_tick)?;
        }
        let num_samples = self.data.len() * if self.config.mirror_images { 2 } else { 1 };
        let mut order = SampleOrder::new(self.config.seed, num_samples);
        let mut replicas: Vec<Replica> =
            self.other_devices.iter().map(|device| Replica::new(&self.networks(&state), device)).collect();
        let mut clock = PhaseClock::default();
        let total = self.config.total_images();
        progress.start("training the GAN", total);
        while counters.images_seen < total {
            if (self.interrupted)() {
                let checkpoint = self.save_if_finite(&state, &counters)?;
                return Err(Interrupted { checkpoint }.into());
            }
            self.step(&mut state, &mut replicas, &mut counters, &mut order, &mut clock)?;
            progress.advance(counters.images_seen.min(total), &brief(&counters.running));
            if self.is_last(&counters) || self.is_tick_over(&counters) {
                stats = self.report(&mut state, &mut counters, &log, on_tick)?;
                progress.line(&format!("{} images: {}", counters.images_seen, clock.line()));
                if self.is_checkpoint_due(&counters) {
                    *last_good = Some(self.save_if_finite(&state, &counters)?);
                }
            }
        }
        let (generator, discriminator, mappers) = self.save_snapshots(&state, &counters)?;
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

    pub(crate) fn first_state(&self) -> Result<GanState, GanTrainError> {
        let seed = self.config.seed;
        // Drawn in any case: it is this that marks which parameters are trained.
        let drawn: Generator<Diff> = self.generator.init(seed, self.device)?;
        let drawn_discriminator: Discriminator<Diff> = self.discriminator.init(seed, self.device)?;
        let (generator, discriminator) = match self.start {
            StartingPoint::Scratch => (drawn, drawn_discriminator),
            StartingPoint::Pretrained { generator, discriminator } => {
                (adopt(drawn, generator.as_ref()), adopt(drawn_discriminator, discriminator.as_ref()))
            }
        };
        let discriminator = discriminator.with_frozen_layers(self.config.frozen_discriminator_layers);
        let ema = generator.valid();
        let mut state = GanState::new(generator, discriminator, ema, self.config);
        state.mappers = self.mappers.map(|joint| joint.init(self.config, self.device)).transpose()?;
        Ok(state)
    }

    /// The networks as they stand on the first device.
    pub(crate) fn networks<'s>(&'s self, state: &'s GanState) -> NetworkView<'s> {
        NetworkView {
            generator: &state.generator.network,
            discriminator: &state.discriminator.network,
            encoder: self.encoder,
            resnet: self.resnet,
            device: self.device,
        }
    }

    pub(crate) fn fresh_counters(&self) -> Counters {
        Counters {
            generator: self.generator.clone(),
            discriminator: self.discriminator.clone(),
            config: self.config.clone(),
            num_samples: self.data.len(),
            mappers: self.mappers.map(JointMappers::identity),
            step: 0,
            images_seen: 0,
            ticks: 0,
            path_length_mean: 0.0,
            non_finite_phases: 0,
            augment: AdaState::new(&self.config.augment),
            loss_scale: LossScale::new(&self.config.loss_scale, self.config.half_resolutions),
            running: RunningStats::default(),
        }
    }

    fn is_last(&self, counters: &Counters) -> bool {
        counters.images_seen >= self.config.total_images()
    }

    /// Whether a report of this state is followed by a checkpoint. A streak of gradients without numbers is waited for: it may
    /// end the training.
    fn is_checkpoint_due(&self, counters: &Counters) -> bool {
        let is_scheduled = counters.ticks > 0 && counters.ticks.is_multiple_of(self.config.checkpoint_ticks);
        self.is_last(counters) || (is_scheduled && counters.non_finite_phases == 0)
    }

    fn is_tick_over(&self, counters: &Counters) -> bool {
        let tick = (self.config.tick_kimg * 1000.0).max(1.0);
        let before = counters.images_seen - self.config.batch_size as u64;
        (counters.images_seen as f64 / tick).floor() > (before as f64 / tick).floor()
    }

    /// Writes the means since the last report and shows the generator to the caller.
    fn report(
        &self,
        state: &mut GanState,
        counters: &mut Counters,
        log: &TrainingLog,
        on_tick: &mut dyn FnMut(&Tick<'_>) -> Result<(), RunError>,
    ) -> Result<Map<String, Value>, GanTrainError> {
        counters.ticks += 1;
        let stats = counters.running.take();
        let mut event = Map::new();
        event.insert("tick".into(), json!(counters.ticks));
        event.insert("step".into(), json!(counters.step));
        event.insert("images_seen".into(), json!(counters.images_seen));
        event.extend(stats.clone());
        log.append(counters.images_seen, &Value::Object(event))?;
        self.show(state, counters, &stats, log, on_tick)?;
        Ok(stats)
    }

    /// Shows the networks to the caller.
    fn show(
        &self,
        state: &GanState,
        counters: &Counters,
        stats: &Map<String, Value>,
        log: &TrainingLog,
        on_tick: &mut dyn FnMut(&Tick<'_>) -> Result<(), RunError>,
    ) -> Result<(), RunError> {
        let joint = self.mappers.zip(state.mappers.as_ref());
        let mappers = joint.map(|(joint, pair)| joint.current(pair, self.device));
        on_tick(&Tick {
            generator_ema: &state.generator_ema,
            images_seen: counters.images_seen,
            tick: counters.ticks,
            stats,
            mappers: mappers.as_ref(),
            is_checkpoint: self.is_checkpoint_due(counters),
            is_last: self.is_last(counters),
            log,
        })
    }
}

/// `network` with the weights of `trained`.
pub(crate) fn adopt<M: AutodiffModule<Diff>>(network: M, trained: &M::InnerModule) -> M {
    network.load_record(M::from_inner(trained.clone()).into_record())
}

/// The losses so far, for the progress line.
fn brief(running: &RunningStats) -> String {
    match (running.mean("generator_loss"), running.mean("discriminator_loss")) {
        (Some(generator), Some(discriminator)) => format!("G {generator:.2} D {discriminator:.2}"),
        _ => String::new(),
    }
}
