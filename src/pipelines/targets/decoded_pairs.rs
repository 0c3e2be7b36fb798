//! What decoders predict for the validation trials, beside what they aimed at.

use std::path::Path;

use ndarray::{Array2, s};

use super::rows::{TargetRows, raw_targets};
use crate::commands::train_mapper::TrainMapperSettings;
use crate::data::prepared::PreparedSubject;
use crate::data::split::{Split, split_by_first_appearance};
use crate::data::targets::TargetScale;
use crate::metrics::combined_retrieval::DecodedPair;
use crate::models::mapper::MapperTarget;
use crate::pipelines::brain_decoder::LoadedMapper;
use crate::pipelines::workbench::Workbench;
use crate::run::error::RunError;
use crate::run::progress::Progress;
use crate::tensor_ops::backend::Device;
use crate::training::mapper::targets::{CaptionChoice, EmbeddingTargets};
use crate::training::ridge::{RidgeConfig, fit_tuned_ridge};

/// Trials per forward pass.
const BATCH: usize = 64;

/// Targets of one kind and form.
pub(crate) struct TargetForms {
    data: TrainMapperSettings,
    network_sha256: String,
    /// As a mapper meets them.
    targets: EmbeddingTargets,
    /// One per image, for what is fitted once to all trials: of several captions their mean.
    single: EmbeddingTargets,
}

/// Predictions of a decoder, and the penalty where it was ridge regression.
pub(crate) struct Decoded {
    pub pair: DecodedPair,
    pub penalty: Option<f64>,
}

impl TargetForms {
    /// Makes or finds the targets that a mapper of `data` aims at.
    pub fn load(
        data: &TrainMapperSettings,
        subject: &PreparedSubject,
        bench: &mut Workbench<'_>,
    ) -> anyhow::Result<Self> {
        let (rows, network_sha256) = raw_targets(data, subject, bench)?;
        let TargetRows { embeddings, rows_of_image, image_of_trial } = rows;
        let config = &data.mapper;
        let scale = TargetScale { clamp: config.clamp, scaling: config.scaling };
        let of = |choice| EmbeddingTargets::new(&embeddings, &rows_of_image, &image_of_trial, choice, scale);
        let (targets, single) = match data.target {
            MapperTarget::Image | MapperTarget::Resnet => {
                let only = of(CaptionChoice::First);
                (only.clone(), only)
            }
            MapperTarget::Caption => (of(config.caption_choice), of(CaptionChoice::Mean)),
        };
        Ok(Self { data: data.clone(), network_sha256, targets, single })
    }

    /// Whether a mapper of `data` aims at these.
    pub fn is_of(&self, data: &TrainMapperSettings) -> bool {
        let form = |data: &TrainMapperSettings| {
            let config = &data.mapper;
            let choice = (data.target == MapperTarget::Caption).then_some(config.caption_choice);
            (
                data.target,
                config.clamp.to_bits(),
                config.scaling,
                choice,
                config.train.seed,
                config.resnet.vector,
            )
        };
        form(&self.data) == form(data)
    }

    /// Refuses a mapper of another network's targets.
    pub fn require(&self, path: &Path, mapper: &LoadedMapper) -> Result<(), RunError> {
        let expected_sha256 = &mapper.snapshot.clip_sha256;
        if self.network_sha256 != *expected_sha256 {
            let expected = format!("{expected_sha256}, the network of the mapper's targets");
            return Err(RunError::invalid(
                &self.data.target_network,
                "sha256",
                expected,
                &self.network_sha256,
            ));
        }
        let (expected, found) = (self.targets.embed_dim(), mapper.snapshot.network.embed_dim);
        if expected != found {
            return Err(RunError::invalid(path, "embed_dim", format!("{expected} as its target has"), found));
        }
        Ok(())
    }

    /// One embedding per trial that does not depend on a draw.
    pub fn single(&self, trials: &[usize]) -> Array2<f32> {
        let mut rows = Array2::zeros((trials.len(), self.single.embed_dim()));
        for (mut row, trial) in rows.rows_mut().into_iter().zip(trials) {
            row.assign(&self.single.validation(*trial, 0));
        }
        rows
    }

    /// What validation aims at: of several captions one that was drawn once.
    fn validation(&self, trials: &[usize]) -> Array2<f32> {
        let mut rows = Array2::zeros((trials.len(), self.targets.embed_dim()));
        for (mut row, trial) in rows.rows_mut().into_iter().zip(trials) {
            row.assign(&self.targets.validation(*trial, self.data.mapper.train.seed));
        }
        rows
    }
}

/// Unit predictions of a mapper.
pub(crate) fn by_mapper(
    targets: &TargetForms,
    mapper: &LoadedMapper,
    subject: &PreparedSubject,
    trials: &[usize],
    device: &Device,
) -> anyhow::Result<Decoded> {
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
pub(crate) fn by_ridge(
    targets: &TargetForms,
    subject: &PreparedSubject,
    split: &Split,
    config: &RidgeConfig,
    progress: &mut dyn Progress,
) -> anyhow::Result<Decoded> {
    progress.start(&format!("ridge regression to {} targets", targets.data.target), 0);
    let betas = subject.betas_of(&split.train)?;
    let aims = targets.single(&split.train);
    let groups = subject.split_groups();
    let groups: Vec<u64> = split.train.iter().map(|trial| groups[*trial]).collect();
    let tuning = split_by_first_appearance(&groups, 1.0 - config.tuning_fraction);
    let ridge = fit_tuned_ridge(betas.view(), aims.view(), &tuning.train, &tuning.validation, config)?;
    drop(betas);
    let predicted = ridge.predict(subject.betas_of(&split.validation)?.view());
    progress.finish(&format!("penalty {}", ridge.penalty));
    let target = targets.validation(&split.validation);
    Ok(Decoded { pair: DecodedPair { predicted, target }, penalty: Some(ridge.penalty) })
}
