//! The training of a residual decoder in the frame: phase 0 chooses, every later one fits a member on the whole training part.

use std::path::Path;

use burn::module::{AutodiffModule, Module, list_param_ids};
use burn::optim::{GradientsParams, Optimizer};
use burn::tensor::{ElementConversion, Tensor};
use ndarray::Array2;
use serde::{Deserialize, Serialize};

use super::config::ResidualTrainConfig;
use super::dropout::{Dropout, hidden_dropout};
use super::events::{BlendCounts, MeasuredOn, ResidualChoice, ResidualEvent, ResidualFigures};
use super::fitted_part::FittedPart;
use super::inputs::ResidualTraining;
use crate::losses::bank_contrastive::cosine_and_bank_contrastive;
use crate::losses::regression::cosine_distance;
use crate::models::mapper::{LinearMapper, ResidualConfig, ResidualMapper, ResidualNetwork};
use crate::run::checkpoint::{load_checkpoint, save_checkpoint};
use crate::run::error::RunError;
use crate::tensor_ops::backend::{Base, Device, Diff};
use crate::tensor_ops::host_values::{tensor, values};
use crate::tensor_ops::similarity::unit_norm;
use crate::training::decoder::error::DecoderError;
use crate::training::decoder::trials::{DecoderTrials, Division};
use crate::training::decoder::tuning::{TuningCounts, tuning_counts};
use crate::training::decoder::weighted_ridge::{ChosenPenalty, Penalty, WeightedRidge};
use crate::training::frame::adamw::{AdamW, AdamWOf};
use crate::training::frame::exact_floats::ExactFloats;
use crate::training::frame::finite_weights::all_finite;
use crate::training::frame::host_rows::gather;
use crate::training::frame::identity::require_same_identity;
use crate::training::frame::state::{PhaseResult, Place, TrainState};
use crate::training::frame::task::{EpochResult, Evaluation, Task};

/// Trials per forward pass where no gradient is formed.
const EVALUATION_BATCH: usize = 256;
/// Training trials that an epoch of a later phase is looked at on.
const LOOKED_AT: usize = 300;
/// Power of the norms of ridge's weights in the scale of voxels.
const NORM_POWER: i32 = 1;

type Member = ResidualNetwork<Diff>;

/// Decoder, moments of decayed matrices, moments of the rest.
type Record = (
    <ResidualMapper<Diff> as Module<Diff>>::Record,
    <AdamWOf<Member> as Optimizer<Member, Diff>>::Record,
    <AdamWOf<Member> as Optimizer<Member, Diff>>::Record,
);

/// What a checkpoint holds beside weights and moments.
#[derive(Serialize, Deserialize)]
struct StoredState {
    /// Settings of the run as JSON text, compared on resume.
    identity: String,
    state: ExactFloats<TrainState>,
    ridge: Option<ExactFloats<ChosenPenalty>>,
    blends: ExactFloats<Vec<BlendCounts>>,
}

/// Decoder, optimisers and choices of a training.
pub(crate) struct ResidualTask<'a> {
    training: ResidualTraining<'a>,
    division: Division,
    sizes: ResidualConfig,
    /// Its last member is the one in training, in phase 0 one that is given up afterwards.
    mapper: ResidualMapper<Diff>,
    decayed: AdamWOf<Member>,
    plain: AdamWOf<Member>,
    part: FittedPart,
    /// Scale of the voxels on the host.
    scale: Vec<f32>,
    ridge: Option<ChosenPenalty>,
    blends: Vec<BlendCounts>,
}

impl<'a> ResidualTask<'a> {
    /// Before the first step.
    ///
    /// # Errors
    /// Trials that cannot be divided, sizes out of range.
    pub fn new(training: ResidualTraining<'a>) -> Result<Self, DecoderError> {
        let ResidualTraining { trials, config, device, .. } = training;
        let division = trials.divided(config.ridge.tuning_fraction)?;
        let sizes = config.network(trials.sizes());
        let mapper = ResidualConfig { num_members: 1, ..sizes.clone() }.init(config.seed, device)?;
        Ok(Self {
            part: FittedPart::new(trials, division.fitting.clone(), device),
            division,
            sizes,
            mapper,
            decayed: AdamW::init(config.weight_decay),
            plain: AdamW::init(0.0),
            scale: Vec::new(),
            ridge: None,
            blends: Vec::new(),
            training,
        })
    }

