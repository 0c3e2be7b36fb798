//! Fitting a mapper: betas → embedding, with retrieval counts on the validation trials.
//!
//! Specification: docs/spec/mapper.md §5.

use std::ops::Range;

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use ndarray::{Array2, ArrayView1};
use serde_json::Value;

use super::auxiliary_critic::AuxiliaryCritic;
use super::companions::Companions;
use super::config::{MapperLoss, MapperTrainConfig};
use super::joint_expander::JointExpander;
use super::target_queue::{TargetBatch, TargetQueue};
use super::targets::EmbeddingTargets;
use crate::metrics::retrieval::{RetrievalSummary, compute_retrieval};
use crate::models::mapper::{ExpanderConfig, Mapper};
use crate::tensor_ops::backend::{Base, Device, Diff};
use crate::training::frame::epoch_loop::EpochTask;
use crate::training::frame::host_rows::gather;
use crate::training::frame::state::EpochTrainError;

/// Trials per forward pass where no loss is formed.
const EVALUATION_BATCH: usize = 64;

/// A mapper's data and losses.
///
/// Batches are gathered on the host: next to a step's convolutions that costs nothing, and the device holds one
/// batch instead of 1.7 GB of betas.
#[derive(Clone, Copy)]
pub struct MapperTask<'a> {
    /// `[trials, signal_len]`, padded.
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

impl<'a> MapperTask<'a> {
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

    fn train_target(&self, epoch: usize, trials: &[usize]) -> Result<Tensor<Diff, 2>, EpochTrainError> {
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

    /// Predicted and true embeddings of validation trials, both `[trials, embed_dim]`.
    ///
    /// # Errors
    /// [`EpochTrainError::Metrics`].
    pub fn predicted_and_true(
        &self,
        model: &Mapper<Base>,
        trials: &[usize],
    ) -> Result<(Array2<f32>, Array2<f32>), EpochTrainError> {
        let metrics = |reason: String| EpochTrainError::Metrics { reason };
        let shape = (trials.len(), self.targets.embed_dim());
        let predicted = model.forward(self.betas(trials)).into_data().convert::<f32>();
        let predicted = predicted.into_vec::<f32>().map_err(|error| metrics(format!("{error:?}")))?;
        let predicted =
            Array2::from_shape_vec(shape, predicted).map_err(|error| metrics(error.to_string()))?;
        let mut target = Array2::zeros(shape);
        for (mut row, trial) in target.rows_mut().into_iter().zip(trials) {
            row.assign(&self.validation_target(*trial));
        }
        Ok((predicted, target))
    }

    /// Retrieval counts of a network on the validation trials.
    ///
    /// # Errors
    /// [`EpochTrainError::Metrics`].
    pub fn evaluate(&self, model: &Mapper<Base>) -> Result<RetrievalSummary, EpochTrainError> {
        let batches = self.validation.chunks(EVALUATION_BATCH);
        self.retrieval(batches.map(|trials| model.forward(self.betas(trials))).collect())
    }

    /// Retrieval counts of predictions of all validation trials, in order.
    ///
    /// # Errors
    /// [`EpochTrainError::Metrics`].
    fn retrieval(&self, predicted: Vec<Tensor<Base, 2>>) -> Result<RetrievalSummary, EpochTrainError> {
        let metrics = |reason: String| EpochTrainError::Metrics { reason };
        let width = self.targets.embed_dim();
        let mut values: Vec<f32> = Vec::new();
        for batch in predicted {
            let batch = batch.into_data().convert::<f32>();
            values.extend(batch.as_slice::<f32>().map_err(|error| metrics(format!("{error:?}")))?);
        }
        let predicted = Array2::from_shape_vec((self.validation.len(), width), values)
            .map_err(|error| metrics(error.to_string()))?;
        let mut target = Array2::zeros((self.validation.len(), width));
        for (mut row, trial) in target.rows_mut().into_iter().zip(self.validation) {
            row.assign(&self.validation_target(*trial));
        }
        let ids: Vec<u64> = self.validation.iter().map(|trial| self.image_ids[*trial]).collect();
        compute_retrieval(predicted.view(), target.view(), &ids, &self.config.retrieval)
            .map_err(|error| metrics(error.to_string()))
    }
}

impl EpochTask for MapperTask<'_> {
    type Model = Mapper<Diff>;

