//! What a mapper's snapshot file says of the mapper's input and output, beside its sizes.

use burn::tensor::{Tensor, TensorData, backend::Backend};
use ndarray::Array2;
use serde::{Deserialize, Serialize};

use super::kinds::{MapperNetworkConfig, MapperShape};
use super::network::MapperConfig;
use super::padding::between_zeros;
use crate::tensor_ops::similarity::unit_norm;

/// What is taken from a ResNet mapper's vector of 0..1 before it steers a generator (docs/spec/gan-training.md §2).
pub const RESNET_CENTRE: f64 = 0.5;

/// The space that a mapper predicts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MapperTarget {
    /// CLIP embedding of the stimulus.
    #[default]
    Image,
    /// CLIP embedding of its caption.
    Caption,
    /// ResNet-50 vector of the stimulus.
    Resnet,
}

impl std::fmt::Display for MapperTarget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Image => "image",
            Self::Caption => "caption",
            Self::Resnet => "resnet",
        })
    }
}

/// Configuration stored in a snapshot of kind `mapper`; `Network` are the sizes of the network, by default the paper's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MapperSnapshot<Network = MapperConfig> {
    /// Sizes of the network.
    pub network: Network,
    /// The space that it predicts.
    pub target: MapperTarget,
    /// Voxels before padding.
    pub num_voxels: usize,
    /// Zeros before the first voxel; the rest of `network.signal_len` follows the last.
    pub padding_left: usize,
    /// Subject, printed `subj01`.
    pub subject: String,
    /// Regions of the prepared file.
    pub roi: String,
    /// SHA-256 of grid and places of the voxels in it; unknown in files of older versions and of imported mappers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voxels_sha256: Option<String>,
    /// SHA-256 of the network that made the targets: CLIP, or ResNet-50.
    #[serde(rename = "clip_sha256")]
    pub target_network_sha256: String,
}

/// Configuration of a mapper of any kind.
pub type AnyMapperSnapshot = MapperSnapshot<MapperNetworkConfig>;

impl<Network> MapperSnapshot<Network> {
    /// The same of a network of other sizes.
    pub fn with_network<Other>(&self, network: Other) -> MapperSnapshot<Other> {
        let Self {
            target, num_voxels, padding_left, subject, roi, voxels_sha256, target_network_sha256, ..
        } = self;
        MapperSnapshot {
            network,
            target: *target,
            num_voxels: *num_voxels,
            padding_left: *padding_left,
            subject: subject.clone(),
            roi: roi.clone(),
            voxels_sha256: voxels_sha256.clone(),
            target_network_sha256: target_network_sha256.clone(),
        }
    }
}

impl<Network: MapperShape> MapperSnapshot<Network> {
    /// Betas between the zeros that the network expects around them.
    ///
    /// # Shapes
    /// - betas: `[trials, num_voxels]`, z-scored within session; output: `[trials, signal_len]`
    pub fn signal<B: Backend>(&self, betas: &Array2<f32>, device: &B::Device) -> Tensor<B, 2> {
        let signal = between_zeros(betas.view(), self.padding_left, self.network.signal_len());
        let (trials, signal_len) = signal.dim();
        let (values, _) = signal.into_raw_vec_and_offset();
        Tensor::from_data(TensorData::new(values, [trials, signal_len]), device)
    }

    /// A predicted vector about zero: a ResNet mapper's minus 0.5, CLIP's as it is.
    ///
    /// # Shapes
    /// - predicted, output: `[trials, embed_dim]`
    pub fn centred<B: Backend>(&self, predicted: Tensor<B, 2>) -> Tensor<B, 2> {
        match self.target {
            MapperTarget::Image | MapperTarget::Caption => predicted,
            MapperTarget::Resnet => predicted.sub_scalar(RESNET_CENTRE),
        }
    }

    /// A predicted vector as it steers a generator: about zero, of unit norm.
    ///
    /// # Shapes
    /// - as [`MapperSnapshot::centred`]
    pub fn condition<B: Backend>(&self, predicted: Tensor<B, 2>) -> Tensor<B, 2> {
        unit_norm(self.centred(predicted))
    }
}
