//! The paper's encoder: the mapper reversed, from an embedding to the padded voxel vector (docs/spec/mapper.md §8).

use burn::module::Module;
use burn::tensor::activation::relu;
use burn::tensor::{Tensor, backend::Backend};
use serde::{Deserialize, Serialize};

use super::doubling_conv::{DoublingConv, KERNEL_SIZE};
use crate::error::{Fault, SettingError, in_range, limits};
use crate::models::mapper::{MOST_VOXELS, ResBlock, SignalConv, SignalConvConfig};
use crate::tensor_ops::stored::{StoredNetwork, StoredTensors};

/// Sizes that the data do not decide; the default is the paper's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EncoderSizes {
    /// Residual blocks, 0 to 1000.
    pub num_blocks: usize,
    /// Channels of the trunk, 1 to 65,536.
    pub hidden: usize,
    /// Width between the two linear maps, 1 to 65,536.
    pub fc: usize,
}

impl Default for EncoderSizes {
    fn default() -> Self {
        Self { num_blocks: 4, hidden: 64, fc: 128 }
    }
}

impl EncoderSizes {
    /// Checks every range.
    ///
    /// # Errors
    /// [`SettingError`] that names the first key out of range.
    pub fn validate(&self) -> Result<(), SettingError> {
        in_range("num_blocks", self.num_blocks, 0..=limits::LAYERS)?;
        in_range("hidden", self.hidden, 1..=limits::WIDTH)?;
        in_range("fc", self.fc, 1..=limits::WIDTH)
    }

    /// The network between an embedding and a padded voxel vector.
    pub fn between(self, embed_dim: usize, signal_len: usize) -> EncoderConfig {
        let Self { num_blocks, hidden, fc } = self;
        EncoderConfig { embed_dim, num_blocks, hidden, fc, signal_len }
    }
}

/// Sizes of an [`Encoder`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EncoderConfig {
    /// Width of the embedding, 1 to 65,536.
    pub embed_dim: usize,
    /// Residual blocks.
    pub num_blocks: usize,
    /// Channels of the trunk.
    pub hidden: usize,
    /// Width between the two linear maps.
    pub fc: usize,
    /// Length of the padded voxel vector, 1 to 1e7.
    pub signal_len: usize,
}

impl EncoderConfig {
    /// Values of the convolutions and of both linear maps: no network of these sizes has fewer.
    pub fn least_values(&self) -> u128 {
        let [hidden, blocks, fc] = [self.hidden, self.num_blocks, self.fc].map(|size| size as u128);
        blocks * hidden * hidden + fc * (2 * self.embed_dim as u128 + self.signal_len as u128)
    }

    /// Values of what the network makes of one embedding.
    pub fn least_activations(&self) -> u128 {
        let trunk = self.hidden as u128 * self.embed_dim as u128 * (1 + self.num_blocks as u128);
        trunk + self.signal_len as u128
    }

    /// A network with PyTorch's default initialisation, drawn from `seed` alone.
    ///
    /// # Errors
    /// [`SettingError`] for sizes out of range.
    pub fn init<B: Backend>(&self, seed: u64, device: &B::Device) -> Result<Encoder<B>, SettingError> {
        self.check_sizes()?;
        let Self { embed_dim, num_blocks, hidden, fc, signal_len } = *self;
        let pointwise = |channels_in, channels_out, name: &str| {
            SignalConvConfig::pointwise(channels_in, channels_out).init(
                seed,
                &format!("encoder.{name}"),
                device,
            )
        };
        let block = |index: usize| ResBlock::init(hidden, seed, &format!("encoder.blocks.{index}"), device);
        Ok(Encoder {
            lift: pointwise(1, hidden, "lift"),
            blocks: (0..num_blocks).map(block).collect(),
            up: DoublingConv::init(hidden, seed, "encoder.up", device),
            merge: pointwise(hidden, 1, "merge"),
            narrow: pointwise(2 * embed_dim, fc, "narrow"),
            spread: pointwise(fc, signal_len, "spread"),
        })
    }
}

impl StoredNetwork for EncoderConfig {
    fn check_sizes(&self) -> Result<(), SettingError> {
        let Self { embed_dim, num_blocks, hidden, fc, signal_len } = *self;
        EncoderSizes { num_blocks, hidden, fc }.validate()?;
        in_range("embed_dim", embed_dim, 1..=limits::WIDTH)?;
        in_range("signal_len", signal_len, 1..=MOST_VOXELS)
    }

