//! What a run of `encode` found.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::fitted::FittedOn;
use super::regions::RegionAccuracy;
use crate::data::split::SplitRecord;
use crate::models::encoder::{EncoderKind, EncodingSpace};
use crate::pipelines::inference::Inference;

/// What was found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EncodeSummary {
    /// The run's folder.
    pub run: PathBuf,
    /// Whose brain; unknown in files of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Seed of whatever was drawn; unknown in files of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// The encoder; ridge regression in files of older versions.
    #[serde(default)]
    pub kind: EncoderKind,
    /// What betas were predicted from; the image in files of older versions.
    #[serde(default)]
    pub space: EncodingSpace,
    /// Trials scored.
    pub num_trials: usize,
    /// Their images; 0 in files of older versions.
    #[serde(default)]
    pub num_images: usize,
    /// Which pictures were held out, by a hash; unknown in files of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split_record: Option<SplitRecord>,
    /// Whether held-out trials had a part in how they were scored; unknown in files of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inference: Option<Inference>,
    /// What the fit has chosen on training images; unknown in files of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fit: Option<FittedOn>,
    /// All prepared voxels.
    pub all: RegionAccuracy,
    /// Regions by `file:name`.
    pub regions: BTreeMap<String, RegionAccuracy>,
    /// Snapshot of the encoder; none in files of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<PathBuf>,
    /// Volume of accuracies; NaN outside the prepared voxels. None where the voxels have no places.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<PathBuf>,
    /// Pictures: what they show and from where, and their files inside the run folder.
    pub views: Vec<(String, String, String)>,
    /// Charts inside the run folder.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub plots: Vec<String>,
    /// The encoder that was fitted beside the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beside: Option<EncoderReport>,
}

/// What was found of one encoder.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EncoderReport {
    /// The encoder.
    pub kind: EncoderKind,
    /// What its fit has chosen on training images.
    pub fit: FittedOn,
    /// All prepared voxels.
    pub all: RegionAccuracy,
    /// Regions by `file:name`.
    pub regions: BTreeMap<String, RegionAccuracy>,
    /// Its snapshot.
    pub snapshot: PathBuf,
    /// Volume of accuracies; NaN outside the prepared voxels. None where the voxels have no places.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<PathBuf>,
    /// As in [`EncodeSummary::views`].
    pub views: Vec<(String, String, String)>,
    /// Charts inside the run folder.
    pub plots: Vec<String>,
}
