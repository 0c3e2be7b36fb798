//! Targets of an image mapper that are made anew in every epoch, from images augmented in another way.

use ndarray::Array2;

use super::augmented_stimuli::AugmentedStimuli;
use crate::data::error::DataError;
use crate::data::targets::TargetScale;
use crate::data::trial::NsdId;
use crate::training::mapper::target_queue::TargetBatch;

/// Images of all trials, and what their embeddings become.
#[derive(Debug)]
pub struct FreshTargets {
    /// Embeds augmented images.
    pub stimuli: AugmentedStimuli,
    /// The image of every trial.
    pub images: Vec<NsdId>,
    /// Clamp and scaling of the embeddings.
    pub scale: TargetScale,
}

impl FreshTargets {
    /// Finished targets `[trials, embed_dim]` of a batch; every epoch shows its trials in another way.
    ///
    /// # Errors
    /// The first image that cannot be read.
    pub fn of_batch(&self, batch: &TargetBatch) -> Result<Array2<f32>, DataError> {
        let mut embeddings = self.stimuli.embed("augment", &self.views(batch.epoch, &batch.trials))?;
        self.scale.apply(&mut embeddings);
        Ok(embeddings)
    }

    /// Raw embeddings `[trials, embed_dim]` of validation trials, augmented once.
    ///
    /// # Errors
    /// As [`FreshTargets::of_batch`].
    pub fn validation(&self, trials: &[usize]) -> Result<Array2<f32>, DataError> {
        self.stimuli.embed("augment validation", &self.views(0, trials))
    }

    /// What trials show in an epoch, with the positions that key how it is augmented.
    fn views(&self, epoch: usize, trials: &[usize]) -> Vec<(NsdId, u64)> {
        let position = |trial: usize| epoch as u64 * self.images.len() as u64 + trial as u64;
        trials.iter().map(|trial| (self.images[*trial], position(*trial))).collect()
    }
}
