//! Main losses of generator and discriminator: adversarial and contrastive terms (docs/spec/gan-training.md §4.1 and
//! §4.2).
//!
//! Functions give one value per sample, `[batch, 1]`; terms of the whole batch are added to every sample, so that
//! the mean is the loss.

use burn::tensor::{Tensor, backend::Backend};
use serde::{Deserialize, Serialize};

use crate::losses::adversarial::{loss_of_calling_fake, loss_of_calling_real};
use crate::losses::contrastive::{ContrastiveConfig, contrast};
use crate::models::resnet::low_level::LowLevelConfig;
use crate::models::stylegan2::{Condition, DiscriminatorOutput};

/// What the second condition is an embedding of, and so what of a generated image it is compared with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecondVector {
    /// CLIP's caption, like the first CLIP's image: the image's CLIP embedding.
    #[default]
    Clip,
    /// A ResNet mapper's vector: the image's low-level vector, shifted and scaled as the mapper's is
    /// (docs/spec/gan-training.md §4.1).
    Resnet,
}

/// Weights of the contrastive terms; 0 leaves a term out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GanLossConfig {
    /// Temperature, direction and form of every contrastive term (τ = 0.5, λ = 0; docs/spec/gan-training.md §7).
    pub contrastive: ContrastiveConfig,
    /// CLIP embedding of the generated image against each condition (`itc`, 10); halved with two heads.
    pub clip_condition_weight: f64,
    /// What the second condition is compared with in that term. `finetune-gan` sets it by its own `condition`.
    pub second_vector: SecondVector,
    /// CLIP embedding of the generated image against that of the real one (`iic`, 0).
    pub clip_image_weight: f64,
    /// Semantic embeddings of the discriminator against each condition (`itd`, 10); halved with two heads.
    pub semantic_condition_weight: f64,
    /// Semantic embeddings of the generated image against those of the real one (`iid`, 0); halved with two heads.
    pub semantic_image_weight: f64,
    /// Low-level ResNet vectors of the real images against those of the generated ones (`ires`; published 10, and off).
    pub low_level_weight: f64,
    /// Stage, pooling and pixel statistics of those vectors.
    pub low_level: LowLevelConfig,
}

impl Default for GanLossConfig {
    fn default() -> Self {
        Self {
            contrastive: ContrastiveConfig { row_share: 0.0, ..ContrastiveConfig::default() },
            clip_condition_weight: 10.0,
            second_vector: SecondVector::Clip,
            clip_image_weight: 0.0,
            semantic_condition_weight: 10.0,
            semantic_image_weight: 0.0,
            low_level_weight: 0.0,
            low_level: LowLevelConfig::default(),
        }
    }
}

impl GanLossConfig {
    /// Whether images must be seen by a ResNet.
    pub fn needs_resnet(&self) -> bool {
        self.low_level_weight > 0.0 || self.compares_second_with_resnet()
    }

    /// Whether the second condition is compared with a low-level vector.
    pub fn compares_second_with_resnet(&self) -> bool {
        self.second_vector == SecondVector::Resnet && self.clip_condition_weight > 0.0
    }

    /// Whether generated images must be seen by CLIP.
    pub fn needs_clip(&self) -> bool {
        self.clip_condition_weight > 0.0 || self.clip_image_weight > 0.0
    }

    /// `−weight · mean C(a, b)` over pairs of embeddings, the weight shared by the pairs; nothing without pairs.
    fn term<'a, B: Backend>(
        &self,
        weight: f64,
        pairs: impl ExactSizeIterator<Item = (&'a Tensor<B, 2>, &'a Tensor<B, 2>)>,
    ) -> Option<Tensor<B, 1>> {
        if weight == 0.0 {
            return None;
        }
        // The published code halves the weights of two-head networks (docs/spec/open-questions.md OQ-44): the sum stays
        // as strong.
        let share = weight / pairs.len().max(1) as f64;
        pairs
            .map(|(a, b)| contrast(a.clone(), b.clone(), &self.contrastive).mean().mul_scalar(-share))
            .reduce(|sum, term| sum + term)
    }
}

