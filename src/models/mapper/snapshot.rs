//! What a mapper's snapshot file says of the mapper's input and output, beside its sizes.

use serde::{Deserialize, Serialize};

use super::network::MapperConfig;

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

/// Configuration stored in a snapshot of kind `mapper`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MapperSnapshot {
    /// Sizes of the network.
    pub network: MapperConfig,
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
    /// SHA-256 of the network that made the targets: CLIP, or ResNet-50.
    pub clip_sha256: String,
}
