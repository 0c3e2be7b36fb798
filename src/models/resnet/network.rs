//! Stem, four stages, pooled features and the optional classifier (docs/spec/checkpoints.md §5).

use burn::module::{Module, Param};
use burn::tensor::activation::relu;
use burn::tensor::module::max_pool2d;
use burn::tensor::{Tensor, backend::Backend};

use super::bottleneck::{Bottleneck, ConvNorm};
use crate::models::batch_norm::{BatchNorm, BatchObserver};
use crate::models::plain_conv::PlainConv;

/// One of the four stages of blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Stage {
    One,
    Two,
    Three,
    Four,
}

/// Linear classifier on the pooled features, PyTorch's orientation.
#[derive(Module, Debug)]
pub struct ClassHead<B: Backend> {
    /// `[classes, features]`; zero until weights are loaded.
    pub weight: Param<Tensor<B, 2>>,
    /// `[classes]`
    pub bias: Param<Tensor<B, 1>>,
}

/// See the [module documentation](super).
#[derive(Module, Debug)]
pub struct Resnet<B: Backend> {
    /// 7×7, stride 2, padding 3.
    pub conv1: PlainConv<B>,
    /// Norm of `conv1`.
    pub bn1: BatchNorm<B>,
    /// Stage one: the size stays.
    pub layer1: Vec<Bottleneck<B>>,
    /// Stage two: half the size.
    pub layer2: Vec<Bottleneck<B>>,
    /// Stage three: half the size.
    pub layer3: Vec<Bottleneck<B>>,
    /// Stage four: half the size.
    pub layer4: Vec<Bottleneck<B>>,
    /// Only where the configuration asks for classes.
    pub fc: Option<ClassHead<B>>,
}

/// What every part gives, for images of `height` × `width` (sizes rounded up).
#[derive(Clone, Debug)]
pub struct ResnetFeatures<B: Backend> {
    /// `[batch, stem_width, height/2, width/2]`
    pub stem: Tensor<B, 4>,
    /// `[batch, stem_width, height/4, width/4]`
    pub maxpool: Tensor<B, 4>,
    /// `[batch, 4·planes[0], height/4, width/4]`
    pub layer1: Tensor<B, 4>,
    /// `[batch, 4·planes[1], height/8, width/8]`
    pub layer2: Tensor<B, 4>,
    /// `[batch, 4·planes[2], height/16, width/16]`
    pub layer3: Tensor<B, 4>,
    /// `[batch, 4·planes[3], height/32, width/32]`
    pub layer4: Tensor<B, 4>,
    /// Mean of `layer4` over positions: `[batch, 4·planes[3]]`.
    pub pooled: Tensor<B, 2>,
    /// Scores before any softmax, `[batch, classes]`, where the network has a classifier.
    pub class_scores: Option<Tensor<B, 2>>,
}

impl<B: Backend> Resnet<B> {
    /// Everything, with frozen norms.
    ///
    /// # Shapes
    /// - pixels: `[batch, 3, height, width]`, scaled as the weights were trained (CLIP's or ImageNet's statistics, or 0..1)
    pub fn forward(&self, pixels: Tensor<B, 4>) -> ResnetFeatures<B> {
        self.features(pixels, &mut |conv, norm, x| conv.forward_frozen(norm, x))
    }

    /// Everything, with the statistics of the batch, which move the stored ones.
    ///
    /// # Shapes
    /// - as [`Resnet::forward`]
    pub fn forward_training(&mut self, pixels: Tensor<B, 4>) -> ResnetFeatures<B> {
        let mut observer = BatchObserver::default();
        let features = self.features(pixels, &mut |conv, norm, x| observer.normalize(norm, conv.forward(x)));
        *self = observer.apply(self.clone());
        features
    }

    /// The output of one stage with frozen norms; later stages are not computed.
    ///
    /// # Shapes
    /// - pixels: as [`Resnet::forward`], output: as in [`ResnetFeatures`]
    pub fn stage(&self, pixels: Tensor<B, 4>, stage: Stage) -> Tensor<B, 4> {
        let conv_norm: &mut ConvNorm<'_, B> = &mut |conv, norm, x| conv.forward_frozen(norm, x);
        let pooled = max_pool(self.stem(pixels, conv_norm));
        let layers = [&self.layer1, &self.layer2, &self.layer3, &self.layer4];
        // Stages are numbered from 0 in the enum's order.
        layers[..=stage as usize].iter().fold(pooled, |x, blocks| run(blocks, x, conv_norm))
    }

