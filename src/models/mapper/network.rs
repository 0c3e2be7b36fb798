//! Residual Conv1D mapper: padded voxel vector → CLIP embedding (Lin, Sprague, Singh 2022, <https://arxiv.org/abs/2210.01769>).
//!
//! Specification: docs/spec/mapper.md §3. Axis order is `[batch, channel, position]` throughout.
//! The output is *not* normalised; clamping and scaling belong to the targets (`data::targets`).

use burn::module::Module;
use burn::tensor::activation::{relu, sigmoid};
use burn::tensor::{Tensor, backend::Backend};
use serde::{Deserialize, Serialize};

use super::conv::{SignalConv, SignalConvConfig};
use super::position_head::PositionHead;
use super::res_block::ResBlock;
use crate::error::{SettingError, in_range, limits};
use crate::tensor_ops::mapper_kernels::{KernelShape, forward_by_kernels};

/// Longest signal: more voxels than a whole brain has at 1 mm.
pub const MOST_VOXELS: usize = 10_000_000;
/// Most halvings: more leave nothing of the longest signal.
pub const MOST_HALVINGS: usize = 20;

/// Sizes of a [`Mapper`]; the default is the paper's for subject 1 (1 156 929 parameters).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MapperConfig {
    /// Length of the padded voxel vector; a multiple of `2^num_down`.
    pub signal_len: usize,
    /// Layers that halve the length.
    pub num_down: usize,
    /// Residual blocks.
    pub num_blocks: usize,
    /// Channels of the trunk.
    pub hidden: usize,
    /// Hidden units of the perceptron over positions.
    pub fc: usize,
    /// Width of the predicted embedding.
    pub embed_dim: usize,
    /// Sigmoid at the end: for targets scaled to [0, 1], not for CLIP's.
    pub sigmoid: bool,
}

impl Default for MapperConfig {
    fn default() -> Self {
        Self {
            signal_len: 15_744,
            num_down: 1,
            num_blocks: 4,
            hidden: 64,
            fc: 128,
            embed_dim: 512,
            sigmoid: false,
        }
    }
}

impl MapperConfig {
    /// Positions after the halving layers.
    ///
    /// # Errors
    /// [`SettingError`] for sizes that make no network.
    pub fn positions(&self) -> Result<usize, SettingError> {
        in_range("signal_len", self.signal_len, 1..=MOST_VOXELS)?;
        in_range("num_down", self.num_down, 1..=MOST_HALVINGS)?;
        in_range("num_blocks", self.num_blocks, 0..=limits::LAYERS)?;
        for (field, size) in [("hidden", self.hidden), ("fc", self.fc), ("embed_dim", self.embed_dim)] {
            in_range(field, size, 1..=limits::WIDTH)?;
        }
        let factor =
            u32::try_from(self.num_down).ok().and_then(|n| 2_usize.checked_pow(n)).unwrap_or(usize::MAX);
        if !self.signal_len.is_multiple_of(factor) {
            let expected = format!("a multiple of {factor} (2 to the power `num_down`)");
            return Err(SettingError::new("signal_len", expected, self.signal_len));
        }
        Ok(self.signal_len / factor)
    }

    /// Values of the convolutions and of the first matrix over positions: no network of these sizes has fewer.
    pub fn least_values(&self) -> u128 {
        let [hidden, blocks] = [self.hidden, self.num_blocks].map(|size| size as u128);
        let positions = (self.signal_len >> self.num_down.min(MOST_HALVINGS)) as u128;
        blocks * hidden * hidden + hidden * self.embed_dim as u128 + positions * self.fc as u128
    }

    /// Values of what the trunk makes of one trial.
    pub fn least_activations(&self) -> u128 {
        let positions = (self.signal_len >> self.num_down.min(MOST_HALVINGS)) as u128;
        positions * self.hidden as u128 * (1 + self.num_blocks as u128)
    }

    /// A network with PyTorch's default initialisation, drawn from `seed` alone.
    ///
    /// # Errors
    /// [`SettingError`] for sizes that make no network.
    pub fn init<B: Backend>(&self, seed: u64, device: &B::Device) -> Result<Mapper<B>, SettingError> {
        let positions = self.positions()?;
        let down = |index: usize| {
            let channels_in = if index == 0 { 1 } else { self.hidden };
            let config = SignalConvConfig::halving(channels_in, self.hidden);
            config.init(seed, &format!("mapper.down.{index}"), device)
        };
        let block =
            |index: usize| ResBlock::init(self.hidden, seed, &format!("mapper.blocks.{index}"), device);
        Ok(Mapper {
            down: (0..self.num_down).map(down).collect(),
            blocks: (0..self.num_blocks).map(block).collect(),
            lift: SignalConvConfig::pointwise(self.hidden, self.embed_dim).init(seed, "mapper.lift", device),
            head: PositionHead::init(positions, self.fc, seed, "mapper.head", device),
            sigmoid: self.sigmoid,
        })
    }
}

