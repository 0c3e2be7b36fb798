//! A CLIP read from its snapshot, ready to encode.

use std::path::Path;

use super::feature_cache::ClipEncoder;
use crate::models::clip::tokenizer::{LongText, Tokenizer};
use crate::models::clip::{Clip, ClipConfig};
use crate::run::error::RunError;
use crate::run::snapshot::{CLIP_KIND, Snapshot};
use crate::tensor_ops::backend::{Base, Device};

/// A network with its sizes and the identity of its weights.
#[derive(Debug)]
pub struct ClipSnapshot {
    /// Sizes.
    pub config: ClipConfig,
    /// The network.
    pub clip: Clip<Base>,
    /// SHA-256 of kind, configuration and tensors.
    pub sha256: String,
}

impl ClipSnapshot {
    /// Reads a snapshot.
    ///
    /// # Errors
    /// [`RunError`] when the file is missing, is of another kind, or does not fit its own sizes.
    pub fn open(path: &Path, device: &Device) -> Result<Self, RunError> {
        let snapshot = Snapshot::open(path, CLIP_KIND)?;
        let (config, clip) = snapshot.network(|config: &ClipConfig| config.init_zeros::<Base>(device))?;
        Ok(Self { config, clip, sha256: snapshot.network_sha256()? })
    }

    /// An encoder that computes on `device`.
    pub fn encoder<'a>(&'a self, long_text: LongText, device: &'a Device) -> ClipEncoder<'a, Base> {
        ClipEncoder {
            clip: &self.clip,
            image_size: self.config.image_size,
            tokenizer: Tokenizer::new(self.config.context_length, long_text),
            snapshot_sha256: &self.sha256,
            device,
        }
    }

    /// exp of the logit scale: what multiplies cosines.
    pub fn logit_scale(&self) -> f64 {
        self.clip.logit_scale.val().exp().into_data().iter::<f64>().next().unwrap_or(f64::NAN)
    }
}
