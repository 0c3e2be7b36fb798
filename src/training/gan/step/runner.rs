//! One step of the GAN training: the phases that are due, their rounds, the optimisers, the average.

use burn::module::AutodiffModule;
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

use super::phases::{Phase, PhaseContext};
use super::replicas::{PhaseSettings, Replica, Round, run_wave};
use crate::models::stylegan2::ConditionHeads;
use crate::tensor_ops::backend::Diff;
use crate::tensor_ops::random::keyed_rng;
use crate::training::frame::phase_clock::PhaseClock;
use crate::training::gan::dataset::{GanBatch, SampleOrder};
use crate::training::gan::gradients::{GradientCheck, add_gradients, make_finite, scale_gradients};
use crate::training::gan::mappers::joint::DecodedBatch;
use crate::training::gan::state::{Counters, GanState, Trained};
use crate::training::gan::trainer::{CHECKPOINT_FILE, GanTrainError, GanTraining, StartingPoint};

/// Share of the images seen that limits the half-life of a generator averaged from scratch
/// (docs/spec/gan-training.md §6).
const EMA_RAMPUP: f64 = 0.05;

impl GanTraining<'_> {
    /// All phases that are due, then the average.
    pub(crate) fn step(
        &self,
        state: &mut GanState,
        replicas: &mut [Replica],
        counters: &mut Counters,
        order: &mut SampleOrder,
        clock: &mut PhaseClock,
    ) -> Result<(), GanTrainError> {
        let config = self.config;
        let samples = order.next(counters.images_seen, config.batch_size);
        let (batch, mut decoded) = self.batch(&samples, state, counters.step)?;
        for phase in Phase::ALL {
            if phase.is_due(counters.step, config, self.generator.resolution) {
                clock.time(phase.name(), || self.phase(phase, &batch, state, replicas, counters))?;
            }
        }
        if let (Some(joint), Some(decoded)) = (self.mappers, &mut decoded) {
            clock.time("mappers", || self.mapper_phases(joint, &batch, decoded, state, counters))?;
        }
        let is_pretrained = matches!(self.start, StartingPoint::Pretrained { .. });
        let rampup = config.ema_rampup.unwrap_or(if is_pretrained { 0.0 } else { EMA_RAMPUP });
        state.average(config, counters.images_seen, rampup);
        let Counters { augment, step, running, .. } = counters;
        if let Some(mean_sign) = augment.adjust(&config.augment, *step, config.batch_size, is_pretrained) {
            running.record("augment_mean_sign", mean_sign);
            running.record("augment_probability", f64::from(augment.probability));
        }
        if !config.learning_rate_decay.is_constant() {
            let rate = config.learning_rate * config.rate_factor(counters.images_seen);
            counters.running.record("learning_rate", rate);
        }
        counters.step += 1;
        counters.images_seen += config.batch_size as u64;
        clock.count_images(config.batch_size as u64);
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

    /// What every phase reads at present.
    fn settings(&self, counters: &Counters) -> PhaseSettings<'_> {
        PhaseSettings {
            config: self.config,
            generator_config: self.generator,
            path_length_mean: f64::from(counters.path_length_mean),
            augment_probability: f64::from(counters.augment.probability),
            loss_scale: 1.0,
        }
    }

    /// What a phase on the first device reads at present.
    pub(crate) fn context<'a>(&'a self, state: &'a GanState, counters: &Counters) -> PhaseContext<'a> {
        self.settings(counters).on(self.networks(state))
    }

    /// Notes what was found in a phase's gradients; too many phases in a row without numbers end the training.
    pub(crate) fn record_gradients(
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
        replicas: &mut [Replica],
        counters: &mut Counters,
    ) -> Result<(), GanTrainError> {
        let size = self.config.round_size();
        let num_rounds = batch.len() / size;
        let num_devices = 1 + replicas.len();
        let mut sum = None;
        for wave in (0..num_rounds).collect::<Vec<_>>().chunks(num_devices) {
            let loss_scale = if phase.is_main() { counters.loss_scale.factor } else { 1.0 };
            let settings = PhaseSettings { loss_scale, ..self.settings(counters) };
            let rounds = wave
                .iter()
                .map(|&round| Round {
                    batch: if num_rounds == 1 { batch.clone() } else { batch.part(round * size, size) },
                    position: counters.step * num_rounds as u64 + round as u64,
                })
                .collect();
            let results = run_wave(&settings, self.networks(state), replicas, phase, rounds);
            let mut path_length_means = vec![];
            for result in results {
                sum = Some(if phase.is_of_generator() {
                    add_gradients(sum, result.gradients, &state.generator.network)
                } else {
                    add_gradients(sum, result.gradients, &state.discriminator.network)
                });
                if let Some(w) = result.w {
                    state.generator.network.mapping.track_w_avg(Tensor::from_inner(w));
                }
                path_length_means.extend(result.path_length_mean.filter(|mean| mean.is_finite()));
                if let Some(sign_sum) = result.real_sign_sum {
                    counters.augment.observe(sign_sum, size as u64);
                }
                for (name, value) in result.stats {
                    counters.running.record(name, value);
                }
            }
            // Devices start a wave from one mean, and share what they make of it.
            if !path_length_means.is_empty() {
                let mean = path_length_means.iter().sum::<f64>() / path_length_means.len() as f64;
                counters.path_length_mean = mean as f32;
                counters.running.record("path_length_mean", mean);
            }
        }
        let Some(gradients) = sum else { return Ok(()) };
        if phase.is_of_generator() {
            let network = &mut state.generator;
            if self.learn(phase, network, gradients, num_devices, counters)? {
                replicas.iter_mut().for_each(|replica| replica.set_generator(&network.network));
            }
        } else {
            let network = &mut state.discriminator;
            if self.learn(phase, network, gradients, num_devices, counters)? {
                replicas.iter_mut().for_each(|replica| replica.set_discriminator(&network.network));
            }
        }
        Ok(())
    }

    /// One step of a network's optimiser. `false` if the step was left out for want of range in half precision.
    fn learn<M: AutodiffModule<Diff>>(
        &self,
        phase: Phase,
        trained: &mut Trained<M>,
        mut gradients: GradientsParams,
        num_devices: usize,
        counters: &mut Counters,
    ) -> Result<bool, GanTrainError> {
        if num_devices > 1 {
            // Rounds of a device add up, devices are averaged.
            scale_gradients(&mut gradients, &trained.network, 1.0 / num_devices as f64);
        }
        let check = make_finite(&mut gradients, &trained.network);
        if phase.is_main() && self.config.half_resolutions > 0 {
            let is_left_out = counters.loss_scale.observe(&self.config.loss_scale, check.non_finite > 0);
            counters.running.record("loss_scale", f64::from(counters.loss_scale.factor));
            counters.running.count("phases_left_out", u64::from(is_left_out));
            if is_left_out {
                return Ok(false);
            }
        }
        let name =
            if phase.is_of_generator() { "generator_gradient_norm" } else { "discriminator_gradient_norm" };
        self.record_gradients(name, check, counters)?;
        trained.update(gradients, self.config.rate_factor(counters.images_seen));
        Ok(true)
    }
}
