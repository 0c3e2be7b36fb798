//! What `train-mapper` found.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::data::split::SplitRecord;
use crate::metrics::retrieval::RetrievalSummary;
use crate::models::mapper::{MapperKind, MapperTarget};
use crate::training::mapper::events::PhaseReport;

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
    /// How ridge regression was fitted, where it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ridge: Option<RidgeReport>,
    /// Retrieval on the held-out trials by the best weights, with chance level and interval.
    pub retrieval: RetrievalSummary,
    /// Duration of this call.
    pub seconds: f64,
}

/// How the regression was fitted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RidgeReport {
    /// The penalty, as a multiple of the mean squared length of a trial's centred betas.
    pub penalty: f64,
}