    fn num_train(&self) -> usize {
        self.train.len()
    }

    fn num_validation(&self) -> usize {
        self.validation.len()
    }

    fn init_companions(&self, phase: usize) -> Companions {
        let MapperTrainConfig { critic, seed, vicreg, expander_width, .. } = self.config;
        let embed_dim = self.targets.embed_dim();
        let expander = (self.config.loss_kind(phase) == MapperLoss::Vicreg).then(|| {
            let sizes = ExpanderConfig { embed_dim, width: *expander_width };
            JointExpander::new(&sizes, vicreg, self.config.phase(phase).optimiser, *seed, self.device)
        });
        Companions { critic: AuxiliaryCritic::new(critic, embed_dim, *seed, self.device), expander }
    }

    fn announce(&self, epoch: usize, batches: &[&[usize]]) {
        if let Some(queue) = self.fresh_targets {
            queue.announce(
                batches.iter().map(|positions| TargetBatch { epoch, trials: self.train_trials(positions) }),
            );
        }
    }

    fn take_waited_seconds(&self) -> Option<f64> {
        self.fresh_targets.map(|queue| queue.take_waited().as_secs_f64())
    }

    fn train_loss(
        &self,
        model: &Mapper<Diff>,
        companions: &mut Companions,
        phase: usize,
        epoch: usize,
        positions: &[usize],
    ) -> Result<Tensor<Diff, 1>, EpochTrainError> {
        let trials = self.train_trials(positions);
        let target = self.train_target(epoch, &trials)?;
        let predicted = model.forward(self.betas(&trials));
        let adversarial = companions.critic.as_mut().map(|critic| {
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

    fn validation_loss(
        &self,
        model: &Mapper<Base>,
        companions: &Companions,
        phase: usize,
        positions: Range<usize>,
    ) -> (Tensor<Base, 1>, Tensor<Base, 2>) {
        let trials = &self.validation[positions];
        let rows = trials.iter().map(|trial| self.validation_target(*trial));
        let target = gather(self.targets.embed_dim(), rows, self.device);
        let predicted = model.forward(self.betas(trials));
        let loss = match &companions.expander {
            Some(expander) => expander.validation_loss(predicted.clone(), target),
            None => self.config.loss(phase, predicted.clone(), target),
        };
        (loss, predicted)
    }

    fn validation_metrics(&self, predicted: Vec<Tensor<Base, 2>>) -> Result<Value, EpochTrainError> {
        let retrieval = self.retrieval(predicted)?;
        Ok(serde_json::json!({ "retrieval": retrieval }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::targets::{DEFAULT_THRESHOLD, TargetScale, TargetScaling};
    use crate::models::mapper::MapperConfig;
    use crate::run::progress::Silent;
    use crate::run::run_dir::RunDir;
    use crate::run::snapshot::Snapshot;
    use crate::tensor_ops::backend::cpu;
    use crate::tensor_ops::random::keyed_rng;
    use crate::training::frame::epoch_loop::{
        BEST_FILE, CHECKPOINT_FILE, EpochOutcome, EpochRun, LAST_FILE, train,
    };
    use crate::training::frame::lars::LarsConfig;
    use crate::training::frame::optimiser::{Algorithm, OptimiserConfig};
    use crate::training::frame::schedule::StepDecay;
    use crate::training::mapper::config::MapperPhase;
    use crate::training::mapper::targets::CaptionChoice;
    use burn::module::Module;
    use rand::RngExt;
    use std::cell::Cell;
    use std::collections::BTreeMap;
    use std::path::Path;

    const TRIALS: usize = 22;
    const TRAIN: usize = 16;

    fn network() -> MapperConfig {
        MapperConfig {
            signal_len: 16,
            num_blocks: 1,
            hidden: 4,
            fc: 4,
            embed_dim: 3,
            ..MapperConfig::default()
        }
    }

    /// 3 + 3 epochs of 4 steps, with a decay (and a new optimiser) inside each phase.
    fn config() -> MapperTrainConfig {
        let mut config = MapperTrainConfig {
            phase1: MapperPhase { loss: MapperLoss::MseCos, epochs: 3, batch: 5, optimiser: None },
            phase2: MapperPhase { loss: MapperLoss::MseCosContrastive, epochs: 3, batch: 5, optimiser: None },
            ..MapperTrainConfig::default()
        };
        config.optimiser.learning_rate = 1e-2;
        config.optimiser.decay = StepDecay { every_epochs: 2, ..StepDecay::default() };
        config
    }

    #[derive(Clone)]
    struct Data {
        betas: Array2<f32>,
        captions: Array2<f32>,
        choice: CaptionChoice,
        ids: Vec<u64>,
        fresh: bool,
    }

    fn data() -> Data {
        let mut rng = keyed_rng(5, "test", 0);
        let mut draw = |rows, width| Array2::from_shape_fn((rows, width), |_| rng.random::<f32>() - 0.5);
        let ids = (0..TRIALS as u64).map(|trial| trial / 2).collect();
        let (betas, captions) = (draw(TRIALS, 16), draw(TRIALS, 3));
        Data { betas, captions, choice: CaptionChoice::Random, ids, fresh: false }
    }

    /// Trains in `dir`, stopping before step `stop_at` of this call.
    fn fit(
        dir: &RunDir,
        data: &Data,
        config: &MapperTrainConfig,
        resume: Option<&Path>,
        stop_at: usize,
    ) -> Result<EpochOutcome<Mapper<Diff>>, EpochTrainError> {
        let device = cpu();
        let trials: Vec<usize> = (0..TRIALS).collect();
        // Two trials per image, two captions each.
        let images: Vec<usize> = (0..TRIALS).map(|trial| trial / 2).collect();
        let rows: Vec<Range<usize>> = (0..TRIALS / 2).map(|image| image * 2..image * 2 + 2).collect();
        let scale = TargetScale { clamp: DEFAULT_THRESHOLD, scaling: TargetScaling::UnitNorm };
        let targets = EmbeddingTargets::new(&data.captions, &rows, &images, data.choice, scale);
        std::thread::scope(|scope| {
            // In place of an encoder: a vector that depends on epoch and trial.
            let queue = data.fresh.then(|| {
                TargetQueue::start(scope, |batch| {
                    Ok(Array2::from_shape_fn((batch.trials.len(), 3), |(row, column)| {
                        let key = (batch.epoch * TRIALS + batch.trials[row]) as u64;
                        keyed_rng(9, "fresh", 3 * key + column as u64).random::<f32>() - 0.5
                    }))
                })
                .unwrap()
            });
            let task = MapperTask {
                betas: &data.betas,
                targets: &targets,
                fresh_targets: queue.as_ref(),
                train: &trials[..TRAIN],
                validation: &trials[TRAIN..],
                image_ids: &data.ids,
                config,
                device: &device,
            };
            let steps = Cell::new(0);
            let should_stop = || steps.replace(steps.get() + 1) == stop_at;
            let snapshot_config = serde_json::to_value(network()).unwrap();
            let mut run = EpochRun {
                dir,
                kind: "mapper",
                snapshot_config: &snapshot_config,
                identity: serde_json::to_value(config).unwrap(),
                resume,
                progress: &mut Silent,
                should_stop: &should_stop,
                device: &device,
            };
            train(&task, network().init(config.seed, &device).unwrap(), &config.plan(), &mut run)
        })
    }

    /// The event log without the times.
    fn events(dir: &RunDir) -> Vec<Value> {
        let mut events: Vec<Value> = dir.events().read().unwrap();
        for event in &mut events {
            let event = event.as_object_mut().unwrap();
            assert!(event.remove("seconds").is_some());
            event.remove("target_wait_seconds");
        }
        events
    }

    /// Names and bytes of a snapshot's tensors.
    fn tensors(path: &Path) -> BTreeMap<String, Vec<u8>> {
        let bytes = std::fs::read(path).unwrap();
        let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        file.iter().map(|(name, view)| (name.to_string(), view.data().to_vec())).collect()
    }

    #[test]
    fn stopped_and_resumed_equals_never_stopped_bit_for_bit() {
        stop_and_resume(&data(), config());
    }

    #[test]
    fn so_it_does_with_a_critic() {
        let mut with_critic = config();
        with_critic.critic.weight = 1.0;
        stop_and_resume(&data(), with_critic.clone());
        let root = tempfile::tempdir().unwrap();
        let fit = |name, config: &MapperTrainConfig| {
            let dir = RunDir::create(root.path(), name).unwrap();
            fit(&dir, &data(), config, None, usize::MAX).unwrap().phases[0].last_validation_loss
        };
        assert_ne!(fit("critic", &with_critic), fit("alone", &config()));
    }

    #[test]
    fn so_it_does_with_vicreg_and_its_expander_under_either_optimiser() {
        for algorithm in [Algorithm::Adam, Algorithm::Lars] {
            let mut vicreg = config();
            vicreg.expander_width = 6;
            vicreg.phase2.loss = MapperLoss::Vicreg;
            let lars = LarsConfig { warmup_epochs: 1, ..LarsConfig::default() };
            let own = OptimiserConfig { algorithm, learning_rate: 3e-3, lars, ..OptimiserConfig::default() };
            vicreg.phase2.optimiser = Some(own);
            stop_and_resume(&data(), vicreg);
        }
    }

    #[test]
    fn the_expander_shapes_the_mapper_and_stays_out_of_its_snapshot() {
        let root = tempfile::tempdir().unwrap();
        let fitted = |name: &str, invariance_weight| {
            let mut vicreg = config();
            vicreg.expander_width = 6;
            (vicreg.phase1.epochs, vicreg.phase2.loss) = (1, MapperLoss::Vicreg);
            vicreg.vicreg.invariance_weight = invariance_weight;
            let dir = RunDir::create(root.path(), name).unwrap();
            fit(&dir, &data(), &vicreg, None, usize::MAX).unwrap();
            tensors(&dir.join(LAST_FILE))
        };
        let (last, other) = (fitted("a", 25.0), fitted("b", 0.0));
        let network: Mapper<Base> = network().init(0, &cpu()).unwrap();
        let mapper: usize = network.num_params();
        assert_eq!(last.values().map(|bytes| bytes.len() / 4).sum::<usize>(), mapper);
        // Both come from the same first phase, so that only the second loss tells them apart.
        assert!(last.iter().all(|(name, bytes)| bytes != &other[name]));
    }

    #[test]
    fn so_it_does_with_targets_made_anew_on_another_thread() {
        let made_anew = Data { fresh: true, ..data() };
        stop_and_resume(&made_anew, config());
        let root = tempfile::tempdir().unwrap();
        let fit = |name, data: &Data| {
            let dir = RunDir::create(root.path(), name).unwrap();
            fit(&dir, data, &config(), None, usize::MAX).unwrap().phases[0].last_train_loss
        };
        assert_ne!(fit("fresh", &made_anew), fit("stored", &data()));
    }

    fn stop_and_resume(data: &Data, config: MapperTrainConfig) {
        let root = tempfile::tempdir().unwrap();
        let whole = RunDir::create(root.path(), "whole").unwrap();
        let outcome = fit(&whole, data, &config, None, usize::MAX).unwrap();
        assert_eq!(outcome.phases.len(), 2);
        assert_eq!(events(&whole).len(), 6);
        // Inside an epoch, at its end, at the change of phase, inside the second phase.
        for stop_at in [5, 8, 12, 18] {
            let parts = RunDir::create(root.path(), "parts").unwrap();
            let error = fit(&parts, data, &config, None, stop_at).unwrap_err();
            assert!(matches!(error, EpochTrainError::Interrupted(_)), "{error}");
            let resumed = fit(&parts, data, &config, Some(&parts.join(CHECKPOINT_FILE)), usize::MAX).unwrap();
            assert_eq!(resumed.phases, outcome.phases, "stopped at {stop_at}");
            assert_eq!(events(&parts), events(&whole), "stopped at {stop_at}");
            for file in [BEST_FILE, LAST_FILE] {
                assert!(
                    tensors(&parts.join(file)) == tensors(&whole.join(file)),
                    "{file}, stopped at {stop_at}"
                );
            }
        }
    }

    #[test]
    fn the_loss_falls_and_the_best_snapshot_is_the_outcome() {
        let root = tempfile::tempdir().unwrap();
        let mut config = config();
        (config.phase1.epochs, config.phase2.epochs) = (60, 0);
        config.optimiser.decay.every_epochs = 0;
        let mut data = data();
        data.choice = CaptionChoice::First;
        let dir = RunDir::create(root.path(), "fit").unwrap();
        let outcome = fit(&dir, &data, &config, None, usize::MAX).unwrap();
        let events = events(&dir);
        let loss = |index: usize| events[index]["train_loss"].as_f64().unwrap();
        assert!(loss(59) < 0.6 * loss(0), "{} to {}", loss(0), loss(59));
        let snapshot = Snapshot::open(&dir.join(BEST_FILE), "mapper").unwrap();
        let saved: MapperConfig = snapshot.config().unwrap();
        let saved: Mapper<Base> = snapshot.load_into(saved.init(0, &cpu()).unwrap()).unwrap();
        let best = outcome.best.lift.weight.val().inner().into_data();
        assert_eq!(saved.lift.weight.val().into_data(), best);
    }

    #[test]
    fn patience_ends_a_phase() {
        let root = tempfile::tempdir().unwrap();
        let mut config = config();
        (config.phase1.epochs, config.phase2.epochs) = (40, 0);
        config.optimiser.learning_rate = 0.0;
        config.patience_epochs = Some(3);
        let dir = RunDir::create(root.path(), "patience").unwrap();
        let outcome = fit(&dir, &data(), &config, None, usize::MAX).unwrap();
        // Epoch 0 is the best, then three without gain.
        assert_eq!((outcome.phases[0].epochs, outcome.phases[0].best_epoch), (4, 0));
    }

    #[test]
    fn a_loss_that_is_not_finite_stops_with_a_usable_checkpoint() {
        let root = tempfile::tempdir().unwrap();
        let (data, config) = (data(), config());
        let dir = RunDir::create(root.path(), "nan").unwrap();
        let mut broken = data.clone();
        broken.captions.fill(f32::NAN);
        let error = fit(&dir, &broken, &config, None, usize::MAX).unwrap_err();
        assert!(error.to_string().contains("the training loss is not finite in phase 1, epoch 0"), "{error}");
        let outcome = fit(&dir, &data, &config, Some(&dir.join(CHECKPOINT_FILE)), usize::MAX).unwrap();
        assert!(outcome.phases[1].last_validation_loss.is_finite());
    }

    #[test]
    fn a_checkpoint_of_other_settings_and_an_empty_split_are_refused() {
        let root = tempfile::tempdir().unwrap();
        let (data, config) = (data(), config());
        let dir = RunDir::create(root.path(), "other").unwrap();
        fit(&dir, &data, &config, None, 2).unwrap_err();
        let other = MapperTrainConfig { cosine_weight: 0.5, ..config.clone() };
        let error = fit(&dir, &data, &other, Some(&dir.join(CHECKPOINT_FILE)), usize::MAX).unwrap_err();
        assert!(error.to_string().contains("settings.cosine_weight: found 0.6, expected 0.5"), "{error}");
        let mut none = config;
        (none.phase1.epochs, none.phase2.epochs) = (0, 0);
        let error = fit(&dir, &data, &none, None, usize::MAX).unwrap_err();
        assert_eq!(error.to_string(), "no epochs to train with; expected at least 1");
    }
}
