//! What the encoding network is fitted to: embeddings with betas, and its loss on them.

use burn::tensor::backend::Backend;
use burn::tensor::{ElementConversion, Tensor};
use ndarray::{Array2, ArrayView1};

use crate::interrupt::{self, Stopped};
use crate::losses::regression::squared_error_and_cosine;
use crate::models::encoder::Encoder;
use crate::tensor_ops::backend::{Base, Device, Diff};
use crate::tensor_ops::host_values::{tensor, values};
use crate::training::frame::host_rows::gather;

/// Trials per forward pass where no gradient is formed.
const EVALUATION_BATCH: usize = 64;

/// Trials with what the image seen is to CLIP, and betas.
#[derive(Clone, Copy, Debug)]
pub struct EncoderTrials<'a> {
    /// `[trials, embed_dim]`
    pub latents: &'a Array2<f32>,
    /// `[trials, voxels]`, z-scored, not padded.
    pub betas: &'a Array2<f32>,
    /// The row of `betas` of every trial: its own, or for a control another's.
    pub betas_of: &'a [usize],
    /// Trials to fit.
    pub fitting: &'a [usize],
    /// Trials that choose the epoch; none where the length is fixed.
    pub tuning: &'a [usize],
    /// Length of what the network predicts.
    pub signal_len: usize,
    /// Zeros before the first voxel: the paper's target is the padded vector (docs/spec/open-questions.md OQ-41).
    pub padding_left: usize,
    /// Device of the network.
    pub device: &'a Device,
}

impl EncoderTrials<'_> {
    fn latents<B: Backend<Device = Device>>(&self, trials: &[usize]) -> Tensor<B, 2> {
        let rows = trials.iter().map(|trial| self.latents.row(*trial));
        gather(self.latents.ncols(), rows, self.device)
    }

    fn signal<B: Backend<Device = Device>>(&self, trials: &[usize]) -> Tensor<B, 2> {
        let mut padded = vec![0.0; trials.len() * self.signal_len];
        for (place, trial) in padded.chunks_mut(self.signal_len).zip(trials) {
            let betas: ArrayView1<'_, f32> = self.betas.row(self.betas_of[*trial]);
            place[self.padding_left..].iter_mut().zip(betas).for_each(|(place, beta)| *place = *beta);
        }
        tensor(padded, [trials.len(), self.signal_len], self.device)
    }

    /// Loss `[1]` of `trials`.
    pub(crate) fn loss(
        &self,
        network: &Encoder<Diff>,
        trials: &[usize],
        cosine_weight: f64,
    ) -> Tensor<Diff, 1> {
        squared_error_and_cosine(network.forward(self.latents(trials)), self.signal(trials), cosine_weight)
    }

    /// Mean loss over `trials` without a gradient.
    pub(crate) fn mean_loss(&self, network: &Encoder<Base>, trials: &[usize], cosine_weight: f64) -> f64 {
        let of = |trials: &[usize]| {
            let predicted = network.forward(self.latents(trials));
            let loss = squared_error_and_cosine(predicted, self.signal(trials), cosine_weight);
            f64::from(loss.into_scalar().elem::<f32>()) * trials.len() as f64
        };
        trials.chunks(EVALUATION_BATCH).map(of).sum::<f64>() / trials.len().max(1) as f64
    }

    /// Predicted betas of `trials` without the padding, `[trials, voxels]`.
    ///
    /// # Errors
    /// Somebody asked to stop.
    pub fn predict(&self, network: &Encoder<Base>, trials: &[usize]) -> Result<Array2<f32>, Stopped> {
        let voxels = self.betas.ncols();
        let mut predicted = Array2::zeros((trials.len(), voxels));
        for (batch, trials) in trials.chunks(EVALUATION_BATCH).enumerate() {
            interrupt::check()?;
            let signal = values(network.forward(self.latents::<Base>(trials)));
            for (place, signal) in signal.chunks(self.signal_len).enumerate() {
                let voxels = &signal[self.padding_left..self.padding_left + voxels];
                predicted.row_mut(batch * EVALUATION_BATCH + place).assign(&ArrayView1::from(voxels));
            }
        }
        Ok(predicted)
    }
}
