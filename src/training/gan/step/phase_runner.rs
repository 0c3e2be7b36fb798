//! The rounds of one phase on every device, then one step of its optimiser.

use burn::module::AutodiffModule;
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

use super::phases::{PendingNumber, Phase, RoundResult};
use super::replicas::{PhaseSettings, Replica, Round, run_wave};
use crate::tensor_ops::backend::{Device, Diff};
use crate::training::gan::dataset::GanBatch;
use crate::training::gan::gradients::{add_gradients, make_finite, scale_gradients};
use crate::training::gan::state::{Counters, GanState, NonFiniteStreak, Trained};
use crate::training::gan::task::GanTask;

/// Runs phases of generator and discriminator.
pub(crate) struct PhaseRunner<'a> {
    task: &'a GanTask<'a>,
    device: &'a Device,
    /// The networks on the other devices.
    replicas: Vec<Replica>,
}

impl<'a> PhaseRunner<'a> {
    /// With copies of the networks on the other devices.
    pub fn new(
        task: &'a GanTask<'a>,
        state: &GanState,
        device: &'a Device,
        other_devices: &[Device],
    ) -> Self {
        let networks = task.networks(state, device);
        let replicas = other_devices.iter().map(|device| Replica::new(&networks, device)).collect();
        Self { task, device, replicas }
    }

    /// All rounds of a phase, then one step of its optimiser.
    pub fn run(
        &mut self,
        phase: Phase,
        batch: &GanBatch,
        state: &mut GanState,
        counters: &mut Counters,
    ) -> Result<(), NonFiniteStreak> {
        let Some(gradients) = self.rounds(phase, batch, state, counters) else { return Ok(()) };
        if phase.is_of_generator() {
            let network = &mut state.generator;
            if self.learn(phase, network, gradients, counters)? {
                self.replicas.iter_mut().for_each(|replica| replica.set_generator(&network.network));
            }
        } else {
            let network = &mut state.discriminator;
            if self.learn(phase, network, gradients, counters)? {
                self.replicas.iter_mut().for_each(|replica| replica.set_discriminator(&network.network));
            }
        }
        Ok(())
    }

    /// The sum of the gradients of all rounds, as many of them at once as there are devices.
    fn rounds(
        &mut self,
        phase: Phase,
        batch: &GanBatch,
        state: &mut GanState,
        counters: &mut Counters,
    ) -> Option<GradientsParams> {
        let size = self.task.config.round_size();
        let num_rounds = batch.len() / size;
        let num_devices = 1 + self.replicas.len();
        let mut sum = None;
        for wave in (0..num_rounds).collect::<Vec<_>>().chunks(num_devices) {
            let loss_scale = if phase.is_main() { counters.loss_scale.factor } else { 1.0 };
            let settings = PhaseSettings { loss_scale, ..self.task.phase_settings(counters) };
            let rounds = wave
                .iter()
                .map(|&round| Round {
                    batch: if num_rounds == 1 { batch.clone() } else { batch.part(round * size, size) },
                    // Counts over the whole training, so that a resumed run draws what an unbroken one would have drawn.
                    position: counters.step * num_rounds as u64 + round as u64,
                })
                .collect();
            let networks = self.task.networks(state, self.device);
            let results = run_wave(&settings, networks, &self.replicas, phase, rounds);
            let mut path_length_means = vec![];
            for result in results {
                let mean = result.path_length_mean.clone().map(PendingNumber::read);
                path_length_means.extend(mean.filter(|mean| mean.is_finite()));
                sum = Some(take_in(result, sum, phase, size, state, counters));
            }
            // Devices start a wave from one mean, and share what they make of it.
            if !path_length_means.is_empty() {
                let mean = path_length_means.iter().sum::<f64>() / path_length_means.len() as f64;
                counters.path_length_mean = mean as f32;
                counters.running.record("path_length_mean", mean);
            }
        }
        sum
    }

    /// One step of a network's optimiser. `false` if the step was left out for want of range in half precision.
    fn learn<M: AutodiffModule<Diff>>(
        &self,
        phase: Phase,
        trained: &mut Trained<M>,
        mut gradients: GradientsParams,
        counters: &mut Counters,
    ) -> Result<bool, NonFiniteStreak> {
        let config = self.task.config;
        let num_devices = 1 + self.replicas.len();
        if num_devices > 1 {
            // Rounds of a device add up, devices are averaged.
            scale_gradients(&mut gradients, &trained.network, 1.0 / num_devices as f64);
        }
        let check = make_finite(&mut gradients, &trained.network);
        if phase.is_main() && config.half_resolutions > 0 {
            let is_left_out = counters.loss_scale.observe(&config.loss_scale, check.non_finite > 0);
            counters.running.record("loss_scale", f64::from(counters.loss_scale.factor));
            counters.running.count("phases_left_out", u64::from(is_left_out));
            // Nothing moves but the factor: neither weights nor moments nor the streak of non-finite phases.
            if is_left_out {
                return Ok(false);
            }
        }
        let name =
            if phase.is_of_generator() { "generator_gradient_norm" } else { "discriminator_gradient_norm" };
        counters.record_gradients(name, check)?;
        trained.update(gradients, config.rate_factor(counters.images_seen));
        Ok(true)
    }
}

/// Adds the gradients of a round to those before it, and notes its numbers. `size`: samples of the round.
fn take_in(
    result: RoundResult,
    sum: Option<GradientsParams>,
    phase: Phase,
    size: usize,
    state: &mut GanState,
    counters: &mut Counters,
) -> GradientsParams {
    let sum = if phase.is_of_generator() {
        add_gradients(sum, result.gradients, &state.generator.network)
    } else {
        add_gradients(sum, result.gradients, &state.discriminator.network)
    };
    if let Some(w) = result.w {
        state.generator.network.mapping.track_w_avg(Tensor::from_inner(w));
    }
    if let Some(sign_sum) = result.real_sign_sum {
        counters.augment.observe(sign_sum.read() as i64, size as u64);
    }
    for (name, value) in result.stats {
        counters.running.record(name, value.read());
    }
    sum
}
