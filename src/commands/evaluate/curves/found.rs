//! What the curves found, as `evaluation.json` keeps it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::wanted::Dimensions;
use crate::metrics::bootstrap::Interval;
use crate::models::mapper::MapperKind;
use crate::pipelines::targets::decoded_target::DecodedTarget;

/// Curves and comparisons of splits; what was not wanted is empty.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Curves {
    /// Score against the dimensions of a linear bottleneck, a curve per decoder.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub bottleneck: Vec<BottleneckCurve>,
    /// Score against the share of training images or of voxels, two curves per target.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub learning: Vec<LearningCurve>,
    /// Stored splits beside random ones.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub splits: Vec<SplitComparison>,
}

/// How well a decoder does; all held-out trials are the candidates of each other. Intervals are over images.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CurvePoint {
    /// Share of pairs won in 2-way identification, chance 1/2.
    pub identification: Interval,
    /// Share of trials whose prediction's best target is of the right image.
    pub forward: Interval,
    /// Share of trials whose target's best prediction is of the right image.
    pub backward: Interval,
    /// Cosine of prediction and target; of pixels Pearson's correlation.
    pub cosine: Interval,
}

/// A decoder behind a linear bottleneck between betas and decoder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BottleneckCurve {
    /// `ridge, image`, `image mapper`, …
    pub name: String,
    /// What it predicts.
    pub target: DecodedTarget,
    /// Its snapshot; none for ridge regression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mapper: Option<PathBuf>,
    /// Directions in which ridge regression's predictions of the training trials spread: more dimensions change nothing.
    pub rank: usize,
    /// Share of trials found forward and backward by a random choice.
    pub chance: f64,
    /// Ascending, `full` last.
    pub points: Vec<BottleneckPoint>,
    /// The fewest of the dimensions that reach 90 % of the way from floor to `full` in 2-way identification; none where `full` is not
    /// above the floor, or is not among the points.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ninety_percent: Option<DimensionsReached>,
}

/// One width of the bottleneck.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BottleneckPoint {
    /// Numbers that pass.
    pub dimensions: Dimensions,
    /// What passes is worth so much.
    pub found: CurvePoint,
    /// The same from exchanged betas; none where no control was wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub floor: Option<CurvePoint>,
}

/// A number of dimensions, with the interval of it over images.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DimensionsReached {
    /// With all held-out images.
    pub dimensions: Dimensions,
    /// Lower end over resamples of images.
    pub low: Dimensions,
    /// Upper end.
    pub high: Dimensions,
}

/// What a share is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SharedOut {
    /// Training images, each with all its presentations.
    Images,
    /// Voxels.
    Voxels,
}

/// Ridge regression that was fitted anew to shares of what there is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LearningCurve {
    /// `ridge, image`, …
    pub name: String,
    /// What it predicts.
    pub target: DecodedTarget,
    /// What the shares are of.
    pub of: SharedOut,
    /// Share of trials found forward and backward by a random choice.
    pub chance: f64,
    /// Share of pairs won from exchanged betas of all training trials; none where no control was wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub floor: Option<Interval>,
    /// Ascending.
    pub points: Vec<LearningPoint>,
    /// What the last share finds more than the one before it, in pairs won by the same trials; none of a single share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_step: Option<Interval>,
}

/// One share.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LearningPoint {
    /// Above 0 and at most 1.
    pub share: f64,
    /// Images or voxels of it.
    pub count: usize,
    /// Draws, which all enter the means.
    pub draws: usize,
    /// Mean over draws; the intervals are over held-out images.
    pub found: CurvePoint,
    /// Share of pairs won by the worst and by the best draw.
    pub range_over_draws: [f64; 2],
}

/// Stored splits of one rule beside random splits with as many images for training and as many held out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SplitComparison {
    /// `cluster-k5`, `tau`, …
    pub name: String,
    /// Splits, whose trials are counted together.
    pub num_splits: usize,
    /// Images (photographs) of training, of the smallest and of the largest split.
    pub train_images: [usize; 2],
    /// Images held out together, likewise.
    pub held_out_images: [usize; 2],
    /// A row per decoder.
    pub rows: Vec<ComparedRow>,
}

/// A decoder on both kinds of splits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ComparedRow {
    /// `ridge, image`, `image mapper, residual`, …
    pub name: String,
    /// What it predicts.
    pub target: DecodedTarget,
    /// Kind of the mapper that was trained; none of ridge regression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<MapperKind>,
    /// On the stored splits.
    pub stored: CurvePoint,
    /// On the random ones.
    pub random: CurvePoint,
    /// Share of trials found forward and backward by a random choice, on the stored splits and on the random ones.
    pub chance: [f64; 2],
    /// Pairs won on the random splits less those on the stored ones: other images of training, and other candidates.
    pub difference: Interval,
    /// Whether the difference is that of the same trials, which both kinds held out.
    pub is_paired: bool,
    /// What is predicted on the random splits, among the candidates of the stored ones; none where those hold other trials out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub same_candidates: Option<CurvePoint>,
    /// Pairs won so less those on the stored splits: what images of training that resemble those held out were worth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of_training: Option<Interval>,
}
