//! Low-level image vectors: what the generator's ρ() and the ResNet mapper's targets are made of
//! (docs/spec/gan-training.md §4.1, docs/spec/mapper.md §6.3).
//!
//! The published code has two readings: the GAN's loss feeds CLIP-normalised pixels and divides by maxima over the whole batch,
//! the mapper's targets are made from plain 0..1 pixels with each image's own maxima. Both are here.

use burn::tensor::{Tensor, backend::Backend};
use serde::{Deserialize, Serialize};

use super::network::{Resnet, Stage};
use crate::models::clip::preprocess::normalize_pm1;
use crate::tensor_ops::resize::resize;
use crate::tensor_ops::similarity::unit_norm;

/// Side of the network's input in pixels.
pub const INPUT_SIZE: usize = 128;
/// What the pooled features of stage four are divided by: a little above the largest value seen (18.403).
pub const CHANNEL_AVERAGE_SCALE: f64 = 18.5;
/// Mean of R, G, B in [0, 1] over ImageNet.
const IMAGENET_MEAN: [f32; 3] = [0.485, 0.456, 0.406];
/// Deviation of R, G, B in [0, 1] over ImageNet.
const IMAGENET_STD: [f32; 3] = [0.229, 0.224, 0.225];
/// Keeps the vector of a map without any activation finite.
const SMALLEST_MAXIMUM: f64 = 1e-12;

/// Over what the maximum that a map is divided by is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Maxima {
    /// All positions of all images: the published loss. Gradients of one image reach the others.
    #[default]
    WholeBatch,
    /// All positions of the image.
    PerImage,
}

/// Range of the max + 2·mean vector of a stage over natural images, as published.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VectorRange {
    /// Least value.
    pub min: f64,
    /// Largest value.
    pub max: f64,
}

/// Range of the vector made from a stage of ResNet-50.
pub fn vector_range(stage: Stage) -> VectorRange {
    let min = match stage {
        Stage::One => 0.44,
        Stage::Two => 0.67,
        Stage::Three => 1.0,
        Stage::Four => 0.19,
    };
    VectorRange { min, max: 3.0 }
}

/// What a map of features becomes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PositionValue {
    /// [`max_and_mean`]: the published loss.
    #[default]
    MaxAndMean,
    /// The mean over channels: the paper's words.
    Mean,
}

/// Statistics by which pixels are scaled (docs/spec/open-questions.md OQ-16).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PixelStatistics {
    /// CLIP's: the published loss.
    #[default]
    Clip,
    /// ImageNet's: what most ResNet-50 weights were trained with.
    ImageNet,
}

/// Which of the published and possible readings of ρ() is meant (docs/spec/open-questions.md OQ-16, OQ-17). Defaults:
/// the published loss.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LowLevelConfig {
    /// Whose output is looked at.
    pub stage: Stage,
    /// Pooling over the channels of a position.
    pub value: PositionValue,
    /// Over what maxima are taken; without effect on means.
    pub maxima: Maxima,
    /// Mean and deviation that pixels are scaled by.
    pub statistics: PixelStatistics,
}

impl Default for LowLevelConfig {
    fn default() -> Self {
        Self {
            stage: Stage::Two,
            value: PositionValue::MaxAndMean,
            maxima: Maxima::WholeBatch,
            statistics: PixelStatistics::Clip,
        }
    }
}

impl LowLevelConfig {
    /// ρ() in this reading.
    ///
    /// # Shapes
    /// - pixels_pm1: `[batch, 3, side, side]`, −1..1
    /// - output: `[batch, positions]`; 256 positions for stage two
    pub fn vector<B: Backend>(&self, network: &Resnet<B>, pixels_pm1: Tensor<B, 4>) -> Tensor<B, 2> {
        let pixels = match self.statistics {
            PixelStatistics::Clip => preprocess(pixels_pm1),
            PixelStatistics::ImageNet => {
                let pixels_01 = resize(pixels_pm1, INPUT_SIZE).add_scalar(1.0).div_scalar(2.0);
                let row = |values: [f32; 3]| {
                    Tensor::<B, 1>::from_floats(values, &pixels_01.device()).reshape([1, 3, 1, 1])
                };
                (pixels_01.clone() - row(IMAGENET_MEAN)) / row(IMAGENET_STD)
            }
        };
        let features = network.stage(pixels, self.stage);
        match self.value {
            PositionValue::MaxAndMean => max_and_mean(features, self.maxima),
            PositionValue::Mean => {
                let [batch, _, height, width] = features.dims();
                features.mean_dim(1).reshape([batch, height * width])
            }
        }
    }
}

/// Generated images as the network is shown them: bicubic to 128×128 without antialiasing, CLIP's statistics; not clipped.
///
/// # Shapes
/// - pixels_pm1: `[batch, 3, side, side]`, −1..1, output: `[batch, 3, 128, 128]`
pub fn preprocess<B: Backend>(pixels_pm1: Tensor<B, 4>) -> Tensor<B, 4> {
    normalize_pm1(resize(pixels_pm1, INPUT_SIZE))
}

