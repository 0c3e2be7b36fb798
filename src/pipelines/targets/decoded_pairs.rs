//! What decoders predict for the validation trials, beside what they aimed at.

use ndarray::{Array2, s};

use super::trial_targets::TrialTargets;
use crate::data::prepared::PreparedSubject;
use crate::data::split::{Split, split_by_first_appearance};
use crate::metrics::combined_retrieval::DecodedPair;
use crate::pipelines::brain_decoder::LoadedMapper;
use crate::run::progress::Progress;
use crate::tensor_ops::backend::Device;
use crate::training::ridge::{RidgeConfig, fit_tuned_ridge};

/// Trials per forward pass.
const BATCH: usize = 64;

/// Predictions of a decoder, and the penalty where it was ridge regression.
pub(crate) struct Decoded {
    /// Predictions and targets, a row per validation trial.
    pub pair: DecodedPair,
    /// As a multiple of the mean squared length of a trial's centred betas.
    pub penalty: Option<f64>,
}

/// Unit predictions of a mapper for `trials`.
///
/// # Errors
/// Betas that cannot be read.
pub(crate) fn by_mapper(
    targets: &TrialTargets,
    mapper: &LoadedMapper,
    subject: &PreparedSubject,
    trials: &[usize],
    device: &Device,
) -> crate::error::Result<Decoded> {
    let width = mapper.snapshot.network.embed_dim;
    let mut predicted = Array2::zeros((trials.len(), width));
    for (batch, rows) in trials.chunks(BATCH).enumerate() {
        let embedded = mapper.embed(&subject.betas_of(rows)?, device).into_data();
        let embedded =
            Array2::from_shape_vec((rows.len(), width), embedded.iter::<f32>().collect::<Vec<_>>())?;
        let first = batch * BATCH;
        predicted.slice_mut(s![first..first + rows.len(), ..]).assign(&embedded);
    }
    Ok(Decoded { pair: DecodedPair { predicted, target: targets.validation(trials) }, penalty: None })
}

/// Predictions of ridge regression from the training trials; its penalty is chosen on those of their images that come last.
///
/// # Errors
/// Betas that cannot be read, settings that do not fit.
pub(crate) fn by_ridge(
    targets: &TrialTargets,
    subject: &PreparedSubject,
    split: &Split,
    config: &RidgeConfig,
    progress: &mut dyn Progress,
) -> crate::error::Result<Decoded> {
    progress.start(&format!("ridge regression to {} targets", targets.form().target), 0);
    let betas = subject.betas_of(&split.train)?;
    // Fitted once to all trials: no caption is drawn, their mean is aimed at.
    let aims = targets.single(&split.train);
    let tuning = tuning_split(subject, &split.train, config);
    let ridge = fit_tuned_ridge(betas.view(), aims.view(), &tuning.train, &tuning.validation, config)?;
    // Betas of training and validation are never in memory together.
    drop(betas);
    let predicted = ridge.predict(subject.betas_of(&split.validation)?.view());
    progress.finish(&format!("penalty {}", ridge.penalty));
    let target = targets.validation(&split.validation);
    Ok(Decoded { pair: DecodedPair { predicted, target }, penalty: Some(ridge.penalty) })
}

/// Which of the training trials choose a penalty, as positions in `train`: those of the images that come last.
pub(crate) fn tuning_split(subject: &PreparedSubject, train: &[usize], config: &RidgeConfig) -> Split {
    let groups = subject.split_groups();
    let groups: Vec<u64> = train.iter().map(|trial| groups[*trial]).collect();
    split_by_first_appearance(&groups, 1.0 - config.tuning_fraction)
}
