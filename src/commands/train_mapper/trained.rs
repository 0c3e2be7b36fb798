//! The run of a mapper of any kind: its folder, what decides its numbers, what it made.

use std::path::PathBuf;

use burn::module::Module;
use serde_json::Value;

use super::inputs::{Inputs, MapperTargets};
use super::settings::TrainMapperSettings;
use super::summary::FitReport;
use crate::models::mapper::{AnyMapperSnapshot, MapperKind, MapperNetwork};
use crate::pipelines::mapper_betas::BetasControl;
use crate::pipelines::mapper_provenance::MapperProvenance;
use crate::pipelines::run_folder::RunPlace;
use crate::run::draft_run::DraftRun;
use crate::run::error::RunError;
use crate::run::run_dir::RunDir;
use crate::run::snapshot::{MAPPER_KIND, save_snapshot};
use crate::tensor_ops::backend::Base;
use crate::training::frame::epoch_loop::BEST_FILE;
use crate::training::mapper::events::{MapperProvenance as SnapshotProvenance, PhaseReport};

/// A mapper that was trained, and its run's folder.
pub(super) struct Trained {
    pub dir: RunDir,
    /// What the snapshot to use holds.
    pub network: MapperNetwork<Base>,
    pub num_parameters: usize,
    /// None of what is fitted in one piece.
    pub phases: Vec<PhaseReport>,
    /// Of what is not the paper's network.
    pub fit: Option<FitReport>,
    /// Of what keeps no checkpoint: a folder that nothing goes on from is none to leave behind.
    pub draft: Option<DraftRun>,
}

/// What decides the numbers of this run; its snapshots keep it.
pub(super) fn identity(
    settings: &TrainMapperSettings,
    inputs: &Inputs,
    snapshot: &AnyMapperSnapshot,
) -> serde_json::Result<Value> {
    serde_json::to_value(MapperProvenance {
        mapper: inputs.config.identity()?,
        // Of the place of voxels older checkpoints say nothing, and they go on.
        data: AnyMapperSnapshot { voxels_sha256: None, ..snapshot.clone() },
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

/// Writes the snapshot to use.
///
/// # Errors
/// [`RunError::unwritable`].
pub(super) fn save_mapper<M: Module<Base>>(
    dir: &RunDir,
    snapshot: &AnyMapperSnapshot,
    identity: &Value,
    network: &M,
) -> Result<(), RunError> {
    let provenance = SnapshotProvenance { phases: vec![], settings: identity };
    save_snapshot(&dir.join(BEST_FILE), MAPPER_KIND, snapshot, &provenance, network)
}

/// Refuses what only a training in steps can begin with.
///
/// # Errors
/// [`RunError::Invalid`] that names the flag.
pub(super) fn refuse_start(settings: &TrainMapperSettings, kind: MapperKind) -> Result<(), RunError> {
    refuse_other_mapper(settings, kind)?;
    refuse(
        "`--resume`",
        settings.resume.as_ref(),
        format!("none for the kind `{kind}`, which is fitted in one piece"),
    )
}

/// Refuses another mapper's weights to start from.
///
/// # Errors
/// [`RunError::Invalid`] that names the flag.
pub(super) fn refuse_other_mapper(settings: &TrainMapperSettings, kind: MapperKind) -> Result<(), RunError> {
    let expected = format!("none for the kind `{kind}`, which starts from ridge regression");
    refuse("`--init-from`", settings.init_from.as_ref(), expected)
}

fn refuse(flag: &str, path: Option<&PathBuf>, expected: String) -> Result<(), RunError> {
    path.map_or(Ok(()), |path| Err(RunError::invalid(path, flag, expected, "a file")))
}
