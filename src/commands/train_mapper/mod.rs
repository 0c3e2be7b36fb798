//! `mindreader train-mapper`: fit betas → CLIP embedding of the image seen, or of its captions, or ResNet vector of the image.
//!
//! Specification: docs/spec/mapper.md §1.4 to §5, §7. Writes `config.toml`, `metrics.jsonl`, `best.safetensors`,
//! `last.safetensors`,
//! `checkpoint.mpk`, `plots/` and `summary.json` into a run folder.

pub mod both;
mod config;
mod inputs;
mod papers;
mod plots;
mod ridge;
mod settings;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use self::config::{MapperSizes, ResnetMapperConfig, TrainMapperConfig};
pub(super) use self::inputs::least_memory;
use self::inputs::{Inputs, MapperTargets};
pub use self::ridge::RidgeReport;
pub use self::settings::TrainMapperSettings;
use crate::data::split::SplitRecord;
use crate::error::SettingError;
use crate::metrics::retrieval::RetrievalSummary;
use crate::models::mapper::{AnyMapperSnapshot, MapperKind, MapperNetwork, MapperTarget};
pub use crate::pipelines::mapper_betas::BetasControl;
use crate::pipelines::mapper_provenance::MapperProvenance;
use crate::pipelines::run_folder::RunPlace;
use crate::pipelines::workbench::Workbench;
use crate::run::device::open;
use crate::run::progress::Progress;
use crate::run::run_dir::{RunDir, SUMMARY_FILE};
use crate::tensor_ops::backend::Base;
use crate::training::frame::epoch_loop::BEST_FILE;
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

/// Fits a mapper.
///
/// # Errors
/// Data, snapshots or settings that do not fit, an interruption, a loss that is not finite.
pub fn run(
    settings: &TrainMapperSettings,
    progress: &mut dyn Progress,
) -> crate::error::Result<TrainMapperSummary> {
    let started = Instant::now();
    let (device, _) = open(settings.device)?;
    let inputs = Inputs::open(settings)?;
    let mut targets = inputs.targets(settings, &mut Workbench::new(&device, &settings.cache, progress))?;
    let fresh = targets.fresh.take();
    let trained = match inputs.config.kind {
        MapperKind::Paper => papers::train(settings, &inputs, &targets, fresh, &device, progress)?,
        MapperKind::Ridge => ridge::fit(settings, &inputs, &targets, &device, progress)?,
        kind @ (MapperKind::Residual | MapperKind::KernelRidge) => {
            return Err(SettingError::new("kind", "`paper` or `ridge`", kind).within("train_mapper").into());
        }
    };
    let Trained { dir, network, num_parameters, phases, ridge } = trained;
    let trials = inputs.trials(&targets.finished, &device);
    let shown = plots::shown_trials(&inputs.split.validation);
    let (predicted, target) = trials.predicted_and_true(&network, &shown)?;
    plots::write(&dir, &shown, &predicted, &target)?;
    let summary = TrainMapperSummary {
        run_dir: dir.path().to_path_buf(),
        snapshot: dir.join(BEST_FILE),
        kind: inputs.config.kind,
        target: settings.target,
        num_train_trials: inputs.split.train.len(),
        num_validation_trials: inputs.split.validation.len(),
        split_record: Some(settings.split.record(&inputs.subject, &inputs.split)),
        num_parameters,
        phases,
        ridge,
        retrieval: trials.evaluate(&network)?,
        seconds: started.elapsed().as_secs_f64(),
    };
    dir.write_atomic(SUMMARY_FILE, &serde_json::to_vec_pretty(&summary)?)?;
    Ok(summary)
}

/// A mapper that was trained, and its run's folder.
struct Trained {
    dir: RunDir,
    /// What the snapshot to use holds.
    network: MapperNetwork<Base>,
    num_parameters: usize,
    /// None of what is fitted in one piece.
    phases: Vec<PhaseReport>,
    ridge: Option<RidgeReport>,
}

/// What decides the numbers of this run; its snapshots keep it.
fn identity(
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
fn run_dir(
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