/// What the generator's loss looks at beside the score.
#[derive(Clone, Debug)]
pub struct GeneratorView<'a, B: Backend> {
    /// Discriminator on the generated images.
    pub fake: &'a DiscriminatorOutput<B>,
    /// The condition the images were made from.
    pub condition: &'a Condition<B>,
    /// CLIP embeddings of crops of the generated images: `[batch, embed_dim]`.
    pub clip_embedding: Option<Tensor<B, 2>>,
    /// CLIP embeddings of the real images: `[batch, embed_dim]`.
    pub real_clip_embedding: Option<Tensor<B, 2>>,
    /// Semantic embeddings of the real images, without gradient.
    pub real_semantic_embeddings: Vec<Tensor<B, 2>>,
    /// Low-level vectors of the generated images: `[batch, positions]`.
    pub low_level: Option<Tensor<B, 2>>,
    /// Low-level vectors of the real images, without gradient: `[batch, positions]`.
    pub real_low_level: Option<Tensor<B, 2>>,
    /// What the second condition is compared with in place of the CLIP embedding: `[batch, second_condition_dim]`.
    pub second_low_level: Option<Tensor<B, 2>>,
}

/// Loss of the generator: `[batch, 1]`.
pub fn generator_loss<B: Backend>(view: &GeneratorView<'_, B>, config: &GanLossConfig) -> Tensor<B, 2> {
    // One value per sample. The terms below are means over the batch, added to each: the mean of the whole is the sum
    // of the means.
    let loss = loss_of_calling_real(view.fake.score.clone());
    let heads = &view.condition.heads;
    let embeddings = &view.fake.semantic_embeddings;
    let clip = view.clip_embedding.as_ref();
    let terms = [
        clip.and_then(|clip| {
            // One view for both heads, unless the second condition is no embedding of CLIP.
            let seen = [Some(clip), view.second_low_level.as_ref().or(Some(clip))];
            let pairs: Vec<_> = seen.into_iter().flatten().zip(heads).collect();
            config.term(config.clip_condition_weight, pairs.into_iter())
        }),
        clip.zip(view.real_clip_embedding.as_ref())
            .and_then(|pair| config.term(config.clip_image_weight, std::iter::once(pair))),
        config.term(config.semantic_condition_weight, embeddings.iter().zip(heads)),
        config.term(config.semantic_image_weight, view.real_semantic_embeddings.iter().zip(embeddings)),
        // The real images come first, as in the term above.
        view.real_low_level
            .as_ref()
            .zip(view.low_level.as_ref())
            .and_then(|pair| config.term(config.low_level_weight, std::iter::once(pair))),
    ];
    terms.into_iter().flatten().fold(loss, |loss, term| loss + term.unsqueeze())
}

/// Loss of the discriminator on generated images: `[batch, 1]`. They take part in no contrastive term
/// (docs/spec/open-questions.md OQ-51).
pub fn discriminator_fake_loss<B: Backend>(fake: &DiscriminatorOutput<B>) -> Tensor<B, 2> {
    loss_of_calling_fake(fake.score.clone())
}

