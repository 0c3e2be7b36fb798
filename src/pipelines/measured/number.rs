//! A number with its context, and the numbers of a result.

use serde::{Deserialize, Serialize};

use super::reference::{Reference, ReferenceKind};
use crate::data::split::SplitRecord;
use crate::metrics::bootstrap::Interval;
use crate::pipelines::inference::Inference;

/// What a number is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// From 0 to 1; printed in per cent.
    Share,
    /// Of so many trials.
    CountOf(usize),
    /// From −1 to 1: a cosine or a correlation.
    Correlation,
    /// From 1 on, 1 being the best.
    Rank,
    /// Area under the ROC curve, from 0 to 1; a random order has 0.5.
    Auc,
}

/// Where a number comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Presentations {
    /// Every trial is decoded by itself.
    #[default]
    Single,
    /// The mean over so many presentations of an image, on average over images.
    Averaged(f64),
}

/// What all numbers of a result share.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Context {
    /// Whose brain; unknown in files of older versions.
    pub subject: Option<String>,
    /// Which pictures were held out; none where folds hold out all of them, and in files of older versions.
    pub split: Option<SplitRecord>,
    /// Folds, where each was held out once.
    pub folds: Option<usize>,
    /// Different held-out images.
    pub num_images: usize,
    /// Held-out trials.
    pub num_trials: usize,
    /// Seed of whatever was drawn; unknown in files of older versions.
    pub seed: Option<u64>,
    /// Whether held-out trials had a part in what was predicted of them; unknown in files of older versions.
    pub inference: Option<Inference>,
}

/// One number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// What was measured: `2-way identification`.
    pub quantity: String,
    /// How it was counted: candidates, matching, centring. Numbers of different protocols are not compared.
    pub protocol: String,
    /// Whose it is: `image mapper, residual`.
    pub decoder: String,
    /// Single trials or means over presentations.
    #[serde(default)]
    pub presentations: Presentations,
    /// What the number is.
    pub unit: Unit,
    /// The number with its 95 % interval over images, in units of `unit`.
    pub value: Interval,
    /// What a random choice gives; none where that is no number, as of a cosine.
    pub chance: Option<f64>,
    /// Floors and ceilings of the same protocol.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<Reference>,
    /// What it is more than ridge regression to the same target on the same trials, with the interval of the difference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over_ridge: Option<Interval>,
}

impl Measured {
    /// The first reference of a kind.
    pub fn reference(&self, kind: ReferenceKind) -> Option<&Reference> {
        self.references.iter().find(|reference| reference.kind == kind)
    }
}

/// The numbers of a result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MeasuredTable {
    context: Context,
    numbers: Vec<Measured>,
}

impl MeasuredTable {
    /// Numbers that share a context, in the order in which they are printed.
    pub fn new(context: Context, numbers: Vec<Measured>) -> Self {
        Self { context, numbers }
    }

    /// What all of them share.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// Every number.
    pub fn numbers(&self) -> &[Measured] {
        &self.numbers
    }
}