    fn claim(&self, tensors: &mut StoredTensors) -> Result<(), Fault> {
        let Self { embed_dim, num_blocks, hidden, fc, signal_len } = *self;
        tensors.claim_layer("lift", [hidden, 1, 1])?;
        for index in 0..num_blocks {
            for (part, taps) in [("conv1", 3), ("conv2", 3), ("conv3", 1)] {
                tensors.claim_layer(format!("blocks.{index}.{part}"), [hidden, hidden, taps])?;
            }
        }
        tensors.claim_layer("up", [hidden, hidden, KERNEL_SIZE])?;
        tensors.claim_layer("merge", [1, hidden, 1])?;
        tensors.claim_layer("narrow", [fc, 2 * embed_dim, 1])?;
        tensors.claim_layer("spread", [signal_len, fc, 1])
    }
}

/// Embedding → fMRI. Published names: `lift` is `decoder.0`, `blocks.i` are `decoder.{i+1}.net.{0,2,4}`, `up` is `decoder.5.0`, `merge`
/// is `decoder.6`, `narrow` and `spread` are `fc.0` and `fc.1`.
#[derive(Module, Debug)]
pub struct Encoder<B: Backend> {
    /// `[hidden, 1, 1]`
    pub lift: SignalConv<B>,
    /// Residual blocks, without an activation behind the sum.
    pub blocks: Vec<ResBlock<B>>,
    /// Doubles the length.
    pub up: DoublingConv<B>,
    /// `[1, hidden, 1]`
    pub merge: SignalConv<B>,
    /// `[fc, 2 · embed_dim, 1]`
    pub narrow: SignalConv<B>,
    /// `[signal_len, fc, 1]`
    pub spread: SignalConv<B>,
}

