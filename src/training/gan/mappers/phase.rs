//! The phases of mappers in training with the GAN, behind those of generator and discriminator
//! (docs/spec/gan-training.md §4.5).
//!
//! `0.2·MSE(t̃, c) + 0.3·(1 − cos) − 0.5·mean C(t̃, c) + 0.1·mean softplus(−D(G(z, t̃); t̃))`, with t̃ the perturbed output of the
//! mapper and c what it aims at. Gradients pass through generator and discriminator into the condition; only the phase's own
//! mapper is moved. The second mapper's t̃ is its own (docs/spec/open-questions.md OQ-38; published: the first one's).

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

use super::joint::{DecodedBatch, JointMappers, MapperBranch};
use crate::losses::adversarial::loss_of_calling_real;
use crate::losses::contrastive::contrast;
use crate::losses::regression::{cosine_distance, mean_squared_error};
use crate::models::condition_source::ConditionSource;
use crate::models::mapper::Mapper;
use crate::models::stylegan2::Condition;
use crate::tensor_ops::backend::{Base, Diff};
use crate::tensor_ops::random::normal;
use crate::training::gan::condition_noise::{perturb, perturb_condition};
use crate::training::gan::dataset::GanBatch;
use crate::training::gan::step::phases::{Draws, PhaseContext, RoundResult, RoundStats, augmented};

impl MapperBranch {
    /// Part of the keys of its random numbers.
    fn key(self) -> &'static str {
        match self {
            Self::First => "gan.mapper-first",
            Self::Second => "gan.mapper-second",
        }
    }

    fn loss_name(self) -> &'static str {
        match self {
            Self::First => "image_mapper_loss",
            Self::Second => "second_mapper_loss",
        }
    }

    fn adversarial_name(self) -> &'static str {
        match self {
            Self::First => "image_mapper_gan_loss",
            Self::Second => "second_mapper_gan_loss",
        }
    }

    pub(super) fn norm_name(self) -> &'static str {
        match self {
            Self::First => "image_mapper_gradient_norm",
            Self::Second => "second_mapper_gradient_norm",
        }
    }
}

/// What one round of a mapper's phase looks at.
pub(crate) struct MapperRound<'a> {
    pub joint: &'a JointMappers<'a>,
    pub branch: MapperBranch,
    /// The mapper in training.
    pub network: &'a Mapper<Diff>,
    pub batch: &'a GanBatch,
    pub decoded: &'a DecodedBatch,
}

/// The loss of a round, tracked in the mapper's parameters.
pub(crate) struct MapperLossOfRound {
    pub loss: Tensor<Diff, 1>,
    pub stats: RoundStats,
    pub w: Option<Tensor<Base, 2>>,
}

