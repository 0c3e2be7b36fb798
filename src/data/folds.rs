//! Folds for cross-validation: every trial is held out once, all trials of a group at the same time.

use std::collections::HashMap;

use rand::seq::SliceRandom;

use super::split::Split;
use crate::tensor_ops::random::keyed_rng;

/// Groups of trials in a drawn order, dealt into folds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folds {
    /// Place of each trial's group in the drawn order.
    place_of_trial: Vec<usize>,
    num_groups: usize,
    count: usize,
}

impl Folds {
    /// Deals the groups of trials into `count` folds, 1 or more, whose sizes differ by one group at most; `seed` decides the order.
    pub fn new(groups: &[u64], count: usize, seed: u64) -> Self {
        let mut first_seen: HashMap<u64, usize> = HashMap::new();
        for group in groups {
            let next = first_seen.len();
            first_seen.entry(*group).or_insert(next);
        }
        let num_groups = first_seen.len();
        let mut places: Vec<usize> = (0..num_groups).collect();
        places.shuffle(&mut keyed_rng(seed, "evaluation folds", 0));
        let place_of_trial = groups.iter().map(|group| places[first_seen[group]]).collect();
        Self { place_of_trial, num_groups, count: count.max(1) }
    }

    /// Number of folds.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Groups in all folds together.
    pub fn num_groups(&self) -> usize {
        self.num_groups
    }

    /// The split that holds one fold out, counted from 0.
    pub fn split(&self, fold: usize) -> Split {
        let trials = 0..self.place_of_trial.len();
        let (validation, train) = trials.partition(|trial| self.place_of_trial[*trial] % self.count == fold);
        Split { train, validation }
    }

    /// Which of the training trials, by their positions in `train`, choose a setting: `share` of their groups, those that come last in
    /// the drawn order; at least one group, and never all.
    pub fn tuning(&self, train: &[usize], share: f64) -> Split {
        let mut places: Vec<usize> = train.iter().map(|trial| self.place_of_trial[*trial]).collect();
        let of_position = places.clone();
        places.sort_unstable();
        places.dedup();
        let most = places.len().saturating_sub(1).max(1);
        let num_tuning = ((share * places.len() as f64).round() as usize).clamp(1, most);
        let first = places.len().saturating_sub(num_tuning);
        let limit = places.get(first).copied().unwrap_or(usize::MAX);
        let (validation, train) = (0..train.len()).partition(|position| of_position[*position] >= limit);
        Split { train, validation }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 11 groups with one to three trials each.
    fn groups() -> Vec<u64> {
        (0..11_u64).flat_map(|group| std::iter::repeat_n(100 + group, 1 + group as usize % 3)).collect()
    }

    #[test]
    fn every_trial_is_held_out_once_with_all_of_its_group() {
        let groups = groups();
        let folds = Folds::new(&groups, 4, 1);
        assert_eq!(folds.num_groups(), 11);
        let mut held_out = vec![0; groups.len()];
        for fold in 0..4 {
            let split = folds.split(fold);
            assert_eq!(split.train.len() + split.validation.len(), groups.len());
            split.validation.iter().for_each(|trial| held_out[*trial] += 1);
            let of = |trials: &[usize]| -> std::collections::BTreeSet<u64> {
                trials.iter().map(|trial| groups[*trial]).collect()
            };
            let [train, validation] = [of(&split.train), of(&split.validation)];
            assert!(train.is_disjoint(&validation) && (2..=3).contains(&validation.len()), "{split:?}");
            let tuning = folds.tuning(&split.train, 0.25);
            let trials_of = |positions: &[usize]| -> Vec<usize> {
                positions.iter().map(|position| split.train[*position]).collect()
            };
            let [fitting, choosing] = [of(&trials_of(&tuning.train)), of(&trials_of(&tuning.validation))];
            assert!(fitting.is_disjoint(&choosing) && choosing.len() == 2, "{tuning:?}");
            assert_eq!(fitting.len() + choosing.len(), train.len());
        }
        assert_eq!(held_out, vec![1; groups.len()]);
    }

    #[test]
    fn the_seed_decides_and_a_share_is_never_none_or_all() {
        let groups = groups();
        assert_eq!(Folds::new(&groups, 4, 1), Folds::new(&groups, 4, 1));
        assert_ne!(Folds::new(&groups, 4, 1), Folds::new(&groups, 4, 2));
        let folds = Folds::new(&[1, 2, 3], 3, 1);
        for share in [1e-9, 1.0 - 1e-9] {
            let tuning = folds.tuning(&[0, 1], share);
            assert_eq!((tuning.train.len(), tuning.validation.len()), (1, 1));
        }
    }
}
