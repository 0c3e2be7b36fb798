//! `mindreader train-mapper`: fit betas → CLIP embedding of the image seen, or of its captions, or ResNet vector of the image.
//!
//! Specification: docs/spec/mapper.md §1.4 to §5, §7. Writes `config.toml`, `metrics.jsonl`, `best.safetensors`,
//! `last.safetensors`,
//! `checkpoint.mpk`, `plots/` and `summary.json` into a run folder.

pub mod both;
mod config;
mod inputs;
mod plots;
mod settings;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::Instant;

use burn::module::{AutodiffModule, Module};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use self::config::{MapperSizes, ResnetMapperConfig, TrainMapperConfig};
pub(super) use self::inputs::least_memory;
use self::inputs::{Inputs, MapperTargets};
pub use self::settings::TrainMapperSettings;
use crate::data::split::SplitRecord;
use crate::interrupt;
use crate::metrics::retrieval::RetrievalSummary;
use crate::models::mapper::{Mapper, MapperConfig, MapperSnapshot, MapperTarget};
pub use crate::pipelines::mapper_betas::BetasControl;
use crate::pipelines::mapper_provenance::MapperProvenance;
use crate::pipelines::run_folder::RunPlace;
use crate::pipelines::targets::fresh_targets::FreshTargets;
use crate::pipelines::workbench::Workbench;
use crate::run::device::open;
use crate::run::error::RunError;
use crate::run::progress::Progress;
use crate::run::run_dir::{RunDir, SUMMARY_FILE};
use crate::run::snapshot::{MAPPER_KIND, Snapshot};
use crate::tensor_ops::backend::{Device, Diff};
use crate::training::frame::epoch_loop::BEST_FILE;
use crate::training::mapper::error::MapperTrainError;
use crate::training::mapper::events::PhaseReport;
use crate::training::mapper::target_queue::TargetQueue;
use crate::training::mapper::training::{MapperOutcome, MapperTraining};

/// What `train-mapper` found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TrainMapperSummary {
    /// The run's folder.
    pub run_dir: PathBuf,
    /// Snapshot to use.
    pub snapshot: PathBuf,
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
    /// Losses per phase.
    pub phases: Vec<PhaseReport>,
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
    let targets = inputs.targets(settings, &mut Workbench::new(&device, &settings.cache, progress))?;
    let snapshot = inputs.snapshot(settings.target, &targets);
    let network = starting_network(settings, &snapshot.network, inputs.config.train.seed, &device)?;
    let num_parameters = network.num_params();

    let dir = run_dir(settings, &inputs, &targets)?;
    let MapperTargets { finished, fresh, .. } = targets;
    let trials = inputs.trials(&finished, &device);
    let training = MapperTraining {
        trials,
        snapshot_config: &snapshot,
        identity: &identity(settings, &inputs, &snapshot)?,
        run: &dir,
        interrupted: &interrupt::requested,
    };
    let outcome = fit(training, network, fresh, settings.resume.as_deref(), progress)?;
    let best = outcome.best.valid();
    let shown = plots::shown_trials(&inputs.split.validation);
    let (predicted, target) = trials.predicted_and_true(&best, &shown)?;
    plots::write(&dir, &shown, &predicted, &target)?;
    let summary = TrainMapperSummary {
        run_dir: dir.path().to_path_buf(),
        snapshot: dir.join(BEST_FILE),
        target: settings.target,
        num_train_trials: inputs.split.train.len(),
        num_validation_trials: inputs.split.validation.len(),
        split_record: Some(settings.split.record(&inputs.subject, &inputs.split)),
        num_parameters,
        phases: outcome.phases,
        retrieval: trials.evaluate(&best)?,
        seconds: started.elapsed().as_secs_f64(),
    };
    dir.write_atomic(SUMMARY_FILE, &serde_json::to_vec_pretty(&summary)?)?;
    Ok(summary)
}

/// What decides the numbers of this run; its snapshots keep it.
fn identity(
    settings: &TrainMapperSettings,
    inputs: &Inputs,
    snapshot: &MapperSnapshot,
) -> serde_json::Result<Value> {
    serde_json::to_value(MapperProvenance {
        mapper: inputs.config.identity()?,
        data: snapshot.clone(),
        num_trials: inputs.subject.num_trials(),
        betas: settings.betas,
        split: settings.split.clone(),
    })
}

/// Random weights, or those of another mapper of the same sizes.
fn starting_network(
    settings: &TrainMapperSettings,
    sizes: &MapperConfig,
    seed: u64,
    device: &Device,
) -> crate::error::Result<Mapper<Diff>> {
    match &settings.init_from {
        Some(path) => open_mapper(path, sizes, device),
        None => Ok(sizes.init::<Diff>(seed, device).map_err(|error| error.within("train_mapper.network"))?),
    }
}

/// The weights of a mapper of exactly these sizes.
fn open_mapper(path: &Path, sizes: &MapperConfig, device: &Device) -> crate::error::Result<Mapper<Diff>> {
    let snapshot = Snapshot::open(path, MAPPER_KIND)?;
    let found = snapshot.config::<MapperSnapshot>()?.network;
    if found != *sizes {
        let expected = format!("that of this run, {}", serde_json::to_string(sizes)?);
        return Err(RunError::invalid(path, "network", expected, serde_json::to_string(&found)?).into());
    }
    let (_, mapper) = snapshot.network(|stored: &MapperSnapshot| stored.network.init::<Diff>(0, device))?;
    Ok(mapper)
}

/// Trains; targets that are made anew come from another thread, so that the network does not wait for them.
fn fit(
    training: MapperTraining<'_>,
    network: Mapper<Diff>,
    fresh: Option<FreshTargets>,
    resume: Option<&Path>,
    progress: &mut dyn Progress,
) -> Result<MapperOutcome, MapperTrainError> {
    let Some(fresh) = fresh else { return training.run(network, resume, progress) };
    std::thread::scope(|scope| {
        let queue = TargetQueue::start(scope, move |batch| fresh.of_batch(batch))?;
        let trials = training.trials.with_fresh_targets(&queue);
        MapperTraining { trials, ..training }.run(network, resume, progress)
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
