//! What an encoder's snapshot file says of its input and output, beside its sizes.

use serde::{Deserialize, Serialize};

use super::kinds::EncoderNetworkConfig;
use crate::error::{Fault, SettingError};
use crate::tensor_ops::stored::{StoredNetwork, StoredTensors};

/// What betas are predicted from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EncodingSpace {
    /// CLIP embedding of the stimulus.
    #[default]
    Image,
    /// CLIP embedding of its captions, their mean.
    Caption,
    /// Both, one behind the other.
    Both,
    /// ResNet-50 vector of the stimulus.
    Resnet,
}

impl std::fmt::Display for EncodingSpace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Image => "image",
            Self::Caption => "caption",
            Self::Both => "both",
            Self::Resnet => "resnet",
        })
    }
}

/// Configuration stored in a snapshot of kind `encoder`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EncoderSnapshot {
    /// Sizes of the network.
    pub network: EncoderNetworkConfig,
    /// What it reads.
    pub space: EncodingSpace,
    /// Voxels that it predicts.
    pub num_voxels: usize,
    /// Places of the padding before the first voxel; the rest follows the last.
    pub padding_left: usize,
    /// Subject, printed `subj01`.
    pub subject: String,
    /// Regions of the prepared file.
    pub roi: String,
    /// SHA-256 of grid and places of the voxels in it.
    pub voxels_sha256: String,
    /// SHA-256 of the networks that make what it reads, in its order.
    pub latent_networks_sha256: Vec<String>,
}

impl StoredNetwork for EncoderSnapshot {
    fn check_sizes(&self) -> Result<(), SettingError> {
        self.network.check_sizes().map_err(|error| error.within("network"))?;
        let signal_len = self.network.signal_len();
        if self.num_voxels == 0 || self.num_voxels > signal_len {
            let expected = format!("1 to {signal_len}, the length of the signal");
            return Err(SettingError::new("num_voxels", expected, self.num_voxels));
        }
        let rest = signal_len - self.num_voxels;
        if self.padding_left > rest {
            let expected = format!("at most {rest}, which is what the voxels leave of the signal");
            return Err(SettingError::new("padding_left", expected, self.padding_left));
        }
        Ok(())
    }

    fn claim(&self, tensors: &mut StoredTensors) -> Result<(), Fault> {
        self.network.claim(tensors)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::encoder::LinearEncoderConfig;

    #[test]
    fn sizes_that_contradict_each_other_are_named() {
        let network = EncoderNetworkConfig::Ridge(LinearEncoderConfig { embed_dim: 3, num_voxels: 5 });
        let snapshot = EncoderSnapshot {
            network,
            space: EncodingSpace::Image,
            num_voxels: 5,
            padding_left: 0,
            subject: "subj02".into(),
            roi: "nsdgeneral".into(),
            voxels_sha256: "0".into(),
            latent_networks_sha256: vec!["0".into()],
        };
        assert!(snapshot.check_sizes().is_ok());
        let text = serde_json::to_value(&snapshot).unwrap();
        assert_eq!(text["network"], serde_json::json!({"kind": "ridge", "embed_dim": 3, "num_voxels": 5}));
        assert_eq!(serde_json::from_value::<EncoderSnapshot>(text).unwrap(), snapshot);
        let key = |snapshot: EncoderSnapshot| snapshot.check_sizes().unwrap_err().key();
        assert_eq!(key(EncoderSnapshot { num_voxels: 6, ..snapshot.clone() }), "num_voxels");
        assert_eq!(key(EncoderSnapshot { padding_left: 1, ..snapshot }), "padding_left");
    }
}
