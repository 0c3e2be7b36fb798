//! Dropout (Srivastava et al. 2014) whose choices are keyed by their place: Burn's own draws from one generator, which no checkpoint
//! holds.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use rand::Rng;
use rayon::prelude::*;

use crate::models::mapper::HiddenDropout;
use crate::tensor_ops::host_values::tensor;
use crate::tensor_ops::random::keyed_rng;

/// Probabilities are multiples of one over this.
const PARTS: f64 = 65_536.0;

/// Drops values with a probability and enlarges the others, so that means stay.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dropout {
    /// Draws of 16 bits below it drop.
    threshold: u16,
    gain: f32,
}

impl Dropout {
    /// `probability`: at least 0 and below 1.
    pub fn new(probability: f64) -> Self {
        let threshold = (probability * PARTS).round().clamp(0.0, PARTS - 1.0);
        // Of the probability as it is drawn, so that the mean stays exactly.
        Self { threshold: threshold as u16, gain: (1.0 / (1.0 - threshold / PARTS)) as f32 }
    }

    /// Calls `put(value, factor)` for every value with 0 or the gain.
    fn each(&self, rng: &mut impl Rng, values: &mut [f32], put: impl Fn(&mut f32, f32)) {
        let mut draws = vec![0_u8; 2 * values.len()];
        rng.fill_bytes(&mut draws);
        for (value, draw) in values.iter_mut().zip(draws.as_chunks::<2>().0) {
            put(value, if u16::from_le_bytes(*draw) < self.threshold { 0.0 } else { self.gain });
        }
    }
}

/// Drops voxels of a batch in place, row by row, each from a stream of its own: `first` is the number of the first row over the whole
/// training.
pub(crate) fn drop_voxels(dropout: Dropout, seed: u64, first: u64, batch: &mut [f32], width: usize) {
    batch.par_chunks_mut(width.max(1)).enumerate().for_each(|(row, values)| {
        let mut rng = keyed_rng(seed, "residual voxel dropout", first + row as u64);
        dropout.each(&mut rng, values, |value, factor| *value *= factor);
    });
}

/// Factors of the hidden units of a step.
pub(crate) fn hidden_dropout<B: Backend>(
    [first, block]: [Dropout; 2],
    num_blocks: usize,
    shape: [usize; 2],
    (seed, step): (u64, u64),
    device: &B::Device,
) -> HiddenDropout<B> {
    let mut rng = keyed_rng(seed, "residual hidden dropout", step);
    let mut draw = |dropout: Dropout| -> Tensor<B, 2> {
        let mut factors = vec![0.0; shape[0] * shape[1]];
        dropout.each(&mut rng, &mut factors, |place, factor| *place = factor);
        tensor(factors, shape, device)
    };
    HiddenDropout { first: draw(first), blocks: (0..num_blocks).map(|_| draw(block)).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_ops::backend::{Base, cpu};
    use crate::tensor_ops::host_values::values;

    #[test]
    fn shares_and_means_are_right_and_places_decide() {
        let dropped = |probability, first| {
            let mut batch = vec![1.0; 4 * 5000];
            drop_voxels(Dropout::new(probability), 1, first, &mut batch, 5000);
            batch
        };
        let batch = dropped(0.2, 0);
        let zeros = batch.iter().filter(|value| **value == 0.0).count() as f64 / 20_000.0;
        assert!((zeros - 0.2).abs() < 0.012, "{zeros}");
        assert!(batch.iter().all(|value| *value == 0.0 || (*value - 1.25).abs() < 1e-4));
        assert_eq!(dropped(0.2, 0), batch);
        assert_eq!(dropped(0.2, 3)[..5000], batch[15_000..]);
        assert_eq!(dropped(0.0, 0), vec![1.0; 20_000]);
        let shape = [3, 400];
        let hidden: HiddenDropout<Base> =
            hidden_dropout([Dropout::new(0.5), Dropout::new(0.15)], 2, shape, (1, 7), &cpu());
        assert_eq!(hidden.blocks.len(), 2);
        assert_ne!(values(hidden.blocks[0].clone()), values(hidden.blocks[1].clone()));
        let mean = hidden.first.mean().into_scalar();
        assert!((mean - 1.0).abs() < 0.1, "{mean}");
    }
}