/// fMRI → embedding.
#[derive(Module, Debug)]
pub struct Mapper<B: Backend> {
    /// Strided layers, kernel 4.
    pub down: Vec<SignalConv<B>>,
    /// Residual blocks.
    pub blocks: Vec<ResBlock<B>>,
    /// Trunk channels → embedding coordinates.
    pub lift: SignalConv<B>,
    /// Positions → one number.
    pub head: PositionHead<B>,
    sigmoid: bool,
}

impl<B: Backend> Mapper<B> {
    /// Predicts one embedding per trial.
    ///
    /// # Shapes
    /// - betas: `[batch, signal_len]`, z-scored within session, padded with zeros
    /// - output: `[batch, embed_dim]`, not normalised
    pub fn forward(&self, betas: Tensor<B, 2>) -> Tensor<B, 2> {
        // The kernels end before the sigmoid, which both ways share.
        let by_kernels = self
            .kernel_shape(betas.dims()[1])
            .and_then(|shape| forward_by_kernels(shape, || self.flat_parameters(), &betas));
        let embedding = by_kernels.unwrap_or_else(|| self.forward_portable(betas));
        if self.sigmoid { sigmoid(embedding) } else { embedding }
    }

    /// The network without its sigmoid, in tensor operations.
    fn forward_portable(&self, betas: Tensor<B, 2>) -> Tensor<B, 2> {
        let x: Tensor<B, 3> = betas.unsqueeze_dim(1); // [B, 1, L]
        let x = self.down.iter().fold(x, |x, layer| relu(layer.forward(x))); // [B, hidden, P]
        let x = self.blocks.iter().fold(x, |x, block| block.forward(x));
        let x = self.lift.forward(x); // [B, E, P]
        self.head.forward(x) // [B, E]
    }

    /// Sizes for the kernels of the CPU, if they are made for this network.
    fn kernel_shape(&self, signal_len: usize) -> Option<KernelShape> {
        // Two halvings (the ResNet mapper) or another width take the portable way.
        let [down] = self.down.as_slice() else { return None };
        let weights = [&down.weight, &self.lift.weight, &self.head.hidden.weight];
        KernelShape::of(signal_len, self.blocks.len(), weights.map(|weight| weight.dims()))
    }

