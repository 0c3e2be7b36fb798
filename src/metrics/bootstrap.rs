//! Confidence intervals by the percentile bootstrap over groups.
//!
//! The trials of one image are not independent, so whole images are drawn, with replacement, and all their trials
//! enter the mean of that resample. The draws come from a key: the same numbers give the same interval.

use std::collections::BTreeMap;

use rand::RngExt;
use serde::{Deserialize, Serialize};

use crate::error::{SettingError, between, in_range};
use crate::tensor_ops::random::keyed_rng;

/// Number, level and seed of the resamples behind an interval.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BootstrapConfig {
    /// Number of resamples, 0 to 1e6.
    pub resamples: usize,
    /// Share of resamples inside the interval, in (0, 1).
    pub confidence: f64,
    /// Seed of the draws: equal seeds give equal intervals.
    pub seed: u64,
}

impl Default for BootstrapConfig {
    fn default() -> Self {
        Self { resamples: 2000, confidence: 0.95, seed: 42 }
    }
}

/// Most resamples: with so many the ends of an interval are exact to a thousandth of its width.
const MOST_RESAMPLES: usize = 1_000_000;

impl BootstrapConfig {
    /// Checks number and level.
    ///
    /// # Errors
    /// [`SettingError`] that names the first key out of range.
    pub fn validate(&self) -> Result<(), SettingError> {
        in_range("resamples", self.resamples, 0..=MOST_RESAMPLES)?;
        in_range("confidence", self.confidence, between(0.0, 1.0))
    }
}

/// A mean and where it may lie.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Mean of all values.
    pub mean: f64,
    /// Lower end: so many of the resamples' means as half of `1 − confidence` lie below.
    pub low: f64,
    /// Upper end: as many lie above.
    pub high: f64,
}

/// Mean of `values` with its interval over `groups` (one group per value); `None` without values.
///
/// With a single group, or without resamples, the interval is the mean itself.
pub fn mean_interval(values: &[f64], groups: &[u64], config: &BootstrapConfig) -> Option<Interval> {
    let mut by_group: BTreeMap<u64, (f64, usize)> = BTreeMap::new();
    for (value, group) in values.iter().zip(groups) {
        let entry = by_group.entry(*group).or_default();
        entry.0 += value;
        entry.1 += 1;
    }
    // Sorted by group, not by hash: a resample's draw number must mean the same image in every run.
    let groups: Vec<(f64, usize)> = by_group.into_values().collect();
    // The mean over trials: an image with more trials weighs more, in a resample as in the whole.
    let mean = |chosen: &mut dyn Iterator<Item = (f64, usize)>| {
        let (sum, count) = chosen.fold((0.0, 0), |(sum, count), (s, c)| (sum + s, count + c));
        sum / count as f64
    };
    if groups.is_empty() {
        return None;
    }
    let whole = mean(&mut groups.iter().copied());
    let mut means: Vec<f64> = (0..config.resamples)
        .map(|resample| {
            // A stream per resample: asking for more resamples leaves the first ones as they were.
            let mut rng = keyed_rng(config.seed, "bootstrap", resample as u64);
            mean(&mut groups.iter().map(|_| groups[rng.random_range(0..groups.len())]))
        })
        .collect();
    Some(percentile_interval(whole, &mut means, config.confidence))
}

/// The interval of a statistic: `whole` of all values, `resampled` of every resample; `whole` itself where there is no resample.
pub(crate) fn percentile_interval(whole: f64, resampled: &mut [f64], confidence: f64) -> Interval {
    resampled.sort_by(f64::total_cmp);
    let tail = (1.0 - confidence) / 2.0;
    let (low, high) = match resampled.len() {
        0 => (whole, whole),
        n => {
            let outside = ((tail * n as f64).floor() as usize).min(n - 1);
            // The upper end counts from above, so that both tails hold equally many resamples.
            (resampled[outside], resampled[n - 1 - outside])
        }
    };
    Interval { mean: whole, low, high }
}

/// How often each of `num_groups` groups, in ascending order, is drawn in a resample: as [`mean_interval`] draws them.
pub fn drawn_counts(num_groups: usize, resample: usize, config: &BootstrapConfig) -> Vec<u32> {
    let mut counts = vec![0; num_groups];
    let mut rng = keyed_rng(config.seed, "bootstrap", resample as u64);
    (0..num_groups).for_each(|_| counts[rng.random_range(0..num_groups)] += 1);
    counts
}

/// The counts of every resample.
///
/// Output: `[resamples][num_groups]`
pub(crate) fn resampled_counts(num_groups: usize, config: &BootstrapConfig) -> Vec<Vec<u32>> {
    (0..config.resamples).map(|resample| drawn_counts(num_groups, resample, config)).collect()
}

