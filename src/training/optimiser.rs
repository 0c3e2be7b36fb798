//! Adam as the mappers use it (mapper §5.1), with its schedule.

use burn::module::AutodiffModule;
use burn::optim::adaptor::OptimizerAdaptor;
use burn::optim::decay::WeightDecayConfig;
use burn::optim::{Adam, AdamConfig};
use serde::{Deserialize, Serialize};

use super::schedule::StepDecay;
use crate::tensor_ops::backend::Diff;

/// Adam over the parameters of `M`.
pub type AdamOf<M> = OptimizerAdaptor<Adam, M, Diff>;

/// Adam with coupled weight decay.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OptimiserConfig {
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
    /// How the rate falls.
    pub decay: StepDecay,
}

impl Default for OptimiserConfig {
    /// The paper's rate 4e−4 (OQ-01); the rest as the reference.
    fn default() -> Self {
        Self {
            learning_rate: 4e-4,
            beta_1: 0.9,
            beta_2: 0.999,
            epsilon: 1e-8,
            weight_decay: 1e-5,
            decay: StepDecay::default(),
        }
    }
}

impl OptimiserConfig {
    /// A new optimiser without moments.
    pub fn init<M: AutodiffModule<Diff>>(&self) -> AdamOf<M> {
        AdamConfig::new()
            .with_beta_1(self.beta_1)
            .with_beta_2(self.beta_2)
            .with_epsilon(self.epsilon)
            .with_weight_decay((self.weight_decay > 0.0).then(|| WeightDecayConfig::new(self.weight_decay)))
            .init()
    }
}
