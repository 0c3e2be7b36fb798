//! Copies of the networks on further devices, each of which takes its share of a phase's rounds (the paper trains on two GPUs).
//!
//! The first device holds the optimisers and the average. It gathers the gradients of all, in the order of the rounds, and hands
//! the new weights out. Between CUDA devices, Burn moves tensors by NCCL.
//!
//! All devices are served by one thread. Burn 0.21 frees nodes of a gradient graph under construction when another thread ends a
//! backward pass at the wrong moment, and gradients then silently lose terms. Devices work at the same time nevertheless: a round
//! is handed to its device without waiting for any number of it.

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

use super::phases::{Phase, PhaseContext, RoundResult};
use crate::models::stylegan2::{Discriminator, Generator, GeneratorConfig};
use crate::tensor_ops::backend::{Base, Device, Diff};
use crate::training::gan::config::GanTrainConfig;
use crate::training::gan::dataset::GanBatch;
use crate::training::gan::image_view::ImageEncoder;
use crate::training::gan::low_level::FrozenResnet;

/// The networks on one device.
#[derive(Clone, Copy)]
pub struct NetworkView<'a> {
    /// Generator in training.
    pub generator: &'a Generator<Diff>,
    /// Discriminator in training.
    pub discriminator: &'a Discriminator<Diff>,
    /// CLIP; absent when no term needs it.
    pub encoder: Option<&'a dyn ImageEncoder>,
    /// ResNet of the low-level term; absent when its weight is 0.
    pub resnet: Option<&'a FrozenResnet>,
    /// Device that holds these copies.
    pub device: &'a Device,
}

/// What a phase reads beside networks: the same on every device.
#[derive(Clone, Copy)]
pub struct PhaseSettings<'a> {
    /// Settings.
    pub config: &'a GanTrainConfig,
    /// Sizes of the generator.
    pub generator_config: &'a GeneratorConfig,
    /// The running mean of path lengths.
    pub path_length_mean: f64,
    /// Probability of every augmentation.
    pub augment_probability: f64,
    /// Factor on the loss of a phase in half precision.
    pub loss_scale: f32,
}

impl<'a> PhaseSettings<'a> {
    /// With the networks of a device.
    pub fn on(self, networks: NetworkView<'a>) -> PhaseContext<'a> {
        let Self { config, generator_config, path_length_mean, augment_probability, loss_scale } = self;
        let NetworkView { generator, discriminator, encoder, resnet, device } = networks;
        PhaseContext {
            config,
            generator_config,
            generator,
            discriminator,
            encoder,
            resnet,
            path_length_mean,
            augment_probability,
            loss_scale,
            device,
        }
    }
}

/// The networks on one further device.
pub struct Replica {
    device: Device,
    generator: Generator<Diff>,
    discriminator: Discriminator<Diff>,
    encoder: Option<Box<dyn ImageEncoder + Send>>,
    resnet: Option<FrozenResnet>,
}

impl Replica {
    /// Copies the networks to `device`.
    pub fn new(networks: &NetworkView<'_>, device: &Device) -> Self {
        Self {
            device: device.clone(),
            generator: on_device(networks.generator, device),
            discriminator: on_device(networks.discriminator, device),
            encoder: networks.encoder.map(|encoder| encoder.on_device(device)),
            resnet: networks.resnet.map(|resnet| resnet.on_device(device)),
        }
    }

    /// Takes over the weights of a trained generator.
    pub fn set_generator(&mut self, trained: &Generator<Diff>) {
        self.generator = on_device(trained, &self.device);
    }

    /// Takes over the weights of a trained discriminator.
    pub fn set_discriminator(&mut self, trained: &Discriminator<Diff>) {
        self.discriminator = on_device(trained, &self.device);
    }

    fn run(&self, settings: &PhaseSettings<'_>, phase: Phase, round: &Round) -> RoundResult {
        let networks = NetworkView {
            generator: &self.generator,
            discriminator: &self.discriminator,
            encoder: self.encoder.as_deref().map(|encoder| encoder as &dyn ImageEncoder),
            resnet: self.resnet.as_ref(),
            device: &self.device,
        };
        settings.on(networks).run(phase, &round.batch, round.position)
    }
}

/// A part of a batch and its place in the whole training.
pub struct Round {
    /// Samples of the round.
    pub batch: GanBatch,
    /// Rounds of this phase before it, over the whole training.
    pub position: u64,
}

/// Hands one round to the first device and one to each replica, before anything is read back; results come in the order of the
/// rounds, on the first device. There are at most as many rounds as devices.
pub fn run_wave(
    settings: &PhaseSettings<'_>,
    networks: NetworkView<'_>,
    replicas: &[Replica],
    phase: Phase,
    rounds: Vec<Round>,
) -> Vec<RoundResult> {
    let mut rounds = rounds.into_iter();
    let Some(first) = rounds.next() else { return vec![] };
    let mut results = vec![settings.on(networks).run(phase, &first.batch, first.position)];
    for (replica, round) in replicas.iter().zip(rounds) {
        let batch = round.batch.on_device(&replica.device);
        results.push(replica.run(settings, phase, &Round { batch, ..round }));
    }
    // Only now: gathering waits for the devices.
    results.into_iter().map(|result| result.on_device(phase, &networks)).collect()
}

impl RoundResult {
    fn on_device(self, phase: Phase, networks: &NetworkView<'_>) -> Self {
        let device = networks.device;
        let gradients: GradientsParams = if phase.is_of_generator() {
            self.gradients.to_device(device, networks.generator)
        } else {
            self.gradients.to_device(device, networks.discriminator)
        };
        let w: Option<Tensor<Base, 2>> = self.w.map(|w| w.to_device(device));
        Self { gradients, w, ..self }
    }
}

/// The same parameters, under the same ids, as leaves on another device.
fn on_device<M: Module<Diff>>(network: &M, device: &Device) -> M {
    // `fork` cuts the copy off the graph of its original and keeps the ids, by which gradients find the optimiser's
    // parameters.
    network.clone().fork(device)
}
