//! What a mapper is fitted to: trials with their betas and targets, and its losses on them.
//!
//! Specification: docs/spec/mapper.md §5.

use std::ops::Range;

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use ndarray::{Array2, ArrayView1, Axis};

use super::auxiliary_critic::AuxiliaryCritic;
use super::companions::Companions;
use super::config::{MapperLoss, MapperTrainConfig};
use super::error::MapperTrainError;
use super::joint_expander::JointExpander;
use super::target_queue::{TargetBatch, TargetQueue};
use super::targets::EmbeddingTargets;
use crate::metrics::retrieval::{RetrievalSummary, compute_retrieval};
use crate::models::mapper::{ExpanderConfig, Mapper, MapperNetwork};
use crate::tensor_ops::backend::{Base, Device, Diff};
use crate::training::frame::host_rows::gather;

/// Trials per forward pass where no loss is formed.
const EVALUATION_BATCH: usize = 64;

/// Trials with betas and targets, and which of them a mapper is fitted to.
///
/// Batches are gathered on the host: next to a step's convolutions that costs nothing, and the device holds one
/// batch instead of 1.7 GB of betas.
#[derive(Clone, Copy)]
pub struct MapperTrials<'a> {
    /// `[trials, signal_len]`, padded where the network wants it.
    pub betas: &'a Array2<f32>,
    /// One entry per trial.
    pub targets: &'a EmbeddingTargets,
    /// Targets of training that are made anew for every batch, in place of `targets`.
    pub fresh_targets: Option<&'a TargetQueue>,
    /// Trials to train on.
    pub train: &'a [usize],
    /// Trials to validate on, ascending.
    pub validation: &'a [usize],
    /// Image identity of every trial.
    pub image_ids: &'a [u64],
    /// Losses and seed.
    pub config: &'a MapperTrainConfig,
    /// Device of the network.
    pub device: &'a Device,
}

impl<'a> MapperTrials<'a> {
    /// The same with targets that are made anew.
    pub fn with_fresh_targets(self, queue: &'a TargetQueue) -> Self {
        Self { fresh_targets: Some(queue), ..self }
    }

    fn betas<B: Backend<Device = Device>>(&self, trials: &[usize]) -> Tensor<B, 2> {
        gather(self.betas.ncols(), trials.iter().map(|trial| self.betas.row(*trial)), self.device)
    }

    fn train_trials(&self, positions: &[usize]) -> Vec<usize> {
        positions.iter().map(|position| self.train[*position]).collect()
    }

    fn train_target(&self, epoch: usize, trials: &[usize]) -> Result<Tensor<Diff, 2>, MapperTrainError> {
        let width = self.targets.embed_dim();
        if let Some(queue) = self.fresh_targets {
            let targets = queue.take(epoch, trials)?;
            return Ok(gather(width, targets.rows().into_iter(), self.device));
        }
        let rows = trials.iter().map(|trial| self.targets.choose(*trial, self.config.seed, "caption", epoch));
        Ok(gather(width, rows, self.device))
    }

