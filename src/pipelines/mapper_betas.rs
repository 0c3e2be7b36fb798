//! The betas that a mapper is trained on: which trial gets which, padded to the length of the network's input.

use ndarray::{Array2, s};
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use crate::data::error::DataError;
use crate::data::prepared::PreparedSubject;
use crate::models::mapper::between_zeros;
use crate::tensor_ops::random::keyed_rng;

/// Rows of betas read at a time.
const READ_ROWS: usize = 256;

/// Which betas go with which image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BetasControl {
    /// Each trial's own.
    #[default]
    Measured,
    /// The control: trials exchange their betas at random, so that decoding must be at chance.
    Shuffled,
}

impl BetasControl {
    /// The trial whose betas each of `num_trials` trials gets.
    pub fn order(self, num_trials: usize, seed: u64) -> Vec<usize> {
        let mut trials: Vec<usize> = (0..num_trials).collect();
        if self == Self::Shuffled {
            trials.shuffle(&mut keyed_rng(seed, "shuffle betas", 0));
        }
        trials
    }
}

/// Betas `[trials, signal_len]` of `trials` in their order, with zeros at both ends: `left` of them before the first voxel.
///
/// # Errors
/// [`DataError`] when the file cannot be read or holds a number that is not finite.
pub fn padded_betas(
    subject: &PreparedSubject,
    trials: &[usize],
    signal_len: usize,
    left: usize,
) -> Result<Array2<f32>, DataError> {
    let mut padded = Array2::zeros((trials.len(), signal_len));
    for (block, trials) in trials.chunks(READ_ROWS).enumerate() {
        let betas = subject.betas_of(trials)?;
        let first = block * READ_ROWS;
        let mut part = padded.slice_mut(s![first..first + trials.len(), ..]);
        part.assign(&between_zeros(betas.view(), left, signal_len));
    }
    Ok(padded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_control_exchanges_trials_by_its_seed() {
        assert_eq!(BetasControl::Measured.order(4, 1), [0, 1, 2, 3]);
        let shuffled = BetasControl::Shuffled.order(40, 1);
        assert_ne!(shuffled, BetasControl::Measured.order(40, 1));
        assert_ne!(shuffled, BetasControl::Shuffled.order(40, 2));
        let mut sorted = shuffled;
        sorted.sort_unstable();
        assert_eq!(sorted, BetasControl::Measured.order(40, 1));
    }
}
