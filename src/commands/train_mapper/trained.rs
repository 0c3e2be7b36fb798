//! The run of a mapper of any kind: its folder, what decides its numbers, what it made.

use serde_json::Value;

use super::inputs::{Inputs, MapperTargets};
use super::settings::TrainMapperSettings;
use super::summary::RidgeReport;
use crate::models::mapper::{AnyMapperSnapshot, MapperNetwork};
use crate::pipelines::mapper_betas::BetasControl;
use crate::pipelines::mapper_provenance::MapperProvenance;
use crate::pipelines::run_folder::RunPlace;
use crate::run::run_dir::RunDir;
use crate::tensor_ops::backend::Base;
use crate::training::mapper::events::PhaseReport;

/// A mapper that was trained, and its run's folder.
pub(super) struct Trained {
    pub dir: RunDir,
    /// What the snapshot to use holds.
    pub network: MapperNetwork<Base>,
    pub num_parameters: usize,
    /// None of what is fitted in one piece.
    pub phases: Vec<PhaseReport>,
    pub ridge: Option<RidgeReport>,
}

/// What decides the numbers of this run; its snapshots keep it.
pub(super) fn identity(
    settings: &TrainMapperSettings,
    inputs: &Inputs,
    snapshot: &AnyMapperSnapshot,
) -> serde_json::Result<Value> {
    serde_json::to_value(MapperProvenance {
        mapper: inputs.config.identity()?,
        data: snapshot.clone(),
        num_trials: inputs.subject.num_trials(),
        betas: settings.betas,
        split: settings.split.clone(),
    })
}

/// The run's folder: a new one with its resolved settings, or the checkpoint's.
pub(super) fn run_dir(
    settings: &TrainMapperSettings,
    inputs: &Inputs,
    targets: &MapperTargets,
) -> crate::error::Result<RunDir> {
    let control = match settings.betas {
        BetasControl::Measured => "",
        BetasControl::Shuffled => "-shuffled",
    };
    let description = format!("train-mapper-{}-{}{control}", settings.target, inputs.subject.subject());
    let TrainMapperSettings { resume, runs, .. } = settings;
    let place = RunPlace { resume: resume.as_deref(), runs, description: &description };
    place.open(settings, &inputs.content(settings, targets)?)
}
