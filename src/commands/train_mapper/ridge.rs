//! Ridge regression as a mapper: fitted in one piece, without epochs or checkpoints.

use burn::module::Module;

use super::bands::{Band, regions_as_bands};
use super::config::{RIDGE_SECTION, RidgeBands};
use super::inputs::{Inputs, MapperTargets};
use super::settings::TrainMapperSettings;
use super::summary::{FitReport, RidgeReport};
use super::trained::{Trained, identity, refuse_start, run_dir, save_mapper};
use crate::error::SettingError;
use crate::models::mapper::{LinearMapper, LinearMapperConfig, MapperNetwork, MapperNetworkConfig};
use crate::run::draft_run::DraftRun;
use crate::run::progress::Progress;
use crate::tensor_ops::backend::{Base, Device};
use crate::training::ridge::decoder::{RidgeDecoderFit, fit_ridge_decoder};

/// What was chosen for every output, in the run's folder.
const SELECTION_FILE: &str = "ridge.json";

/// Fits it.
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
    let sizes =
        LinearMapperConfig { num_voxels: inputs.betas.ncols(), embed_dim: targets.single.embed_dim() };
    let snapshot = inputs.snapshot(settings.target, targets, MapperNetworkConfig::Ridge(sizes));
    let identity = identity(settings, inputs, &snapshot)?;
    progress.start(&format!("ridge regression to the {} targets", settings.target), 0);
    let (fitted, bands) = fitted(inputs, targets)?;
    // Only now: what cannot be fitted leaves no folder behind.
    let dir = run_dir(settings, inputs, targets)?;
    let draft = Some(DraftRun::of(&dir));
    let report = RidgeReport::new(&fitted.selection, &bands);
    progress.finish(&report.line());
    dir.write_atomic(SELECTION_FILE, &serde_json::to_vec_pretty(&fitted.selection)?)?;
    let network = LinearMapper::<Base>::of_coefficients(fitted.weights.view(), &fitted.bias, device);
    save_mapper(&dir, &snapshot, &identity, &network)?;
    let num_parameters = network.num_params();
    let network = MapperNetwork::Ridge(network);
    Ok(Trained { dir, network, num_parameters, phases: vec![], fit: Some(FitReport::Ridge(report)), draft })
}

/// The regression without a run.
///
/// # Errors
/// As [`fit`].
pub(super) fn fit_alone(
    inputs: &Inputs,
    targets: &MapperTargets,
    device: &Device,
) -> crate::error::Result<MapperNetwork<Base>> {
    let (fitted, _) = fitted(inputs, targets)?;
    Ok(MapperNetwork::Ridge(LinearMapper::of_coefficients(fitted.weights.view(), &fitted.bias, device)))
}

/// Coefficients with what was chosen, and the bands.
fn fitted(inputs: &Inputs, targets: &MapperTargets) -> crate::error::Result<(RidgeDecoderFit, Vec<Band>)> {
    let bands = bands(inputs)?;
    let fitted = fit_ridge_decoder(
        inputs.betas.view(),
        targets.of_trials().view(),
        &inputs.image_ids,
        &inputs.split.train,
        &inputs.config.ridge,
        &bands.iter().map(|band| band.voxels.clone()).collect::<Vec<_>>(),
    )
    .map_err(|error| error.within(RIDGE_SECTION))?;
    Ok((fitted, bands))
}

/// The bands that are wanted.
fn bands(inputs: &Inputs) -> Result<Vec<Band>, SettingError> {
    if inputs.config.ridge_bands == RidgeBands::None {
        return Ok(vec![]);
    }
    let bands = regions_as_bands(&inputs.subject);
    if bands.is_empty() {
        let expected = "`none` for a subject without regions";
        return Err(SettingError::new("ridge_bands", expected, "roi").within("train_mapper"));
    }
    Ok(bands)
}
