//! The kinds of networks that predict betas, behind one face.

use burn::tensor::{Tensor, backend::Backend, s};
use serde::{Deserialize, Serialize};

use super::linear::{LinearEncoder, LinearEncoderConfig};
use super::network::{Encoder, EncoderConfig};
use crate::error::{Fault, SettingError};
use crate::tensor_ops::stored::{StoredNetwork, StoredTensors};

/// How an embedding becomes betas.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EncoderKind {
    /// Ridge regression.
    #[default]
    Ridge,
    /// The network of *Mind Reader*, appendix A.8.
    Paper,
}

impl std::fmt::Display for EncoderKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Ridge => "ridge",
            Self::Paper => "paper",
        })
    }
}

/// Sizes of an encoder of any kind; in JSON beside a key `kind`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum EncoderNetworkConfig {
    /// Ridge regression.
    Ridge(LinearEncoderConfig),
    /// The paper's network.
    Paper(EncoderConfig),
}

impl EncoderNetworkConfig {
    /// The kind of network.
    pub fn kind(&self) -> EncoderKind {
        match self {
            Self::Ridge(_) => EncoderKind::Ridge,
            Self::Paper(_) => EncoderKind::Paper,
        }
    }

    /// Width of the embedding that it reads.
    pub fn embed_dim(&self) -> usize {
        match self {
            Self::Ridge(config) => config.embed_dim,
            Self::Paper(config) => config.embed_dim,
        }
    }

    /// Length of what it predicts, zeros of the padding included.
    pub fn signal_len(&self) -> usize {
        match self {
            Self::Ridge(config) => config.num_voxels,
            Self::Paper(config) => config.signal_len,
        }
    }
}

impl StoredNetwork for EncoderNetworkConfig {
    fn check_sizes(&self) -> Result<(), SettingError> {
        match self {
            Self::Ridge(config) => config.check_sizes(),
            Self::Paper(config) => config.check_sizes(),
        }
    }

    fn claim(&self, tensors: &mut StoredTensors) -> Result<(), Fault> {
        match self {
            Self::Ridge(config) => config.claim(tensors),
            Self::Paper(config) => config.claim(tensors),
        }
    }
}

/// An encoder of any kind.
#[derive(Clone, Debug)]
pub enum EncoderNetwork<B: Backend> {
    /// Ridge regression.
    Ridge(Box<LinearEncoder<B>>),
    /// The paper's network.
    Paper(Box<Encoder<B>>),
}

impl<B: Backend> EncoderNetwork<B> {
    /// Predicts the betas of one trial per embedding, without the padding (docs/spec/open-questions.md OQ-41).
    ///
    /// # Shapes
    /// - latents: `[batch, embed_dim]`; output: `[batch, num_voxels]`, z-scored
    pub fn forward(&self, latents: Tensor<B, 2>, padding_left: usize, num_voxels: usize) -> Tensor<B, 2> {
        let signal = match self {
            Self::Ridge(network) => network.forward(latents),
            Self::Paper(network) => network.forward(latents),
        };
        signal.slice(s![.., padding_left..padding_left + num_voxels])
    }
}
