//! Which decoded embeddings steer the generator (docs/spec/gan-training.md §1.1, docs/spec/generator.md §5; the paper's
//! figure 14).

use burn::tensor::{Tensor, backend::Backend};
use serde::{Deserialize, Serialize};

use super::mapper::MapperTarget;
use crate::tensor_ops::mixed_halves::{half_mask, mix_halves};
use crate::tensor_ops::random::keyed_rng;
use crate::tensor_ops::signed_max::signed_max;
use crate::tensor_ops::similarity::unit_norm;

/// Which decoded vectors steer the generator. Two are decoded: the image embedding, and a second one, the caption embedding
/// unless said otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConditionSource {
    /// The image embedding to the first head, the caption embedding to the second; in finetuning a network with one head
    /// gets a second.
    #[default]
    Both,
    /// The image embedding, to every head.
    Image,
    /// The caption embedding, to every head.
    Caption,
    /// The mean of the two, to every head.
    Mean,
    /// Whichever component is larger in magnitude, to every head.
    SignedMax,
    /// The caption embedding with a random half of its components from the image embedding, to every head; in training drawn
    /// anew at every step.
    Mix,
    /// The image embedding to the first head, a ResNet mapper's vector of 256 values to the second
    /// (docs/spec/gan-training.md §2 and §4.1); in finetuning a network with one head gets a second.
    ImageResnet,
}

impl std::fmt::Display for ConditionSource {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Both => "both",
            Self::Image => "image",
            Self::Caption => "caption",
            Self::Mean => "mean",
            Self::SignedMax => "signed-max",
            Self::Mix => "mix",
            Self::ImageResnet => "image-resnet",
        })
    }
}

impl ConditionSource {
    /// What the mapper of the second vector must predict.
    pub fn second_target(self) -> MapperTarget {
        if self == Self::ImageResnet { MapperTarget::Resnet } else { MapperTarget::Caption }
    }

    /// Whether each head gets a vector of its own, so that two are needed.
    pub fn needs_two_heads(self) -> bool {
        matches!(self, Self::Both | Self::ImageResnet)
    }

    /// Whether the first and the second decoded vector have any part in the condition.
    pub fn uses(self) -> [bool; 2] {
        [self != Self::Caption, self != Self::Image]
    }

    /// The vectors of the two heads, unit norm. The half of [`ConditionSource::Mix`] depends on the seed and the trial's entry
    /// of `positions` alone.
    ///
    /// # Shapes
    /// - first, second, outputs: `[trials, width]`, unit norm; of one width unless each head has its own
    pub fn heads<B: Backend>(
        self,
        first: Tensor<B, 2>,
        second: Tensor<B, 2>,
        seed: u64,
        positions: &[u64],
    ) -> [Tensor<B, 2>; 2] {
        let (width, device) = (first.dims()[1], first.device());
        self.heads_with(first, second, || {
            // Row by row, each keyed by its trial: the same trial gets the same half in any batch.
            let rows = positions.iter().map(|position| {
                half_mask::<B>(1, width, &mut keyed_rng(seed, "condition.mix", *position), &device)
            });
            Tensor::cat(rows.collect(), 0)
        })
    }

    /// The same with the half of [`ConditionSource::Mix`] from `mask`, which is asked for in no other case.
    ///
    /// # Shapes
    /// - as [`ConditionSource::heads`]; mask: `[trials, width]`, 1 where the first vector is taken, else 0
    pub fn heads_with<B: Backend>(
        self,
        first: Tensor<B, 2>,
        second: Tensor<B, 2>,
        mask: impl FnOnce() -> Tensor<B, 2>,
    ) -> [Tensor<B, 2>; 2] {
        let one = match self {
            Self::Both | Self::ImageResnet => return [first, second],
            Self::Image => first,
            Self::Caption => second,
            // The sum in place of the mean: unit norm removes the factor ½.
            Self::Mean => unit_norm(first + second),
            Self::SignedMax => unit_norm(signed_max(first, second)),
            Self::Mix => mix_halves(second, first, mask()),
        };
        [one.clone(), one]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_ops::backend::{Base, cpu};

    fn joined(choice: ConditionSource) -> [Vec<f32>; 2] {
        let image = Tensor::<Base, 2>::from_floats([[1.0, 0.0]], &cpu());
        let caption = Tensor::from_floats([[-0.6, 0.8]], &cpu());
        choice.heads(image, caption, 3, &[0]).map(|head| head.into_data().to_vec().unwrap())
    }

    #[test]
    fn names_are_those_of_the_settings() {
        use ConditionSource::{Both, Caption, Image, Mean, Mix, SignedMax};
        for condition in [Both, Image, Caption, Mean, SignedMax, Mix] {
            assert_eq!(serde_json::to_value(condition).unwrap(), condition.to_string());
        }
    }

    #[test]
    fn heads_get_what_the_choice_says() {
        assert_eq!(joined(ConditionSource::Both), [vec![1.0, 0.0], vec![-0.6, 0.8]]);
        assert_eq!(joined(ConditionSource::Image), [vec![1.0, 0.0], vec![1.0, 0.0]]);
        assert_eq!(joined(ConditionSource::Caption), [vec![-0.6, 0.8], vec![-0.6, 0.8]]);
        // (0.4, 0.8) and (1, 0.8), scaled to unit norm.
        for (choice, expected) in [
            (ConditionSource::Mean, [0.447_213_6, 0.894_427_2]),
            (ConditionSource::SignedMax, [0.780_868_8, 0.624_695]),
        ] {
            for head in joined(choice) {
                assert!(
                    head.iter().zip(expected).all(|(a, e): (&f32, f32)| (a - e).abs() < 1e-6),
                    "{head:?}"
                );
            }
        }
    }

    #[test]
    fn a_mix_has_half_of_each_and_depends_on_the_position() {
        let image = || Tensor::<Base, 2>::ones([3, 8], &cpu());
        let caption = || image().neg();
        let mix = |positions: &[u64]| {
            let [first, second] = ConditionSource::Mix.heads(image(), caption(), 3, positions);
            let first: Vec<f32> = first.into_data().to_vec().unwrap();
            assert_eq!(first, second.into_data().to_vec::<f32>().unwrap());
            first
        };
        let mixed = mix(&[5, 6, 5]);
        assert!(mixed.chunks(8).all(|row| row.iter().filter(|value| **value > 0.0).count() == 4));
        assert_eq!(mixed[..8], mixed[16..]);
        assert_ne!(mixed[..8], mixed[8..16]);
    }
}
