//! What a mapper's snapshot says of itself: enough to feed it and to know what comes out.

use serde::{Deserialize, Serialize};

use super::network::MapperConfig;

/// What a mapper predicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MapperTarget {
    /// CLIP embedding of the image seen.
    #[default]
    Image,
    /// CLIP embedding of a caption of the image seen.
    Caption,
}

impl MapperTarget {
    /// As in configs and folder names.
    pub fn name(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Caption => "caption",
        }
    }
}

/// Configuration stored in a mapper's snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MapperSnapshotConfig {
    /// Sizes of the network.
    pub mapper: MapperConfig,
    /// What it predicts.
    pub target: MapperTarget,
    /// Whose brain, `subj01`.
    pub subject: String,
    /// The voxels, as the prepared subject names its selection.
    pub selection: Vec<String>,
    /// Voxels before padding.
    pub num_voxels: usize,
    /// Zeros in front: voxel `i` sits at `i + padding_left`.
    pub padding_left: usize,
    /// Zeros behind.
    pub padding_right: usize,
    /// SHA-256 of the CLIP snapshot whose embeddings it predicts.
    pub clip_sha256: String,
}

impl MapperSnapshotConfig {
    /// Kind of the snapshot file.
    pub const KIND: &'static str = "mapper";
}
