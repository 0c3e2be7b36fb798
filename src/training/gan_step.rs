//! One step of the GAN training: the phases that are due, their rounds, the optimisers, the average.

use burn::tensor::Tensor;

use super::gan_dataset::{GanBatch, SampleOrder};
use super::gan_gradients::{add_gradients, make_finite};
use super::gan_phases::{Phase, PhaseContext};
use super::gan_state::{Counters, GanState};
use super::gan_trainer::{GanTrainError, GanTraining, StartingPoint};
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
        let batch = self.data.batch(&samples, self.generator.heads, self.device);
        let mut rng = keyed_rng(config.seed, "gan.mix", counters.step);
        let batch = self.data.mix(batch, &samples, &mut rng);
        for phase in Phase::ALL {
            if phase.is_due(counters.step, config, self.generator.resolution) {
                self.phase(phase, &batch, state, counters)?;
            }
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
            let context = PhaseContext {
                config: self.config,
                generator_config: self.generator,
                generator: &state.generator.network,
                discriminator: &state.discriminator.network,
                encoder: self.encoder,
                resnet: self.resnet,
                path_length_mean: f64::from(counters.path_length_mean),
                augment_probability: f64::from(counters.augment.probability),
                device: self.device,
            };
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
        counters.running.record(name, check.norm);
        counters.running.count("non_finite_gradients", check.non_finite);
        counters.non_finite_phases = if check.non_finite > 0 { counters.non_finite_phases + 1 } else { 0 };
        if counters.non_finite_phases > self.config.max_non_finite_phases {
            return Err(GanTrainError::Diverged { step: counters.step, phases: counters.non_finite_phases });
        }
        if is_generator {
            state.generator.update(gradients);
        } else {
            state.discriminator.update(gradients);
        }
        Ok(())
    }
}