/// Means of several lists of values, one value per entry of `groups` in each, in every resample of the groups: the resamples are those
/// of [`mean_interval`], and the same for all lists, so that what is computed of them together has an interval of its own.
///
/// Output: `[resamples][lists]`; empty without groups.
pub fn resampled_means(lists: &[Vec<f64>], groups: &[u64], config: &BootstrapConfig) -> Vec<Vec<f64>> {
    let mut by_group: BTreeMap<u64, (Vec<f64>, usize)> = BTreeMap::new();
    for (entry, group) in groups.iter().enumerate() {
        let (sums, count) = by_group.entry(*group).or_insert_with(|| (vec![0.0; lists.len()], 0));
        sums.iter_mut().zip(lists).for_each(|(sum, list)| *sum += list[entry]);
        *count += 1;
    }
    let groups: Vec<(Vec<f64>, usize)> = by_group.into_values().collect();
    if groups.is_empty() {
        return Vec::new();
    }
    let resample = |resample: usize| {
        let mut rng = keyed_rng(config.seed, "bootstrap", resample as u64);
        let (mut sums, mut count) = (vec![0.0; lists.len()], 0);
        for _ in 0..groups.len() {
            let (of_group, entries) = &groups[rng.random_range(0..groups.len())];
            sums.iter_mut().zip(of_group).for_each(|(sum, value)| *sum += value);
            count += entries;
        }
        sums.into_iter().map(|sum| sum / count as f64).collect()
    };
    (0..config.resamples).map(resample).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_of_a_coin_has_the_binomial_width() {
        let values: Vec<f64> = (0..400).map(|i| f64::from(u8::from(i % 4 == 0))).collect();
        let groups: Vec<u64> = (0..400).collect();
        let interval = mean_interval(&values, &groups, &BootstrapConfig::default()).unwrap();
        assert_eq!(interval.mean, 0.25);
        // ±1.96 · √(0.25 · 0.75 / 400) = ±0.0424
        assert!((interval.low - (0.25 - 0.0424)).abs() < 0.005, "{interval:?}");
        assert!((interval.high - (0.25 + 0.0424)).abs() < 0.005, "{interval:?}");
    }

    #[test]
    fn repeats_of_one_image_do_not_narrow_the_interval() {
        let once: Vec<f64> = (0..60).map(|i| f64::from(i % 2)).collect();
        let thrice: Vec<f64> = once.iter().flat_map(|value| [*value; 3]).collect();
        let config = BootstrapConfig::default();
        let single = mean_interval(&once, &(0..60).collect::<Vec<_>>(), &config).unwrap();
        let groups: Vec<u64> = (0..180).map(|i| i / 3).collect();
        let repeated = mean_interval(&thrice, &groups, &config).unwrap();
        assert_eq!(single, repeated);
        let naive = mean_interval(&thrice, &(0..180).collect::<Vec<_>>(), &config).unwrap();
        assert!(naive.high - naive.low < 0.8 * (repeated.high - repeated.low));
    }

    #[test]
    fn lists_are_resampled_together_and_as_one_by_one() {
        let (values, groups): (Vec<f64>, Vec<u64>) =
            ((0..30).map(f64::from).collect(), (0..30).map(|entry| entry / 2).collect());
        let doubled: Vec<f64> = values.iter().map(|value| 2.0 * value).collect();
        let config = BootstrapConfig { resamples: 100, ..BootstrapConfig::default() };
        let means = resampled_means(&[values.clone(), doubled], &groups, &config);
        assert!(means.len() == 100 && means.iter().all(|of| (of[1] - 2.0 * of[0]).abs() < 1e-9));
        let interval = mean_interval(&values, &groups, &config).unwrap();
        let mut sorted: Vec<f64> = means.iter().map(|of| of[0]).collect();
        sorted.sort_by(f64::total_cmp);
        assert!((sorted[2] - interval.low).abs() < 1e-9 && (sorted[97] - interval.high).abs() < 1e-9);
        assert!(resampled_means(&[Vec::new()], &[], &config).is_empty());
    }

    #[test]
    fn counts_of_a_resample_give_its_mean() {
        let values: Vec<f64> = (0..12).map(f64::from).collect();
        let groups: Vec<u64> = (0..12).collect();
        let config = BootstrapConfig { resamples: 20, ..BootstrapConfig::default() };
        let means = resampled_means(std::slice::from_ref(&values), &groups, &config);
        for (resample, of_lists) in means.iter().enumerate() {
            let counts = drawn_counts(12, resample, &config);
            let sum: f64 = counts.iter().zip(&values).map(|(count, value)| f64::from(*count) * value).sum();
            assert!((sum / 12.0 - of_lists[0]).abs() < 1e-12);
        }
        assert!(drawn_counts(0, 0, &config).is_empty());
    }

    #[test]
    fn nothing_and_one_group_are_handled() {
        let config = BootstrapConfig::default();
        assert_eq!(mean_interval(&[], &[], &config), None);
        let one = mean_interval(&[1.0, 0.0], &[7, 7], &config).unwrap();
        assert_eq!((one.mean, one.low, one.high), (0.5, 0.5, 0.5));
    }
}
