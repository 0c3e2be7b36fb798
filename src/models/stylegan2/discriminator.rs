//! Residual trunk and epilogue of the discriminator (docs/spec/discriminator.md §2; Karras et al. 2020,
//! <https://arxiv.org/abs/1912.04958>, section 4).

use burn::module::Module;
use burn::tensor::{FloatDType, Tensor, backend::Backend};

use super::condition::Condition;
use super::config::{ConditionHeads, DiscriminatorConfig};
use super::epilogue::{DiscriminatorOutput, Epilogue};
use super::equalized::{ConvOptions, EqualizedConv};
use super::weight_init::WeightInit;
use crate::error::SettingError;
use crate::tensor_ops::activation::{Activation, LEAKY_RELU};
use crate::tensor_ops::bias_act::BiasAct;
use crate::tensor_ops::half::single;
use crate::tensor_ops::resample_conv::Resampling;

/// One resolution: two convolutions beside a 1×1 skip, half the size at the end.
#[derive(Module, Debug)]
pub struct DiscriminatorBlock<B: Backend> {
    conv0: EqualizedConv<B>,
    conv1: EqualizedConv<B>,
    skip: EqualizedConv<B>,
}

impl<B: Backend> DiscriminatorBlock<B> {
    fn init(config: &DiscriminatorConfig, resolution: usize, init: &WeightInit<B>) -> Self {
        let inputs = config.channels(resolution);
        let outputs = config.channels(resolution / 2);
        let root_half = 0.5_f64.sqrt();
        let lrelu = BiasAct::new(LEAKY_RELU).with_clamp(config.clamp());
        let conv0 = ConvOptions { kernel: 3, resampling: Resampling::Keep, bias_act: lrelu, has_bias: true };
        // √½ on either path keeps the variance of their sum; with the activation's √2 conv1's gain is 1 and its clamp
        // 256 · √½. The skip has no clamp (docs/spec/discriminator.md §2).
        let conv1 = ConvOptions {
            resampling: Resampling::Down2,
            bias_act: lrelu.with_extra_gain(root_half),
            ..conv0
        };
        let skip = ConvOptions {
            kernel: 1,
            resampling: Resampling::Down2,
            bias_act: BiasAct::new(Activation::Linear).with_extra_gain(root_half),
            has_bias: false,
        };
        Self {
            conv0: EqualizedConv::init(inputs, inputs, conv0, &init.child("conv0")),
            conv1: EqualizedConv::init(inputs, outputs, conv1, &init.child("conv1")),
            skip: EqualizedConv::init(inputs, outputs, skip, &init.child("skip")),
        }
    }

    /// `[batch, in, r, r]` to `[batch, out, r/2, r/2]`.
    fn forward(&self, x: Tensor<B, 4>) -> Tensor<B, 4> {
        let skip = self.skip.forward(x.clone());
        skip + self.conv1.forward(self.conv0.forward(x))
    }
}

/// Image and condition to score and semantic embeddings.
#[derive(Module, Debug)]
pub struct Discriminator<B: Backend> {
    fromrgb: EqualizedConv<B>,
    blocks: Vec<DiscriminatorBlock<B>>,
    epilogue: Epilogue<B>,
    /// Blocks from the image on whose features are in half precision.
    #[module(skip)]
    half_blocks: usize,
}

impl DiscriminatorConfig {
    /// A network with weights drawn from `seed`.
    pub fn init<B: Backend>(&self, seed: u64, device: &B::Device) -> Result<Discriminator<B>, SettingError> {
        self.validate()?;
        let init = WeightInit::new(seed, "discriminator", device);
        let fromrgb = ConvOptions {
            kernel: 1,
            resampling: Resampling::Keep,
            bias_act: BiasAct::new(LEAKY_RELU).with_clamp(self.clamp()),
            has_bias: true,
        };
        let num_blocks = self.resolution.ilog2() - 2;
        let blocks = (0..num_blocks)
            .map(|index| {
                let init = init.child(&format!("blocks.{index}"));
                DiscriminatorBlock::init(self, self.resolution >> index, &init)
            })
            .collect();
        let width = self.channels(self.resolution);
        Ok(Discriminator {
            fromrgb: EqualizedConv::init(self.image_channels, width, fromrgb, &init.child("fromrgb")),
            blocks,
            epilogue: Epilogue::init(self, &init.child("epilogue")),
            half_blocks: 0,
        })
    }

    /// Layers before the epilogue: fromRGB, then two convolutions and a skip per resolution.
    pub fn num_trunk_layers(&self) -> usize {
        1 + 3 * (self.resolution.ilog2() as usize - 2)
    }

