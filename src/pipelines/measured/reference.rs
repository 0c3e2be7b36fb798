//! What a number is held against.

use serde::{Deserialize, Serialize};

use crate::metrics::bootstrap::Interval;

/// Floors first, then ceilings; the order of the columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReferenceKind {
    /// Floor: the same decoder, fitted anew to betas that were exchanged between trials.
    ExchangedBetas,
    /// Floor: the same classifier, fitted anew to labels that were exchanged between images.
    ExchangedLabels,
    /// Floor: the mean training target in place of every prediction.
    MeanEmbedding,
    /// Floor: a random training image in place of every prediction.
    RandomTrainingImage,
    /// Floor: names or pictures held against other images.
    OtherImages,
    /// Level of who knows only the cluster of each image.
    ClusterOnly,
    /// Level of who knows only the class of each image.
    ClassOnly,
    /// Level of the training image that is nearest to the prediction.
    NearestTrainingImage,
    /// Ceiling: pictures of the true embeddings through the same generator.
    TrueEmbedding,
    /// Ceiling of the same decoder: the mean over an image's presentations.
    AveragedPresentations,
    /// Ceiling: the originals in place of what was decoded.
    Originals,
    /// Ceiling: what the noise of the data leaves.
    NoiseCeiling,
    /// What was published of other data.
    Paper,
}

impl ReferenceKind {
    /// As in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::ExchangedBetas => "exchanged-betas",
            Self::ExchangedLabels => "exchanged-labels",
            Self::MeanEmbedding => "mean-embedding",
            Self::RandomTrainingImage => "random-training-image",
            Self::OtherImages => "other-images",
            Self::ClusterOnly => "cluster-only",
            Self::ClassOnly => "class-only",
            Self::TrueEmbedding => "true-embedding",
            Self::NearestTrainingImage => "nearest-training-image",
            Self::AveragedPresentations => "averaged-presentations",
            Self::Originals => "originals",
            Self::NoiseCeiling => "noise-ceiling",
            Self::Paper => "paper",
        }
    }

    /// Head of its column, in a few letters.
    pub fn head(self) -> &'static str {
        match self {
            Self::ExchangedBetas => "exchanged betas",
            Self::ExchangedLabels => "exchanged labels",
            Self::MeanEmbedding => "mean embedding",
            Self::RandomTrainingImage => "random training image",
            Self::OtherImages => "other images",
            Self::ClusterOnly => "cluster alone",
            Self::ClassOnly => "class alone",
            Self::TrueEmbedding => "true embedding (ceiling)",
            Self::NearestTrainingImage => "nearest training image",
            Self::AveragedPresentations => "averaged (ceiling)",
            Self::Originals => "originals (ceiling)",
            Self::NoiseCeiling => "noise ceiling",
            Self::Paper => "paper",
        }
    }

    /// What stands in its column, as a sentence.
    pub fn explanation(self) -> &'static str {
        match self {
            Self::ExchangedBetas => {
                "Exchanged betas: the same decoder fitted to betas of other trials; the floor."
            }
            Self::ExchangedLabels => {
                "Exchanged labels: the same classifier fitted to labels of other images; the floor."
            }
            Self::MeanEmbedding => {
                "Mean embedding: the mean training target in place of every prediction; a floor."
            }
            Self::RandomTrainingImage => {
                "Random training image: its target in place of every prediction; a floor."
            }
            Self::OtherImages => "Other images: the same held against images that were not seen; the floor.",
            Self::ClusterOnly => {
                "Cluster alone: who knows only the cluster of each image (k-means of the training targets) and guesses inside it."
            }
            Self::ClassOnly => "Class alone: who knows only the class of each image and guesses inside it.",
            Self::TrueEmbedding => {
                "True embedding: drawn from it by the same generator; what a perfect decoder of embeddings would give."
            }
            Self::NearestTrainingImage => {
                "Nearest training image: the target of the training image nearest to the prediction, in its place."
            }
            Self::AveragedPresentations => {
                "Averaged: the mean of what is decoded from an image's presentations; what less noise gives the same decoder."
            }
            Self::Originals => {
                "Originals: the same of the pictures that were seen; no decoder can be asked for more."
            }
            Self::NoiseCeiling => "Noise ceiling: what the noise of single trials leaves.",
            Self::Paper => "Paper: the published number, of another subject's data.",
        }
    }
}

/// A number that another is held against.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reference {
    /// What it is.
    pub kind: ReferenceKind,
    /// In the unit of the other.
    pub value: f64,
    /// Its 95 % interval over images; none of what follows from the data without an estimate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<[f64; 2]>,
}

impl Reference {
    /// An estimate with its interval.
    pub fn within(kind: ReferenceKind, Interval { mean, low, high }: Interval) -> Self {
        Self { kind, value: mean, interval: Some([low, high]) }
    }

    /// A level that follows from the data.
    pub fn exact(kind: ReferenceKind, value: f64) -> Self {
        Self { kind, value, interval: None }
    }
}
