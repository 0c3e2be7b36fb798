//! The four phases of a step (docs/spec/gan-training.md §4 to §6): what each computes, and how lazily it is repeated.
//!
//! A phase draws its own latents, noise maps and condition noise; only its own network gets gradients.

use burn::module::{AutodiffModule, Module};
use burn::optim::GradientsParams;
use burn::tensor::{Tensor, backend::Backend};
use rand::RngExt;
use rand::rngs::ChaCha12Rng;

use crate::models::stylegan2::{Condition, Discriminator, Generator, GeneratorConfig, Noise};
use crate::tensor_ops::backend::{Base, Device, Diff};
use crate::tensor_ops::random::{keyed_rng, normal};
use crate::training::gan::augmentation::{AugmentMode, AugmentPlan};
use crate::training::gan::condition_noise::perturb_condition;
use crate::training::gan::config::{GanTrainConfig, LatentSource};
use crate::training::gan::dataset::GanBatch;
use crate::training::gan::gradients::scale_gradients;
use crate::training::gan::image_view::{ImageEncoder, random_view};
use crate::training::gan::loss::{
    GeneratorView, discriminator_fake_loss, discriminator_real_loss, generator_loss,
};
use crate::training::gan::low_level::FrozenResnet;
use crate::training::gan::regularizers::path_length::{path_length_penalty, path_lengths};
use crate::training::gan::regularizers::r1::r1_penalty;

/// A part of a training step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Adversarial and contrastive loss of the generator.
    GeneratorMain,
    /// Path length.
    GeneratorRegularisation,
    /// Adversarial and contrastive loss of the discriminator.
    DiscriminatorMain,
    /// R1.
    DiscriminatorRegularisation,
}

impl Phase {
    /// In the order of a step.
    pub const ALL: [Self; 4] = [
        Self::GeneratorMain,
        Self::GeneratorRegularisation,
        Self::DiscriminatorMain,
        Self::DiscriminatorRegularisation,
    ];

    /// Steps from one run of the phase to the next.
    pub fn interval(self, config: &GanTrainConfig) -> u64 {
        match self {
            Self::GeneratorMain | Self::DiscriminatorMain => 1,
            Self::GeneratorRegularisation => config.generator_interval,
            Self::DiscriminatorRegularisation => config.discriminator_interval,
        }
    }

    /// Whether the phase runs in a step.
    pub fn is_due(self, step: u64, config: &GanTrainConfig, resolution: usize) -> bool {
        let has_effect = match self {
            Self::GeneratorMain | Self::DiscriminatorMain => true,
            Self::GeneratorRegularisation => config.path_length.weight > 0.0,
            Self::DiscriminatorRegularisation => config.r1_gamma_for(resolution) > 0.0,
        };
        has_effect && step.is_multiple_of(self.interval(config))
    }

    /// Name for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::GeneratorMain => "generator",
            Self::GeneratorRegularisation => "path length",
            Self::DiscriminatorMain => "discriminator",
            Self::DiscriminatorRegularisation => "R1",
        }
    }

    /// Whether the generator learns in it.
    pub fn is_of_generator(self) -> bool {
        matches!(self, Self::GeneratorMain | Self::GeneratorRegularisation)
    }

    /// Whether it may pass through half precision.
    pub fn is_main(self) -> bool {
        matches!(self, Self::GeneratorMain | Self::DiscriminatorMain)
    }

    /// Part of the keys of its random numbers.
    fn key(self) -> &'static str {
        match self {
            Self::GeneratorMain => "gan.generator-main",
            Self::GeneratorRegularisation => "gan.generator-regularisation",
            Self::DiscriminatorMain => "gan.discriminator-main",
            Self::DiscriminatorRegularisation => "gan.discriminator-regularisation",
        }
    }
}

/// Share of rate and decays that is left to an optimiser that also serves a lazy phase: `i / (i + 1)`.
pub fn lazy_correction(interval: u64) -> f64 {
    interval as f64 / (interval as f64 + 1.0)
}

/// A number that may still be under way on its device: the sum of these parts, of one value each.
#[derive(Clone, Debug)]
pub struct PendingNumber(Vec<Tensor<Base, 1>>);

impl PendingNumber {
    /// The number, which its device has to compute first.
    pub fn read(self) -> f64 {
        self.0.into_iter().map(|part| f64::from(part.into_scalar())).sum()
    }
}

impl<const N: usize> From<[Tensor<Diff, 1>; N]> for PendingNumber {
    fn from(parts: [Tensor<Diff, 1>; N]) -> Self {
        Self(parts.map(Tensor::inner).to_vec())
    }
}

impl From<Tensor<Base, 1>> for PendingNumber {
    fn from(number: Tensor<Base, 1>) -> Self {
        Self(vec![number])
    }
}

