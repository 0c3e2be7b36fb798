//! Perturbed conditions (docs/spec/gan-training.md §2): every phase sees the embeddings through fresh noise.
//!
//! Noise makes CLIP's image space cover its text space, which is what lets Lafite train without captions.

use burn::tensor::{Tensor, backend::Backend};
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use crate::models::stylegan2::Condition;
use crate::tensor_ops::random::normal;
use crate::tensor_ops::similarity::unit_norm;

/// Strength of the noise and choice between condition and pseudo condition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ConditionNoiseConfig {
    /// Share of noise in a condition (a₁ = 0.1).
    pub condition_noise: f64,
    /// Share of noise in a pseudo condition made of the image's own embedding (a₂ = 0.75).
    pub pseudo_noise: f64,
    /// Chance, per sample, that a pseudo condition takes the place of the first head's (ρ). When absent: 1, language-free
    /// training, in pretraining; 0 in finetuning.
    pub mixing_probability: Option<f64>,
    /// The same for the second head, whose pseudo condition has noise of its own (docs/spec/open-questions.md OQ-25,
    /// OQ-54). When absent: 0; 1 in pretraining without captions.
    pub second_mixing_probability: Option<f64>,
}

impl Default for ConditionNoiseConfig {
    fn default() -> Self {
        Self {
            condition_noise: 0.1,
            pseudo_noise: 0.75,
            mixing_probability: None,
            second_mixing_probability: None,
        }
    }
}

/// `norm((1 − share) · x + share · n / ‖n‖)`.
///
/// # Shapes
/// - x: `[batch, dim]`, unit norm; noise: `[batch, dim]`, standard normal
pub fn perturb<B: Backend>(x: Tensor<B, 2>, noise: Tensor<B, 2>, share: f64) -> Tensor<B, 2> {
    unit_norm(x.mul_scalar(1.0 - share) + unit_norm(noise).mul_scalar(share))
}

/// Perturbs every head with noise of its own, and mixes in pseudo conditions.
///
/// # Shapes
/// - condition: `[batch, dim]` per head, unit norm
/// - image_embedding: `[batch, embed_dim]`, unit norm; a head of another width is never replaced
pub fn perturb_condition<B: Backend>(
    condition: &Condition<B>,
    image_embedding: &Tensor<B, 2>,
    config: &ConditionNoiseConfig,
    rng: &mut impl Rng,
) -> Condition<B> {
    let probabilities = [config.mixing_probability, config.second_mixing_probability];
    let heads = condition.heads.iter().zip(probabilities).map(|(head, probability)| {
        let device = head.device();
        let noise = normal(head.dims(), rng, &device);
        // The pseudo condition below uses the same noise (docs/spec/gan-training.md §2).
        let perturbed = perturb(head.clone(), noise.clone(), config.condition_noise);
        // The choice is always drawn, so that the probability does not shift later draws.
        let choice: Vec<f32> = (0..head.dims()[0])
            .map(|_| if rng.random_bool(probability.unwrap_or(0.0).clamp(0.0, 1.0)) { 1.0 } else { 0.0 })
            .collect();
        let is_possible = head.dims() == image_embedding.dims();
        if !is_possible || choice.iter().all(|&choice| choice == 0.0) {
            return perturbed;
        }
        let pseudo = perturb(image_embedding.clone(), noise, config.pseudo_noise);
        // As a product with 0 and 1, row by row: gradients go to the one that was chosen.
        let choice = Tensor::<B, 1>::from_floats(choice.as_slice(), &device).unsqueeze_dim::<2>(1);
        perturbed * (choice.clone().neg().add_scalar(1.0)) + pseudo * choice
    });
    Condition { heads: heads.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_ops::backend::{Base, cpu};
    use crate::tensor_ops::random::keyed_rng;

    fn unit(seed: u64) -> Tensor<Base, 2> {
        unit_norm(normal([64, 32], &mut keyed_rng(seed, "test", 0), &cpu()))
    }

    fn mean_cosine(a: &Tensor<Base, 2>, b: &Tensor<Base, 2>) -> f32 {
        (a.clone() * b.clone()).sum_dim(1).mean().into_scalar()
    }

    fn perturbed(mixing_probability: f64) -> Condition<Base> {
        let mixing_probability = Some(mixing_probability);
        let second_mixing_probability = mixing_probability;
        let config =
            ConditionNoiseConfig { mixing_probability, second_mixing_probability, ..Default::default() };
        let condition = Condition::two(unit(1), unit(2));
        perturb_condition(&condition, &unit(3), &config, &mut keyed_rng(9, "noise", 0))
    }

    #[test]
    fn heads_keep_unit_norm_and_get_noise_of_their_own() {
        let condition = perturbed(0.0);
        for (head, original) in condition.heads.iter().zip([unit(1), unit(2)]) {
            assert!((mean_cosine(head, head) - 1.0).abs() < 1e-5);
            // cos = 0.9 / √(0.81 + 0.01) for orthogonal noise.
            assert!((mean_cosine(head, &original) - 0.994).abs() < 0.01);
        }
        let equal = Condition::two(unit(1), unit(1));
        let config = ConditionNoiseConfig::default();
        let equal = perturb_condition(&equal, &unit(3), &config, &mut keyed_rng(9, "noise", 0));
        let difference = equal.heads[0].clone() - equal.heads[1].clone();
        assert!(difference.abs().max().into_scalar() > 0.01);
    }

    #[test]
    fn mixing_replaces_by_the_image_embedding() {
        let image = unit(3);
        for head in &perturbed(1.0).heads {
            // cos = 0.25 / √(0.0625 + 0.5625)
            assert!((mean_cosine(head, &image) - 0.316).abs() < 0.05);
        }
        let half = mean_cosine(&perturbed(0.5).heads[0], &unit(1));
        assert!((0.3..0.7).contains(&half), "about half keep their condition: {half}");
    }
}