    fn config(&self) -> &'a ResidualTrainConfig {
        self.training.config
    }

    fn trials(&self) -> &'a DecoderTrials<'a> {
        self.training.trials
    }

    fn device(&self) -> &'a Device {
        self.training.device
    }

    /// Trials that a phase is fitted to.
    fn rows(&self, phase: usize) -> &[usize] {
        if phase == 0 { &self.division.fitting } else { self.trials().train }
    }

    fn batch_size(&self, phase: usize) -> usize {
        self.config().batch.min(self.rows(phase).len())
    }

    /// Number of the epoch over all phases; it keys random choices.
    fn epoch_of_run(&self, place: Place) -> usize {
        place.phase * self.config().epochs + place.epoch
    }

    fn learning_rate(&self, place: Place) -> f64 {
        let steps = self.num_steps(place.phase);
        self.config().learning_rate_at(place.epoch * steps + place.step, self.config().epochs * steps)
    }

    /// Ridge and scale of a phase, where it has its own, and its member's skip from them.
    fn prepare(&mut self, phase: usize) -> Result<(), DecoderError> {
        if phase < 2 {
            self.fit_ridge(phase)?;
        }
        let (weight, bias) = self.mapper.ridge_as_skip();
        if let Some(member) = self.mapper.members.pop() {
            let [weight, bias] = [weight.detach().into_data(), bias.detach().into_data()];
            let device = self.device();
            let member = member.with_skip(Tensor::from_data(weight, device), Tensor::from_data(bias, device));
            self.mapper.members.push(member);
        }
        Ok(())
    }

    fn fit_ridge(&mut self, phase: usize) -> Result<(), DecoderError> {
        let (trials, config) = (self.trials(), self.config());
        let penalty = match self.ridge.filter(|_| phase > 0) {
            Some(chosen) => Penalty::Known(chosen.penalty),
            None => Penalty::Chosen { tuning: &self.division.tuning, config: &config.ridge },
        };
        let ridge = WeightedRidge::fit(trials, self.rows(phase), penalty)?;
        if phase == 0 {
            let edge = config.ridge.edge(ridge.penalty);
            self.ridge = Some(ChosenPenalty { penalty: ridge.penalty, edge });
        }
        let ([voxels, width], device) = (trials.sizes(), self.device());
        let weights = tensor(ridge.weights.iter().copied().collect(), [voxels, width], device);
        self.scale = ridge.voxel_scale(NORM_POWER);
        self.mapper.ridge = LinearMapper::new(weights, tensor(ridge.bias, [width], device));
        let scale = tensor(self.scale.clone(), [voxels], device);
        self.mapper.voxel_scale = self.mapper.voxel_scale.clone().map(|_: Tensor<Diff, 1>| scale);
        Ok(())
    }

    /// A step of AdamW: matrices with decay, the skip at a rate of its own, biases and norms without decay.
    fn update(&mut self, rate: f64, member: Member, loss: &Tensor<Diff, 1>) -> Member {
        let mut gradients = loss.backward();
        let blocks = member.blocks.iter().map(|block| block.linear.weight.id);
        let decayed: Vec<_> = blocks.chain([member.input.weight.id, member.output.weight.id]).collect();
        let skip = [member.skip.weight.id, member.skip.bias.id];
        let rest: Vec<_> = list_param_ids(&member)
            .into_iter()
            .filter(|id| !decayed.contains(id) && !skip.contains(id))
            .collect();
        let mut of = |ids: &[_]| GradientsParams::from_params(&mut gradients, &member, ids);
        let [decayed, skip, rest] = [of(&decayed), of(&skip), of(&rest)];
        let member = self.decayed.step(rate, member, decayed);
        let member = self.plain.step(rate * self.config().skip_rate, member, skip);
        self.plain.step(rate, member, rest)
    }

    /// What the networks predict for `trials`, and ridge, each `[trials, embed_dim]` and of norm 1.
    fn predictions(&self, mapper: &ResidualMapper<Base>, trials: &[usize]) -> [Array2<f32>; 2] {
        let [voxels, width] = self.trials().sizes();
        let mut predicted = [Vec::new(), Vec::new()];
        for trials in trials.chunks(EVALUATION_BATCH) {
            let rows = trials.iter().map(|trial| self.trials().betas.row(*trial));
            let betas: Tensor<Base, 2> = gather(voxels, rows, self.device());
            predicted[1].extend(values(unit_norm(mapper.ridge.forward(betas.clone()))));
            predicted[0].extend(values(mapper.forward_members(betas)));
        }
        predicted.map(|values| {
            Array2::from_shape_fn((trials.len(), width), |(row, column)| values[row * width + column])
        })
    }

    fn counts(&self, predicted: &Array2<f32>) -> Result<TuningCounts, DecoderError> {
        let (trials, tuning) = (self.trials(), &self.division.tuning);
        tuning_counts(predicted.view(), trials.targets_of(tuning).view(), &trials.image_ids(tuning))
    }

    /// The decoder with the member in training alone.
    fn current(&self) -> ResidualMapper<Base> {
        let mut mapper = self.mapper.valid();
        let finished = mapper.members.len().saturating_sub(1);
        mapper.members.drain(..finished);
        mapper
    }

    fn evaluate_on_tuning(&mut self, place: Place) -> Result<ResidualFigures, DecoderError> {
        let [networks, ridge] = self.predictions(&self.current(), &self.division.tuning);
        if place.epoch + 1 == self.config().epochs {
            let blended = self.config().blends.iter().map(|blend| {
                let share = *blend as f32;
                let counts = self.counts(&(&ridge * (1.0 - share) + &networks * share))?;
                Ok(BlendCounts { blend: *blend, counts })
            });
            self.blends = blended.collect::<Result<_, DecoderError>>()?;
        }
        let counts = Some(self.counts(&networks)?);
        let distance = distance(&networks, &self.trials().targets_of(&self.division.tuning), self.device());
        Ok(ResidualFigures { measured_on: MeasuredOn::Tuning, cosine_distance: distance, counts })
    }

    fn evaluate_on_training(&self) -> ResidualFigures {
        let train = self.trials().train;
        let trials = &train[..train.len().min(LOOKED_AT)];
        let [networks, _] = self.predictions(&self.current(), trials);
        let cosine_distance = distance(&networks, &self.trials().targets_of(trials), self.device());
        ResidualFigures { measured_on: MeasuredOn::Training, cosine_distance, counts: None }
    }

    /// What was chosen; none before the end of phase 0.
    pub fn choice(&self) -> Option<ResidualChoice> {
        let mut best = self.blends.first()?;
        for blend in &self.blends {
            if blend.counts.num_found > best.counts.num_found {
                best = blend;
            }
        }
        let chosen_on = self.trials().chosen_on(&self.division);
        Some(ResidualChoice { chosen_on, ridge: self.ridge?, blend: best.blend, blends: self.blends.clone() })
    }

    /// The decoder with all members.
    pub fn into_mapper(self) -> ResidualMapper<Base> {
        self.mapper.valid()
    }
}

