//! Photographs set aside: all images of one go together, so that none of them is known from another crop.

use rand::seq::SliceRandom;

use crate::data::error::DataError;
use crate::data::trial::CocoId;
use crate::error::{SettingError, between, in_range};
use crate::tensor_ops::random::keyed_rng;

/// How many are set aside, and which.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeldOut {
    /// Share of the photographs, in (0, 1).
    pub fraction: f64,
    /// Seed of the choice.
    pub seed: u64,
    /// Key of the choice.
    pub purpose: &'static str,
}

/// Refuses a share of the photographs with which nothing is left on one side.
pub(crate) fn check_held_out_fraction(fraction: f64) -> Result<(), SettingError> {
    in_range("held_out_fraction", fraction, between(0.0, 1.0))
}

impl HeldOut {
    /// A random share of the photographs, ascending; at least two on either side.
    ///
    /// # Errors
    /// [`DataError::Setting`] for a share out of range; [`DataError::Empty`] for fewer than four photographs.
    pub fn of(self, photographs: &[CocoId]) -> Result<Vec<CocoId>, DataError> {
        let mut distinct = photographs.to_vec();
        // Sorted before it is shuffled: the choice hangs on the set and the seed, not on the order in which trials
        // come.
        distinct.sort_unstable();
        distinct.dedup();
        check_held_out_fraction(self.fraction)?;
        if distinct.len() < 4 {
            let what = format!("the held-out set of {} photographs", distinct.len());
            return Err(DataError::empty(what, "at least 4 photographs are needed; prepare more sessions"));
        }
        let count = (self.fraction * distinct.len() as f64).round() as usize;
        distinct.shuffle(&mut keyed_rng(self.seed, self.purpose, 0));
        distinct.truncate(count.clamp(2, distinct.len() - 2));
        distinct.sort_unstable();
        Ok(distinct)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn photographs_are_set_aside_whole_and_by_seed() {
        // Forty images of twenty photographs.
        let photographs: Vec<CocoId> = (0..40).map(|image| CocoId(1000 - image / 2)).collect();
        let held = |fraction, seed| HeldOut { fraction, seed, purpose: "test" }.of(&photographs).unwrap();
        assert_eq!(held(0.2, 1).len(), 4);
        assert!(held(0.2, 1).is_sorted());
        assert_eq!(held(0.2, 1), held(0.2, 1));
        assert_ne!(held(0.2, 1), held(0.2, 2));
        assert_eq!((held(0.01, 1).len(), held(0.99, 1).len()), (2, 18));
        for (photographs, fraction) in [(&photographs[..6], 0.5), (&photographs[..], 1.0)] {
            let held = HeldOut { fraction, seed: 1, purpose: "test" };
            let error = held.of(photographs).unwrap_err().to_string();
            assert!(error.contains("held"), "{error}");
        }
    }
}
