//! What was found, as `evaluation.json` keeps it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::checks::found::Checks;
use super::config::Centre;
use super::curves::found::Curves;
use crate::data::split::SplitRecord;
use crate::metrics::bootstrap::Interval;
use crate::metrics::combined_retrieval::CombinedRetrieval;
use crate::metrics::pairwise::PairwiseIdentification;
use crate::metrics::retrieval::{RetrievalHits, RetrievalSummary};
use crate::metrics::trust::lures::Lures;
use crate::models::mapper::MapperKind;
use crate::pipelines::inference::Inference;
use crate::pipelines::mapper_betas::BetasControl;
use crate::pipelines::targets::decoded_target::DecodedTarget;
use crate::training::mapper::selection::EpochSelection;
use crate::training::ridge::GridEdge;

/// Behind the name of what learned from exchanged betas.
pub(super) const EXCHANGED: &str = ", exchanged";

/// Identification by the mean of what is decoded from an image's presentations: what less noise gives the same decoder.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AveragedIdentification {
    /// Presentations of an image, mean over images.
    pub mean_presentations: f64,
    /// Images of which more than one presentation was decoded.
    pub num_repeated_images: usize,
    /// Over images, each with the mean of its presentations.
    pub identification: PairwiseIdentification,
}

/// One decoder on all validation trials.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DecoderRow {
    /// `image mapper`, `ridge, image`, …
    pub name: String,
    /// Its snapshot; none for ridge regression.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mapper: Option<PathBuf>,
    /// Penalty of ridge regression, as a multiple of the mean squared length of a trial's centred betas.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub penalty: Option<f64>,
    /// The end of the grid that the penalty lies at: a wider grid may hold a better one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub penalty_at_edge: Option<GridEdge>,
    /// Whether it learned from exchanged betas: then it is a control.
    #[serde(default)]
    pub betas: BetasControl,
    /// What it predicts.
    pub target: DecodedTarget,
    /// Cosine of prediction and target, mean over trials; of pixels Pearson's correlation.
    pub cosine: Interval,
    /// Right is another presentation of the same image, too (the paper's count).
    pub by_image: RetrievalSummary,
    /// Right is the same trial only.
    pub by_index: RetrievalSummary,
    /// 2-way identification and rank among all held-out images; none of a single image, and in files of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identification: Option<PairwiseIdentification>,
    /// The same of averaged presentations; none where no image has several, and in files of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub averaged: Option<AveragedIdentification>,
    /// Which trials were found, by image.
    pub hits: RetrievalHits,
    /// What a mapper finds more than ridge regression to the same target on the same trials; none where that was not evaluated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over_ridge: Option<PairedDifference>,
}

/// Levels of who knows the class of every image and guesses inside it (docs/spec/metrics.md §10).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassLevels {
    /// Share of 2-way choices that are right.
    pub pairs: f64,
    /// Trials found in a batch, forward, mean over batches.
    pub found: f64,
    /// Trials of a batch.
    pub batch_size: usize,
}

/// Difference of two decoders' counts on the same trials, with an interval over images: that of the difference itself, which is
/// narrower than those of the counts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PairedDifference {
    /// Trials of a batch: the counts are of so many.
    pub batch_size: usize,
    /// By image, mean over batches.
    pub forward: Interval,
    /// The other way round.
    pub backward: Interval,
}

/// One or several mappers on the half of the validation images that did not choose the weights.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CombinationRow {
    /// Positions of the mappers in the list.
    pub mappers: Vec<usize>,
    /// Weights in the similarity, and counts by image.
    #[serde(flatten)]
    pub combined: CombinedRetrieval,
}

/// One decoder over all folds: every trial was held out once.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CrossValidatedRow {
    /// `ridge, image`, …
    pub name: String,
    /// What it predicts.
    pub target: DecodedTarget,
    /// Kind of the mapper that was trained in every fold; none of ridge regression with one penalty for all outputs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<MapperKind>,
    /// Which trials chose the epochs of the paper's network: never those of the fold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epochs_chosen_on: Option<EpochSelection>,
    /// Penalty of each fold, chosen on that fold's training trials; none of mappers.
    pub penalties: Vec<f64>,
    /// Folds whose penalty lies at an end of the grid.
    pub folds_at_edge: usize,
    /// Share of trials whose prediction's best target, among the fold's, is of the right image.
    pub forward: Interval,
    /// Share of trials whose target's best prediction, among the fold's, is of the right image.
    pub backward: Interval,
    /// That share for a random choice.
    pub chance: f64,
    /// 2-way identification and rank among the fold's images.
    pub identification: PairwiseIdentification,
    /// Cosine of prediction and target, mean over trials; of pixels Pearson's correlation.
    pub cosine: Interval,
    /// What a mapper finds more than ridge regression to the same target in the same trials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over_ridge: Option<FoldDifference>,
}

