//! Networks, optimisers and counters of a GAN training, and their checkpoint.

use std::path::Path;

use burn::module::{AutodiffModule, Module};
use burn::optim::adaptor::OptimizerAdaptor;
use burn::optim::{Adam, AdamConfig, GradientsParams, Optimizer};
use serde::{Deserialize, Serialize};

use super::augmentation::ada::AdaState;
use super::config::GanTrainConfig;
use super::gradients::GradientCheck;
use super::loss_scale::LossScale;
use super::mappers::config::MapperIdentity;
use super::step::phases::lazy_correction;
use crate::error::Fault;
use crate::models::mapper::Mapper;
use crate::models::stylegan2::{Discriminator, DiscriminatorConfig, Generator, GeneratorConfig};
use crate::run::checkpoint::{load_checkpoint, save_checkpoint};
use crate::run::error::RunError;
use crate::tensor_ops::backend::{Base, Device, Diff};
use crate::tensor_ops::stored::StoredTensors;
use crate::training::frame::ema::{ema_beta, ema_update};
use crate::training::frame::finite_weights::all_finite;
use crate::training::frame::identity::refuse_other_settings;
use crate::training::frame::running_stats::RunningStats;
use crate::training::frame::schedule::FinalDecay;

/// Parameters that are copied into the averaged generator rather than averaged.
const BUFFERS: [&str; 2] = ["w_avg", "noise_const"];

/// Steps beyond every training: counts stay exact, and sums of them whole.
const MOST_STEPS: u64 = 1 << 48;

/// Everything but weights and moments that a resumed run needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Counters {
    pub generator: GeneratorConfig,
    pub discriminator: DiscriminatorConfig,
    pub config: GanTrainConfig,
    pub num_samples: usize,
    /// What decides the training of mappers, where they are trained too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mappers: Option<MapperIdentity>,
    /// Steps taken.
    pub step: u64,
    /// Real images shown.
    pub images_seen: u64,
    /// Reports made.
    pub ticks: u64,
    /// Running mean of path lengths.
    pub path_length_mean: f32,
    /// Phases in a row with non-finite gradients.
    pub non_finite_phases: u64,
    /// Probability of augmentation and what moves it.
    #[serde(default)]
    pub augment: AdaState,
    /// Factor on losses in half precision.
    #[serde(default)]
    pub loss_scale: LossScale,
    /// Since the last report.
    pub running: RunningStats,
}

/// More phases in a row than allowed had gradients without numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NonFiniteStreak {
    /// Steps taken.
    pub step: u64,
    /// Phases in a row.
    pub phases: u64,
}

impl Counters {
    /// Refuses counts that no run of these settings can have come to.
    fn check(&self) -> Result<(), Fault> {
        let batch = self.config.images_per_step() as u64;
        let possible = [
            ("images_seen", Some(self.images_seen) == self.step.checked_mul(batch), self.images_seen),
            ("step", self.step <= MOST_STEPS, self.step),
            ("ticks", self.ticks <= self.step.saturating_add(1), self.ticks),
        ];
        if let Some((field, _, found)) = possible.into_iter().find(|(_, is_possible, _)| !is_possible) {
            let expected = format!("a count that goes with {} steps of {batch} images", self.step);
            return Err(Fault::new(format!("state, {field}"), expected, found));
        }
        if !self.augment.is_possible(self.images_seen) {
            let expected = "a probability from 0 to 1 and no more signs than images";
            return Err(Fault::new("state, augment", expected, "other numbers"));
        }
        if !(self.path_length_mean.is_finite() && self.loss_scale.is_possible()) {
            let found = format!("{} and a scale that is none", self.path_length_mean);
            return Err(Fault::new("state, path_length_mean and loss_scale", "finite numbers", found));
        }
        Ok(())
    }

    /// Notes what was found in a phase's gradients; too many phases in a row without numbers end the training.
    pub fn record_gradients(&mut self, name: &str, check: GradientCheck) -> Result<(), NonFiniteStreak> {
        self.running.record(name, check.norm);
        self.running.count("non_finite_gradients", check.non_finite);
        self.non_finite_phases = if check.non_finite > 0 { self.non_finite_phases + 1 } else { 0 };
        if self.non_finite_phases <= self.config.max_non_finite_phases {
            return Ok(());
        }
        Err(NonFiniteStreak { step: self.step, phases: self.non_finite_phases })
    }
}

