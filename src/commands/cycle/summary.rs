//! What a run of `cycle` found.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::scores::{CycleIdentification, Likeness};
use crate::data::split::SplitRecord;
use crate::models::condition_source::ConditionSource;
use crate::models::encoder::EncoderKind;
use crate::pipelines::inference::Inference;

/// What was found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CycleSummary {
    /// The run's folder.
    pub run: PathBuf,
    /// Kind of the encoder.
    pub encoder_kind: EncoderKind,
    /// Its snapshot.
    pub encoder: PathBuf,
    /// Pictures that went round.
    pub num_images: usize,
    /// The folder that they are from; none where they are the held-out images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub images: Option<PathBuf>,
    /// Which pictures were held out, by a hash; none of a folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split_record: Option<SplitRecord>,
    /// Whether held-out trials had a part in how they were scored; none of a folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inference: Option<Inference>,
    /// Which embeddings steered the generator.
    pub condition: ConditionSource,
    /// Side of the pictures in pixels.
    pub resolution: usize,
    /// Pictures drawn from predicted betas.
    pub cycled: DrawnScores,
    /// The same from measured betas, the mean of an image's presentations; none of a folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured: Option<DrawnScores>,
    /// CLIP cosine of pictures drawn from predicted and from measured betas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cycled_to_measured: Option<Likeness>,
    /// Predicted betas beside measured ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub betas: Option<BetasScores>,
    /// Pictures side by side: originals, from measured betas, cycled.
    pub sheet: PathBuf,
    /// Files and figures of every picture.
    pub manifest: PathBuf,
    /// Networks that do not belong together, a sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// Drawn pictures beside their originals.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct DrawnScores {
    /// CLIP cosine with the original.
    pub to_original: Likeness,
    /// The original among all originals, by CLIP; none of a single picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identification: Option<CycleIdentification>,
}

/// Predicted betas beside measured ones.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BetasScores {
    /// Pearson's r over voxels of an image's predicted betas with the mean of those measured.
    pub r: Likeness,
    /// The image among all images by that r; none of a single picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identification: Option<CycleIdentification>,
}

/// A picture in `manifest.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CycleEntry {
    /// Name of the picture.
    pub name: String,
    /// Its trials; none of a folder.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trials: Vec<usize>,
    /// The original at the generator's size.
    pub original: String,
    /// Drawn from predicted betas.
    pub cycled: String,
    /// Drawn from measured betas; none of a folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured: Option<String>,
    /// CLIP cosine of cycled picture and original.
    pub cycled_to_original: f64,
    /// CLIP cosine of cycled picture and that from measured betas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cycled_to_measured: Option<f64>,
    /// Pearson's r over voxels of predicted and measured betas; none where one of them is constant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub betas_r: Option<f64>,
}
