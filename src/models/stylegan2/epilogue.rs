//! The end of the discriminator at 4 × 4: minibatch deviation, score, semantic heads (docs/spec/discriminator.md §3).
//!
//! The deviation is that of Karras et al. 2018 (<https://arxiv.org/abs/1710.10196>, section 3); the projection follows Miyato and
//! Koyama 2018 (<https://arxiv.org/abs/1802.05637>) but for its sum over the batch (docs/spec/discriminator.md §3.1).

use burn::module::Module;
use burn::tensor::{Tensor, backend::Backend};

use super::condition::{Condition, NewIds};
use super::config::{DiscriminatorConfig, HeadNormalisation, ProjectionTerm};
use super::equalized::{ConvOptions, EqualizedConv, EqualizedLinear, LinearOptions};
use super::weight_init::WeightInit;
use crate::tensor_ops::activation::LEAKY_RELU;
use crate::tensor_ops::bias_act::BiasAct;
use crate::tensor_ops::resample_conv::Resampling;
use crate::tensor_ops::similarity::unit_norm;

/// What the discriminator says about a batch.
#[derive(Clone, Debug)]
pub struct DiscriminatorOutput<B: Backend> {
    /// Real (large) or fake (small), before the sigmoid: `[batch, 1]`.
    pub score: Tensor<B, 2>,
    /// What it sees, in the space of the conditions: `[batch, condition_dim]` per head.
    pub semantic_embeddings: Vec<Tensor<B, 2>>,
}

/// 4 × 4 features to score and semantic embeddings.
#[derive(Module, Debug)]
pub struct Epilogue<B: Backend> {
    conv: EqualizedConv<B>,
    fc: EqualizedLinear<B>,
    out: EqualizedLinear<B>,
    semantic_heads: Vec<EqualizedLinear<B>>,
    #[module(skip)]
    projection: ProjectionTerm,
    #[module(skip)]
    head_normalisation: HeadNormalisation,
    #[module(skip)]
    mbstd_group: usize,
    #[module(skip)]
    mbstd_channels: usize,
}

impl<B: Backend> Epilogue<B> {
    pub(super) fn init(config: &DiscriminatorConfig, init: &WeightInit<B>) -> Self {
        let channels = config.channels(4);
        let conv = ConvOptions {
            kernel: 3,
            resampling: Resampling::Keep,
            bias_act: BiasAct::new(LEAKY_RELU).with_clamp(config.clamp()),
            has_bias: true,
        };
        let lrelu = LinearOptions { activation: LEAKY_RELU, ..LinearOptions::default() };
        let linear = LinearOptions::default();
        let semantic_heads = config
            .condition_dims()
            .into_iter()
            .enumerate()
            .map(|(index, dim)| {
                EqualizedLinear::init(channels, dim, linear, &init.child(&format!("semantic_heads.{index}")))
            })
            .collect();
        Self {
            conv: EqualizedConv::init(channels + config.mbstd_channels, channels, conv, &init.child("conv")),
            fc: EqualizedLinear::init(channels * 16, channels, lrelu, &init.child("fc")),
            out: EqualizedLinear::init(channels, 1, linear, &init.child("out")),
            semantic_heads,
            projection: config.projection,
            head_normalisation: config.head_normalisation,
            mbstd_group: config.mbstd_group,
            mbstd_channels: config.mbstd_channels,
        }
    }

    /// # Shapes
    /// - x: `[batch, channels, 4, 4]`
    ///
    /// # Panics
    /// When the number of conditions is not the number of heads.
    pub(super) fn forward(&self, x: Tensor<B, 4>, condition: &Condition<B>) -> DiscriminatorOutput<B> {
        assert_eq!(condition.heads.len(), self.semantic_heads.len(), "one condition vector per head");
        let x = append_minibatch_deviation(x, self.mbstd_group, self.mbstd_channels);
        // Flattened in the order channel, row, column, as stored weights expect.
        let x = self.conv.forward(x).flatten(1, 3); // [B, C·16]
        let features = self.fc.forward(x); // [B, C]
        let score = self.out.forward(features.clone()); // [B, 1]
        let semantic_embeddings: Vec<_> = self
            .semantic_heads
            .iter()
            .map(|head| head.forward(features.clone()))
            .map(|embedding| match self.head_normalisation {
                HeadNormalisation::Off => embedding,
                HeadNormalisation::UnitNorm => unit_norm(embedding),
            })
            .collect();
        let alignment = self.alignment(&semantic_embeddings, condition);
        let score = match alignment {
            Some(alignment) => score + alignment,
            None => score,
        };
        DiscriminatorOutput { score, semantic_embeddings }
    }