/// At every position `a/max(a) + 2·m/max(m)`, with a the maximum and m the mean over channels.
///
/// # Shapes
/// - features: `[batch, channels, height, width]`, not negative
/// - output: `[batch, height·width]`, row by row; 0..3
pub fn max_and_mean<B: Backend>(features: Tensor<B, 4>, maxima: Maxima) -> Tensor<B, 2> {
    // Behind a ReLU: nothing is negative, so that dividing by the maximum leaves 0..1.
    let [batch, _, height, width] = features.dims();
    let strongest = features.clone().max_dim(1).reshape([batch, height * width]);
    let mean = features.mean_dim(1).reshape([batch, height * width]);
    let divided = |map: Tensor<B, 2>| {
        let largest = match maxima {
            Maxima::PerImage => map.clone().max_dim(1), // [B, 1]
            // The maximum is not detached: its gradient reaches the position that holds it (docs/spec/gan-training.md
            // §4.1).
            Maxima::WholeBatch => map.clone().reshape([1, batch * height * width]).max_dim(1), // [1, 1]
        };
        map / largest.clamp_min(SMALLEST_MAXIMUM)
    };
    divided(strongest) + divided(mean).mul_scalar(2.0)
}

/// ρ(): the vector of images in [−1, 1].
///
/// # Shapes
/// - pixels_pm1: `[batch, 3, side, side]`
/// - output: `[batch, positions]`; 256 positions for stage two
pub fn low_level_vector<B: Backend>(
    network: &Resnet<B>,
    pixels_pm1: Tensor<B, 4>,
    stage: Stage,
    maxima: Maxima,
) -> Tensor<B, 2> {
    max_and_mean(network.stage(preprocess(pixels_pm1), stage), maxima)
}

/// The vector as the mapper's sigmoid predicts it: its published range to 0..1, not clipped.
///
/// # Shapes
/// - vector, output: `[batch, positions]`
pub fn vector_01<B: Backend>(vector: Tensor<B, 2>, stage: Stage) -> Tensor<B, 2> {
    let VectorRange { min, max } = vector_range(stage);
    // Not clipped: an image outside the published range keeps its order.
    vector.sub_scalar(min).div_scalar(max - min)
}

/// The vector as it is compared with a ResNet mapper's condition: range to −½..½, rows of unit norm.
///
/// # Shapes
/// - vector, output: `[batch, positions]`
pub fn centred_unit_vector<B: Backend>(vector: Tensor<B, 2>, stage: Stage) -> Tensor<B, 2> {
    unit_norm(vector_01(vector, stage).sub_scalar(0.5))
}

/// The other target of the ResNet mapper: pooled stage four over 18.5.
///
/// # Shapes
/// - pixels_01: `[batch, 3, 128, 128]`, 0..1 without further normalisation
/// - output: `[batch, 4·planes[3]]`; 2048 for ResNet-50
pub fn channel_average_01<B: Backend>(network: &Resnet<B>, pixels_01: Tensor<B, 4>) -> Tensor<B, 2> {
    network.pooled(pixels_01).div_scalar(CHANNEL_AVERAGE_SCALE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_ops::backend::{Base, Diff, cpu};

    fn features<B: Backend>(device: &B::Device) -> Tensor<B, 4> {
        // Two images, two channels, two positions.
        Tensor::from_floats([[[[1.0, 4.0]], [[3.0, 0.0]]], [[[8.0, 2.0]], [[0.0, 2.0]]]], device)
    }

    #[test]
    fn maxima_of_the_batch_and_of_the_image_by_hand() {
        let vector =
            |maxima| max_and_mean::<Base>(features(&cpu()), maxima).into_data().to_vec::<f32>().unwrap();
        // a = [3, 4], [8, 2]; m = [2, 2], [4, 2].
        assert_eq!(vector(Maxima::WholeBatch), [0.375 + 1.0, 0.5 + 1.0, 1.0 + 2.0, 0.25 + 1.0]);
        assert_eq!(vector(Maxima::PerImage), [0.75 + 2.0, 1.0 + 2.0, 1.0 + 2.0, 0.25 + 1.0]);
    }

    #[test]
    fn the_batch_maximum_passes_gradients_and_silence_gives_zeros() {
        let x = features::<Diff>(&cpu()).require_grad();
        let vector = max_and_mean(x.clone(), Maxima::WholeBatch);
        let first = vector.narrow(0, 0, 1).sum();
        let gradient: Vec<f32> = x.grad(&first.backward()).unwrap().into_data().to_vec().unwrap();
        // d/da_max of (3 + 4)/a_max = −7/64; d/dm_max of 2·(2 + 2)/m_max = −1/2, half of it per channel.
        assert!((gradient[4] - (-7.0 / 64.0 - 0.25)).abs() < 1e-6, "{gradient:?}");
        let silent = max_and_mean(Tensor::<Base, 4>::zeros([1, 2, 2, 2], &cpu()), Maxima::PerImage);
        assert_eq!(silent.into_data().to_vec::<f32>().unwrap(), [0.0; 4]);
    }

    #[test]
    fn the_published_range_becomes_0_to_1() {
        let ends = Tensor::<Base, 2>::from_floats([[0.67, 3.0]], &cpu());
        let scaled: Vec<f32> = vector_01(ends, Stage::Two).into_data().to_vec().unwrap();
        assert!(scaled[0].abs() < 1e-6 && (scaled[1] - 1.0).abs() < 1e-6, "{scaled:?}");
    }
}