    fn validation_target(&self, trial: usize) -> ArrayView1<'_, f32> {
        self.targets.validation(trial, self.config.seed)
    }

    fn validation_targets(&self, trials: &[usize]) -> Array2<f32> {
        let mut targets = Array2::zeros((trials.len(), self.targets.embed_dim()));
        for (mut row, trial) in targets.rows_mut().into_iter().zip(trials) {
            row.assign(&self.validation_target(*trial));
        }
        targets
    }

    /// Predicted and true embeddings of validation trials, both `[trials, embed_dim]`.
    ///
    /// # Errors
    /// [`MapperTrainError::Metrics`].
    pub fn predicted_and_true(
        &self,
        model: &MapperNetwork<Base>,
        trials: &[usize],
    ) -> Result<(Array2<f32>, Array2<f32>), MapperTrainError> {
        let metrics = |reason: String| MapperTrainError::Metrics { reason };
        let shape = (trials.len(), self.targets.embed_dim());
        let predicted = model.forward(self.betas(trials)).into_data().convert::<f32>();
        let predicted = predicted.into_vec::<f32>().map_err(|error| metrics(format!("{error:?}")))?;
        let predicted =
            Array2::from_shape_vec(shape, predicted).map_err(|error| metrics(error.to_string()))?;
        Ok((predicted, self.validation_targets(trials)))
    }

    /// Predicted and true embeddings of all validation trials, both `[trials, embed_dim]`.
    ///
    /// # Errors
    /// [`MapperTrainError::Metrics`].
    pub fn predicted_and_true_held_out(
        &self,
        model: &MapperNetwork<Base>,
    ) -> Result<(Array2<f32>, Array2<f32>), MapperTrainError> {
        let mut predicted = Array2::zeros((0, self.targets.embed_dim()));
        for trials in self.validation.chunks(EVALUATION_BATCH) {
            let (rows, _) = self.predicted_and_true(model, trials)?;
            predicted
                .append(Axis(0), rows.view())
                .map_err(|error| MapperTrainError::Metrics { reason: error.to_string() })?;
        }
        Ok((predicted, self.validation_targets(self.validation)))
    }

    /// Retrieval counts of a network on the validation trials.
    ///
    /// # Errors
    /// [`MapperTrainError::Metrics`].
    pub fn evaluate(&self, model: &MapperNetwork<Base>) -> Result<RetrievalSummary, MapperTrainError> {
        let batches = self.validation.chunks(EVALUATION_BATCH);
        self.retrieval(batches.map(|trials| model.forward(self.betas(trials))).collect())
    }

    /// Retrieval counts of predictions of all validation trials, in order.
    ///
    /// # Errors
    /// [`MapperTrainError::Metrics`].
    pub(crate) fn retrieval(
        &self,
        predicted: Vec<Tensor<Base, 2>>,
    ) -> Result<RetrievalSummary, MapperTrainError> {
        let metrics = |reason: String| MapperTrainError::Metrics { reason };
        let width = self.targets.embed_dim();
        let mut values: Vec<f32> = Vec::new();
        for batch in predicted {
            let batch = batch.into_data().convert::<f32>();
            values.extend(batch.as_slice::<f32>().map_err(|error| metrics(format!("{error:?}")))?);
        }
        let predicted = Array2::from_shape_vec((self.validation.len(), width), values)
            .map_err(|error| metrics(error.to_string()))?;
        let target = self.validation_targets(self.validation);
        let ids: Vec<u64> = self.validation.iter().map(|trial| self.image_ids[*trial]).collect();
        compute_retrieval(predicted.view(), target.view(), &ids, &self.config.retrieval)
            .map_err(|error| metrics(error.to_string()))
    }

    /// New networks that `phase` (0 or 1) trains beside the mapper.
    pub(crate) fn companions(&self, phase: usize) -> Companions {
        let MapperTrainConfig { critic, seed, vicreg, expander_width, .. } = self.config;
        let embed_dim = self.targets.embed_dim();
        let expander = (self.config.loss_kind(phase) == MapperLoss::Vicreg).then(|| {
            let sizes = ExpanderConfig { embed_dim, width: *expander_width };
            JointExpander::new(&sizes, vicreg, self.config.phase(phase).optimiser, *seed, self.device)
        });
        Companions { critic: AuxiliaryCritic::new(critic, embed_dim, *seed, self.device), expander }
    }

    /// Told before the steps of an epoch, or of what is left of it, which batches of positions will come, in order.
    pub(crate) fn announce(&self, epoch: usize, batches: &[&[usize]]) {
        if let Some(queue) = self.fresh_targets {
            queue.announce(
                batches.iter().map(|positions| TargetBatch { epoch, trials: self.train_trials(positions) }),
            );
        }
    }

    /// Seconds that training waited for targets made anew since this was last asked; none where they are stored.
    pub(crate) fn take_waited_seconds(&self) -> Option<f64> {
        self.fresh_targets.map(|queue| queue.take_waited().as_secs_f64())
    }

    /// Loss `[1]` of the training trials at `positions` of their list in `phase` (0 or 1); `epoch` counts over both phases and
    /// keys random choices. The step of a critic is part of it, that of an expander follows with the mapper's.
    ///
    /// # Errors
    /// Targets that cannot be had.
    pub(crate) fn train_loss(
        &self,
        mapper: &Mapper<Diff>,
        companions: &mut Companions,
        phase: usize,
        epoch: usize,
        positions: &[usize],
    ) -> Result<Tensor<Diff, 1>, MapperTrainError> {
        let trials = self.train_trials(positions);
        let target = self.train_target(epoch, &trials)?;
        let predicted = mapper.forward(self.betas(&trials));
        let adversarial = companions.critic.as_mut().map(|critic| {
            // First the critic's step, then the mapper's loss by the critic as it is now (docs/spec/mapper.md §6.1).
            critic.step(target.clone(), predicted.clone());
            critic.loss(predicted.clone())
        });
        let loss = match &mut companions.expander {
            Some(expander) => expander.loss(predicted, target),
            None => self.config.loss(phase, predicted, target),
        };
        Ok(match adversarial {
            Some(adversarial) => loss + adversarial,
            None => loss,
        })
    }

    /// Loss `[1]` of validation trials at `positions` of their list and their predictions `[trials, embed_dim]`, the same in
    /// every epoch.
    pub(crate) fn validation_loss(
        &self,
        mapper: &Mapper<Base>,
        companions: &Companions,
        phase: usize,
        positions: Range<usize>,
    ) -> (Tensor<Base, 1>, Tensor<Base, 2>) {
        let trials = &self.validation[positions];
        let rows = trials.iter().map(|trial| self.validation_target(*trial));
        let target = gather(self.targets.embed_dim(), rows, self.device);
        let predicted = mapper.forward(self.betas(trials));
        let loss = match &companions.expander {
            Some(expander) => expander.validation_loss(predicted.clone(), target),
            None => self.config.loss(phase, predicted.clone(), target),
        };
        (loss, predicted)
    }
}