type AdamOf<M> = OptimizerAdaptor<Adam, M, Diff>;
type RecordOf<M> = <M as Module<Diff>>::Record;
type MomentsOf<M> = <AdamOf<M> as Optimizer<M, Diff>>::Record;
type Stored = (
    RecordOf<Generator<Diff>>,
    RecordOf<Discriminator<Diff>>,
    RecordOf<Generator<Diff>>,
    MomentsOf<Generator<Diff>>,
    MomentsOf<Discriminator<Diff>>,
);

type MapperRecord = (RecordOf<Mapper<Diff>>, MomentsOf<Mapper<Diff>>);
/// With the mappers behind, where they are trained too.
type StoredWithMappers = (Stored, MapperRecord, MapperRecord);

/// One network with its optimiser.
pub(crate) struct Trained<M: AutodiffModule<Diff>> {
    pub network: M,
    adam: AdamOf<M>,
    rate: f64,
}

impl<M: AutodiffModule<Diff>> Trained<M> {
    /// Adam with rate and decays corrected for a regularisation phase every `interval` steps.
    pub fn new(network: M, config: &GanTrainConfig, interval: u64) -> Self {
        // `r = interval/(interval + 1)`: rate · r, β^r. Of interval + 1 passes that update this network, one is the
        // lazy phase (docs/spec/gan-training.md §6).
        let correction = lazy_correction(interval);
        let adam = AdamConfig::new()
            .with_beta_1(config.beta_1.powf(correction) as f32)
            .with_beta_2(config.beta_2.powf(correction) as f32)
            .with_epsilon(config.epsilon as f32)
            .init();
        Self { network, adam, rate: config.learning_rate * correction }
    }

    /// One step of the optimiser at `factor` times its rate.
    pub fn update(&mut self, gradients: GradientsParams, factor: f64) {
        self.network = self.adam.step(self.rate * factor, self.network.clone(), gradients);
    }

    fn to_record(&self) -> (RecordOf<M>, MomentsOf<M>) {
        (self.network.clone().into_record(), self.adam.to_record())
    }

    fn load(&mut self, (network, moments): (RecordOf<M>, MomentsOf<M>)) {
        self.network = self.network.clone().load_record(network);
        self.adam = self.adam.clone().load_record(moments);
    }
}

/// The mappers of the first and the second condition.
pub(crate) struct MapperPair(pub [Trained<Mapper<Diff>>; 2]);

/// Networks and optimisers.
pub(crate) struct GanState {
    pub generator: Trained<Generator<Diff>>,
    pub discriminator: Trained<Discriminator<Diff>>,
    pub generator_ema: Generator<Base>,
    /// Absent where mappers are frozen.
    pub mappers: Option<MapperPair>,
}

impl GanState {
    pub fn new(
        generator: Generator<Diff>,
        discriminator: Discriminator<Diff>,
        generator_ema: Generator<Base>,
        config: &GanTrainConfig,
    ) -> Self {
        Self {
            generator: Trained::new(generator, config, config.generator_interval),
            discriminator: Trained::new(discriminator, config, config.discriminator_interval),
            generator_ema,
            mappers: None,
        }
    }

    /// Whether all weights are numbers.
    pub fn is_finite(&self) -> bool {
        all_finite(&self.generator.network)
            && all_finite(&self.discriminator.network)
            && all_finite(&self.generator_ema)
            && self.mappers.iter().flat_map(|pair| &pair.0).all(|mapper| all_finite(&mapper.network))
    }

    /// Moves the averaged generator; `images_seen` excludes the step that was just made.
    pub fn average(&mut self, config: &GanTrainConfig, images_seen: u64, rampup: f64) {
        let rampup = (rampup > 0.0).then_some(rampup);
        let beta = ema_beta(config.images_per_step(), config.ema_half_life(), images_seen, rampup);
        let current = self.generator.network.valid();
        self.generator_ema = ema_update(self.generator_ema.clone(), &current, beta, &BUFFERS);
    }

    pub fn save(&self, path: &Path, counters: &Counters) -> Result<(), RunError> {
        // The average has no graph, but one type of record serves both generators.
        let ema = Generator::<Diff>::from_inner(self.generator_ema.clone());
        let record: Stored = (
            self.generator.network.clone().into_record(),
            self.discriminator.network.clone().into_record(),
            ema.into_record(),
            self.generator.adam.to_record(),
            self.discriminator.adam.to_record(),
        );
        match &self.mappers {
            None => save_checkpoint::<Diff, _>(path, record, counters),
            Some(MapperPair([first, second])) => {
                let record: StoredWithMappers = (record, first.to_record(), second.to_record());
                save_checkpoint::<Diff, _>(path, record, counters)
            }
        }
    }

