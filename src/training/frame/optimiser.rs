//! Optimisers of networks that are fitted epoch by epoch, with their schedules (docs/spec/mapper.md §5, §6.2).

use burn::module::AutodiffModule;
use burn::optim::adaptor::OptimizerAdaptor;
use burn::optim::decay::WeightDecayConfig;
use burn::optim::{Adam, AdamConfig, GradientsParams, Optimizer};
use serde::{Deserialize, Serialize};

use super::lars::{LarsConfig, LarsOf};
use super::schedule::StepDecay;
use crate::error::{SettingError, above_to, in_range, limits};
use crate::tensor_ops::backend::Diff;

/// Adam over the parameters of `M`.
pub type AdamOf<M> = OptimizerAdaptor<Adam, M, Diff>;

/// Rule of the steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Algorithm {
    /// Adam; its rate falls in steps of epochs.
    #[default]
    Adam,
    /// LARS; its rate follows the schedule in `lars`, and `learning_rate`, both betas, `epsilon` and `decay` are not read.
    Lars,
}

/// An optimiser and its schedule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OptimiserConfig {
    /// Rule of the steps.
    pub algorithm: Algorithm,
    /// Rate of epoch 0, per step.
    pub learning_rate: f64,
    /// Decay of the first moment.
    pub beta_1: f32,
    /// Decay of the second moment.
    pub beta_2: f32,
    /// Added to the root of the second moment.
    pub epsilon: f32,
    /// L2 penalty, added to the gradient before the moments (coupled, not AdamW's).
    pub weight_decay: f32,
    /// Factor and interval by which the rate falls.
    pub decay: StepDecay,
    /// Constants of LARS.
    pub lars: LarsConfig,
}

impl Default for OptimiserConfig {
    /// Adam with the paper's rate 4e−4 (docs/spec/open-questions.md OQ-01); the rest as the reference.
    fn default() -> Self {
        Self {
            algorithm: Algorithm::Adam,
            learning_rate: 4e-4,
            beta_1: 0.9,
            beta_2: 0.999,
            epsilon: 1e-8,
            weight_decay: 1e-5,
            decay: StepDecay::default(),
            lars: LarsConfig::default(),
        }
    }
}

/// Where a step stands in its phase; all counts from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepPosition {
    /// Epoch under way.
    pub epoch: usize,
    /// Step of the epoch.
    pub step: usize,
    /// Steps of an epoch.
    pub steps_per_epoch: usize,
    /// Epochs of the phase.
    pub epochs: usize,
    /// Samples per step.
    pub batch: usize,
}

impl OptimiserConfig {
    /// Checks every range.
    ///
    /// # Errors
    /// [`SettingError`] that names the first key out of range.
    pub(crate) fn check_ranges(&self) -> Result<(), SettingError> {
        let Self { lars, decay, .. } = self;
        in_range("learning_rate", self.learning_rate, 0.0..=limits::LEARNING_RATE)?;
        in_range("beta_1", self.beta_1, 0.0..1.0)?;
        in_range("beta_2", self.beta_2, 0.0..1.0)?;
        in_range("epsilon", self.epsilon, above_to(0.0, 1.0))?;
        in_range("weight_decay", f64::from(self.weight_decay), 0.0..=limits::RATE)?;
        in_range("decay.every_epochs", decay.every_epochs, 0..=limits::EPOCHS)?;
        in_range("decay.factor", decay.factor, above_to(0.0, limits::RATE))?;
        in_range("lars.warmup_epochs", lars.warmup_epochs, 0..=limits::EPOCHS)?;
        in_range("lars.momentum", lars.momentum, 0.0..1.0)?;
        in_range("lars.trust", lars.trust, above_to(0.0, limits::RATE))?;
        in_range("lars.base_rate", lars.base_rate, 0.0..=limits::RATE)?;
        in_range("lars.final_share", lars.final_share, 0.0..=1.0)
    }

    /// A new optimiser without moments.
    pub fn init<M: AutodiffModule<Diff>>(&self) -> EpochOptimiser<M> {
        match self.algorithm {
            Algorithm::Adam => EpochOptimiser::Adam(self.adam()),
            Algorithm::Lars => EpochOptimiser::Lars(self.lars.init(self.weight_decay)),
        }
    }

    fn adam<M: AutodiffModule<Diff>>(&self) -> AdamOf<M> {
        AdamConfig::new()
            .with_beta_1(self.beta_1)
            .with_beta_2(self.beta_2)
            .with_epsilon(self.epsilon)
            // Burn adds this penalty to the gradient in front of the moments, as PyTorch's Adam does; AdamW would
            // decouple it.
            .with_weight_decay((self.weight_decay > 0.0).then(|| WeightDecayConfig::new(self.weight_decay)))
            .init()
    }

    /// Rate of a step.
    pub fn rate(&self, at: StepPosition) -> f64 {
        let StepPosition { epoch, step, steps_per_epoch, epochs, batch } = at;
        match self.algorithm {
            Algorithm::Adam => self.decay.learning_rate(self.learning_rate, epoch),
            Algorithm::Lars => self.lars.rate(batch, epoch * steps_per_epoch + step, steps_per_epoch, epochs),
        }
    }

    /// Does `epoch` begin with a new optimiser?
    pub fn resets(&self, epoch: usize) -> bool {
        self.algorithm == Algorithm::Adam && self.decay.resets_optimiser(epoch)
    }
}

/// The optimiser of a phase.
#[derive(Clone)]
pub enum EpochOptimiser<M: AutodiffModule<Diff>> {
    /// Adam.
    Adam(AdamOf<M>),
    /// LARS.
    Lars(LarsOf<M>),
}

/// Moments in a checkpoint: of the algorithm that is used.
pub(crate) type OptimiserRecord<M> =
    (Option<<AdamOf<M> as Optimizer<M, Diff>>::Record>, Option<<LarsOf<M> as Optimizer<M, Diff>>::Record>);

impl<M: AutodiffModule<Diff>> EpochOptimiser<M> {
    /// The network after a step.
    pub fn step(&mut self, rate: f64, network: M, gradients: GradientsParams) -> M {
        match self {
            Self::Adam(adam) => adam.step(rate, network, gradients),
            Self::Lars(lars) => lars.step(rate, network, gradients),
        }
    }

    pub(crate) fn to_record(&self) -> OptimiserRecord<M> {
        match self {
            Self::Adam(adam) => (Some(adam.to_record()), None),
            Self::Lars(lars) => (None, Some(lars.to_record())),
        }
    }

    /// The moments of the same algorithm; without them the optimiser stays new.
    pub(crate) fn load_record(self, record: OptimiserRecord<M>) -> Self {
        match (self, record) {
            (Self::Adam(adam), (Some(record), _)) => Self::Adam(adam.load_record(record)),
            (Self::Lars(lars), (_, Some(record))) => Self::Lars(lars.load_record(record)),
            (new, _) => new,
        }
    }
}
