//! What a GAN training is about: networks, data, settings and first weights; not where it computes or what it writes.

use super::augmentation::ada::AdaState;
use super::config::GanTrainConfig;
use super::dataset::GanDataset;
use super::error::GanTrainError;
use super::image_view::ImageEncoder;
use super::loss_scale::LossScale;
use super::low_level::FrozenResnet;
use super::mappers::joint::JointMappers;
use super::starting_point::{StartingPoint, adopt};
use super::state::{Counters, GanState};
use super::step::replicas::{NetworkView, PhaseSettings};
use crate::models::stylegan2::{Discriminator, DiscriminatorConfig, Generator, GeneratorConfig};
use crate::tensor_ops::backend::{Device, Diff};
use crate::training::frame::running_stats::RunningStats;
use burn::module::AutodiffModule;

/// What is trained, on what, and how.
#[derive(Clone, Copy)]
pub struct GanTask<'a> {
    /// Sizes of the generator.
    pub generator: &'a GeneratorConfig,
    /// Sizes of the discriminator.
    pub discriminator: &'a DiscriminatorConfig,
    /// Settings of the training.
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
}

impl GanTask<'_> {
    /// Networks and optimisers before the first step.
    pub(crate) fn first_state(&self, device: &Device) -> Result<GanState, GanTrainError> {
        let seed = self.config.seed;
        // Drawn in any case: it is this that marks which parameters are trained.
        let drawn: Generator<Diff> = self.generator.init(seed, device)?;
        let drawn_discriminator: Discriminator<Diff> = self.discriminator.init(seed, device)?;
        let (generator, discriminator) = match self.start {
            StartingPoint::Scratch => (drawn, drawn_discriminator),
            StartingPoint::Pretrained { generator, discriminator } => {
                (adopt(drawn, generator.as_ref()), adopt(drawn_discriminator, discriminator.as_ref()))
            }
        };
        let discriminator = discriminator.with_frozen_layers(self.config.frozen_discriminator_layers);
        // The average begins at the generator itself, not at zero.
        let ema = generator.valid();
        let mut state = GanState::new(generator, discriminator, ema, self.config);
        state.mappers = self.mappers.map(|joint| joint.init(self.config, device)).transpose()?;
        Ok(state)
    }

    /// Counters before the first step, with all that a resumed run must have in common with its checkpoint.
    pub(crate) fn first_counters(&self) -> Counters {
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

    /// The networks as they stand on the first device.
    pub(crate) fn networks<'s>(&'s self, state: &'s GanState, device: &'s Device) -> NetworkView<'s> {
        NetworkView {
            generator: &state.generator.network,
            discriminator: &state.discriminator.network,
            encoder: self.encoder,
            resnet: self.resnet,
            device,
        }
    }

    /// What every phase reads at present beside networks.
    pub(crate) fn phase_settings(&self, counters: &Counters) -> PhaseSettings<'_> {
        PhaseSettings {
            config: self.config,
            generator_config: self.generator,
            path_length_mean: f64::from(counters.path_length_mean),
            augment_probability: f64::from(counters.augment.probability),
            loss_scale: 1.0,
        }
    }
}
