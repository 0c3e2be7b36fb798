//! The network: residual blocks that halve the resolution, a 1×1 layer, the mean over positions, one linear layer.
//!
//! He et al. 2016 without batch norm: the two paths of a block are scaled to keep the variance. Resolutions are halved behind
//! the filter `[1, 3, 3, 1]`, as in the image networks, for which the CPU has kernels.

use burn::module::{Module, Param};
use burn::tensor::{Tensor, TensorData, backend::Backend};

use super::config::ClassifierConfig;
use crate::error::SettingError;
use crate::tensor_ops::activation::{Activation, LEAKY_RELU};
use crate::tensor_ops::bias_act::BiasAct;
use crate::tensor_ops::random::{keyed_rng, normal};
use crate::tensor_ops::resample_conv::{Resampling, resampled_layer};

/// Convolution, bias, activation. Weights begin with variance 1/fan-in: the activation's gain keeps that of its input.
#[derive(Module, Debug)]
pub struct ConvLayer<B: Backend> {
    /// `[out, in, k, k]`
    weight: Param<Tensor<B, 4>>,
    bias: Option<Param<Tensor<B, 1>>>,
    #[module(skip)]
    resampling: Resampling,
    #[module(skip)]
    bias_act: BiasAct,
}

/// Where and by which seed weights are drawn.
struct Init<'a, B: Backend> {
    seed: u64,
    device: &'a B::Device,
}

impl<B: Backend> Init<'_, B> {
    fn weight<const D: usize>(&self, name: &str, shape: [usize; D]) -> Param<Tensor<B, D>> {
        let fan_in: usize = shape[1..].iter().product();
        // One stream per parameter name: the order of construction decides nothing.
        let mut rng = keyed_rng(self.seed, &format!("classifier.{name}"), 0);
        let weight: Tensor<B, D> = normal(shape, &mut rng, self.device);
        Param::from_tensor(weight.mul_scalar((1.0 / fan_in as f64).sqrt()))
    }

    fn zeros(&self, count: usize) -> Param<Tensor<B, 1>> {
        Param::from_tensor(Tensor::zeros([count], self.device))
    }

    fn conv(
        &self,
        name: &str,
        [inputs, outputs, kernel]: [usize; 3],
        resampling: Resampling,
        bias_act: BiasAct,
    ) -> ConvLayer<B> {
        let has_bias = bias_act.activation != Activation::Linear;
        ConvLayer {
            weight: self.weight(name, [outputs, inputs, kernel, kernel]),
            bias: has_bias.then(|| self.zeros(outputs)),
            resampling,
            bias_act,
        }
    }
}

impl<B: Backend> ConvLayer<B> {
    fn forward(&self, x: Tensor<B, 4>) -> Tensor<B, 4> {
        let bias = self.bias.as_ref().map(|bias| bias.val());
        resampled_layer(x, self.weight.val(), bias, self.resampling, self.bias_act)
    }
}

/// Half the size: two 3×3 convolutions beside a 1×1 skip.
#[derive(Module, Debug)]
pub struct Block<B: Backend> {
    keep: ConvLayer<B>,
    down: ConvLayer<B>,
    skip: ConvLayer<B>,
}

impl<B: Backend> Block<B> {
    fn init(name: &str, [inputs, outputs]: [usize; 2], init: &Init<'_, B>) -> Self {
        // Two paths of equal variance are added: each times √½ keeps the variance of the sum.
        let root_half = 0.5_f64.sqrt();
        let lrelu = BiasAct::new(LEAKY_RELU);
        let linear = BiasAct::new(Activation::Linear).with_extra_gain(root_half);
        let conv = |part: &str, sizes, resampling, bias_act| {
            init.conv(&format!("{name}.{part}"), sizes, resampling, bias_act)
        };
        Self {
            keep: conv("keep", [inputs, inputs, 3], Resampling::Keep, lrelu),
            down: conv("down", [inputs, outputs, 3], Resampling::Down2, lrelu.with_extra_gain(root_half)),
            skip: conv("skip", [inputs, outputs, 1], Resampling::Down2, linear),
        }
    }

    fn forward(&self, x: Tensor<B, 4>) -> Tensor<B, 4> {
        let skip = self.skip.forward(x.clone());
        skip + self.down.forward(self.keep.forward(x))
    }
}

/// Pictures to features and to a logit per category.
#[derive(Module, Debug)]
pub struct Classifier<B: Backend> {
    from_rgb: ConvLayer<B>,
    blocks: Vec<Block<B>>,
    last: ConvLayer<B>,
    /// `[classes, features]`
    weight: Param<Tensor<B, 2>>,
    /// `[classes]`
    bias: Param<Tensor<B, 1>>,
}

impl ClassifierConfig {
    /// A network with weights drawn from `seed`; every probability is near one half.
    ///
    /// # Errors
    /// As [`ClassifierConfig::validate`].
    pub fn init<B: Backend>(&self, seed: u64, device: &B::Device) -> Result<Classifier<B>, SettingError> {
        self.validate()?;
        let init = Init { seed, device };
        let widths = &self.sizes.widths;
        let (features, classes) = (self.sizes.num_features(), self.classes.len());
        let lrelu = BiasAct::new(LEAKY_RELU);
        let blocks = widths
            .windows(2)
            .enumerate()
            .map(|(index, widths)| Block::init(&format!("blocks.{index}"), [widths[0], widths[1]], &init));
        Ok(Classifier {
            from_rgb: init.conv("from_rgb", [3, widths[0], 3], Resampling::Keep, lrelu),
            blocks: blocks.collect(),
            last: init.conv("last", [features, features, 1], Resampling::Keep, lrelu),
            weight: init.weight("weight", [classes, features]),
            bias: init.zeros(classes),
        })
    }
}