    /// All parameters in one vector, in the order of [`KernelShape::parameter_lens`].
    fn flat_parameters(&self) -> Tensor<B, 1> {
        let blocks = self.blocks.iter().flat_map(|block| [&block.conv1, &block.conv2, &block.conv3]);
        let layers = self.down.iter().chain(blocks).chain([&self.lift, &self.head.hidden, &self.head.output]);
        // Joined by a tensor operation, so that the kernels' one gradient flows back into every parameter.
        let parts = layers.flat_map(|layer| [layer.weight.val().flatten::<1>(0, 2), layer.bias.val()]);
        Tensor::cat(parts.collect(), 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_ops::backend::{Base, cpu};
    use burn::module::AutodiffModule;

    fn small() -> MapperConfig {
        MapperConfig { signal_len: 64, hidden: 8, fc: 8, embed_dim: 16, ..MapperConfig::default() }
    }

    #[test]
    fn the_papers_network_has_1_156_929_parameters() {
        let mapper = MapperConfig::default().init::<Base>(42, &cpu()).unwrap();
        assert_eq!(mapper.num_params(), 1_156_929);
        // The mapper of ResNet targets, docs/spec/mapper.md §6.3.
        let config =
            MapperConfig { num_down: 2, fc: 256, embed_dim: 256, sigmoid: true, ..Default::default() };
        assert_eq!(config.init::<Base>(42, &cpu()).unwrap().num_params(), 1_156_993);
    }

    #[test]
    fn half_precision_predicts_alike() {
        use crate::tensor_ops::half::{half_like, in_half, single};
        let mapper = small().init::<Base>(5, &cpu()).unwrap();
        let betas = Tensor::<Base, 2>::ones([2, 64], &cpu());
        let expected = mapper.forward(betas.clone());
        let half = in_half(mapper);
        let actual = single(half.forward(half_like(betas, &half.lift.weight.val())));
        let scale = expected.clone().abs().max().into_scalar();
        let worst = (actual - expected).abs().max().into_scalar();
        assert!(worst > 0.0 && worst < 1e-2 * scale, "{worst} of {scale}");
    }

    /// The kernels against tensor operations: embeddings and every gradient, at sizes that fill no tile.
    #[test]
    fn kernels_are_the_network() {
        use crate::tensor_ops::backend::Diff;
        use crate::tensor_ops::random::{keyed_rng, normal};
        let device = cpu();
        let config = MapperConfig {
            signal_len: 206,
            num_blocks: 2,
            embed_dim: 128,
            fc: 64,
            ..MapperConfig::default()
        };
        let mapper = config.init::<Diff>(3, &device).unwrap();
        let betas: Tensor<Diff, 2> = normal([9, 206], &mut keyed_rng(4, "betas", 0), &device);
        let weights: Tensor<Diff, 2> = normal([9, 128], &mut keyed_rng(4, "loss", 0), &device);
        assert!(mapper.kernel_shape(206).is_some());
        let run = |embedding: Tensor<Diff, 2>| {
            let gradients = (embedding.clone() * weights.clone()).sum().backward();
            let blocks = mapper.blocks.iter().flat_map(|block| [&block.conv1, &block.conv2, &block.conv3]);
            let layers = mapper.down.iter().chain(blocks).chain([
                &mapper.lift,
                &mapper.head.hidden,
                &mapper.head.output,
            ]);
            let of_layers = layers.flat_map(|layer| {
                let weight = layer.weight.val().grad(&gradients).unwrap().flatten::<1>(0, 2);
                [weight, layer.bias.val().grad(&gradients).unwrap()]
            });
            let mut all = vec![embedding.inner().flatten::<1>(0, 1)];
            all.extend(of_layers);
            all
        };
        let by_kernels = run(mapper.forward(betas.clone()));
        let portable = run(mapper.forward_portable(betas.clone()));
        assert_eq!(by_kernels.len(), 1 + 2 * (1 + 3 * 2 + 3));
        for (index, (ours, expected)) in by_kernels.into_iter().zip(portable).enumerate() {
            let scale = expected.clone().abs().max().into_scalar();
            let difference = (ours - expected).abs().max().into_scalar() / scale;
            assert!(scale > 0.0 && difference < 2e-5, "tensor {index}: {difference} of {scale}");
        }
        let plain = mapper.clone().valid().forward(betas.clone().inner());
        let difference = (plain - mapper.forward(betas).inner()).abs().max().into_scalar();
        assert_eq!(difference, 0.0);
    }

    #[test]
    fn the_seed_decides_the_weights_and_they_stay_within_the_bound() {
        let weight =
            |seed| small().init::<Base>(seed, &cpu()).unwrap().blocks[1].conv1.weight.val().into_data();
        assert_eq!(weight(1), weight(1));
        assert_ne!(weight(1), weight(2));
        let bound = 1.0 / (8.0_f32 * 3.0).sqrt();
        let values = weight(1).to_vec::<f32>().unwrap();
        assert!(values.iter().all(|value| value.abs() <= bound));
        assert!(values.iter().any(|value| *value > 0.8 * bound) && values.iter().any(|v| *v < -0.8 * bound));
    }

    #[test]
    fn sizes_that_make_no_network_are_refused_by_name() {
        let of = |config: MapperConfig| config.init::<Base>(0, &cpu()).err().map(|error| error.to_string());
        let odd = MapperConfig { signal_len: 66, num_down: 2, ..small() };
        assert!(of(odd).unwrap().contains("`signal_len`: found 66, expected a multiple of 4"));
        assert!(of(MapperConfig { fc: 0, ..small() }).unwrap().contains("`fc`: found 0"));
        let deep = MapperConfig { num_down: 100, ..small() };
        assert!(of(deep).unwrap().contains("`num_down`: found 100"));
    }

    #[test]
    fn configs_refuse_unknown_keys() {
        let error = serde_json::from_str::<MapperConfig>(r#"{"hiden": 3}"#).unwrap_err();
        assert!(error.to_string().contains("hiden"), "{error}");
    }
}
