//! An encoder read from its snapshot, ready to predict betas, and what the snapshot says of its fit.

use std::path::{Path, PathBuf};

use burn::tensor::Tensor;
use ndarray::Array2;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::latents::LatentForm;
use crate::data::prepared::PreparedSubject;
use crate::data::split::SplitConfig;
use crate::interrupt;
use crate::models::encoder::{EncoderNetwork, EncoderNetworkConfig, EncoderSnapshot};
use crate::run::error::RunError;
use crate::run::snapshot::{ENCODER_KIND, Snapshot, save_snapshot};
use crate::tensor_ops::backend::{Base, Device};
use crate::tensor_ops::host_values::{tensor, values};

/// Embeddings per forward pass.
const BATCH: usize = 64;

/// What decided an encoder's numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EncoderProvenance {
    /// Form of what it reads.
    pub latents: LatentForm,
    /// Which trials it was fitted to.
    pub split: SplitConfig,
    /// Trials of the subject.
    pub num_trials: usize,
    /// Settings of the fit.
    pub fit: Value,
}

/// Writes an encoder's snapshot.
///
/// # Errors
/// [`RunError::unwritable`].
pub(crate) fn save_encoder(
    path: &Path,
    snapshot: &EncoderSnapshot,
    provenance: &EncoderProvenance,
    network: &EncoderNetwork<Base>,
) -> Result<(), RunError> {
    match network {
        EncoderNetwork::Ridge(network) => {
            save_snapshot(path, ENCODER_KIND, snapshot, provenance, network.as_ref())
        }
        EncoderNetwork::Paper(network) => {
            save_snapshot(path, ENCODER_KIND, snapshot, provenance, network.as_ref())
        }
    }
}

/// An encoder with what its file says of it.
#[derive(Debug)]
pub struct LoadedEncoder {
    /// The file.
    pub path: PathBuf,
    /// Sizes, space and voxels.
    pub snapshot: EncoderSnapshot,
    /// How it was fitted.
    pub provenance: EncoderProvenance,
    network: EncoderNetwork<Base>,
}

impl LoadedEncoder {
    /// Reads a snapshot of `encode`.
    ///
    /// # Errors
    /// [`RunError`] when the file is missing, is of another kind, or does not fit its own sizes.
    pub fn open(path: &Path, device: &Device) -> Result<Self, RunError> {
        let file = Snapshot::open(path, ENCODER_KIND)?;
        let snapshot: EncoderSnapshot = file.claimed_config()?;
        let provenance = EncoderProvenance::deserialize(file.provenance()).map_err(|error| {
            RunError::invalid(path, "provenance", "that of an encoder which `encode` has fitted", error)
        })?;
        let network = match &snapshot.network {
            EncoderNetworkConfig::Ridge(config) => {
                let empty = config.init::<Base>(device).map_err(|error| file.unfit(error))?;
                EncoderNetwork::Ridge(Box::new(file.load_into(empty)?))
            }
            EncoderNetworkConfig::Paper(config) => {
                let empty = config.init::<Base>(0, device).map_err(|error| file.unfit(error))?;
                EncoderNetwork::Paper(Box::new(file.load_into(empty)?))
            }
        };
        Ok(Self { path: path.to_path_buf(), snapshot, provenance, network })
    }

    /// Refuses betas of another subject, or of other voxels.
    ///
    /// # Errors
    /// [`RunError::invalid`] that names the encoder's file.
    pub fn require_voxels(&self, prepared: &PreparedSubject) -> Result<(), RunError> {
        let EncoderSnapshot { subject, num_voxels, voxels_sha256, .. } = &self.snapshot;
        let wrong = |field: &str, expected: String, found: String| {
            let expected = format!("{expected}, as `{}` has it", prepared.path().display());
            Err(RunError::invalid(&self.path, field, expected, found))
        };
        if prepared.subject().to_string() != *subject {
            return wrong("subject", prepared.subject().to_string(), subject.clone());
        }
        if prepared.num_voxels() != *num_voxels {
            return wrong("number of voxels", prepared.num_voxels().to_string(), num_voxels.to_string());
        }
        if prepared.voxels_sha256() != *voxels_sha256 {
            return wrong("places of the voxels", prepared.voxels_sha256(), voxels_sha256.clone());
        }
        Ok(())
    }

    /// Refuses another split than the encoder's own: pictures that it must not have seen would be among those that it was fitted to.
    ///
    /// # Errors
    /// [`RunError::invalid`] that names the encoder's file.
    pub fn require_split(&self, split: &SplitConfig) -> crate::error::Result<()> {
        if split.is_same_as_stored(&self.provenance.split) {
            return Ok(());
        }
        let expected = format!("the split of this run, {}", serde_json::to_value(split)?);
        let found = serde_json::to_value(&self.provenance.split)?;
        Err(RunError::invalid(&self.path, "split", expected, found).into())
    }

    /// Predicted betas, z-scored, without padding.
    ///
    /// # Shapes
    /// - latents: `[rows, embed_dim]`, in the form of the provenance; output: `[rows, num_voxels]`
    ///
    /// # Errors
    /// Latents of another width; somebody asked to stop.
    pub fn predict(&self, latents: &Array2<f32>, device: &Device) -> crate::error::Result<Array2<f32>> {
        let EncoderSnapshot { network, num_voxels, padding_left, .. } = &self.snapshot;
        if latents.ncols() != network.embed_dim() {
            let expected = format!("{}, the width of what is encoded", latents.ncols());
            return Err(RunError::invalid(&self.path, "embed_dim", expected, network.embed_dim()).into());
        }
        let mut predicted = Vec::with_capacity(latents.nrows() * num_voxels);
        for first in (0..latents.nrows()).step_by(BATCH) {
            interrupt::check()?;
            let last = latents.nrows().min(first + BATCH);
            let rows = latents.slice(ndarray::s![first..last, ..]);
            let shape = [rows.nrows(), rows.ncols()];
            let rows: Tensor<Base, 2> = tensor(rows.iter().copied().collect(), shape, device);
            predicted.extend(values(self.network.forward(rows, *padding_left, *num_voxels)));
        }
        Ok(Array2::from_shape_vec((latents.nrows(), *num_voxels), predicted)?)
    }
}