/// Named numbers of one round: name, mean over the samples.
pub type RoundStats = Vec<(&'static str, PendingNumber)>;

/// Result of one round of a phase.
pub struct RoundResult {
    /// Gradients of the network that the phase trains.
    pub gradients: GradientsParams,
    /// For the log.
    pub stats: RoundStats,
    /// w of the latents, for the running mean: `[batch, w_dim]`.
    pub w: Option<Tensor<Base, 2>>,
    /// The running mean of path lengths after this round.
    pub path_length_mean: Option<PendingNumber>,
    /// Sum of the signs of the real images' scores, where they were scored.
    pub real_sign_sum: Option<PendingNumber>,
}

/// Networks, settings and frozen encoders that every phase reads.
pub struct PhaseContext<'a> {
    /// Settings.
    pub config: &'a GanTrainConfig,
    /// Sizes of the generator.
    pub generator_config: &'a GeneratorConfig,
    /// Generator in training.
    pub generator: &'a Generator<Diff>,
    /// Discriminator in training.
    pub discriminator: &'a Discriminator<Diff>,
    /// CLIP; absent when no term needs it.
    pub encoder: Option<&'a dyn ImageEncoder>,
    /// ResNet of the low-level term; absent when its weight is 0.
    pub resnet: Option<&'a FrozenResnet>,
    /// The running mean of path lengths.
    pub path_length_mean: f64,
    /// Probability of every augmentation.
    pub augment_probability: f64,
    /// Factor on the loss of the main phases, taken off their gradients again: 1 without half precision.
    pub loss_scale: f32,
    /// Device that holds the networks and batches.
    pub device: &'a Device,
}

/// Random numbers of one round, one stream per purpose.
pub(crate) struct Draws {
    pub seed: u64,
    /// Name of the phase.
    pub key: &'static str,
    pub position: u64,
}

impl Draws {
    pub fn stream(&self, purpose: &str) -> ChaCha12Rng {
        keyed_rng(self.seed, &format!("{}.{purpose}", self.key), self.position)
    }
}

