//! What was found, as `summary.json` keeps it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::classifiers::ClassifierKind;
use super::config::{ClassifierInput, MappedTraining};
use super::labels::{Category, LabelSource, LeftOut};
use super::paper::PaperScores;
use crate::data::split::SplitRecord;
use crate::metrics::bootstrap::Interval;
use crate::pipelines::inference::Inference;
use crate::training::ridge::GridEdge;

/// AUC-ROC that says nothing.
pub const CHANCE: f64 = 0.5;

/// Mean over categories.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupScore {
    /// Mean AUC-ROC, with its interval over held-out images.
    pub auc: Interval,
    /// Standard deviation over categories (divided by their number).
    pub deviation: f64,
    /// Categories that have an AUC.
    pub num_categories: usize,
}

/// Means over groups of categories; none of a group without a category.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupScores {
    /// COCO's things.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub things: Option<GroupScore>,
    /// COCO's stuff.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub stuff: Option<GroupScore>,
    /// All categories.
    pub all: GroupScore,
}

/// The same from labels that were exchanged between the training images.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExchangedScores {
    /// Refits.
    pub exchanges: usize,
    /// Mean over the refits; intervals over held-out images.
    pub scores: GroupScores,
    /// Lowest and highest mean over all categories of a refit: what the exchange itself leaves to luck.
    pub range: [f64; 2],
}

/// A classifier on one input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassifierRow {
    /// What it is given.
    pub input: ClassifierInput,
    /// What it is.
    pub classifier: ClassifierKind,
    /// Mean AUC-ROC on the held-out trials.
    pub scores: GroupScores,
    /// Mean over all categories in per cent of that of the same classifier on fMRI.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub percent_of_fmri: Option<Interval>,
    /// Mean over all categories less that of the linear classifier on the same input; of the network only.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub over_linear: Option<Interval>,
    /// Floor.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub exchanged: Option<ExchangedScores>,
    /// Penalty of the linear classifier, as a multiple of the mean squared length of a centred row.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub penalty: Option<f64>,
    /// The end of the grid that it lies at.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub penalty_at_edge: Option<GridEdge>,
    /// Table 2 of the paper, subject 1 of NSD; of the network only.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub paper: Option<PaperScores>,
}

/// Mean AUC-ROC over all categories at one share of masked voxels.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MaskedPoint {
    /// Share of the voxels that were set to 0.
    pub ratio: f64,
    /// Voxels that were set to 0 in every trial.
    pub num_masked: usize,
    /// Draws of the voxels.
    pub masks: usize,
    /// Mean over the draws, with its interval over held-out images.
    pub auc: Interval,
    /// Lowest and highest of a draw.
    pub range: [f64; 2],
}

/// A classifier over the shares.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MaskedCurve {
    /// What it is given: masked betas, or what the mapper decodes from them.
    pub input: ClassifierInput,
    /// What it is.
    pub classifier: ClassifierKind,
    /// Whether it was trained anew on training trials that were masked alike.
    pub is_retrained: bool,
    /// The curve.
    pub points: Vec<MaskedPoint>,
}

/// `summary.json`: how well categories are told from each input.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ClassifySummary {
    /// Folder of the run: `config.toml`, `categories.csv`, `charts/`, `summary.json`, with masks `masking.csv`.
    pub run: PathBuf,
    /// Whose brain; unknown in files of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Seed of whatever was drawn; unknown in files of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Where categories come from.
    pub source: LabelSource,
    /// Training trials, and their images.
    pub num_train: [usize; 2],
    /// Held-out trials, and their images.
    pub num_test: [usize; 2],
    /// Which pictures were held out, by a hash.
    pub split_record: SplitRecord,
    /// Whether held-out trials had a part in how they were scored.
    pub inference: Inference,
    /// Categories that classifiers were trained for.
    pub categories: Vec<Category>,
    /// Categories that are too rare.
    pub left_out: LeftOut,
    /// What the classifiers of decoded vectors were trained on.
    pub mapped_training: MappedTraining,
    /// AUC-ROC without any knowledge.
    pub chance: f64,
    /// Classifiers.
    pub rows: Vec<ClassifierRow>,
    /// Masked voxels; empty where none were masked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub masking: Vec<MaskedCurve>,
    /// Why inputs are left out, a sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}