impl<B: Backend> Encoder<B> {
    /// Predicts the betas of one trial per embedding.
    ///
    /// # Shapes
    /// - latents: `[batch, embed_dim]`, in the form of a mapper's targets
    /// - output: `[batch, signal_len]`, z-scored betas between the zeros of the padding
    pub fn forward(&self, latents: Tensor<B, 2>) -> Tensor<B, 2> {
        let x = self.lift.forward(latents.unsqueeze_dim(1)); // [B, hidden, E]
        let x = self.blocks.iter().fold(x, |x, block| block.sum(x));
        let x = relu(self.up.forward(x)); // [B, hidden, 2E]
        let x = self.merge.forward(x); // [B, 1, 2E]
        // Two linear maps in a row, as published: their product has rank `fc`.
        self.spread.forward_rows(self.narrow.forward_rows(x.flatten(1, 2)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_ops::backend::{Base, Diff, cpu};
    use crate::tensor_ops::host_values::{scalar, values};
    use crate::tensor_ops::random::{keyed_rng, normal};
    use burn::store::ModuleSnapshot;
    use burn::tensor::FloatDType;

    fn small() -> EncoderConfig {
        EncoderSizes { num_blocks: 2, hidden: 3, fc: 4 }.between(6, 10)
    }

    #[test]
    fn the_papers_network_has_2_294_273_parameters() {
        let config = EncoderSizes::default().between(512, 15_744);
        let encoder = config.init::<Base>(42, &cpu()).unwrap();
        assert_eq!(encoder.num_params(), 2_294_273);
        let y = encoder.forward(Tensor::ones([2, 512], &cpu()));
        assert_eq!(y.dims(), [2, 15_744]);
        assert!(config.least_values() <= 2_294_273);
    }

    #[test]
    fn a_file_is_claimed_to_the_last_tensor() {
        let encoder = small().init::<Base>(1, &cpu()).unwrap();
        let shapes =
            || encoder.collect(None, None, false).into_iter().map(|t| (t.full_path(), t.shape.to_vec()));
        let mut tensors = StoredTensors::new(shapes());
        small().claim(&mut tensors).unwrap();
        tensors.require_all_claimed().unwrap();
        let other = EncoderConfig { fc: 5, ..small() };
        let error = other.claim(&mut StoredTensors::new(shapes())).unwrap_err().to_string();
        assert!(error.contains("narrow.weight"), "{error}");
    }

    /// A network of one channel and weights of 1, by hand.
    #[test]
    fn one_channel_by_hand() {
        let device = cpu();
        let config = EncoderSizes { num_blocks: 1, hidden: 1, fc: 1 }.between(2, 2);
        let mut encoder = config.init::<Base>(1, &device).unwrap();
        let fill = |conv: &mut SignalConv<Base>| {
            conv.weight = conv.weight.clone().map(|weight| weight.ones_like());
            conv.bias = conv.bias.clone().map(|bias| bias.zeros_like());
        };
        fill(&mut encoder.lift);
        let [block] = &mut encoder.blocks[..] else { panic!("one block") };
        fill(&mut block.conv1);
        fill(&mut block.conv2);
        // 0: the block hands on its input, negative values too.
        block.conv3.weight = block.conv3.weight.clone().map(|weight| weight.zeros_like());
        block.conv3.bias = block.conv3.bias.clone().map(|bias| bias.zeros_like());
        encoder.up.weight = encoder.up.weight.clone().map(|weight| weight.ones_like());
        encoder.up.bias = encoder.up.bias.clone().map(|bias| bias.zeros_like());
        fill(&mut encoder.merge);
        fill(&mut encoder.narrow);
        fill(&mut encoder.spread);
        // x = (1, −3): doubled (1, −2, −2, −3), after the ReLU (1, 0, 0, 0), and its sum everywhere.
        let y = encoder.forward(Tensor::from_data([[1.0, -3.0], [2.0, 1.0]], &device));
        // (2, 1): doubled (2, 3, 3, 1), sum 9.
        assert_eq!(values(y), [1.0, 1.0, 9.0, 9.0]);
    }

    /// Every parameter has a gradient, and along a random direction of the input it is the central difference in double precision.
    #[test]
    fn the_gradient_is_the_numeric_one() {
        let device = cpu();
        let encoder = small().init::<Diff>(1, &device).unwrap();
        let x: Tensor<Diff, 2> = normal([3, 6], &mut keyed_rng(2, "x", 0), &device);
        let weights: Tensor<Diff, 2> = normal([3, 10], &mut keyed_rng(2, "loss", 0), &device);
        let gradients = (encoder.forward(x) * weights).sum().backward();
        let convs = encoder.blocks.iter().flat_map(|block| [&block.conv1, &block.conv2, &block.conv3]);
        let layers = convs.chain([&encoder.lift, &encoder.merge, &encoder.narrow, &encoder.spread]);
        assert!(layers.into_iter().all(|layer| layer.weight.val().grad(&gradients).is_some()));
        assert!(encoder.up.weight.val().grad(&gradients).is_some());
        let double = |tensor: Tensor<Base, 2>| tensor.cast(FloatDType::F64);
        let [x, direction, weights] = ["x", "d", "loss"].map(|name| {
            let width = if name == "loss" { 10 } else { 6 };
            double(normal([3, width], &mut keyed_rng(4, name, 0), &device))
        });
        let mut doubled = encoder;
        doubled = doubled.map(&mut InDouble);
        let loss = |x: Tensor<Diff, 2>| (doubled.forward(x) * Tensor::from_inner(weights.clone())).sum();
        let tracked = Tensor::<Diff, 2>::from_inner(x.clone()).require_grad();
        let gradients = loss(tracked.clone()).backward();
        let exact = f64_of((tracked.grad(&gradients).unwrap() * direction.clone()).sum());
        let at = |step: f64| {
            f64_of(loss(Tensor::from_inner(x.clone() + direction.clone().mul_scalar(step))).inner())
        };
        let numeric = (at(1e-6) - at(-1e-6)) / 2e-6;
        assert!((exact - numeric).abs() < 1e-6 * numeric.abs().max(1e-3), "{exact} and {numeric}");
        assert!(scalar(direction.abs().sum()) > 0.0);
    }

    fn f64_of(tensor: Tensor<Base, 1>) -> f64 {
        tensor.into_data().iter::<f64>().sum()
    }

    struct InDouble;

    impl burn::module::ModuleMapper<Diff> for InDouble {
        fn map_float<const D: usize>(
            &mut self,
            param: burn::module::Param<Tensor<Diff, D>>,
        ) -> burn::module::Param<Tensor<Diff, D>> {
            let (id, tensor, mapper) = param.consume();
            let value = Tensor::from_inner(tensor.inner().cast(FloatDType::F64));
            burn::module::Param::from_mapped_value(id, value, mapper)
        }
    }

    #[test]
    fn sizes_out_of_range_are_named() {
        let key = |config: EncoderConfig| config.init::<Base>(1, &cpu()).err().map(|error| error.field);
        assert_eq!(key(EncoderConfig { hidden: 0, ..small() }), Some("hidden".into()));
        assert_eq!(key(EncoderConfig { signal_len: 0, ..small() }), Some("signal_len".into()));
        assert_eq!(key(EncoderConfig { embed_dim: usize::MAX, ..small() }), Some("embed_dim".into()));
    }
}