impl<B: Backend> Classifier<B> {
    /// Features of pictures.
    ///
    /// # Shapes
    /// - pixels_pm1: `[batch, 3, side, side]` in −1..1
    /// - output: `[batch, features]`
    pub fn features(&self, pixels_pm1: Tensor<B, 4>) -> Tensor<B, 2> {
        let x = self.blocks.iter().fold(self.from_rgb.forward(pixels_pm1), |x, block| block.forward(x));
        let x = self.last.forward(x);
        let [batch, features, height, width] = x.dims();
        x.reshape([batch, features, height * width]).mean_dim(2).reshape([batch, features])
    }

    /// Logits of features; their logistic function is a probability per category.
    ///
    /// # Shapes
    /// - features: `[batch, features]`
    /// - output: `[batch, classes]`
    pub fn logits(&self, features: Tensor<B, 2>) -> Tensor<B, 2> {
        features.matmul(self.weight.val().transpose()) + self.bias.val().unsqueeze()
    }

    /// The same network with other biases of the logits, one per category.
    pub fn with_logit_biases(mut self, biases: &[f32]) -> Self {
        self.bias = self.bias.map(|bias| {
            let data = TensorData::new(biases.to_vec(), [biases.len()]);
            Tensor::from_data(data, &bias.device()).set_require_grad(bias.is_require_grad())
        });
        self
    }
}

#[cfg(test)]
mod tests {
    use super::super::config::{ClassKind, ClassifierSizes, SceneClass};
    use super::*;
    use crate::tensor_ops::backend::{Base, Diff, cpu};
    use burn::tensor::ElementConversion;

    fn config(side: usize, widths: &[usize], classes: u32) -> ClassifierConfig {
        let class = |id: u32| SceneClass { id, name: id.to_string(), kind: ClassKind::Thing };
        ClassifierConfig {
            sizes: ClassifierSizes { side, widths: widths.to_vec() },
            min_share: 0.005,
            classes: (1..=classes).map(class).collect(),
        }
    }

    #[test]
    fn shapes_follow_the_sizes_and_the_default_is_small() {
        let config = config(16, &[8, 12, 20], 7);
        let network = config.init::<Base>(3, &cpu()).unwrap();
        let pixels = normal([5, 3, 16, 16], &mut keyed_rng(0, "pixels", 0), &cpu());
        let features = network.features(pixels);
        assert_eq!(features.dims(), [5, 20]);
        assert_eq!(network.logits(features).dims(), [5, 7]);
        let default = ClassifierConfig { sizes: ClassifierSizes::default(), ..config };
        let count = default.init::<Base>(0, &cpu()).unwrap().num_params();
        assert!(4 * count < 1 << 20, "{count} parameters are more than a MiB");
    }

    #[test]
    fn slopes_are_those_of_differences() {
        let config = config(8, &[3, 4, 5], 2);
        let network = config.init::<Diff>(1, &cpu()).unwrap().with_logit_biases(&[0.3, -0.2]);
        let pixels: Tensor<Diff, 4> = normal([2, 3, 8, 8], &mut keyed_rng(1, "pixels", 0), &cpu());
        let loss = |network: &Classifier<Diff>, pixels: Tensor<Diff, 4>| {
            let logits = network.logits(network.features(pixels));
            (logits.clone() * logits).sum()
        };
        let value = |network: &Classifier<Diff>, pixels: Tensor<Diff, 4>| -> f64 {
            loss(network, pixels).into_scalar().elem()
        };
        let pixels = pixels.require_grad();
        let gradients = loss(&network, pixels.clone()).backward();
        // Along the gradient itself, where the kinks of the activations count least.
        let step = 1e-3;
        let check = |name: &str, gradient: Tensor<Base, 4>, moved: &dyn Fn(Tensor<Base, 4>) -> f64| {
            let length: f64 = (gradient.clone() * gradient.clone()).sum().sqrt().into_scalar().elem();
            let towards = gradient.mul_scalar(step / length);
            let numeric = (moved(towards.clone()) - moved(towards.neg())) / (2.0 * step);
            assert!(length > 0.1 && (length - numeric).abs() < 0.02 * length, "{name}: {length} {numeric}");
        };
        check("pixels", pixels.grad(&gradients).unwrap(), &|towards| {
            value(&network, Tensor::from_inner(pixels.clone().inner() + towards))
        });
        type Layer = fn(&mut Classifier<Diff>) -> &mut ConvLayer<Diff>;
        let layers: [(&str, Layer); 5] = [
            ("from_rgb", |network| &mut network.from_rgb),
            ("keep", |network| &mut network.blocks[1].keep),
            ("down", |network| &mut network.blocks[0].down),
            ("skip", |network| &mut network.blocks[1].skip),
            ("last", |network| &mut network.last),
        ];
        for (name, layer) in layers {
            let weight = layer(&mut network.clone()).weight.val();
            check(name, weight.grad(&gradients).unwrap(), &|towards| {
                let mut network = network.clone();
                let there = Tensor::from_inner(weight.clone().inner() + towards);
                layer(&mut network).weight = Param::from_tensor(there);
                value(&network, pixels.clone())
            });
        }
    }
}
