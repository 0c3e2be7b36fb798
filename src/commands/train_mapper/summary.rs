//! What `train-mapper` found.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::bands::Band;
use super::config::{KERNEL_RIDGE_SECTION, RESIDUAL_SECTION, RIDGE_SECTION};
use crate::data::split::SplitRecord;
use crate::metrics::pairwise::PairwiseIdentification;
use crate::metrics::retrieval::RetrievalSummary;
use crate::models::mapper::{MapperKind, MapperTarget};
use crate::training::decoder::trials::ChosenOn;
use crate::training::decoder::weighted_ridge::ChosenPenalty;
use crate::training::kernel_ridge::fit::KernelRidgeChoice;
use crate::training::mapper::events::PhaseReport;
use crate::training::mapper::selection::EpochSelection;
use crate::training::residual::events::ResidualChoice;
use crate::training::ridge::decoder::RidgeSelection;
use crate::training::ridge::{GridEdge, grid_edge};

/// Fewer images than this choose by luck.
const FEW_IMAGES: usize = 20;
/// Share of outputs at an end of the grid that is worth a word.
const MANY_AT_EDGE: f64 = 0.2;

/// What `train-mapper` found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TrainMapperSummary {
    /// The run's folder.
    pub run_dir: PathBuf,
    /// Snapshot to use.
    pub snapshot: PathBuf,
    /// How betas become the embedding; the paper's network in files of older versions.
    #[serde(default = "MapperKind::of_older_files")]
    pub kind: MapperKind,
    /// What it predicts.
    pub target: MapperTarget,
    /// Trials fitted.
    pub num_train_trials: usize,
    /// Trials held out.
    pub num_validation_trials: usize,
    /// Which pictures were held out, by a hash; unknown in files of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split_record: Option<SplitRecord>,
    /// Parameters of the network.
    pub num_parameters: usize,
    /// Which trials chose the epochs of the paper's network; none of other kinds, which have no such choice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epochs_chosen_on: Option<EpochSelection>,
    /// Losses per phase; none of what is fitted in one piece.
    pub phases: Vec<PhaseReport>,
    /// How it was fitted, where it is not the paper's network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fit: Option<FitReport>,
    /// Retrieval on the held-out trials by the best weights, with chance level and interval.
    pub retrieval: RetrievalSummary,
    /// 2-way identification and rank among all held-out images, embeddings as they are (not centred); none of a single image, and in
    /// files of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identification: Option<PairwiseIdentification>,
    /// Duration of this call.
    pub seconds: f64,
}

/// How a mapper was fitted that is not the paper's; everything was chosen on training trials.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FitReport {
    /// Ridge regression.
    Ridge(RidgeReport),
    /// Ridge regression and a network that starts from it.
    Residual(ResidualChoice),
    /// Kernel ridge regression.
    KernelRidge(KernelRidgeChoice),
}

impl FitReport {
    /// That what was chosen was chosen on few images.
    pub(super) fn few_images(&self) -> Option<String> {
        let ChosenOn { num_images, .. } = match self {
            Self::Ridge(_) => return None,
            Self::Residual(choice) => choice.chosen_on,
            Self::KernelRidge(choice) => choice.chosen_on,
        };
        (num_images < FEW_IMAGES).then(|| {
            format!(
                "everything was chosen on {num_images} images, fewer than {FEW_IMAGES}: another draw of them may well choose otherwise"
            )
        })
    }

    /// What was chosen at an end of its grid, a sentence each: a wider one may hold something better.
    pub(super) fn edges(&self) -> Vec<String> {
        match self {
            Self::Ridge(report) => report.edges(),
            Self::Residual(choice) => {
                let blends: Vec<f64> = choice.blends.iter().map(|tried| tried.blend).collect();
                let blend = inner_edge(choice.blend, &blends).map(|edge| {
                    edge.warning("the blend", choice.blend, &format!("{RESIDUAL_SECTION}.blends"))
                });
                chosen_edge(&choice.ridge, RESIDUAL_SECTION).into_iter().chain(blend).collect()
            }
            Self::KernelRidge(choice) => {
                let key = format!("{KERNEL_RIDGE_SECTION}.penalties");
                let penalty = choice.edge.map(|edge| edge.warning("the penalty", choice.penalty, &key));
                chosen_edge(&choice.ridge, KERNEL_RIDGE_SECTION).into_iter().chain(penalty).collect()
            }
        }
    }
}

/// Of the linear part of the decoder whose settings stand in `section`.
fn chosen_edge(chosen: &ChosenPenalty, section: &str) -> Option<String> {
    let key = format!("{section}.ridge.penalties");
    chosen.edge.map(|edge| edge.warning("the penalty", chosen.penalty, &key))
}

/// The end of the list that a share lies at; none where no share lies beyond.
fn inner_edge(share: f64, tried: &[f64]) -> Option<GridEdge> {
    grid_edge(tried, share).filter(|_| share > 0.0 && share < 1.0)
}