/// Difference of two decoders over the same folds, of shares, with an interval over images: that of the difference itself.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct FoldDifference {
    /// Of the trials found forward.
    pub forward: Interval,
    /// Of the trials found backward.
    pub backward: Interval,
    /// Of the pairs won in 2-way identification.
    pub identification: Interval,
}

/// Ridge regression over folds of the images, and mappers that were trained in every fold.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CrossValidation {
    /// Number of folds.
    pub folds: usize,
    /// Images in all folds together; photographs, where several images are of one.
    pub num_groups: usize,
    /// Trials of the smallest and of the largest fold: the candidates of the counts.
    pub candidates: [usize; 2],
    /// A row per target, then one per target and kind of mapper.
    pub rows: Vec<CrossValidatedRow>,
    /// The same with betas that were exchanged between trials: the floor.
    pub control: Vec<CrossValidatedRow>,
}

/// What was found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EvaluateSummary {
    /// The run's folder.
    pub run: PathBuf,
    /// Whose brain; unknown in files of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Seed of folds, of exchanged betas and of what was trained; unknown in files of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Validation trials; over folds all trials.
    pub num_trials: usize,
    /// Which pictures were held out, by a hash; none over folds, which hold out all, and in files of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split_record: Option<SplitRecord>,
    /// Trials whose images chose the weights of the combinations.
    pub num_search_trials: usize,
    /// NSD image of every validation trial, in the order of the hits.
    pub images: Vec<u32>,
    /// What was taken from predictions and targets before they were compared.
    #[serde(default)]
    pub centre: Centre,
    /// Whether held-out trials had a part in what was predicted of them; unknown in files of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inference: Option<Inference>,
    /// What an image was told from in 2-way identification.
    #[serde(default)]
    pub lures: Lures,
    /// What who knows the class of every held-out image and nothing else would get; none where the data say nothing of classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class_levels: Option<ClassLevels>,
    /// Each mapper alone, with chance levels and intervals.
    pub mappers: Vec<DecoderRow>,
    /// Mappers that learned from betas that were exchanged between trials: the floor of those of their kind and target.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mapper_control: Vec<DecoderRow>,
    /// Ridge regression to the same targets.
    pub ridge: Vec<DecoderRow>,
    /// Ridge regression from betas that were exchanged between trials: the floor.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ridge_control: Vec<DecoderRow>,
    /// Penalties that ridge regression chose from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub penalties: Vec<f64>,
    /// Height and width of the pictures that were targets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pixel_side: Option<usize>,
    /// Every subset of the mappers on the same trials; those of one are the comparison.
    pub combinations: Vec<CombinationRow>,
    /// What makes the counts believable; none over folds, and in files of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checks: Option<Checks>,
    /// Decoders over folds, in place of the split.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cross_validation: Option<CrossValidation>,
    /// Score against dimensions, data and splits, where that was wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub curves: Option<Curves>,
}

impl EvaluateSummary {
    /// Mappers and regressions that learned from every trial's own betas: none of the controls.
    pub fn decoders(&self) -> impl Iterator<Item = &DecoderRow> {
        self.mappers.iter().chain(&self.ridge).filter(|row| row.betas == BetasControl::Measured)
    }

    /// Presentations that are averaged, mean over images; none where no held-out image has several.
    pub fn mean_presentations(&self) -> Option<f64> {
        let mut rows = self.mappers.iter().chain(&self.ridge);
        rows.find_map(|row| Some(row.averaged?.mean_presentations))
    }

    /// The same decoder from exchanged betas: ridge regression to the same target, or a mapper of its kind; none where there is none.
    pub fn floor(&self, row: &DecoderRow) -> Option<&DecoderRow> {
        if row.mapper.is_none() {
            return self.ridge_control.iter().find(|control| control.target == row.target);
        }
        let name = format!("{}{EXCHANGED}", row.name);
        self.mapper_control.iter().find(|control| control.name == name)
    }
}

impl CrossValidation {
    /// The same decoder from exchanged betas.
    pub fn floor(&self, row: &CrossValidatedRow) -> Option<&CrossValidatedRow> {
        self.control.iter().find(|control| (control.target, control.kind) == (row.target, row.kind))
    }
}
