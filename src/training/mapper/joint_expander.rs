//! An expander trained with the mapper by the VICReg loss (docs/spec/mapper.md §6.2,
//! docs/spec/open-questions.md OQ-15). It is not kept with the mapper.

use burn::module::{AutodiffModule, Module};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use burn::tensor::backend::AutodiffBackend;

use crate::losses::vicreg::{VicregConfig, vicreg};
use crate::models::batch_norm::BatchObserver;
use crate::models::mapper::{Expander, ExpanderConfig};
use crate::tensor_ops::backend::{Base, Device, Diff};
use crate::training::frame::optimiser::{EpochOptimiser, OptimiserConfig, OptimiserRecord};

type Network = Expander<Diff>;

/// Weights and moments in a checkpoint.
pub(crate) type ExpanderRecord = (<Network as Module<Diff>>::Record, OptimiserRecord<Network>);

/// The expander with its optimiser.
#[derive(Clone)]
pub struct JointExpander {
    network: Network,
    optimiser: EpochOptimiser<Network>,
    loss: VicregConfig,
}

impl JointExpander {
    /// A new expander with the optimiser of its phase.
    pub fn new(
        sizes: &ExpanderConfig,
        loss: &VicregConfig,
        optimiser: &OptimiserConfig,
        seed: u64,
        device: &Device,
    ) -> Self {
        Self { network: sizes.init(seed, device), optimiser: optimiser.init(), loss: loss.clone() }
    }

    /// The loss `[1]` of a batch; batch norms use it and note what they saw.
    ///
    /// # Shapes
    /// - predicted, target: `[batch, embed_dim]`
    pub fn loss(&mut self, predicted: Tensor<Diff, 2>, target: Tensor<Diff, 2>) -> Tensor<Diff, 1> {
        let mut observer = BatchObserver::default();
        // Each side by its own batch statistics; the stored ones see both, one after the other.
        let predicted = self.network.forward_training(predicted, &mut observer);
        let target = self.network.forward_training(target, &mut observer);
        // Only stored statistics change; the weights stay those of the graph.
        self.network = observer.apply(self.network.clone());
        vicreg(predicted, target, &self.loss)
    }

    /// The loss `[1]` with the stored statistics of the batch norms.
    ///
    /// # Shapes
    /// As [`Self::loss`].
    pub fn validation_loss(&self, predicted: Tensor<Base, 2>, target: Tensor<Base, 2>) -> Tensor<Base, 1> {
        let network = self.network.valid();
        vicreg(network.forward(predicted), network.forward(target), &self.loss)
    }

    /// Forgets the moments, as the mapper's optimiser does when its rate decays: the published run had one for both.
    pub(crate) fn reset_optimiser(&mut self, optimiser: &OptimiserConfig) {
        self.optimiser = optimiser.init();
    }

    /// One step, by the gradients of the loss that the mapper steps by.
    pub fn step(&mut self, rate: f64, gradients: &mut <Diff as AutodiffBackend>::Gradients) {
        // Taken out of the gradients of the mapper's loss: one backward pass serves both networks.
        let own = GradientsParams::from_module(gradients, &self.network);
        self.network = self.optimiser.step(rate, self.network.clone(), own);
    }

    /// The network, for inspection.
    pub(crate) fn network(&self) -> &Network {
        &self.network
    }

    pub(crate) fn to_record(&self) -> ExpanderRecord {
        (self.network.clone().into_record(), self.optimiser.to_record())
    }

    pub(crate) fn load_record(self, (network, moments): ExpanderRecord) -> Self {
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
    use crate::training::frame::lars::LarsConfig;
    use crate::training::frame::optimiser::Algorithm;
    use burn::module::{ModuleVisitor, Param};

    #[test]
    fn steps_lower_the_loss_and_its_gradient_reaches_the_prediction() {
        let device = cpu();
        let lars = LarsConfig { warmup_epochs: 0, ..LarsConfig::default() };
        // Biases and norms take LARS's rate as it is.
        for (algorithm, rate, share) in [(Algorithm::Adam, 3e-3, 0.8), (Algorithm::Lars, 0.01, 0.95)] {
            let optimiser = OptimiserConfig { algorithm, lars: lars.clone(), ..OptimiserConfig::default() };
            let sizes = ExpanderConfig { embed_dim: 4, width: 8 };
            let mut expander = JointExpander::new(&sizes, &VicregConfig::default(), &optimiser, 1, &device);
            let draw = |position| normal::<Diff, 2>([32, 4], &mut keyed_rng(3, "batch", position), &device);
            let target = draw(0);
            let predicted = (target.clone() + draw(1).mul_scalar(0.5)).require_grad();
            let mut losses = Vec::new();
            for _ in 0..80 {
                let loss = expander.loss(predicted.clone(), target.clone());
                losses.push(loss.clone().into_scalar());
                let mut gradients = loss.backward();
                assert!(predicted.grad(&gradients).unwrap().abs().sum().into_scalar() > 0.0);
                expander.step(rate, &mut gradients);
            }
            assert!(losses[79] < share * losses[0], "{algorithm:?}: {losses:?}");
            // Stored statistics are those of predictions and targets together: near, not equal.
            let later = expander.validation_loss(predicted.inner(), target.inner()).into_scalar();
            assert!(later < losses[0], "{later} and {losses:?}");
        }
    }
    struct Weights(Vec<f32>);

    impl ModuleVisitor<Diff> for Weights {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<Diff, D>>) {
            self.0.extend(param.val().into_data().to_vec::<f32>().unwrap());
        }
    }

    #[test]
    fn after_a_reset_it_steps_as_one_that_has_no_past() {
        let device = cpu();
        let optimiser = OptimiserConfig::default();
        let sizes = ExpanderConfig { embed_dim: 3, width: 4 };
        let new = || JointExpander::new(&sizes, &VicregConfig::default(), &optimiser, 1, &device);
        let step = |mut expander: JointExpander, position| {
            let draw = |purpose| normal::<Diff, 2>([16, 3], &mut keyed_rng(3, purpose, position), &device);
            let mut gradients = expander.loss(draw("predicted"), draw("target")).backward();
            expander.step(1e-2, &mut gradients);
            expander
        };
        let weights = |expander: &JointExpander| {
            let mut weights = Weights(Vec::new());
            expander.network().visit(&mut weights);
            weights.0
        };
        let past = (0..3).fold(new(), step);
        let mut reset = past.clone();
        reset.reset_optimiser(&optimiser);
        let mut without_past = new();
        without_past.network = past.network.clone();
        let expected = weights(&step(without_past, 3));
        assert_eq!(weights(&step(reset, 3)), expected);
        assert_ne!(weights(&step(past, 3)), expected);
    }
}