fn distance(predicted: &Array2<f32>, targets: &Array2<f32>, device: &Device) -> f64 {
    let [predicted, targets] =
        [predicted, targets].map(|rows| gather::<Base>(rows.ncols(), rows.rows().into_iter(), device));
    cosine_distance(predicted, targets).into_scalar().elem()
}

impl Task for ResidualTask<'_> {
    type Figures = ResidualFigures;
    type Event = ResidualEvent;
    type Error = DecoderError;

    fn num_steps(&self, phase: usize) -> usize {
        self.rows(phase).len() / self.batch_size(phase).max(1)
    }

    fn begin_phase(&mut self, phase: usize) {
        // A phase that is resumed before its first step begins once more.
        let finished = phase.saturating_sub(1);
        self.mapper.members.truncate(finished);
        self.mapper.members.push(self.sizes.init_member(phase, self.config().seed, self.device()));
        self.decayed = AdamW::init(self.config().weight_decay);
        self.plain = AdamW::init(0.0);
    }

    fn begin_epoch(&mut self, place: Place) {
        let rows = self.rows(place.phase);
        if self.part.rows != rows {
            self.part = FittedPart::new(self.trials(), rows.to_vec(), self.device());
        }
        self.part.shuffle(self.config().seed, self.epoch_of_run(place));
    }

    fn step(&mut self, place: Place) -> Result<f32, DecoderError> {
        // The frame has written a checkpoint before: this may take minutes, and may fail.
        if (place.epoch, place.step) == (0, 0) {
            self.prepare(place.phase)?;
        }
        if self.scale.is_empty() {
            self.scale = values(self.mapper.voxel_scale.val().inner());
        }
        let (config, epoch) = (self.config(), self.epoch_of_run(place));
        let batch = self.part.batch(self.trials(), &self.scale, config, (epoch, place.step), self.device());
        let dropouts = [config.hidden_dropout, config.block_dropout].map(Dropout::new);
        // No epoch has 2³² steps.
        let key = (config.seed, (epoch as u64) << 32 | place.step as u64);
        let shape = [batch.images.len(), config.hidden];
        let dropout = hidden_dropout(dropouts, config.num_blocks, shape, key, self.device());
        let Some(member) = self.mapper.members.pop() else { return Ok(f32::NAN) };
        let predicted = member.forward(batch.scaled, Some(&dropout));
        let bank = self.part.bank.clone();
        let loss = cosine_and_bank_contrastive(predicted, bank, &batch.images, &config.contrastive);
        let value = loss.clone().into_scalar().elem();
        let member = self.update(self.learning_rate(place), member, &loss);
        self.mapper.members.push(member);
        Ok(value)
    }

    fn evaluate(&mut self, place: Place) -> Result<Evaluation<ResidualFigures>, DecoderError> {
        let figures = match place.phase {
            0 => self.evaluate_on_tuning(place)?,
            _ => self.evaluate_on_training(),
        };
        Ok(Evaluation { loss: figures.cosine_distance, figures })
    }

    /// Nothing: the network of the last epoch counts, whatever the others achieved.
    fn keep_best(
        &mut self,
        _epoch: &EpochResult<ResidualFigures>,
        _phases: &[PhaseResult],
    ) -> Result<(), DecoderError> {
        Ok(())
    }

    fn event(&mut self, epoch: EpochResult<ResidualFigures>, seconds: f64) -> ResidualEvent {
        let EpochResult { place, train_loss, evaluation, .. } = epoch;
        let last_step = Place { step: place.step.saturating_sub(1), ..place };
        ResidualEvent {
            phase: place.phase + 1,
            epoch: place.epoch,
            learning_rate: self.learning_rate(last_step),
            train_loss,
            figures: evaluation.figures,
            seconds,
        }
    }

    fn is_finite(&self) -> bool {
        all_finite(&self.mapper)
    }

    fn save(&self, path: &Path, state: &TrainState) -> Result<(), RunError> {
        let record: Record =
            (self.mapper.clone().into_record(), self.decayed.to_record(), self.plain.to_record());
        let state = StoredState {
            identity: self.training.identity.to_string(),
            state: ExactFloats(state.clone()),
            ridge: self.ridge.map(ExactFloats),
            blends: ExactFloats(self.blends.clone()),
        };
        save_checkpoint::<Diff, _>(path, record, &state)
    }

    fn load(&mut self, path: &Path) -> Result<TrainState, RunError> {
        let ResidualTraining { config, identity, device, .. } = self.training;
        // In phase 0 there is a member, too.
        let members = |stored: &StoredState| stored.state.0.place.phase.clamp(1, config.num_members);
        let empty = |stored: &StoredState| {
            ResidualConfig { num_members: members(stored), ..self.sizes.clone() }
                .init::<Diff>(config.seed, device)
        };
        let ((mapper, decayed, plain), stored) =
            load_checkpoint::<Diff, Record, StoredState>(path, device, |stored, tensors| {
                require_same_identity(path, &identity.to_string(), &stored.identity)?;
                let network = empty(stored)
                    .map_err(|error| RunError::invalid(path, "settings", error.expected, error.found))?;
                tensors.claim_module("0", &network).map_err(|fault| fault.at(path).into())
            })?;
        let network = empty(&stored)
            .map_err(|error| RunError::invalid(path, "settings", error.expected, error.found))?;
        self.mapper = network.load_record(mapper);
        self.decayed = AdamW::init(config.weight_decay).load_record(decayed);
        self.plain = AdamW::init(0.0).load_record(plain);
        self.scale = values(self.mapper.voxel_scale.val().inner());
        self.ridge = stored.ridge.map(|ridge| ridge.0);
        self.blends = stored.blends.0;
        Ok(stored.state.0)
    }

    fn title(&self, phase: usize) -> String {
        match (phase, self.config().num_members) {
            (0, _) => "choosing on a part of the training images".into(),
            (_, 1) => "fitting all training images".into(),
            (member, members) => format!("fitting all training images, network {member} of {members}"),
        }
    }

    fn step_line(&self, place: Place, loss: f32) -> String {
        format!("epoch {}, loss {loss:.4}", place.epoch)
    }

    fn epoch_line(&self, event: &ResidualEvent) -> Option<String> {
        Some(event.line())
    }

    fn phase_line(&self, result: &PhaseResult) -> String {
        match self.choice().filter(|_| result.phase == 0) {
            Some(choice) => format!("penalty {}, blend {}", choice.ridge.penalty, choice.blend),
            None => format!("loss {:.4} at the end", result.last_train_loss),
        }
    }
}