    /// Mean over the heads of `⟨embedding, condition⟩`: `[1, 1]` or `[batch, 1]`.
    fn alignment(&self, embeddings: &[Tensor<B, 2>], condition: &Condition<B>) -> Option<Tensor<B, 2>> {
        if self.projection == ProjectionTerm::Off {
            return None;
        }
        // ½ each with two heads (docs/spec/discriminator.md §3.1).
        let share = 1.0 / embeddings.len() as f64;
        let products = embeddings.iter().zip(&condition.heads);
        let products = products.map(|(e, t)| (e.clone() * t.clone()).sum_dim(1));
        let alignment = products.reduce(|a, b| a + b)?.mul_scalar(share); // [B, 1]
        Some(match self.projection {
            // The published networks sum over the batch, too: one number for all samples.
            ProjectionTerm::BatchSum => alignment.sum_dim(0),
            ProjectionTerm::PerSample | ProjectionTerm::Off => alignment,
        })
    }

    pub(super) fn with_duplicated_head(mut self) -> Self {
        if let [head] = self.semantic_heads.as_slice() {
            let copy = head.clone().map(&mut NewIds);
            self.semantic_heads.push(copy);
        }
        self
    }
}

/// Appends the deviation within groups of the batch as constant channels (docs/spec/discriminator.md §3).
///
/// A group is made of samples with equal index modulo `batch / group`; `group` is limited to the batch.
///
/// # Shapes
/// - x: `[batch, channels, height, width]`, batch a multiple of the group
/// - output: `[batch, channels + new_channels, height, width]`
pub fn append_minibatch_deviation<B: Backend>(
    x: Tensor<B, 4>,
    group: usize,
    new_channels: usize,
) -> Tensor<B, 4> {
    if new_channels == 0 {
        return x;
    }
    let [batch, channels, height, width] = x.dims();
    // A last, smaller batch forms smaller groups, as in the published code.
    let group = group.min(batch);
    let num_groups = batch / group;
    let pixels = channels / new_channels * height * width;
    // The group is the slow axis: its members lie N/G samples apart, and stored weights were trained with that grouping.
    // [G, N/G, F, pixels]
    let grouped = x.clone().reshape([group, num_groups, new_channels, pixels]);
    let centred = grouped.clone() - grouped.mean_dim(0);
    let variance = (centred.clone() * centred).mean_dim(0); // [1, N/G, F, pixels]
    let deviation = variance.add_scalar(1e-8).sqrt().mean_dim(3); // [1, N/G, F, 1]
    let deviation = deviation
        .reshape([1, num_groups, new_channels, 1])
        .repeat_dim(0, group)
        .repeat_dim(3, height * width)
        .reshape([batch, new_channels, height, width]);
    Tensor::cat(vec![x, deviation], 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_ops::backend::{Base, cpu};

    #[test]
    fn worked_example_of_the_reference() {
        let x = Tensor::<Base, 1>::from_floats([1.0, 2.0, 4.0, 8.0], &cpu()).reshape([4, 1, 1, 1]);
        let y: Vec<f32> = append_minibatch_deviation(x, 2, 1).into_data().to_vec().unwrap();
        let appended: Vec<f32> = y.chunks(2).map(|sample| sample[1]).collect();
        for (actual, expected) in appended.iter().zip([1.5, 3.0, 1.5, 3.0]) {
            assert!((actual - expected).abs() < 1e-5, "{appended:?}");
        }
    }
}