    /// Mean of the last stage over positions, `[batch, 4·planes[3]]`, with frozen norms. Argument as [`Resnet::forward`].
    pub fn pooled(&self, pixels: Tensor<B, 4>) -> Tensor<B, 2> {
        mean_over_positions(self.stage(pixels, Stage::Four))
    }

    fn features(&self, pixels: Tensor<B, 4>, conv_norm: &mut ConvNorm<'_, B>) -> ResnetFeatures<B> {
        let stem = self.stem(pixels, conv_norm);
        let maxpool = max_pool(stem.clone());
        let layer1 = run(&self.layer1, maxpool.clone(), conv_norm);
        let layer2 = run(&self.layer2, layer1.clone(), conv_norm);
        let layer3 = run(&self.layer3, layer2.clone(), conv_norm);
        let layer4 = run(&self.layer4, layer3.clone(), conv_norm);
        let pooled = mean_over_positions(layer4.clone());
        let class_scores = self.fc.as_ref().map(|head| {
            let scores = pooled.clone().matmul(head.weight.val().transpose());
            scores + head.bias.val().unsqueeze()
        });
        ResnetFeatures { stem, maxpool, layer1, layer2, layer3, layer4, pooled, class_scores }
    }

    fn stem(&self, pixels: Tensor<B, 4>, conv_norm: &mut ConvNorm<'_, B>) -> Tensor<B, 4> {
        relu(conv_norm(&self.conv1, &self.bn1, pixels))
    }
}

fn max_pool<B: Backend>(x: Tensor<B, 4>) -> Tensor<B, 4> {
    max_pool2d(x, [3, 3], [2, 2], [1, 1], [1, 1], false)
}

fn run<B: Backend>(
    blocks: &[Bottleneck<B>],
    x: Tensor<B, 4>,
    conv_norm: &mut ConvNorm<'_, B>,
) -> Tensor<B, 4> {
    blocks.iter().fold(x, |x, block| block.forward(x, conv_norm))
}

fn mean_over_positions<B: Backend>(x: Tensor<B, 4>) -> Tensor<B, 2> {
    let [batch, channels, height, width] = x.dims();
    x.reshape([batch, channels, height * width]).mean_dim(2).reshape([batch, channels])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::resnet::ResnetConfig;
    use crate::tensor_ops::backend::{Base, cpu};
    use crate::tensor_ops::random::{keyed_rng, normal};

    fn small() -> Resnet<Base> {
        let config =
            ResnetConfig { stem_width: 4, planes: [2, 3, 4, 5], blocks: [1, 2, 1, 1], num_classes: None };
        config.init(3, &cpu()).unwrap()
    }

    #[test]
    fn a_single_stage_is_the_one_of_the_whole_pass() {
        let network = small();
        let pixels: Tensor<Base, 4> = normal([2, 3, 37, 50], &mut keyed_rng(0, "x", 0), &cpu());
        let whole = network.forward(pixels.clone());
        let values = |x: Tensor<Base, 4>| x.into_data().to_vec::<f32>().unwrap();
        assert_eq!(values(network.stage(pixels.clone(), Stage::Two)), values(whole.layer2));
        assert_eq!(values(network.stage(pixels.clone(), Stage::Four)), values(whole.layer4.clone()));
        assert_eq!(network.pooled(pixels).into_data(), whole.pooled.into_data());
        assert_eq!(whole.stem.dims(), [2, 4, 19, 25]);
        assert_eq!(whole.layer4.dims(), [2, 20, 2, 2]);
        assert!(whole.class_scores.is_none());
    }

    #[test]
    fn training_moves_the_statistics_of_every_norm_and_a_frozen_pass_none() {
        let mut network = small();
        let pixels: Tensor<Base, 4> = normal([2, 3, 64, 64], &mut keyed_rng(0, "x", 0), &cpu());
        let means = |network: &Resnet<Base>| {
            let block = &network.layer4[0];
            let norms = [&network.bn1, &block.bn2, &block.downsample.as_ref().unwrap().1];
            norms.map(|norm| norm.running_mean.val().abs().max().into_scalar())
        };
        network.forward(pixels.clone());
        assert_eq!(means(&network), [0.0; 3]);
        network.forward_training(pixels);
        assert!(means(&network).iter().all(|mean| *mean > 0.0));
    }
}
