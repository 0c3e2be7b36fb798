//! Kernel ridge regression as a mapper.

use burn::module::Module;

use super::config::KERNEL_RIDGE_SECTION;
use super::inputs::{Inputs, MapperTargets};
use super::settings::TrainMapperSettings;
use super::summary::FitReport;
use super::trained::{Trained, identity, refuse_start, run_dir, save_mapper};
use crate::models::mapper::{MapperNetwork, MapperNetworkConfig};
use crate::run::draft_run::DraftRun;
use crate::run::progress::Progress;
use crate::tensor_ops::backend::{Base, Device};
use crate::training::kernel_ridge::fit::{KernelRidgeOutcome, fit_kernel_ridge};

/// Fits it. Both penalties are chosen on the tuning images of the training part.
///
/// # Errors
/// A checkpoint or a mapper to start from, of which a regression has no use; betas that cannot be fitted.
pub(super) fn fit(
    settings: &TrainMapperSettings,
    inputs: &Inputs,
    targets: &MapperTargets,
    device: &Device,
    progress: &mut dyn Progress,
) -> crate::error::Result<Trained> {
    refuse_start(settings, inputs.config.kind)?;
    let outcome = outcome(inputs, targets, device, progress)?;
    // Only now: what cannot be fitted leaves no folder behind.
    let dir = run_dir(settings, inputs, targets)?;
    let draft = Some(DraftRun::of(&dir));
    let snapshot =
        inputs.snapshot(settings.target, targets, MapperNetworkConfig::KernelRidge(outcome.network));
    save_mapper(&dir, &snapshot, &identity(settings, inputs, &snapshot)?, &outcome.mapper)?;
    let num_parameters = outcome.mapper.num_params();
    let network = MapperNetwork::KernelRidge(outcome.mapper);
    Ok(Trained {
        dir,
        network,
        num_parameters,
        phases: vec![],
        fit: Some(FitReport::KernelRidge(outcome.choice)),
        draft,
    })
}

/// The regression without a run.
///
/// # Errors
/// As [`fit`].
pub(super) fn fit_alone(
    inputs: &Inputs,
    targets: &MapperTargets,
    device: &Device,
    progress: &mut dyn Progress,
) -> crate::error::Result<MapperNetwork<Base>> {
    let outcome = outcome(inputs, targets, device, progress)?;
    Ok(MapperNetwork::KernelRidge(outcome.mapper))
}

fn outcome(
    inputs: &Inputs,
    targets: &MapperTargets,
    device: &Device,
    progress: &mut dyn Progress,
) -> crate::error::Result<KernelRidgeOutcome> {
    let of_images = targets.of_images(&inputs.image_ids);
    let trials = inputs.decoder_trials(&of_images);
    let fitted = fit_kernel_ridge(&trials, &inputs.config.kernel_ridge, device, progress);
    Ok(fitted.map_err(|error| error.within(KERNEL_RIDGE_SECTION))?)
}
