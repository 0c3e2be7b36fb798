//! Images and conditions of the steps of a GAN training, in the order of the seed.

use crate::data::error::DataError;
use crate::models::stylegan2::ConditionHeads;
use crate::tensor_ops::backend::Device;
use crate::tensor_ops::random::keyed_rng;
use crate::training::gan::dataset::{GanBatch, SampleOrder};
use crate::training::gan::mappers::joint::{DecodedBatch, JointMappers};
use crate::training::gan::state::MapperPair;
use crate::training::gan::task::GanTask;

/// What steps learn from, one batch after the other.
pub(crate) struct Batches<'a> {
    task: &'a GanTask<'a>,
    order: SampleOrder,
    device: &'a Device,
}

impl<'a> Batches<'a> {
    pub fn new(task: &'a GanTask<'a>, device: &'a Device) -> Self {
        let num_samples = task.data.len() * if task.config.mirror_images { 2 } else { 1 };
        Self { task, order: SampleOrder::new(task.config.seed, num_samples), device }
    }

    /// Images and conditions of a step: the stored ones, or what the mappers make of the betas at present.
    pub fn next(
        &mut self,
        images_seen: u64,
        step: u64,
        mappers: Option<&MapperPair>,
    ) -> Result<(GanBatch, Option<DecodedBatch>), DataError> {
        let samples = self.order.next(images_seen, self.task.config.images_per_step());
        let Some((joint, pair)) = self.task.mappers.zip(mappers) else {
            return Ok((self.stored(&samples, step), None));
        };
        let (batch, decoded) = self.decoded(joint, pair, &samples, step)?;
        Ok((batch, Some(decoded)))
    }

    fn stored(&self, samples: &[usize], step: u64) -> GanBatch {
        let GanTask { data, generator, config, .. } = self.task;
        let batch = data.batch(samples, generator.heads, self.device);
        data.mix(batch, samples, &mut keyed_rng(config.seed, "gan.mix", step))
    }

    fn decoded(
        &self,
        joint: &JointMappers<'_>,
        pair: &MapperPair,
        samples: &[usize],
        step: u64,
    ) -> Result<(GanBatch, DecodedBatch), DataError> {
        let GanTask { data, generator, config, .. } = self.task;
        // A mirrored picture has the betas of its original.
        let unmirrored: Vec<usize> = samples.iter().map(|sample| sample % data.len()).collect();
        let decoded = joint.decode(pair, &unmirrored, config.seed, step, self.device)?;
        let mask = || match &decoded.mask {
            Some(mask) => mask.clone(),
            None => decoded.vectors[0].zeros_like(),
        };
        let condition = joint.condition(decoded.vectors.clone(), mask, generator.heads);
        let batch = data.batch(samples, ConditionHeads::None, self.device);
        Ok((GanBatch { condition, ..batch }, decoded))
    }
}
