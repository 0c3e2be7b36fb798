//! What `train-mapper` found.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::bands::Band;
use crate::data::split::SplitRecord;
use crate::metrics::retrieval::RetrievalSummary;
use crate::models::mapper::{MapperKind, MapperTarget};
use crate::run::progress::Progress;
use crate::training::kernel_ridge::fit::KernelRidgeChoice;
use crate::training::mapper::events::PhaseReport;
use crate::training::residual::events::ResidualChoice;
use crate::training::ridge::decoder::RidgeSelection;

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
    #[serde(default)]
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
    /// Losses per phase; none of what is fitted in one piece.
    pub phases: Vec<PhaseReport>,
    /// How it was fitted, where it is not the paper's network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fit: Option<FitReport>,
    /// Retrieval on the held-out trials by the best weights, with chance level and interval.
    pub retrieval: RetrievalSummary,
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
        format!("penalty {median_chosen:.3} (median), cross-validated R² {cross_validated_r2:.3}")
    }

    /// Warns where the grid may be too short for many outputs.
    pub(super) fn warn_of_edges(&self, progress: &mut dyn Progress) {
        for (share, end) in self.at_grid_edges.into_iter().zip(["smallest", "largest"]) {
            if share > MANY_AT_EDGE {
                let percent = 100.0 * share;
                progress.warning(&format!(
                    "{percent:.0} % of the outputs have the {end} number of the grid of `train_mapper.ridge`: a wider one may fit better"
                ));
            }
        }
    }
}
