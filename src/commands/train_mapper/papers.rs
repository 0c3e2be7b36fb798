//! The paper's network: two phases of training, from random weights or another mapper's.

use std::path::Path;

use burn::module::{AutodiffModule, Module};
use serde_json::Value;

use super::inputs::{Inputs, MapperTargets};
use super::settings::TrainMapperSettings;
use super::trained::{Trained, identity, run_dir};
use crate::error::SettingError;
use crate::interrupt;
use crate::models::mapper::{
    Mapper, MapperConfig, MapperNetwork, MapperNetworkConfig, MapperSnapshot, MapperTarget,
};
use crate::pipelines::mapper_provenance::say_mapper_used;
use crate::pipelines::targets::fresh_targets::FreshTargets;
use crate::run::error::RunError;
use crate::run::progress::Progress;
use crate::run::run_dir::RunDir;
use crate::run::snapshot::{MAPPER_KIND, Snapshot};
use crate::tensor_ops::backend::{Base, Device, Diff};
use crate::training::decoder::error::DecoderError;
use crate::training::decoder::trials::Division;
use crate::training::mapper::config::MapperTrainConfig;
use crate::training::mapper::error::MapperTrainError;
use crate::training::mapper::preset::MapperPreset;
use crate::training::mapper::selection::EpochSelection;
use crate::training::mapper::target_queue::TargetQueue;
use crate::training::mapper::training::{MapperOutcome, MapperTraining};
use crate::training::mapper::trials::MapperTrials;

/// Where its settings stand.
const TRAIN_SECTION: &str = "train_mapper.train";

/// Trains it.
///
/// # Errors
/// A mapper to start from that does not fit, an interruption, a loss that is not finite.
pub(super) fn train(
    settings: &TrainMapperSettings,
    inputs: &Inputs,
    targets: &MapperTargets,
    fresh: Option<FreshTargets>,
    device: &Device,
    progress: &mut dyn Progress,
) -> crate::error::Result<Trained> {
    let snapshot = inputs.snapshot(settings.target, targets, inputs.papers_sizes(settings.target, targets));
    let network = starting_network(settings, &snapshot.network, inputs.config.train.seed, device)?;
    let num_parameters = network.num_params();
    let part = epoch_division(inputs, targets)?;
    say_preset(settings, inputs, progress);
    let dir = run_dir(settings, inputs, targets)?;
    let described = snapshot.with_network(MapperNetworkConfig::Paper(snapshot.network.clone()));
    let training = MapperTraining {
        trials: divided(inputs.trials(&targets.finished, device), part.as_ref()),
        snapshot_config: &snapshot,
        identity: &identity(settings, inputs, &described)?,
        run: &dir,
        interrupted: &interrupt::requested,
    };
    let outcome = fit(training, network, fresh, settings.resume.as_deref(), progress)?;
    let network = MapperNetwork::Paper(outcome.best.valid());
    Ok(Trained { dir, network, num_parameters, phases: outcome.phases, fit: None, draft: None })
}

/// Says what a preset puts in the place of the keys.
fn say_preset(settings: &TrainMapperSettings, inputs: &Inputs, progress: &mut dyn Progress) {
    if settings.mapper.preset == MapperPreset::None || settings.target == MapperTarget::Resnet {
        return;
    }
    let MapperTrainConfig { phase1, phase2, optimiser, contrastive, selection, .. } = &inputs.config.train;
    progress.note(&format!(
        "`train_mapper.preset`: rate {}, {} and {} epochs, temperature {}, selection `{selection}`, in place of what these keys say",
        optimiser.learning_rate, phase1.epochs, phase2.epochs, contrastive.temperature
    ));
}

/// Trains it from random weights in a folder that nobody keeps.
///
/// # Errors
/// As [`train`].
pub(super) fn train_in(
    dir: &RunDir,
    target: MapperTarget,
    inputs: &Inputs,
    targets: &MapperTargets,
    fresh: Option<FreshTargets>,
    device: &Device,
    progress: &mut dyn Progress,
) -> crate::error::Result<MapperNetwork<Base>> {
    let snapshot = inputs.snapshot(target, targets, inputs.papers_sizes(target, targets));
    let network = random_network(&snapshot.network, inputs.config.train.seed, device)?;
    let part = epoch_division(inputs, targets)?;
    let training = MapperTraining {
        trials: divided(inputs.trials(&targets.finished, device), part.as_ref()),
        snapshot_config: &snapshot,
        identity: &Value::Null,
        run: dir,
        interrupted: &interrupt::requested,
    };
    let outcome = fit(training, network, fresh, None, progress)?;
    Ok(MapperNetwork::Paper(outcome.best.valid()))
}

/// The training part in two, where a part of it chooses the epochs.
fn epoch_division(inputs: &Inputs, targets: &MapperTargets) -> crate::error::Result<Option<Division>> {
    let config = &inputs.config.train;
    if config.selection == EpochSelection::Validation {
        return Ok(None);
    }
    let of_images = targets.of_images(&inputs.image_ids);
    let division = inputs.decoder_trials(&of_images).divided(config.tuning_fraction);
    let division = division.map_err(|error| match error {
        // The other kinds have the same key in a section of ridge regression.
        DecoderError::Setting(SettingError { field, expected, found, .. }) => {
            SettingError::new(field, expected, found).within(TRAIN_SECTION).into()
        }
        other => crate::error::Error::from(other),
    })?;
    config.validate(division.fitting.len()).map_err(|error| error.within(TRAIN_SECTION))?;
    Ok(Some(division))
}

/// The trials that are fitted, and those that choose the epochs.
fn divided<'a>(trials: MapperTrials<'a>, part: Option<&'a Division>) -> MapperTrials<'a> {
    match part {
        Some(Division { fitting, tuning }) => MapperTrials { train: fitting, validation: tuning, ..trials },
        None => trials,
    }
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
        None => random_network(sizes, seed, device),
    }
}

fn random_network(sizes: &MapperConfig, seed: u64, device: &Device) -> crate::error::Result<Mapper<Diff>> {
    Ok(sizes.init::<Diff>(seed, device).map_err(|error| error.within("train_mapper.network"))?)
}

/// The weights of a mapper of exactly these sizes.
fn open_mapper(path: &Path, sizes: &MapperConfig, device: &Device) -> crate::error::Result<Mapper<Diff>> {
    let snapshot = Snapshot::open_unsaid(path, MAPPER_KIND)?;
    let found = snapshot.config::<MapperSnapshot>()?.network;
    say_mapper_used(path, &snapshot.config()?, snapshot.provenance());
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
