//! What the checks found, as `evaluation.json` keeps it.

use serde::{Deserialize, Serialize};

use crate::metrics::bootstrap::Interval;
use crate::metrics::pairwise::PairwiseIdentification;
use crate::metrics::trust::clusters::ClusterIdentification;
use crate::metrics::trust::dimensions::Spread;
use crate::metrics::trust::levels::CosineLevels;
use crate::metrics::trust::lures::NearestTraining;
use crate::metrics::trust::permutation::PermutationTest;
use crate::pipelines::mapper_betas::BetasControl;
use crate::pipelines::targets::decoded_target::DecodedTarget;

/// All checks of an evaluation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Checks {
    /// Clusters of each target.
    pub clusters: Vec<TargetClusters>,
    /// A row per decoder, controls included, in the order of the counts.
    pub rows: Vec<RowChecks>,
    /// Pictures on both sides of the split.
    pub leak: LeakCheck,
    /// What looks wrong; empty where nothing does.
    pub flags: Vec<Flag>,
}

/// Clusters of the training targets of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TargetClusters {
    /// What was clustered.
    pub target: DecodedTarget,
    /// How many clusters.
    pub num_clusters: usize,
    /// Two-way share of a decoder that finds the cluster and guesses inside it, by the sizes that the clusters have among the held-out
    /// images.
    pub cluster_only: f64,
}

/// Checks of one decoder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RowChecks {
    /// As in the counts.
    pub name: String,
    /// What it predicts.
    pub target: DecodedTarget,
    /// Whether it is a control.
    pub betas: BetasControl,
    /// Which cluster?
    pub cluster: ClusterIdentification,
    /// Which image, among those of the same cluster; none where every cluster holds one held-out image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within_cluster: Option<WithinCluster>,
    /// How many dimensions the output has.
    pub dimensions: Dimensions,
    /// Predictions against the training targets.
    pub nearest_training: NearestTraining,
    /// Cosines that need no decoder; unknown in files of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cosine_levels: Option<CosineLevels>,
    /// Cosine with the own target, both less the mean training target, mean over held-out trials; interval over images.
    pub centred_cosine: Interval,
    /// The same over as many trials that a mapper was fitted to; none of ridge regression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub training_cosine: Option<Interval>,
    /// Two-way share against that of refits to permuted pairs: of ridge regression from each trial's own betas, and of mappers where that
    /// was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permutation: Option<PermutationTest>,
    /// Mean participation ratio of what those refits predict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permuted_participation_ratio: Option<f64>,
}

impl RowChecks {
    /// Whether it is no control.
    pub(super) fn is_measured(&self) -> bool {
        self.betas == BetasControl::Measured
    }
}

/// Identification among held-out images of the same cluster.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct WithinCluster {
    /// Trials that share their cluster with another held-out image.
    pub num_trials: usize,
    /// Two-way share and rank.
    #[serde(flatten)]
    pub identification: PairwiseIdentification,
}

/// Dimensions of predictions and of their targets, the first held-out trial of every image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Dimensions {
    /// Of the predictions.
    pub predicted: Spread,
    /// Of the targets of the same trials.
    pub target: Spread,
    /// Principal components of the training targets that explain nine tenths of their variance.
    pub span: usize,
    /// Share of the predictions' variance that lies in the span of so many components, 0..1; none where they do not vary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predicted_in_span: Option<f64>,
    /// The same of the held-out targets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_in_span: Option<f64>,
}

/// Pictures that are on both sides of the split, by identity and by what is compared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LeakCheck {
    /// Held-out images that are training images, too.
    pub same_image: usize,
    /// Pairs of a training and a held-out image with the same pixels, at the side of the pixel targets; none where pixels are no target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub same_pixels: Option<usize>,
    /// Pairs whose image targets are nearly the same: a cosine above 0.999 less the mean training target, and lengths that differ by less
    /// than a twentieth; none where there is no such target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub near_targets: Option<usize>,
    /// Names of the first pairs, training image and held-out image.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub examples: Vec<[String; 2]>,
}

/// Which check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CheckName {
    /// Finds the cluster and not the image.
    WithinCluster,
    /// Has too few dimensions.
    OutputCollapse,
    /// Is no better than refits to permuted pairs.
    Permutation,
    /// The split has pictures on both sides.
    SplitLeak,
    /// Fits held-out trials as it fits its training trials.
    FitGap,
    /// Was trained with other pictures held out.
    SplitRecord,
}

impl std::fmt::Display for CheckName {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::WithinCluster => "within-cluster",
            Self::OutputCollapse => "output-collapse",
            Self::Permutation => "permutation",
            Self::SplitLeak => "split-leak",
            Self::FitGap => "fit-gap",
            Self::SplitRecord => "split-record",
        })
    }
}

/// Something that looks wrong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Flag {
    /// By which check.
    pub check: CheckName,
    /// Name of the decoder; none where it is the data's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decoder: Option<String>,
    /// What was found, in a sentence.
    pub text: String,
}