    /// Claims the networks of a checkpoint; `prefix` stands in front of those of the GAN, mappers stand behind it.
    fn claim(&self, prefix: &str, tensors: &mut StoredTensors) -> Result<(), Fault> {
        tensors.claim_module(&format!("{prefix}0"), &self.generator.network)?;
        tensors.claim_module(&format!("{prefix}1"), &self.discriminator.network)?;
        tensors.claim_module(&format!("{prefix}2"), &self.generator_ema)?;
        let mappers = self.mappers.iter().flat_map(|pair| &pair.0);
        mappers
            .zip(["1.0", "2.0"])
            .try_for_each(|(mapper, place)| tensors.claim_module(place, &mapper.network))
    }

    /// Continues from `path`, which must be of a run with the settings of `fresh`.
    pub fn resume(&mut self, path: &Path, fresh: &Counters, device: &Device) -> Result<Counters, RunError> {
        let (record, counters) = match &self.mappers {
            None => {
                let (record, counters): (Stored, Counters) =
                    load_checkpoint::<Diff, _, _>(path, device, |counters, tensors| {
                        check_same_settings(path, counters, fresh)?;
                        counters
                            .check()
                            .and_then(|()| self.claim("", tensors))
                            .map_err(|fault| fault.at(path).into())
                    })?;
                (record, counters)
            }
            Some(_) => {
                let ((record, of_first, of_second), counters): (StoredWithMappers, Counters) =
                    load_checkpoint::<Diff, _, _>(path, device, |counters, tensors| {
                        check_same_settings(path, counters, fresh)?;
                        counters
                            .check()
                            .and_then(|()| self.claim("0.", tensors))
                            .map_err(|fault| fault.at(path).into())
                    })?;
                if let Some(MapperPair([first, second])) = &mut self.mappers {
                    first.load(of_first);
                    second.load(of_second);
                }
                (record, counters)
            }
        };
        let (generator, discriminator, ema, generator_moments, discriminator_moments) = record;
        // Weights, average and moments come from the file; the random streams follow from the counters. Nothing else
        // enters a step, which is why a resume is exact.
        let state = &mut self.generator;
        state.network = state.network.clone().load_record(generator);
        state.adam = state.adam.clone().load_record(generator_moments);
        let state = &mut self.discriminator;
        let frozen = fresh.config.frozen_discriminator_layers;
        state.network = state.network.clone().load_record(discriminator).with_frozen_layers(frozen);
        state.adam = state.adam.clone().load_record(discriminator_moments);
        let shape = Generator::<Diff>::from_inner(self.generator_ema.clone());
        self.generator_ema = shape.load_record(ema).valid();
        Ok(counters)
    }
}

/// What a resumed run must have in common with its checkpoint.
#[derive(Serialize)]
struct RunIdentity<'a> {
    generator: &'a GeneratorConfig,
    discriminator: &'a DiscriminatorConfig,
    train: GanTrainConfig,
    num_samples: usize,
    mappers: Option<&'a MapperIdentity>,
}

impl<'a> RunIdentity<'a> {
    fn of(counters: &'a Counters) -> Self {
        let Counters { generator, discriminator, num_samples, mappers, .. } = counters;
        // Length and rate may change.
        let train = GanTrainConfig {
            total_kimg: 1.0,
            learning_rate: 1.0,
            learning_rate_decay: FinalDecay::default(),
            ..counters.config.clone()
        };
        Self { generator, discriminator, train, num_samples: *num_samples, mappers: mappers.as_ref() }
    }
}

/// A run may be continued for longer or at another rate, but not with other networks, data or losses.
fn check_same_settings(path: &Path, stored: &Counters, asked: &Counters) -> Result<(), RunError> {
    let wrong = |error: serde_json::Error| RunError::invalid(path, "settings", "settings", error);
    let stored = serde_json::to_value(RunIdentity::of(stored)).map_err(wrong)?;
    let asked = serde_json::to_value(RunIdentity::of(asked)).map_err(wrong)?;
    // As text read back: a number that went through JSON may differ in its last bit from one that did not.
    let asked = serde_json::from_str(&asked.to_string()).map_err(wrong)?;
    refuse_other_settings(path, "settings", &asked, &stored)
}
