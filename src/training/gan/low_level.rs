//! Low-level vectors of generated and real images, for the third contrastive term (docs/spec/gan-training.md §4.1).

use burn::module::{AutodiffModule, Module};
use burn::tensor::Tensor;

use crate::models::resnet::low_level::{LowLevelConfig, PositionValue, centred_unit_vector};
use crate::models::resnet::{Resnet, Stage};
use crate::tensor_ops::backend::{Base, Device, Diff};

/// A ResNet with fixed weights through which gradients reach the image.
#[derive(Clone, Debug)]
pub struct FrozenResnet {
    tracked: Resnet<Diff>,
    plain: Resnet<Base>,
}

impl FrozenResnet {
    /// Fixes the weights.
    pub fn new(network: Resnet<Base>) -> Self {
        // Two views of the same weights: with a graph for generated images, without one for real ones.
        Self { tracked: Resnet::<Diff>::from_inner(network.clone()).no_grad(), plain: network }
    }

    /// The same network on another device.
    pub fn on_device(&self, device: &Device) -> Self {
        Self { tracked: self.tracked.clone().fork(device), plain: self.plain.clone().fork(device) }
    }

    /// Vectors of generated images, with gradient.
    ///
    /// # Shapes
    /// - as [`LowLevelConfig::vector`]
    pub fn of_generated(&self, pixels_pm1: Tensor<Diff, 4>, config: &LowLevelConfig) -> Tensor<Diff, 2> {
        config.vector(&self.tracked, pixels_pm1)
    }

    /// What a ResNet mapper's condition is compared with: stage two's max + 2·mean about zero, of unit norm, with gradient
    /// (docs/spec/gan-training.md §4.1). Maxima and statistics are those of `config`.
    ///
    /// # Shapes
    /// - pixels_pm1: `[batch, 3, side, side]`, −1..1, output: `[batch, 256]`
    pub fn as_condition(&self, pixels_pm1: Tensor<Diff, 4>, config: &LowLevelConfig) -> Tensor<Diff, 2> {
        let stage = Stage::Two;
        let config = LowLevelConfig { stage, value: PositionValue::MaxAndMean, ..config.clone() };
        centred_unit_vector(config.vector(&self.tracked, pixels_pm1), stage)
    }

    /// Vectors of real images, without gradient.
    ///
    /// # Shapes
    /// - as [`LowLevelConfig::vector`]
    pub fn of_real(&self, pixels_pm1: Tensor<Base, 4>, config: &LowLevelConfig) -> Tensor<Base, 2> {
        config.vector(&self.plain, pixels_pm1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::losses::contrastive::{ContrastiveConfig, contrast};
    use crate::models::resnet::ResnetConfig;
    use crate::models::resnet::low_level::{Maxima, PixelStatistics};
    use crate::tensor_ops::backend::cpu;
    use crate::tensor_ops::random::{keyed_rng, normal};

    fn network() -> FrozenResnet {
        let config =
            ResnetConfig { stem_width: 4, planes: [2, 3, 4, 5], blocks: [1, 1, 1, 1], num_classes: None };
        FrozenResnet::new(config.init(3, &cpu()).unwrap())
    }

    fn images(position: u64) -> Tensor<Base, 4> {
        normal::<Base, 4>([3, 3, 32, 32], &mut keyed_rng(0, "images", position), &cpu()).clamp(-1.0, 1.0)
    }

    #[test]
    fn real_and_generated_are_seen_alike_in_every_reading() {
        let network = network();
        let mut seen: Vec<Vec<f32>> = vec![];
        for stage in [Stage::Two, Stage::Three] {
            for value in [PositionValue::MaxAndMean, PositionValue::Mean] {
                for statistics in [PixelStatistics::Clip, PixelStatistics::ImageNet] {
                    let config = LowLevelConfig { stage, value, statistics, maxima: Maxima::PerImage };
                    let real = network.of_real(images(1), &config);
                    let generated = network.of_generated(Tensor::from_inner(images(1)), &config);
                    assert_eq!(real.dims(), [3, if stage == Stage::Two { 256 } else { 64 }]);
                    let real: Vec<f32> = real.into_data().to_vec().unwrap();
                    let generated: Vec<f32> = generated.into_data().to_vec().unwrap();
                    assert!(real.iter().zip(&generated).all(|(a, b)| (a - b).abs() < 1e-5));
                    assert!(!seen.contains(&real), "{config:?} is what another reading is");
                    seen.push(real);
                }
            }
        }
    }

    /// The slope of the term along the gradient against a central difference in f32.
    #[test]
    fn the_gradient_of_the_term_reaches_the_image() {
        let network = network();
        let config = LowLevelConfig::default();
        let real = Tensor::<Diff, 2>::from_inner(network.of_real(images(1), &config));
        let loss = |pixels: Tensor<Diff, 4>| {
            let generated = network.of_generated(pixels, &config);
            contrast(real.clone(), generated, &ContrastiveConfig::default()).mean()
        };
        let pixels = Tensor::<Diff, 4>::from_inner(images(2)).require_grad();
        let gradient = pixels.grad(&loss(pixels.clone()).backward()).unwrap();
        let norm = f64::from(gradient.clone().square().sum().into_scalar()).sqrt();
        let direction = Tensor::<Diff, 4>::from_inner(gradient.div_scalar(norm));
        let step = 0.05;
        let at = |factor: f64| {
            let moved = pixels.clone().detach() + direction.clone().mul_scalar(factor * step);
            f64::from(loss(moved).into_scalar())
        };
        let difference = (at(1.0) - at(-1.0)) / (2.0 * step);
        assert!(norm > 1e-4, "{norm}");
        assert!((difference - norm).abs() < 0.05 * norm, "{difference} {norm}");
    }
}
