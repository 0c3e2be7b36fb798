//! The phases of all mappers of a step, each with a step of its own optimiser.

use burn::tensor::Tensor;

use super::joint::{DecodedBatch, JointMappers, MapperBranch};
use super::phase::MapperRound;
use crate::tensor_ops::backend::Device;
use crate::training::gan::dataset::GanBatch;
use crate::training::gan::gradients::{add_gradients, make_finite};
use crate::training::gan::state::{Counters, GanState, NonFiniteStreak};
use crate::training::gan::task::GanTask;

/// Runs phases of mappers.
pub(crate) struct MapperPhaseRunner<'a> {
    pub task: &'a GanTask<'a>,
    pub joint: &'a JointMappers<'a>,
    pub device: &'a Device,
}

impl MapperPhaseRunner<'_> {
    /// The phases of all mappers that are trained, if they are due.
    pub fn run(
        &self,
        batch: &GanBatch,
        decoded: &mut DecodedBatch,
        state: &mut GanState,
        counters: &mut Counters,
    ) -> Result<(), NonFiniteStreak> {
        let joint = self.joint;
        if !counters.step.is_multiple_of(joint.config.interval) {
            return Ok(());
        }
        for branch in joint.branches() {
            self.phase(branch, batch, decoded, state, counters)?;
            // The next mapper's phase sees what this one decodes now.
            if let Some(pair) = &state.mappers {
                decoded.vectors[branch.index()] = joint.current_vector(pair, branch, &decoded.signals);
            }
        }
        Ok(())
    }

    /// All rounds of a mapper's phase, then one step of its optimiser.
    fn phase(
        &self,
        branch: MapperBranch,
        batch: &GanBatch,
        decoded: &DecodedBatch,
        state: &mut GanState,
        counters: &mut Counters,
    ) -> Result<(), NonFiniteStreak> {
        let Self { task, joint, device } = self;
        let size = task.config.round_size();
        let rounds = (batch.len() / size) as u64;
        let mut sum = None;
        for round in 0..rounds {
            let Some(pair) = &state.mappers else { return Ok(()) };
            let network = &pair.0[branch.index()].network;
            let start = round as usize * size;
            let (batch, decoded) = (batch.part(start, size), decoded.part(start, size));
            let part = MapperRound { joint, branch, network, batch: &batch, decoded: &decoded };
            let context = task.phase_settings(counters).on(task.networks(state, device));
            // The position counts rounds over the whole training: a resumed run draws what an unbroken one would have
            // drawn.
            let result = part.run(&context, counters.step * rounds + round);
            sum = Some(add_gradients(sum, result.gradients, network));
            if let Some(w) = result.w {
                state.generator.network.mapping.track_w_avg(Tensor::from_inner(w));
            }
            for (name, value) in result.stats {
                counters.running.record(name, value.read());
            }
        }
        let (Some(mut gradients), Some(pair)) = (sum, &mut state.mappers) else { return Ok(()) };
        let trained = &mut pair.0[branch.index()];
        let check = make_finite(&mut gradients, &trained.network);
        counters.record_gradients(branch.norm_name(), check)?;
        trained.update(gradients, task.config.rate_factor(counters.images_seen));
        Ok(())
    }
}