impl PhaseContext<'_> {
    /// One round of a phase: a forward and a backward pass over `batch`. `position` counts rounds over the whole training.
    /// Nothing is read back from the device, which may be at work on the round when this returns.
    pub fn run(&self, phase: Phase, batch: &GanBatch, position: u64) -> RoundResult {
        let draws = Draws { seed: self.config.seed, key: phase.key(), position };
        let condition = perturb_condition(
            &batch.condition,
            &batch.image_embedding,
            &self.config.condition_noise,
            &mut draws.stream("condition"),
        );
        match phase {
            Phase::GeneratorMain => self.in_half(|half| half.generator_main(batch, &condition, &draws)),
            Phase::GeneratorRegularisation => self.path_length(batch, &condition, &draws),
            Phase::DiscriminatorMain => {
                self.in_half(|half| half.discriminator_main(batch, &condition, &draws))
            }
            // Penalties on gradients stay in single precision: in half, their squares would vanish.
            Phase::DiscriminatorRegularisation => self.r1(batch, &condition, &draws),
        }
    }

    /// With the highest resolutions in half precision, as many as the settings say.
    fn in_half<R>(&self, run: impl FnOnce(&PhaseContext<'_>) -> R) -> R {
        let count = self.config.half_resolutions;
        let generator = self.generator.clone().with_half_resolutions(count);
        let discriminator = self.discriminator.clone().with_half_resolutions(count);
        run(&PhaseContext { generator: &generator, discriminator: &discriminator, ..*self })
    }

    /// Gradients of a loss whose networks may be in half precision.
    fn scaled_backward<M: AutodiffModule<Diff>>(&self, loss: Tensor<Diff, 1>, module: &M) -> GradientsParams {
        if self.loss_scale == 1.0 {
            return GradientsParams::from_grads(loss.backward(), module);
        }
        // Scaled for the way back through half precision only: what reaches the optimiser has its true size.
        let mut gradients = GradientsParams::from_grads(loss.mul_scalar(self.loss_scale).backward(), module);
        scale_gradients(&mut gradients, module, f64::from(self.loss_scale.recip()));
        gradients
    }

    fn latents(&self, count: usize, draws: &Draws) -> Tensor<Base, 2> {
        let shape = [count, self.generator_config.z_dim];
        match self.config.latent {
            LatentSource::Normal => normal(shape, &mut draws.stream("z"), self.device),
            LatentSource::Zero => Tensor::zeros(shape, self.device),
        }
    }

    /// The layer from which the second latent takes over, and that latent; drawn once for the whole batch.
    fn style_mixing(&self, count: usize, draws: &Draws) -> Option<(usize, Tensor<Base, 2>)> {
        let mut rng = draws.stream("style-mixing");
        // The stream is this round's own: with or without mixing, no other draw shifts.
        if !rng.random_bool(self.config.style_mixing_probability.clamp(0.0, 1.0)) {
            return None;
        }
        let cutoff = rng.random_range(1..self.generator_config.num_ws());
        let shape = [count, self.generator_config.z_dim];
        Some((cutoff, normal(shape, &mut rng, self.device)))
    }

    pub(crate) fn noise(&self, count: usize, draws: &Draws) -> Noise<Base> {
        self.generator.valid().random_noise(count, &mut draws.stream("noise"), self.device)
    }

    /// How `count` images are augmented before the discriminator sees them.
    pub(crate) fn augmentation(&self, count: usize, draws: &Draws, purpose: &str) -> Option<AugmentPlan> {
        let config = &self.config.augment;
        (config.mode != AugmentMode::None).then(|| {
            let (side, parts) = (self.generator.resolution(), config.preset.parts());
            AugmentPlan::draw(count, side, parts, self.augment_probability, &mut draws.stream(purpose))
        })
    }

    /// ws with style mixing, and the w that enter the running mean. Tracked in the generator's parameters.
    pub(crate) fn style_codes(&self, count: usize, draws: &Draws) -> (Tensor<Diff, 3>, Tensor<Base, 2>) {
        let generator = self.generator;
        // Only these w enter the running mean, not those of the second latent (docs/spec/gan-training.md §5).
        let w = generator.mapping.forward(Tensor::from_inner(self.latents(count, draws)));
        let ws = generator.broadcast(w.clone());
        let ws = match self.style_mixing(count, draws) {
            None => ws,
            Some((cutoff, z)) => {
                let other = generator.broadcast(generator.mapping.forward(Tensor::from_inner(z)));
                let rest = generator.num_ws() - cutoff;
                Tensor::cat(vec![ws.narrow(1, 0, cutoff), other.narrow(1, cutoff, rest)], 1)
            }
        };
        (ws, w.inner())
    }

    fn generator_main(&self, batch: &GanBatch, condition: &Condition<Base>, draws: &Draws) -> RoundResult {
        let count = batch.len();
        let (ws, w) = self.style_codes(count, draws);
        let tracked = lift(condition);
        let noise = self.noise(count, draws).map(Tensor::from_inner);
        let pixels = self.generator.synthesis.forward(ws, &tracked, &noise);
        // Gradients pass through the judge on their way to the pixels; its own weights get none.
        let judge = self.discriminator.clone().no_grad();
        let seen = augmented(self.augmentation(count, draws, "augment-fake"), pixels.clone());
        let fake = judge.forward(seen, &tracked);
        let loss_config = &self.config.loss;
        let (low_level, real_low_level) = self
            .resnet
            .filter(|_| loss_config.low_level_weight > 0.0)
            .map(|resnet| {
                let of_real = resnet.of_real(batch.pixels_pm1.clone(), &loss_config.low_level);
                let of_generated = resnet.of_generated(pixels.clone(), &loss_config.low_level);
                (of_generated, Tensor::from_inner(of_real))
            })
            .unzip();
        let second_low_level = self
            .resnet
            .filter(|_| loss_config.compares_second_with_resnet())
            .map(|resnet| resnet.as_condition(pixels.clone(), &loss_config.low_level));
        let clip_embedding = self.encoder.filter(|_| loss_config.needs_clip()).map(|encoder| {
            let mut rng = draws.stream("crop");
            encoder.encode(random_view(pixels, encoder.image_size(), &self.config.crop, &mut rng))
        });
        // The real side of a pair is a constant: only the generator learns in this phase.
        let real_semantic_embeddings = if loss_config.semantic_image_weight > 0.0 {
            let plan = self.augmentation(count, draws, "augment-real");
            let pixels = augmented(plan, batch.pixels_pm1.clone());
            let real = self.discriminator.valid().forward(pixels, condition);
            real.semantic_embeddings.into_iter().map(Tensor::from_inner).collect()
        } else {
            vec![]
        };
        let view = GeneratorView {
            fake: &fake,
            condition: &tracked,
            clip_embedding,
            real_clip_embedding: Some(Tensor::from_inner(batch.image_embedding.clone())),
            real_semantic_embeddings,
            low_level,
            real_low_level,
            second_low_level,
        };
        let loss = generator_loss(&view, loss_config).mean();
        let mut stats =
            score_stats(fake.score.clone().inner(), "score_fake_in_generator", "sign_fake_in_generator");
        stats.push(("generator_loss", [loss.clone()].into()));
        let gradients = self.scaled_backward(loss, self.generator);
        RoundResult { gradients, stats, w: Some(w), path_length_mean: None, real_sign_sum: None }
    }

    fn path_length(&self, batch: &GanBatch, condition: &Condition<Base>, draws: &Draws) -> RoundResult {
        let config = &self.config.path_length;
        let count = (batch.len() / config.batch_shrink).max(1);
        let (ws, w) = self.style_codes(count, draws);
        let condition = condition.clone().map(|head| head.narrow(0, 0, count));
        let noise = self.noise(count, draws);
        let side = self.generator.resolution();
        let shape = [count, self.generator_config.image_channels, side, side];
        let direction = normal(shape, &mut draws.stream("direction"), self.device);
        let lengths = path_lengths(self.generator, ws, &condition, &noise, direction);
        let result = path_length_penalty(lengths, self.path_length_mean, config.decay);
        let penalty = result.penalty.mean();
        let stats = vec![("path_length_penalty", [penalty.clone()].into())];
        // Stands in for the steps that the phase leaves out.
        let gain = config.weight * self.config.generator_interval as f64;
        let gradients = GradientsParams::from_grads(penalty.mul_scalar(gain).backward(), self.generator);
        let path_length_mean = Some(result.mean_after.into());
        RoundResult { gradients, stats, w: Some(w), path_length_mean, real_sign_sum: None }
    }

    fn discriminator_main(
        &self,
        batch: &GanBatch,
        condition: &Condition<Base>,
        draws: &Draws,
    ) -> RoundResult {
        let count = batch.len();
        let tracked = lift(condition);
        // Pictures are made without a graph. Their w enter the running mean all the same, as in the published training, where
        // every pass of the mapping network moves it.
        let frozen = PhaseContext { generator: &self.generator.clone().no_grad(), ..*self };
        let (ws, w) = frozen.style_codes(count, draws);
        let noise = self.noise(count, draws);
        let pixels = self.generator.valid().synthesis.forward(ws.inner(), condition, &noise);
        let pixels = augmented(self.augmentation(count, draws, "augment-fake"), pixels);
        let fake = self.discriminator.forward(Tensor::from_inner(pixels), &tracked);
        let mut stats = score_stats(fake.score.clone().inner(), "score_fake", "sign_fake");
        let fake_loss = discriminator_fake_loss(&fake).mean();
        let loss_of_fake = fake_loss.clone();
        // Backward at once: the graphs of the two passes never exist together.
        let of_fake = self.scaled_backward(fake_loss, self.discriminator);

        let pixels = augmented(self.augmentation(count, draws, "augment-real"), batch.pixels_pm1.clone());
        let real = self.discriminator.forward(Tensor::from_inner(pixels), &tracked);
        let real_sign_sum = Some(real.score.clone().inner().sign().sum().into());
        stats.extend(score_stats(real.score.clone().inner(), "score_real", "sign_real"));
        let real_loss = discriminator_real_loss(&real, &tracked, &self.config.loss).mean();
        // Added when they are read, in double precision.
        stats.push(("discriminator_loss", [loss_of_fake, real_loss.clone()].into()));
        let of_real = self.scaled_backward(real_loss, self.discriminator);
        let gradients =
            crate::training::gan::gradients::add_gradients(Some(of_fake), of_real, self.discriminator);
        RoundResult { gradients, stats, w: Some(w), path_length_mean: None, real_sign_sum }
    }

    fn r1(&self, batch: &GanBatch, condition: &Condition<Base>, draws: &Draws) -> RoundResult {
        let gamma = self.config.r1_gamma_for(self.generator.resolution());
        // R1 looks through the augmentation: the gradient is taken at the original pixels.
        let plan = self.augmentation(batch.len(), draws, "augment-real");
        let r1 = r1_penalty(self.discriminator, batch.pixels_pm1.clone(), condition, plan.as_ref());
        let stats = vec![("r1_penalty", r1.squared_norms.clone().inner().mean().into())];
        // A lazy phase stands for the steps in which it did not run.
        let gain = self.config.discriminator_interval as f64;
        let loss = r1.loss(gamma).mul_scalar(gain);
        let gradients = GradientsParams::from_grads(loss.backward(), self.discriminator);
        let real_sign_sum = Some(r1.score.sign().sum().into());
        RoundResult { gradients, stats, w: None, path_length_mean: None, real_sign_sum }
    }
}

pub(crate) fn augmented<B: Backend>(plan: Option<AugmentPlan>, pixels_pm1: Tensor<B, 4>) -> Tensor<B, 4> {
    match plan {
        Some(plan) => plan.apply(pixels_pm1),
        None => pixels_pm1,
    }
}

fn lift(condition: &Condition<Base>) -> Condition<Diff> {
    condition.clone().map(Tensor::from_inner)
}

fn score_stats(score: Tensor<Base, 2>, mean: &'static str, sign: &'static str) -> RoundStats {
    vec![(mean, score.clone().mean().into()), (sign, score.sign().mean().into())]
}