impl MapperRound<'_> {
    /// The mapper's vector with gradient, and the condition that it is part of.
    fn condition(&self, context: &PhaseContext<'_>) -> (Tensor<Diff, 2>, Condition<Diff>) {
        let Self { joint, branch, network, decoded, .. } = self;
        let signal = Tensor::from_inner(decoded.signals[branch.index()].clone());
        // Decoded again, this time with a graph; `decoded` holds the same vector without one.
        let own = joint.vector(*branch, network.forward(signal));
        // The other mapper's vector is a constant here; it learns in a phase of its own.
        let mut vectors = decoded.vectors.clone().map(Tensor::from_inner);
        vectors[branch.index()] = own.clone();
        let width = own.dims()[1];
        let mask = || match &decoded.mask {
            Some(mask) => Tensor::from_inner(mask.clone()),
            None => Tensor::zeros([self.batch.len(), width], context.device),
        };
        (own, joint.condition(vectors, mask, context.generator_config.heads))
    }

    /// The perturbed vector that is compared with the mapper's target: the head it steers, or, where heads are made of both
    /// mappers, the vector itself through noise of its own.
    fn compared(
        &self,
        own: Tensor<Diff, 2>,
        perturbed: &Condition<Diff>,
        context: &PhaseContext<'_>,
        draws: &Draws,
    ) -> Tensor<Diff, 2> {
        let head = match self.joint.source {
            ConditionSource::Both | ConditionSource::ImageResnet => perturbed.heads.get(self.branch.index()),
            ConditionSource::Image | ConditionSource::Caption => perturbed.heads.first(),
            ConditionSource::Mean | ConditionSource::SignedMax | ConditionSource::Mix => None,
        };
        head.cloned().unwrap_or_else(|| {
            let noise = normal(own.dims(), &mut draws.stream("own-noise"), context.device);
            perturb(own, noise, context.config.condition_noise.condition_noise)
        })
    }

    /// What the mapper aims at.
    fn target(&self) -> Option<Tensor<Base, 2>> {
        match self.branch {
            MapperBranch::First => Some(self.batch.image_embedding.clone()),
            MapperBranch::Second => self.decoded.second_target.clone(),
        }
    }

    /// The whole loss of the round; `position` counts rounds over the whole training.
    pub fn loss(&self, context: &PhaseContext<'_>, position: u64) -> MapperLossOfRound {
        let draws = Draws { seed: context.config.seed, key: self.branch.key(), position };
        let (own, condition) = self.condition(context);
        let perturbed = perturb_condition(
            &condition,
            &Tensor::from_inner(self.batch.image_embedding.clone()),
            &context.config.condition_noise,
            &mut draws.stream("condition"),
        );
        let weights = self.joint.config;
        let compared = self.compared(own, &perturbed, context, &draws);
        let mut loss = Tensor::zeros([1], context.device);
        if let Some(target) = self.target() {
            let target = Tensor::from_inner(target);
            let squared = mean_squared_error(compared.clone(), target.clone());
            let cosine = cosine_distance(compared.clone(), target.clone());
            let contrastive = contrast(compared, target, &context.config.loss.contrastive).mean();
            loss = squared.mul_scalar(weights.squared_error_weight)
                + cosine.mul_scalar(weights.cosine_weight)
                - contrastive.mul_scalar(weights.contrastive_weight);
        }
        let mut stats = vec![];
        let mut w = None;
        if weights.gan_weight > 0.0 {
            let (score, of_latents) = context.frozen_score(&perturbed, self.batch.len(), &draws);
            let adversarial = loss_of_calling_real(score).mean();
            stats.push((self.branch.adversarial_name(), [adversarial.clone()].into()));
            loss = loss + adversarial.mul_scalar(weights.gan_weight);
            w = Some(of_latents);
        }
        stats.push((self.branch.loss_name(), [loss.clone()].into()));
        MapperLossOfRound { loss, stats, w }
    }

    pub fn run(&self, context: &PhaseContext<'_>, position: u64) -> RoundResult {
        let MapperLossOfRound { loss, stats, w } = self.loss(context, position);
        let gradients = GradientsParams::from_grads(loss.backward(), self.network);
        RoundResult { gradients, stats, w, path_length_mean: None, real_sign_sum: None }
    }
}

impl PhaseContext<'_> {
    /// Scores of images made from a condition, `[batch, 1]`, tracked in the condition alone, and the w on the way.
    fn frozen_score(
        &self,
        condition: &Condition<Diff>,
        count: usize,
        draws: &Draws,
    ) -> (Tensor<Diff, 2>, Tensor<Base, 2>) {
        let frozen = PhaseContext { generator: &self.generator.clone().no_grad(), ..*self };
        let (ws, w) = frozen.style_codes(count, draws);
        let noise = self.noise(count, draws).map(Tensor::from_inner);
        let pixels = frozen.generator.synthesis.forward(ws, condition, &noise);
        let judge = self.discriminator.clone().no_grad();
        let seen = augmented(self.augmentation(count, draws, "augment-fake"), pixels);
        (judge.forward(seen, condition).score, w)
    }
}

#[cfg(test)]
mod tests;
