//! Training, validation and test trials; all repeats of an image stay on one side.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use super::error::DataError;
use super::prepared::PreparedSubject;
use crate::error::{SettingError, above_to, in_range};

/// Which images are held out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SplitRule {
    /// Those first seen last, the paper's rule.
    #[default]
    FirstAppearance,
    /// Those that all eight subjects saw, the rule of most decoding papers.
    Shared1000,
}

/// How trials are divided.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SplitConfig {
    /// Which images are held out.
    pub rule: SplitRule,
    /// Share of the images for training under `first-appearance`, above 0 and at most 1; the paper's 0.85.
    pub train_fraction: f64,
}

impl Default for SplitConfig {
    fn default() -> Self {
        Self { rule: SplitRule::FirstAppearance, train_fraction: 0.85 }
    }
}

impl SplitConfig {
    /// Checks the share.
    ///
    /// # Errors
    /// [`SettingError`] that names the key.
    pub fn validate(&self) -> Result<(), SettingError> {
        in_range("train_fraction", self.train_fraction, above_to(0.0, 1.0))
    }

    /// Divides the trials of a prepared subject.
    ///
    /// # Errors
    /// [`DataError::Empty`] when no trial is left for training.
    pub fn split(&self, prepared: &PreparedSubject) -> Result<Split, DataError> {
        let split = match self.rule {
            SplitRule::FirstAppearance => {
                split_by_first_appearance(&prepared.split_groups(), self.train_fraction)
            }
            SplitRule::Shared1000 => split_shared1000(prepared.is_shared()),
        };
        if split.train.is_empty() {
            let what = format!("the training part of `{}`", prepared.path().display());
            return Err(DataError::empty(what, "raise `train_fraction` or prepare more sessions"));
        }
        Ok(split)
    }
}

/// Trial indices, ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Split {
    /// For fitting.
    pub train: Vec<usize>,
    /// For choosing and reporting.
    pub validation: Vec<usize>,
}

impl Split {
    fn by(num_trials: usize, is_train: impl Fn(usize) -> bool) -> Self {
        let (train, validation) = (0..num_trials).partition(|trial| is_train(*trial));
        Self { train, validation }
    }
}

/// The paper's split: the first `train_fraction` of the images in order of first appearance are for training.
///
/// `groups` holds one number per trial; trials of one number stay together. With the COCO id of each trial's image, crops
/// of one photograph stay together too; NSD shows every photograph in one crop only, so there it is the split by image.
pub fn split_by_first_appearance(groups: &[u64], train_fraction: f64) -> Split {
    let mut order = HashMap::new();
    for group in groups {
        let next = order.len();
        order.entry(*group).or_insert(next);
    }
    // 85 % of the images in the published split, rounded down (docs/spec/mapper.md §1.5).
    let num_train = (train_fraction.clamp(0.0, 1.0) * order.len() as f64).floor() as usize;
    Split::by(groups.len(), |trial| order[&groups[trial]] < num_train)
}

/// The split of most decoding papers: images that all subjects saw are held out.
pub fn split_shared1000(is_shared: &[bool]) -> Split {
    Split::by(is_shared.len(), |trial| !is_shared[trial])
}

/// Keeps the first trial of every group, for measures that want one trial per image.
pub fn first_of_each_group(trials: &[usize], groups: &[u64]) -> Vec<usize> {
    let mut seen = HashSet::new();
    trials.iter().copied().filter(|trial| seen.insert(groups[*trial])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_follow_their_image_and_trials_stay_sorted() {
        let groups = [7, 3, 7, 9, 3, 5, 9, 7];
        let split = split_by_first_appearance(&groups, 0.5);
        assert_eq!(split.train, [0, 1, 2, 4, 7]);
        assert_eq!(split.validation, [3, 5, 6]);
        assert_eq!(first_of_each_group(&split.validation, &groups), [3, 5]);
    }

    #[test]
    fn counts_are_the_papers_for_9841_images() {
        let groups: Vec<u64> = (0..9841).collect();
        let split = split_by_first_appearance(&groups, 0.85);
        assert_eq!((split.train.len(), split.validation.len()), (8364, 1477));
    }

    #[test]
    fn edges_are_empty_sides() {
        assert_eq!(split_by_first_appearance(&[], 0.85), Split::default());
        assert!(split_by_first_appearance(&[1, 2], 0.0).train.is_empty());
        assert!(split_by_first_appearance(&[1, 2], 1.0).validation.is_empty());
        assert_eq!(split_shared1000(&[false, true, false]).validation, [1]);
    }

    proptest::proptest! {
        #[test]
        fn every_trial_is_on_one_side_and_no_group_on_both(
            groups in proptest::collection::vec(0_u64..20, 0..100),
            fraction in 0.0_f64..1.0,
        ) {
            let split = split_by_first_appearance(&groups, fraction);
            proptest::prop_assert_eq!(split.train.len() + split.validation.len(), groups.len());
            let side = |trials: &[usize]| trials.iter().map(|trial| groups[*trial]).collect::<HashSet<_>>();
            proptest::prop_assert!(side(&split.train).is_disjoint(&side(&split.validation)));
        }
    }
}
