//! A critic trained in turn with the mapper: it tells embeddings of CLIP from predictions, the mapper tries to pass.
//!
//! Specification: docs/spec/mapper.md §6.1. The published loop gave the critic the target in place of the prediction,
//! so that the mapper learnt nothing from it; what was meant is done here (docs/spec/open-questions.md OQ-14). The
//! paper found no gain.

use burn::module::Module;
use burn::optim::{AdamConfig, GradientsParams, Optimizer};
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::losses::adversarial::{loss_of_calling_fake, loss_of_calling_real};
use crate::models::mapper::{EmbeddingCritic, EmbeddingCriticConfig};
use crate::tensor_ops::backend::{Device, Diff};
use crate::training::frame::optimiser::AdamOf;

/// The critic's part in a mapper's training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CriticConfig {
    /// Weight of the mapper's adversarial loss; 0: no critic. 1 in the published script.
    pub weight: f64,
    /// Decay of its Adam's first moment; the rate is the mapper's.
    pub beta_1: f32,
    /// Decay of its Adam's second moment.
    pub beta_2: f32,
}

impl Default for CriticConfig {
    fn default() -> Self {
        Self { weight: 0.0, beta_1: 0.5, beta_2: 0.999 }
    }
}

type Network = EmbeddingCritic<Diff>;

/// Weights and moments in a checkpoint.
pub(crate) type CriticRecord =
    (<Network as Module<Diff>>::Record, <AdamOf<Network> as Optimizer<Network, Diff>>::Record);

/// The critic with its optimiser.
#[derive(Clone)]
pub struct AuxiliaryCritic {
    network: Network,
    optimiser: AdamOf<Network>,
    learning_rate: f64,
    weight: f64,
}

impl AuxiliaryCritic {
    /// A new critic of embeddings `embed_dim` wide; none where its weight is 0.
    pub fn new(config: &CriticConfig, embed_dim: usize, seed: u64, device: &Device) -> Option<Self> {
        let CriticConfig { weight, beta_1, beta_2 } = *config;
        let adam = AdamConfig::new().with_beta_1(beta_1).with_beta_2(beta_2).with_epsilon(1e-8);
        (weight > 0.0).then(|| Self {
            network: EmbeddingCriticConfig { embed_dim, ..Default::default() }.init(seed, device),
            optimiser: adam.init(),
            learning_rate: 0.0,
            weight,
        })
    }

    /// Rate of the steps to come.
    pub(crate) fn set_learning_rate(&mut self, rate: f64) {
        self.learning_rate = rate;
    }

    /// One step of the critic; no gradient reaches the mapper.
    ///
    /// # Shapes
    /// - target, predicted: `[batch, embed_dim]`
    pub fn step(&mut self, target: Tensor<Diff, 2>, predicted: Tensor<Diff, 2>) {
        let real = loss_of_calling_real(self.network.forward(target)).mean();
        // Detached: this step moves the critic alone, and the mapper's graph stays whole for its own backward pass.
        let fake = loss_of_calling_fake(self.network.forward(predicted.detach())).mean();
        let gradients = GradientsParams::from_grads((real + fake).backward(), &self.network);
        self.network = self.optimiser.step(self.learning_rate, self.network.clone(), gradients);
    }

    /// What the mapper adds to its loss, `[1]`: small when the critic takes predictions for CLIP's.
    ///
    /// # Shapes
    /// - predicted: `[batch, embed_dim]`
    pub fn loss(&self, predicted: Tensor<Diff, 2>) -> Tensor<Diff, 1> {
        loss_of_calling_real(self.network.forward(predicted)).mean() * self.weight
    }

    /// The network, for inspection.
    pub(crate) fn network(&self) -> &Network {
        &self.network
    }

    pub(crate) fn to_record(&self) -> CriticRecord {
        (self.network.clone().into_record(), self.optimiser.to_record())
    }

    pub(crate) fn load_record(self, (network, moments): CriticRecord) -> Self {
        Self {
            network: self.network.load_record(network),
            optimiser: self.optimiser.load_record(moments),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_ops::backend::cpu;
    use crate::tensor_ops::random::{keyed_rng, normal};

    #[test]
    fn it_learns_to_tell_two_clouds_apart_and_pulls_predictions_across() {
        let device = cpu();
        let config = CriticConfig { weight: 1.0, ..CriticConfig::default() };
        assert!(AuxiliaryCritic::new(&CriticConfig::default(), 4, 1, &device).is_none());
        let mut critic = AuxiliaryCritic::new(&config, 4, 1, &device).unwrap();
        critic.set_learning_rate(1e-3);
        let cloud = |position, centre: f32| {
            normal::<Diff, 2>([32, 4], &mut keyed_rng(1, "cloud", position), &device).add_scalar(centre)
        };
        let before = critic.loss(cloud(0, -1.0)).into_scalar();
        for step in 0..60 {
            critic.step(cloud(2 * step, 1.0), cloud(2 * step + 1, -1.0));
        }
        let predicted = cloud(1000, -1.0).require_grad();
        let loss = critic.loss(predicted.clone());
        assert!(loss.clone().into_scalar() > before + 1.0, "the critic sees through predictions");
        assert!(critic.loss(cloud(1001, 1.0)).into_scalar() < 0.3);
        // Down the gradient lies the cloud of targets.
        let gradient = predicted.grad(&loss.backward()).unwrap();
        assert!(gradient.mean().into_scalar() < 0.0);
    }
}
