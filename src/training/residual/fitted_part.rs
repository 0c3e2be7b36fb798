//! The trials that a phase is fitted to, as batches and a bank of targets.

use burn::tensor::Tensor;
use rand::seq::SliceRandom;
use rayon::prelude::*;

use super::config::ResidualTrainConfig;
use super::dropout::{Dropout, drop_voxels};
use crate::tensor_ops::backend::{Device, Diff};
use crate::tensor_ops::host_values::tensor;
use crate::tensor_ops::random::keyed_rng;
use crate::training::decoder::trials::DecoderTrials;

/// Trials of a phase with their images' places in its bank.
#[derive(Clone, Debug)]
pub(crate) struct FittedPart {
    /// Trials.
    pub rows: Vec<usize>,
    /// Row of the bank of each.
    images: Vec<usize>,
    /// Targets of all its images, `[images, embed_dim]`.
    pub bank: Tensor<Diff, 2>,
    /// Places in `rows`, in the order of the epoch under way.
    order: Vec<usize>,
}

/// A step's trials.
pub(crate) struct Batch {
    /// Scaled betas, some dropped, `[batch, voxels]`.
    pub scaled: Tensor<Diff, 2>,
    /// Row of the bank of each trial.
    pub images: Vec<usize>,
}

impl FittedPart {
    pub fn new(trials: &DecoderTrials<'_>, rows: Vec<usize>, device: &Device) -> Self {
        let (bank, images) = trials.bank(&rows);
        let shape = [bank.nrows(), bank.ncols()];
        let bank = tensor(bank.into_iter().collect(), shape, device);
        Self { rows, images, bank, order: Vec::new() }
    }

    /// Trials per step.
    pub fn batch_size(&self, config: &ResidualTrainConfig) -> usize {
        config.batch.min(self.rows.len())
    }

    /// Puts the trials into the order of an epoch, counted over all phases.
    pub fn shuffle(&mut self, seed: u64, epoch: usize) {
        self.order = (0..self.rows.len()).collect();
        self.order.shuffle(&mut keyed_rng(seed, "residual order", epoch as u64));
    }

    /// The trials of a step of the epoch under way, voxels scaled and dropped.
    pub fn batch(
        &self,
        trials: &DecoderTrials<'_>,
        scale: &[f32],
        config: &ResidualTrainConfig,
        (epoch, step): (usize, usize),
        device: &Device,
    ) -> Batch {
        let (size, width) = (self.batch_size(config), trials.betas.ncols());
        let places = &self.order[step * size..(step + 1) * size];
        let mut values = vec![0.0; size * width];
        values.par_chunks_mut(width.max(1)).zip(places).for_each(|(out, place)| {
            let betas = trials.betas.row(self.rows[*place]);
            out.iter_mut().zip(betas).zip(scale).for_each(|((out, beta), scale)| *out = beta * scale);
        });
        // Epochs are numbered over all phases; none has more trials than there are.
        let first = (epoch * trials.betas.nrows() + step * size) as u64;
        drop_voxels(Dropout::new(config.voxel_dropout), config.seed, first, &mut values, width);
        let images = places.iter().map(|place| self.images[*place]).collect();
        Batch { scaled: tensor(values, [size, width], device), images }
    }
}
