//! One step of the GAN training: the phases that are due, their rounds, the optimisers, the average.

use burn::tensor::Tensor;

use super::gan_dataset::{GanBatch, SampleOrder};
use super::gan_gradients::{GradientCheck, add_gradients, make_finite};
use super::gan_mappers::DecodedBatch;
use super::gan_phases::{Phase, PhaseContext};
use super::gan_state::{Counters, GanState};
use super::gan_trainer::{CHECKPOINT_FILE, GanTrainError, GanTraining, StartingPoint};
use crate::models::stylegan2::ConditionHeads;
use crate::tensor_ops::random::keyed_rng;

/// Share of the images seen that limits the half-life of a generator averaged from scratch (gan-training.md 6).
const EMA_RAMPUP: f64 = 0.05;

impl GanTraining<'_> {
    /// All phases that are due, then the average.
    pub(super) fn step(
        &self,
        state: &mut GanState,
        counters: &mut Counters,
        order: &mut SampleOrder,
    ) -> Result<(), GanTrainError> {
        let config = self.config;
        let samples = order.next(counters.images_seen, config.batch_size);
        let (batch, mut decoded) = self.batch(&samples, state, counters.step)?;
        for phase in Phase::ALL {
            if phase.is_due(counters.step, config, self.generator.resolution) {
                self.phase(phase, &batch, state, counters)?;
            }
        }
        if let (Some(joint), Some(decoded)) = (self.mappers, &mut decoded) {
            self.mapper_phases(joint, &batch, decoded, state, counters)?;
        }
        let is_pretrained = matches!(self.start, StartingPoint::Pretrained { .. });
        let rampup = config.ema_rampup.unwrap_or(if is_pretrained { 0.0 } else { EMA_RAMPUP });
        state.average(config, counters.images_seen, rampup);
        let Counters { augment, step, running, .. } = counters;
        if let Some(mean_sign) = augment.adjust(&config.augment, *step, config.batch_size, is_pretrained) {
            running.record("augment_mean_sign", mean_sign);
            running.record("augment_probability", f64::from(augment.probability));
        }
        counters.step += 1;
        counters.images_seen += config.batch_size as u64;
        Ok(())
    }

    /// Images and conditions of a step: the stored ones, or what the mappers make of the betas at present.
    fn batch(
        &self,
        samples: &[usize],
        state: &GanState,
        step: u64,
    ) -> Result<(GanBatch, Option<DecodedBatch>), GanTrainError> {
        let (Some(joint), Some(pair)) = (self.mappers, &state.mappers) else {
            let batch = self.data.batch(samples, self.generator.heads, self.device);
            let mut rng = keyed_rng(self.config.seed, "gan.mix", step);
            return Ok((self.data.mix(batch, samples, &mut rng), None));
        };
        let unmirrored: Vec<usize> = samples.iter().map(|sample| sample % self.data.len()).collect();
        let decoded = joint.decode(pair, &unmirrored, self.config.seed, step, self.device)?;
        let mask = || match &decoded.mask {
            Some(mask) => mask.clone(),
            None => decoded.vectors[0].zeros_like(),
        };
        let condition = joint.condition(decoded.vectors.clone(), mask, self.generator.heads);
        let batch = self.data.batch(samples, ConditionHeads::None, self.device);
        Ok((GanBatch { condition, ..batch }, Some(decoded)))
    }

    /// What a phase reads at present.
    pub(super) fn context<'a>(&'a self, state: &'a GanState, counters: &Counters) -> PhaseContext<'a> {
        PhaseContext {
            config: self.config,
            generator_config: self.generator,
            generator: &state.generator.network,
            discriminator: &state.discriminator.network,
            encoder: self.encoder,
            resnet: self.resnet,
            path_length_mean: f64::from(counters.path_length_mean),
            augment_probability: f64::from(counters.augment.probability),
            device: self.device,
        }
    }

    /// Notes what was found in a phase's gradients; too many phases in a row without numbers end the training.
    pub(super) fn record_gradients(
        &self,
        name: &str,
        check: GradientCheck,
        counters: &mut Counters,
    ) -> Result<(), GanTrainError> {
        counters.running.record(name, check.norm);
        counters.running.count("non_finite_gradients", check.non_finite);
        counters.non_finite_phases = if check.non_finite > 0 { counters.non_finite_phases + 1 } else { 0 };
        if counters.non_finite_phases <= self.config.max_non_finite_phases {
            return Ok(());
        }
        Err(GanTrainError::Diverged {
            step: counters.step,
            phases: counters.non_finite_phases,
            checkpoint: self.run.join(CHECKPOINT_FILE),
        })
    }

    /// All rounds of a phase, then one step of its optimiser.
    fn phase(
        &self,
        phase: Phase,
        batch: &GanBatch,
        state: &mut GanState,
        counters: &mut Counters,
    ) -> Result<(), GanTrainError> {
        let is_generator = matches!(phase, Phase::GeneratorMain | Phase::GeneratorRegularisation);
        let size = self.config.round_size();
        let rounds = (batch.len() / size) as u64;
        let mut sum = None;
        for round in 0..rounds {
            let context = self.context(state, counters);
            let part = if rounds == 1 { batch.clone() } else { batch.part(round as usize * size, size) };
            let result = context.run(phase, &part, counters.step * rounds + round);
            sum = Some(if is_generator {
                add_gradients(sum, result.gradients, &state.generator.network)
            } else {
                add_gradients(sum, result.gradients, &state.discriminator.network)
            });
            if let Some(w) = result.w {
                state.generator.network.mapping.track_w_avg(Tensor::from_inner(w));
            }
            if let Some(mean) = result.path_length_mean.filter(|mean| mean.is_finite()) {
                counters.path_length_mean = mean as f32;
                counters.running.record("path_length_mean", mean);
            }
            if let Some(sign_sum) = result.real_sign_sum {
                counters.augment.observe(sign_sum, part.len() as u64);
            }
            for (name, value) in result.stats {
                counters.running.record(name, value);
            }
        }
        let Some(mut gradients) = sum else { return Ok(()) };
        let check = if is_generator {
            make_finite(&mut gradients, &state.generator.network)
        } else {
            make_finite(&mut gradients, &state.discriminator.network)
        };
        let name = if is_generator { "generator_gradient_norm" } else { "discriminator_gradient_norm" };
        self.record_gradients(name, check, counters)?;
        if is_generator {
            state.generator.update(gradients);
        } else {
            state.discriminator.update(gradients);
        }
        Ok(())
    }
}
