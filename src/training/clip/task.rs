//! The training of a CLIP in the frame: its steps, evaluation on held-out pairs, snapshot and checkpoints.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::batch::BatchPlan;
use super::captioned_images::CaptionedImages;
use super::config::ClipTrainConfig;
use super::error::ClipTrainError;
use super::evaluation::{ClipEvaluation, HeldOutPairs};
use super::optimisation::{Optimisation, StoredState};
use crate::error::SettingError;
use crate::metrics::retrieval::RetrievalConfig;
use crate::models::clip::ClipConfig;
use crate::run::error::RunError;
use crate::run::run_dir::RunDir;
use crate::run::snapshot::{CLIP_KIND, save_snapshot};
use crate::tensor_ops::backend::Device;
use crate::training::frame::epoch_loop::{BEST_FILE, Clock, Plan};
use crate::training::frame::held_out::{HeldOutEvent, HeldOutProvenance};
use crate::training::frame::state::{PhaseResult, Place, TrainState};
use crate::training::frame::task::{EpochResult, Evaluation, Task};

/// Network, optimisers, batches and held-out pairs of a training.
pub(crate) struct ClipTask<'a> {
    network: &'a ClipConfig,
    config: &'a ClipTrainConfig,
    num_images: usize,
    run: &'a RunDir,
    provenance: &'a Value,
    device: &'a Device,
    optimisation: Optimisation,
    batches: BatchPlan<'a>,
    held_out: HeldOutPairs,
    /// Epochs done before the best snapshot, and its figures.
    best: Option<(u64, ClipEvaluation)>,
}

impl<'a> ClipTask<'a> {
    /// Before the first step.
    pub fn new(
        network: &'a ClipConfig,
        config: &'a ClipTrainConfig,
        train: &'a CaptionedImages,
        held_out: &CaptionedImages,
        run: &'a RunDir,
        provenance: &'a Value,
        device: &'a Device,
    ) -> Result<Self, SettingError> {
        let ClipTrainConfig { augment, batch_size, seed, .. } = config;
        let optimisation = Optimisation::new(network, config, train, device)?;
        let batches = BatchPlan::new(train, augment, network.image_size, *batch_size, *seed);
        let (num_images, held_out) = (train.len(), HeldOutPairs::new(held_out));
        Ok(Self {
            network,
            config,
            num_images,
            run,
            provenance,
            device,
            optimisation,
            batches,
            held_out,
            best: None,
        })
    }

    /// One phase of all epochs.
    pub fn plan(&self) -> Plan {
        let ClipTrainConfig { epochs, evaluate_every_epochs, .. } = *self.config;
        Plan {
            epochs: vec![epochs],
            evaluate_every_epochs,
            patience_epochs: None,
            checkpoint_every: Duration::ZERO,
            clock: Clock::Steps,
        }
    }

    /// Epochs done before the best snapshot, and its figures.
    pub fn into_best(self) -> Option<(u64, ClipEvaluation)> {
        self.best
    }

    /// Steps of the whole training.
    pub fn total_steps(&self) -> u64 {
        (self.batches.steps_per_epoch() * self.config.epochs) as u64
    }

    /// Steps done before `place`.
    fn steps_done(&self, place: Place) -> u64 {
        (place.epoch * self.batches.steps_per_epoch() + place.step) as u64
    }

    fn stored(&self, state: &TrainState) -> StoredState {
        StoredState {
            network: self.network.clone(),
            config: self.config.clone(),
            num_images: self.num_images,
            step: self.steps_done(state.place),
            epoch_losses: state.losses.clone(),
            best_epoch: self.best.as_ref().map_or(0, |(epoch, _)| *epoch),
            best: self.best.as_ref().map(|(_, evaluation)| evaluation.clone()),
        }
    }
}

impl Task for ClipTask<'_> {
    type Figures = ClipEvaluation;
    type Event = HeldOutEvent<ClipEvaluation>;
    type Error = ClipTrainError;

    fn num_steps(&self, _phase: usize) -> usize {
        self.batches.steps_per_epoch()
    }

    fn step(&mut self, place: Place) -> Result<f32, ClipTrainError> {
        let step = self.steps_done(place);
        let rate = self.config.learning_rate_at(step, self.total_steps());
        Ok(self.optimisation.step(&self.batches.batch(step), self.config, rate, self.device))
    }

    fn evaluate(&mut self, _place: Place) -> Result<Evaluation<ClipEvaluation>, ClipTrainError> {
        let clip = self.optimisation.network();
        let figures = self.held_out.evaluate(&clip, &RetrievalConfig::default(), self.device)?;
        Ok(Evaluation { loss: figures.loss, figures })
    }

    fn keep_best(
        &mut self,
        epoch: &EpochResult<ClipEvaluation>,
        _phases: &[PhaseResult],
    ) -> Result<(), ClipTrainError> {
        let Self { network, config, run, provenance, .. } = *self;
        let (epoch, held_out) = (epoch.place.epoch as u64 + 1, &epoch.evaluation.figures);
        let provenance = HeldOutProvenance { trained_on: provenance, training: config, epoch, held_out };
        save_snapshot(&run.join(BEST_FILE), CLIP_KIND, network, &provenance, &self.optimisation.network())?;
        self.best = Some((epoch, held_out.clone()));
        Ok(())
    }

    fn event(&mut self, epoch: EpochResult<ClipEvaluation>, _seconds: f64) -> HeldOutEvent<ClipEvaluation> {
        HeldOutEvent::new(epoch)
    }

    fn is_finite(&self) -> bool {
        self.optimisation.is_finite()
    }

    fn save(&self, path: &Path, state: &TrainState) -> Result<(), RunError> {
        self.optimisation.save(path, &self.stored(state))
    }

    fn load(&mut self, path: &Path) -> Result<TrainState, RunError> {
        let fresh = self.stored(&TrainState::default());
        let stored = self.optimisation.load(path, &fresh, self.device)?;
        let steps = self.batches.steps_per_epoch() as u64;
        // The file counts steps over the whole run; an epoch has a fixed number of them.
        let (epoch, step) = ((stored.step / steps) as usize, (stored.step % steps) as usize);
        self.best = stored.best.map(|best| (stored.best_epoch, best));
        let result = self.best.as_ref().map(|(best_epoch, best)| PhaseResult {
            phase: 0,
            epochs: epoch,
            best_epoch: best_epoch.saturating_sub(1) as usize,
            best_loss: best.loss,
            // The file does not tell the losses of the last epoch; the next one has its own.
            last_train_loss: best.loss,
            last_loss: best.loss,
        });
        let place = Place { phase: 0, epoch, step };
        Ok(TrainState { place, losses: stored.epoch_losses, phases: result.into_iter().collect() })
    }

    fn title(&self, _phase: usize) -> String {
        "training CLIP".into()
    }
}