/// What cross-validation over training images chose; output by output it is in `ridge.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RidgeReport {
    /// Median over the outputs of the penalty, as a multiple of the mean squared length of a trial's centred (weighted) betas; of the
    /// fraction, where fractions were tried.
    pub median_chosen: f64,
    /// Shares of outputs with the smallest and with the largest number of the grid.
    pub at_grid_edges: [f64; 2],
    /// 1 − error / error of the training mean, cross-validated, over all outputs. By this the choice was made.
    pub cross_validated_r2: f64,
    /// Rows fitted: trials, or images where they were averaged.
    pub num_rows: usize,
    /// Training images with more than one trial; with none every voxel counts as reliable.
    pub num_repeated_images: usize,
    /// Median over voxels of the reliability.
    pub median_reliability: f64,
    /// Voxels that were not left out.
    pub num_voxels: usize,
    /// Share of each band in the scales; none where there are no bands.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bands: Vec<BandShare>,
}

/// A band of voxels and its share.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BandShare {
    /// Region, or `others`.
    pub name: String,
    /// 0 to 1; all together 1.
    pub share: f64,
}

impl RidgeReport {
    /// What `selection` comes to.
    pub(super) fn new(selection: &RidgeSelection, bands: &[Band]) -> Self {
        let mut chosen = selection.chosen.clone();
        chosen.sort_by(f64::total_cmp);
        let names = bands.iter().map(|band| band.name.as_str()).chain(["others"]);
        let shares = names.zip(&selection.band_shares);
        let shares = shares.map(|(name, share)| BandShare { name: name.into(), share: *share });
        Self {
            median_chosen: chosen[chosen.len() / 2],
            at_grid_edges: [selection.at_smallest, selection.at_largest],
            cross_validated_r2: 1.0 - selection.error / selection.floor_error,
            num_rows: selection.num_rows,
            num_repeated_images: selection.num_repeated_images,
            median_reliability: selection.median_reliability,
            num_voxels: selection.num_voxels,
            bands: if bands.is_empty() { vec![] } else { shares.collect() },
        }
    }

    /// The choice in words.
    pub(super) fn line(&self) -> String {
        let Self { median_chosen, cross_validated_r2, .. } = self;
        // Targets that are all the same leave nothing to explain.
        let r2 = match cross_validated_r2.is_finite() {
            true => format!("{cross_validated_r2:.3}"),
            false => "not defined: the targets do not vary".into(),
        };
        format!("penalty {median_chosen:.3} (median), cross-validated R² {r2}")
    }

    /// Where the grid may be too short for many outputs.
    fn edges(&self) -> Vec<String> {
        let ends = self.at_grid_edges.into_iter().zip(["smallest", "largest"]);
        let many = ends.filter(|(share, _)| *share > MANY_AT_EDGE);
        many.map(|(share, end)| {
            format!(
                "{:.0} % of the outputs have the {end} number of the grid of `{RIDGE_SECTION}`: a wider one may fit better",
                100.0 * share
            )
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_at_an_end_of_its_grid_is_said_with_its_own_key() {
        let ridge = |edge| ChosenPenalty { penalty: 30.0, edge };
        let residual = |edge, blend| {
            let chosen_on = ChosenOn { num_images: 19, ..ChosenOn::default() };
            let report =
                FitReport::Residual(ResidualChoice { chosen_on, ridge: ridge(edge), blend, blends: vec![] });
            assert!(
                report.few_images().is_some_and(|text| text.contains("chosen on 19 images, fewer than 20"))
            );
            report.edges()
        };
        assert_eq!(
            residual(Some(GridEdge::Largest), 1.0),
            ["the penalty 30 is the largest of `train_mapper.residual.ridge.penalties`; add larger ones"]
        );
        assert!(residual(None, 0.5).is_empty());
        let kernel = KernelRidgeChoice {
            chosen_on: ChosenOn { num_images: 20, ..ChosenOn::default() },
            ridge: ridge(Some(GridEdge::Largest)),
            penalty: 0.03,
            edge: Some(GridEdge::Smallest),
            penalties: vec![],
        };
        let kernel = FitReport::KernelRidge(kernel);
        assert_eq!(kernel.few_images(), None);
        assert_eq!(
            kernel.edges(),
            [
                "the penalty 30 is the largest of `train_mapper.kernel_ridge.ridge.penalties`; add larger ones",
                "the penalty 0.03 is the smallest of `train_mapper.kernel_ridge.penalties`; add smaller ones"
            ]
        );
        // Nothing lies beyond 0 and 1.
        assert_eq!(inner_edge(0.75, &[0.25, 0.75]), Some(GridEdge::Largest));
        assert_eq!((inner_edge(1.0, &[0.0, 1.0]), inner_edge(0.0, &[0.0, 1.0])), (None, None));
    }
}
