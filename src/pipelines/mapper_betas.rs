//! The betas that a mapper is trained on: which trial gets which, padded to the length of the network's input.

use std::path::Path;

use ndarray::{Array2, ArrayView2, s};
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

impl std::fmt::Display for BetasControl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Measured => "measured",
            Self::Shuffled => "shuffled",
        })
    }
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

/// Refuses training trials whose betas are the same in all of them: whatever is fitted to them predicts one vector.
///
/// # Errors
/// [`DataError::Invalid`] that names the prepared file.
pub(crate) fn require_variation(
    prepared: &Path,
    betas: ArrayView2<'_, f32>,
    train: &[usize],
) -> Result<(), DataError> {
    let Some((first, others)) = train.split_first() else { return Ok(()) };
    let first = betas.row(*first);
    if others.is_empty() || others.iter().any(|trial| betas.row(*trial) != first) {
        return Ok(());
    }
    let field = format!("betas of the {} training trials", train.len());
    let expected = "at least one voxel that is not the same in all of them: there is nothing to decode";
    Err(DataError::invalid(prepared, field, expected, "constant in every voxel"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn betas_that_never_change_are_refused_by_file() {
        let betas = array![[1.0, 2.0], [1.0, 2.0], [1.0, 2.5], [1.0, 2.0]];
        let of = |train: &[usize]| {
            require_variation(Path::new("p.h5"), betas.view(), train).map_err(|error| error.to_string())
        };
        assert_eq!((of(&[0, 1, 2]), of(&[0]), of(&[])), (Ok(()), Ok(()), Ok(())));
        let error = of(&[0, 1, 3]).unwrap_err();
        assert!(
            error.starts_with("`p.h5`: betas of the 3 training trials is constant in every voxel"),
            "{error}"
        );
    }

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