    /// The configuration of a network whose single head has been duplicated.
    pub fn with_duplicated_head(&self) -> Self {
        match self.heads {
            ConditionHeads::One => Self {
                heads: ConditionHeads::TwoByMaximum,
                second_condition_dim: self.condition_dim,
                ..self.clone()
            },
            ConditionHeads::None | ConditionHeads::TwoByMaximum => self.clone(),
        }
    }
}

impl<B: Backend> Discriminator<B> {
    /// Scores a batch.
    ///
    /// # Shapes
    /// - pixels_pm1: `[batch, image_channels, resolution, resolution]`, the batch a multiple of the deviation group
    pub fn forward(&self, pixels_pm1: Tensor<B, 4>, condition: &Condition<B>) -> DiscriminatorOutput<B> {
        let x = if self.half_blocks > 0 { pixels_pm1.cast(FloatDType::F16) } else { pixels_pm1 };
        let mut x = self.fromrgb.forward(x);
        for (index, block) in self.blocks.iter().enumerate() {
            // Blocks come from the image on: the first ones have the highest resolutions.
            if index == self.half_blocks {
                x = single(x);
            }
            x = block.forward(x);
        }
        self.epilogue.forward(single(x), condition)
    }

    /// The same network, of which the first `count` layers get no gradients: fromRGB, then conv0, conv1 and skip per resolution
    /// (Freeze-D, docs/spec/discriminator.md §2).
    pub fn with_frozen_layers(mut self, count: usize) -> Self {
        if count > 0 {
            self.fromrgb = self.fromrgb.no_grad();
        }
        let blocks = self.blocks.into_iter().enumerate().map(|(index, mut block)| {
            // Layers still to be frozen when this block is reached: fromRGB is one, every block three.
            let left = count.saturating_sub(1 + 3 * index);
            if left > 0 {
                block.conv0 = block.conv0.no_grad();
            }
            if left > 1 {
                block.conv1 = block.conv1.no_grad();
            }
            if left > 2 {
                block.skip = block.skip.no_grad();
            }
            block
        });
        self.blocks = blocks.collect();
        self
    }

    /// The same network with its `count` highest resolutions in half precision, 0 for none; weights and the end at 4 × 4 stay in
    /// single precision.
    pub fn with_half_resolutions(self, count: usize) -> Self {
        Self { half_blocks: count.min(self.blocks.len()), ..self }
    }

    /// The same network with a second semantic head that starts as a copy of the first; a network with
    /// no head or two is returned as it is (docs/spec/gan-training.md §9, docs/spec/open-questions.md OQ-31).
    pub fn with_duplicated_head(self) -> Self {
        Self { epilogue: self.epilogue.with_duplicated_head(), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_ops::backend::{Base, cpu};
    use crate::tensor_ops::random::{keyed_rng, normal};

    #[test]
    fn a_duplicated_head_scores_equal_conditions_alike() {
        let device = cpu();
        let config = DiscriminatorConfig {
            heads: ConditionHeads::One,
            condition_dim: 6,
            resolution: 8,
            channel_base: 64,
            channel_max: 8,
            ..Default::default()
        };
        let one = config.init::<Base>(7, &device).unwrap();
        let two = one.clone().with_duplicated_head();
        let mut rng = keyed_rng(3, "inputs", 0);
        let image = normal([4, 3, 8, 8], &mut rng, &device);
        let t = normal([4, 6], &mut rng, &device);
        let of_one = one.forward(image.clone(), &Condition::one(t.clone()));
        let of_two = two.forward(image, &Condition::two(t.clone(), t));
        assert_eq!(of_two.semantic_embeddings.len(), 2);
        let a: Vec<f32> = of_one.score.into_data().to_vec().unwrap();
        let b: Vec<f32> = of_two.score.into_data().to_vec().unwrap();
        for (a, b) in a.iter().zip(b) {
            assert!((a - b).abs() < 1e-5);
        }
    }

    #[test]
    fn parameter_counts_of_the_paper() {
        // docs/spec/discriminator.md §4, by shape alone.
        let config = DiscriminatorConfig::default();
        let mut total = (3 + 1) * config.channels(256);
        for log in 3..=8 {
            let (inputs, outputs) = (config.channels(1 << log), config.channels(1 << (log - 1)));
            total += inputs * inputs * 9 + inputs + inputs * outputs * 9 + outputs + inputs * outputs;
        }
        total += 513 * 512 * 9 + 512 + 8192 * 512 + 512 + 513;
        assert_eq!(total + 513 * 512, 29_126_785);
        assert_eq!(total + 2 * 513 * 512, 29_389_441);
    }
}