/// Loss of the discriminator on real images with their own condition: `[batch, 1]`.
pub fn discriminator_real_loss<B: Backend>(
    real: &DiscriminatorOutput<B>,
    condition: &Condition<B>,
    config: &GanLossConfig,
) -> Tensor<B, 2> {
    let loss = loss_of_calling_real(real.score.clone());
    let pairs = real.semantic_embeddings.iter().zip(&condition.heads);
    match config.term(config.semantic_condition_weight, pairs) {
        Some(term) => loss + term.unsqueeze(),
        None => loss,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_ops::backend::{Base, cpu};

    fn output(score: f32, embeddings: Vec<Tensor<Base, 2>>) -> DiscriminatorOutput<Base> {
        DiscriminatorOutput { score: Tensor::full([2, 1], score, &cpu()), semantic_embeddings: embeddings }
    }

    fn mean(loss: Tensor<Base, 2>) -> f32 {
        loss.mean().into_scalar()
    }

    fn only(set: impl Fn(&mut GanLossConfig)) -> GanLossConfig {
        let mut config = GanLossConfig {
            clip_condition_weight: 0.0,
            clip_image_weight: 0.0,
            semantic_condition_weight: 0.0,
            semantic_image_weight: 0.0,
            ..Default::default()
        };
        set(&mut config);
        config
    }

    /// `C(I, b)` of the reference's worked example (docs/spec/gan-training.md §3, λ = 0).
    const C_OF_EXAMPLE: [f32; 2] = [-0.820075, -1.386294];

    #[test]
    fn every_term_carries_its_weight_and_two_heads_share_it() {
        let device = cpu();
        let a = || Tensor::<Base, 2>::eye(2, &device);
        let b = || Tensor::<Base, 2>::from_floats([[1.0, 0.0], [1.0, 1.0]], &device);
        let adversarial = std::f32::consts::LN_2;
        let expected = adversarial - 3.0 * (C_OF_EXAMPLE[0] + C_OF_EXAMPLE[1]) / 2.0;

        let one = Condition::one(b());
        let two = Condition::two(b(), b());
        let fake_one = output(0.0, vec![a()]);
        let fake_two = output(0.0, vec![a(), a()]);
        for (fake, condition) in [(&fake_one, &one), (&fake_two, &two)] {
            let view = GeneratorView {
                fake,
                condition,
                clip_embedding: Some(a()),
                real_clip_embedding: Some(b()),
                real_semantic_embeddings: fake.semantic_embeddings.iter().map(|_| a()).collect(),
                low_level: Some(b()),
                real_low_level: Some(a()),
                second_low_level: None,
            };
            for config in [
                only(|config| config.clip_condition_weight = 3.0),
                only(|config| config.clip_image_weight = 3.0),
                only(|config| config.semantic_condition_weight = 3.0),
                only(|config| config.low_level_weight = 3.0),
            ] {
                assert!((mean(generator_loss(&view, &config)) - expected).abs() < 1e-5, "{config:?}");
            }
            let config = only(|config| config.semantic_image_weight = 3.0);
            // Equal embeddings: C = ln τ + ln softmax([2, 0]) for both rows.
            let equal = 0.5_f32.ln() - (1.0 + (-2.0_f32).exp()).ln();
            let expected = adversarial - 3.0 * equal;
            assert!((mean(generator_loss(&view, &config)) - expected).abs() < 1e-5);
            let config = only(|config| config.semantic_condition_weight = 3.0);
            let real = mean(discriminator_real_loss(fake, condition, &config));
            let with_condition = adversarial - 3.0 * (C_OF_EXAMPLE[0] + C_OF_EXAMPLE[1]) / 2.0;
            assert!((real - with_condition).abs() < 1e-5);
        }
        assert!((mean(discriminator_fake_loss(&fake_one)) - adversarial).abs() < 1e-6);

        // A ResNet mapper's condition is compared with the low-level vector, the first still with CLIP's.
        let view = GeneratorView {
            fake: &fake_two,
            condition: &two,
            clip_embedding: Some(a()),
            real_clip_embedding: None,
            real_semantic_embeddings: vec![],
            low_level: None,
            real_low_level: None,
            second_low_level: Some(b()),
        };
        let equal = Tensor::<Base, 1>::from_floats(C_OF_EXAMPLE, &device).mean().into_scalar();
        let own = crate::losses::contrastive::contrast(b(), b(), &GanLossConfig::default().contrastive);
        let expected = adversarial - 1.5 * equal - 1.5 * own.mean().into_scalar();
        let found = mean(generator_loss(&view, &only(|config| config.clip_condition_weight = 3.0)));
        assert!((found - expected).abs() < 1e-5, "{found} {expected}");
    }
}
