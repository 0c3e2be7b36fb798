//! The paper's network (appendix A.8), trained on a part of the training images that leaves the others to choose its epoch.

use std::path::Path;

use serde_json::{Value, json};

use super::config::EncodeConfig;
use super::fitted::{Fitted, FittedOn};
use super::inputs::Inputs;
use crate::interrupt;
use crate::models::encoder::{EncoderNetwork, EncoderNetworkConfig};
use crate::run::progress::Progress;
use crate::run::run_dir::RunDir;
use crate::tensor_ops::backend::{Device, Diff};
use crate::training::encoder::inputs::EncoderTraining;
use crate::training::encoder::trials::EncoderTrials;

/// Where it is trained, and how.
pub(super) struct Place<'a> {
    /// Gets the checkpoint and the event log.
    pub dir: &'a RunDir,
    /// Checkpoint to continue from.
    pub resume: Option<&'a Path>,
    /// What a checkpoint must agree with.
    pub identity: &'a Value,
    pub title: &'a str,
    pub device: &'a Device,
}

/// Trains the network and predicts the held-out trials.
///
/// # Errors
/// An interruption, a loss that is not finite, a checkpoint of other settings.
pub(super) fn fit(
    inputs: &Inputs,
    config: &EncodeConfig,
    betas_of: &[usize],
    place: &Place<'_>,
    progress: &mut dyn Progress,
) -> crate::error::Result<Fitted> {
    let [signal_len, padding_left] = inputs.padding();
    let sizes = config.network.between(inputs.latents.rows.ncols(), signal_len);
    let network = sizes
        .init::<Diff>(config.train.seed, place.device)
        .map_err(|error| error.within("encode.network"))?;
    let trials = EncoderTrials {
        latents: &inputs.latents.rows,
        betas: &inputs.betas,
        betas_of,
        fitting: &inputs.network_tuning.train,
        tuning: &inputs.network_tuning.validation,
        signal_len,
        padding_left,
        device: place.device,
    };
    let training = EncoderTraining {
        trials,
        config: &config.train,
        title: place.title,
        identity: place.identity,
        run: place.dir,
        interrupted: &interrupt::requested,
    };
    let outcome = training.run(network, place.resume, progress)?;
    let result = outcome.result.as_ref();
    let is_chosen = !trials.tuning.is_empty();
    let of_result = |chosen: usize, last: usize| if is_chosen { chosen + 1 } else { last };
    let fit = FittedOn::Paper {
        num_fitted_trials: trials.fitting.len(),
        num_tuning_trials: trials.tuning.len(),
        epochs: result.map_or(0, |result| of_result(result.best_epoch, result.epochs)),
        epochs_trained: result.map_or(0, |result| result.epochs),
        loss: result.map_or(0.0, |result| if is_chosen { result.best_loss } else { result.last_loss }),
    };
    let held_out: Vec<usize> = (inputs.num_train()..inputs.betas.nrows()).collect();
    Ok(Fitted {
        predicted: trials.predict(&outcome.network, &held_out)?,
        network: EncoderNetwork::Paper(Box::new(outcome.network)),
        sizes: EncoderNetworkConfig::Paper(sizes),
        padding_left,
        fit,
    })
}

/// The settings that decide the network: all but the time between checkpoints, and what only ridge regression or the counts read.
///
/// # Errors
/// None but those of JSON.
pub(super) fn decisive(config: &EncodeConfig) -> serde_json::Result<Value> {
    let mut train = serde_json::to_value(&config.train)?;
    if let Some(train) = train.as_object_mut() {
        train.shift_remove("checkpoint_every_minutes");
    }
    Ok(json!({"space": config.space, "network": config.network, "train": train}))
}
