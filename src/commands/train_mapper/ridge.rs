//! Ridge regression as a mapper: fitted in one piece, without epochs or checkpoints.

use burn::module::Module;
use ndarray::Array2;

use super::inputs::{Inputs, MapperTargets};
use super::settings::TrainMapperSettings;
use super::summary::RidgeReport;
use super::trained::{Trained, identity, run_dir};
use crate::models::mapper::{LinearMapper, LinearMapperConfig, MapperNetwork, MapperNetworkConfig};
use crate::pipelines::targets::decoded_pairs::tuning_split;
use crate::run::error::RunError;
use crate::run::progress::Progress;
use crate::run::snapshot::{MAPPER_KIND, save_snapshot};
use crate::tensor_ops::backend::{Base, Device};
use crate::training::frame::epoch_loop::BEST_FILE;
use crate::training::mapper::events::MapperProvenance;
use crate::training::ridge::fit_tuned_ridge;

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
    refuse_start(settings)?;
    let sizes =
        LinearMapperConfig { num_voxels: inputs.betas.ncols(), embed_dim: targets.single.embed_dim() };
    let snapshot = inputs.snapshot(settings.target, targets, MapperNetworkConfig::Ridge(sizes));
    let identity = identity(settings, inputs, &snapshot)?;
    let dir = run_dir(settings, inputs, targets)?;
    progress.start(&format!("ridge regression to the {} targets", settings.target), 0);
    let aims = single_targets(targets);
    let tuning = tuning_split(&inputs.subject, &inputs.split.train, &inputs.config.ridge);
    let ridge = fit_tuned_ridge(
        inputs.betas.view(),
        aims.view(),
        &tuning.train.iter().map(|place| inputs.split.train[*place]).collect::<Vec<_>>(),
        &tuning.validation.iter().map(|place| inputs.split.train[*place]).collect::<Vec<_>>(),
        &inputs.config.ridge,
    )?;
    progress.finish(&format!("penalty {}", ridge.penalty));
    let (weight, bias) = ridge.coefficients();
    let network = LinearMapper::<Base>::of_coefficients(weight.view(), &bias, device);
    let provenance = MapperProvenance { phases: vec![], settings: &identity };
    save_snapshot(&dir.join(BEST_FILE), MAPPER_KIND, &snapshot, &provenance, &network)?;
    let num_parameters = network.num_params();
    let report = RidgeReport { penalty: ridge.penalty };
    Ok(Trained {
        dir,
        network: MapperNetwork::Ridge(network),
        num_parameters,
        phases: vec![],
        ridge: Some(report),
    })
}

/// Refuses what only a training in steps can begin with.
fn refuse_start(settings: &TrainMapperSettings) -> Result<(), RunError> {
    let given = [("`--resume`", &settings.resume), ("`--init-from`", &settings.init_from)];
    match given.into_iter().find_map(|(flag, path)| path.as_ref().map(|path| (flag, path))) {
        Some((flag, path)) => {
            let expected = "none for a mapper of the kind `ridge`, which is fitted in one piece";
            Err(RunError::invalid(path, flag, expected, "a file"))
        }
        None => Ok(()),
    }
}

/// One target per trial, none of them drawn: `[trials, embed_dim]`.
fn single_targets(targets: &MapperTargets) -> Array2<f32> {
    let single = &targets.single;
    let mut rows = Array2::zeros((single.num_trials(), single.embed_dim()));
    for (trial, mut row) in rows.rows_mut().into_iter().enumerate() {
        // One row per image leaves nothing to draw: any seed would do.
        row.assign(&single.validation(trial, 0));
    }
    rows
}
