//! The residual mapper: ridge regression, a network that starts from it, and a blend of both.

use burn::module::Module;
use serde_json::Value;

use super::config::RESIDUAL_SECTION;
use super::inputs::{Inputs, MapperTargets};
use super::settings::TrainMapperSettings;
use super::summary::FitReport;
use super::trained::{Trained, identity, refuse_other_mapper, run_dir, save_mapper};
use crate::interrupt;
use crate::models::mapper::{MapperNetwork, MapperNetworkConfig};
use crate::run::progress::Progress;
use crate::run::run_dir::RunDir;
use crate::tensor_ops::backend::{Base, Device};
use crate::training::residual::inputs::ResidualTraining;

/// Trains it. Everything that is chosen is chosen on the tuning images of the training part.
///
/// # Errors
/// A mapper to start from, of which it has no use; an interruption, a loss that is not finite.
pub(super) fn train(
    settings: &TrainMapperSettings,
    inputs: &Inputs,
    targets: &MapperTargets,
    device: &Device,
    progress: &mut dyn Progress,
) -> crate::error::Result<Trained> {
    refuse_other_mapper(settings, inputs.config.kind)?;
    let of_images = targets.of_images(&inputs.image_ids);
    let trials = inputs.decoder_trials(&of_images);
    let config = &inputs.config.residual;
    // Before there is a folder: what cannot be divided leaves none behind.
    trials.divided(config.ridge.tuning_fraction).map_err(|error| error.within(RESIDUAL_SECTION))?;
    // The blend is chosen by the training and belongs to the snapshot, not to what a checkpoint must agree with.
    let sizes = config.network(trials.sizes());
    let described = inputs.snapshot(settings.target, targets, MapperNetworkConfig::Residual(sizes));
    let identity = identity(settings, inputs, &described)?;
    let dir = run_dir(settings, inputs, targets)?;
    let training = ResidualTraining {
        trials: &trials,
        config,
        identity: &identity,
        run: &dir,
        device,
        interrupted: &interrupt::requested,
    };
    let outcome =
        training.run(settings.resume.as_deref(), progress).map_err(|error| error.within(RESIDUAL_SECTION))?;
    let snapshot = described.with_network(MapperNetworkConfig::Residual(outcome.network));
    save_mapper(&dir, &snapshot, &identity, &outcome.mapper)?;
    let num_parameters = outcome.mapper.num_params();
    let network = MapperNetwork::Residual(outcome.mapper);
    Ok(Trained {
        dir,
        network,
        num_parameters,
        phases: vec![],
        fit: Some(FitReport::Residual(outcome.choice)),
        draft: None,
    })
}

/// Trains it in a folder that nobody keeps.
///
/// # Errors
/// As [`train`].
pub(super) fn train_in(
    dir: &RunDir,
    inputs: &Inputs,
    targets: &MapperTargets,
    device: &Device,
    progress: &mut dyn Progress,
) -> crate::error::Result<MapperNetwork<Base>> {
    let of_images = targets.of_images(&inputs.image_ids);
    let training = ResidualTraining {
        trials: &inputs.decoder_trials(&of_images),
        config: &inputs.config.residual,
        identity: &Value::Null,
        run: dir,
        device,
        interrupted: &interrupt::requested,
    };
    let outcome = training.run(None, progress).map_err(|error| error.within(RESIDUAL_SECTION))?;
    Ok(MapperNetwork::Residual(outcome.mapper))
}
