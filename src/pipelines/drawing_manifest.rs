//! `manifest.json` of a run of `reconstruct`: every picture that was drawn, of which trials, by which networks.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::brain_decoder::DecoderHashes;
use crate::data::split::{SplitConfig, SplitRecord};
use crate::models::condition_source::ConditionSource;
use crate::run::error::RunError;
use crate::run::precision::Precision;

/// Name of the manifest in the run's folder.
pub const MANIFEST_FILE: &str = "manifest.json";

/// What is written beside the pictures; `S` are the settings under which they were drawn.
#[derive(Clone, Debug, Serialize)]
pub struct DrawingRecord<'a, S> {
    /// `subj01`, …
    pub subject: String,
    /// Decides z and noise.
    pub seed: u64,
    /// Which trials, how drawn.
    pub settings: &'a S,
    /// Which trials belong to training and validation.
    pub split: &'a SplitConfig,
    /// Which pictures it holds out, by a hash.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub split_record: Option<SplitRecord>,
    /// Number format of the networks.
    pub precision: Precision,
    /// Where it was computed.
    pub device: &'a str,
    /// Side of the pictures in pixels.
    pub resolution: usize,
    /// The networks.
    pub weights_sha256: &'a DecoderHashes,
    /// Program and version.
    pub program: &'static str,
    /// Networks that do not belong together, a sentence each.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub warnings: &'a [String],
    /// The pictures.
    pub images: &'a [ManifestEntry],
}

/// The part of a manifest that later commands read.
#[derive(Clone, Debug, Deserialize)]
pub struct Manifest {
    /// `subj01`, …
    pub subject: String,
    /// Decides z and noise; unknown in manifests of older versions.
    #[serde(default)]
    pub seed: Option<u64>,
    /// Which pictures were held out; unknown in manifests of older versions.
    #[serde(default)]
    pub split_record: Option<SplitRecord>,
    /// The pictures, in the order in which they were drawn.
    pub images: Vec<ManifestEntry>,
    /// The networks; unknown in manifests of older versions.
    #[serde(default)]
    pub weights_sha256: Option<DecoderHashes>,
}

impl Manifest {
    /// Reads the manifest of a run's folder for `purpose`, which stands in the error when it is not there.
    ///
    /// # Errors
    /// [`RunError::Missing`]; [`RunError::Invalid`] for anything but a manifest.
    pub fn read(run: &Path, purpose: &str) -> Result<Self, RunError> {
        let path = run.join(MANIFEST_FILE);
        let bytes = RunError::read(&path, purpose)?;
        serde_json::from_slice(&bytes)
            .map_err(|error| RunError::invalid(&path, "manifest", "a manifest of `reconstruct`", error))
    }
}

/// One picture.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ManifestEntry {
    /// File inside the run folder.
    pub file: String,
    /// 0-based trials whose betas were used: one, or all presentations of the image.
    pub trials: Vec<usize>,
    /// 0-based NSD image.
    pub nsd_id: u32,
    /// How often the subject had seen the image before, for each of those trials.
    #[serde(default)]
    pub repetitions: Vec<u8>,
    /// Which embeddings steered the generator; unknown in manifests of older versions.
    #[serde(default)]
    pub condition: Option<ConditionSource>,
    /// Number of the z, from 0.
    pub sample: usize,
    /// Place in the random stream that z and noise come from, beside the seed.
    #[serde(default)]
    pub position: u64,
    /// Ground truth inside the run folder.
    pub ground_truth: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_no_manifest_is_named() {
        let root = tempfile::tempdir().unwrap();
        let error = || Manifest::read(root.path(), "a test").unwrap_err().to_string();
        assert!(error().contains("manifest.json") && error().contains("a test"), "{}", error());
        let entry = json!({"subject": "subj01", "images": [{"file": 3}]});
        std::fs::write(root.path().join(MANIFEST_FILE), entry.to_string()).unwrap();
        assert!(error().contains("a manifest of `reconstruct`"), "{}", error());
    }

    #[test]
    fn older_manifests_know_less() {
        let root = tempfile::tempdir().unwrap();
        let entry =
            json!({"file": "a.png", "trials": [7], "nsd_id": 3, "sample": 0, "ground_truth": "t.png"});
        let text = json!({"subject": "subj01", "images": [entry]}).to_string();
        std::fs::write(root.path().join(MANIFEST_FILE), text).unwrap();
        let manifest = Manifest::read(root.path(), "a test").unwrap();
        assert!(manifest.weights_sha256.is_none() && manifest.images[0].condition.is_none());
    }
}
