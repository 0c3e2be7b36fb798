//! What a decoder finds in held-out trials, trial by trial: draws and splits are counted together, and compared.

use std::collections::BTreeMap;

use super::super::counts::AmongEachOther;
use super::found::CurvePoint;
use crate::error::Error;
use crate::metrics::bootstrap::{BootstrapConfig, Interval};
use crate::metrics::combined_retrieval::DecodedPair;
use crate::metrics::share::{bounded_mean_interval, mean_share_interval};

/// Identification, forward, backward, cosine.
const MEASURES: usize = 4;

/// One trial, which may have been decoded several times.
#[derive(Clone, Debug)]
struct Decoded {
    image: u64,
    /// Sums over its decodings.
    sums: [f64; MEASURES],
    count: usize,
}

/// Held-out trials of one decoder.
#[derive(Clone, Debug, Default)]
pub(super) struct Counted {
    trials: BTreeMap<usize, Decoded>,
    /// Expected number of right answers by chance, summed over what was added; and trials of that.
    chance: (f64, usize),
    /// Share of pairs won in each that was added.
    shares: Vec<f64>,
}

impl Counted {
    /// Adds what was decoded from `trials`, which are the candidates of each other; `images` has one entry per trial.
    ///
    /// # Errors
    /// Values that are not finite; one image alone, which has no rival.
    pub fn add(&mut self, pair: &DecodedPair, trials: &[usize], images: &[u64]) -> crate::error::Result<()> {
        let found = AmongEachOther::count(pair, images)?;
        let as_number = |hit: bool| f64::from(u8::from(hit));
        for (row, trial) in trials.iter().enumerate() {
            let new = Decoded { image: images[row], sums: [0.0; MEASURES], count: 0 };
            let of_trial = self.trials.entry(*trial).or_insert(new);
            let [forward, backward] = [found.forward[row], found.backward[row]].map(as_number);
            let values = [found.ranks[row].share(), forward, backward, found.cosines[row]];
            of_trial.sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
            of_trial.count += 1;
        }
        self.chance.0 += found.chance;
        self.chance.1 += trials.len();
        self.shares
            .push(found.ranks.iter().map(|rank| rank.share()).sum::<f64>() / trials.len().max(1) as f64);
        Ok(())
    }

    /// Means over trials with their intervals over images.
    ///
    /// # Errors
    /// Nothing was added.
    pub fn point(&self, bootstrap: &BootstrapConfig) -> crate::error::Result<CurvePoint> {
        let images = self.images();
        let share = |measure| mean_share_interval(&self.values(measure), &images, bootstrap);
        let found = || {
            Some(CurvePoint {
                identification: share(0)?,
                forward: share(1)?,
                backward: share(2)?,
                cosine: bounded_mean_interval(&self.values(3), &images, bootstrap, [-1.0, 1.0])?,
            })
        };
        found().ok_or_else(|| Error::failure("no held-out trial"))
    }

    /// Share of trials that a random choice finds forward and backward.
    pub fn chance(&self) -> f64 {
        self.chance.0 / self.chance.1.max(1) as f64
    }

    /// Share of pairs won by the worst and by the best that was added.
    pub fn range(&self) -> [f64; 2] {
        let [low, high] = [f64::min, f64::max].map(|of| self.shares.iter().copied().reduce(of));
        [low.unwrap_or_default(), high.unwrap_or_default()]
    }

    /// Share of pairs that each trial wins, and the images of the trials.
    pub fn identification(&self) -> (Vec<f64>, Vec<u64>) {
        (self.values(0), self.images())
    }

    /// Pairs won more than `other` wins, and whether the difference is that of the same trials. Of other trials the interval follows
    /// from those of the two shares (Zou and Donner 2008).
    pub fn difference(&self, other: &Self, bootstrap: &BootstrapConfig) -> Option<(Interval, bool)> {
        if self.trials.keys().eq(other.trials.keys()) {
            let gains = self.values(0).into_iter().zip(other.values(0)).map(|(ours, theirs)| ours - theirs);
            let gains: Vec<f64> = gains.collect();
            return Some((bounded_mean_interval(&gains, &self.images(), bootstrap, [-1.0, 1.0])?, true));
        }
        let of = |counted: &Self| mean_share_interval(&counted.values(0), &counted.images(), bootstrap);
        let (ours, theirs) = (of(self)?, of(other)?);
        let mean = ours.mean - theirs.mean;
        let low = mean - (ours.mean - ours.low).hypot(theirs.high - theirs.mean);
        let high = mean + (ours.high - ours.mean).hypot(theirs.mean - theirs.low);
        Some((Interval { mean, low, high }, false))
    }

    fn values(&self, measure: usize) -> Vec<f64> {
        self.trials.values().map(|trial| trial.sums[measure] / trial.count as f64).collect()
    }

    fn images(&self) -> Vec<u64> {
        self.trials.values().map(|trial| trial.image).collect()
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use super::*;

    fn pair(predicted: Array2<f32>) -> DecodedPair {
        DecodedPair { predicted, target: Array2::eye(3) }
    }

    #[test]
    fn draws_are_averaged_and_compared_trial_by_trial() {
        let bootstrap = BootstrapConfig::default();
        let right = pair(Array2::eye(3));
        // The first two changed places: each loses one of its two pairs.
        let wrong = pair(array![[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]);
        let (mut both, mut first) = (Counted::default(), Counted::default());
        for pair in [&right, &wrong] {
            both.add(pair, &[4, 5, 9], &[1, 2, 3]).unwrap();
        }
        first.add(&right, &[4, 5, 9], &[1, 2, 3]).unwrap();
        let point = both.point(&bootstrap).unwrap();
        // Wrong: the two lose one pair and tie in the other, 1/4 each; mean 1/2 over trials, with the other draw 3/4.
        assert!((both.range()[0] - 0.5).abs() < 1e-12, "{both:?}");
        assert!((point.identification.mean - 0.75).abs() < 1e-12, "{point:?}");
        assert!((point.forward.mean - 2.0 / 3.0).abs() < 1e-12 && (both.chance() - 1.0 / 3.0).abs() < 1e-12);
        assert_eq!(both.range()[1], 1.0);
        let (difference, is_paired) = first.difference(&both, &bootstrap).unwrap();
        assert!(is_paired && (difference.mean - (1.0 - point.identification.mean)).abs() < 1e-12);
    }

    #[test]
    fn other_trials_have_the_interval_of_both() {
        let bootstrap = BootstrapConfig::default();
        let (mut one, mut other) = (Counted::default(), Counted::default());
        one.add(&pair(Array2::eye(3)), &[0, 1, 2], &[1, 2, 3]).unwrap();
        other
            .add(&pair(array![[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]), &[3, 4, 5], &[4, 5, 6])
            .unwrap();
        let (difference, is_paired) = one.difference(&other, &bootstrap).unwrap();
        assert!(!is_paired && difference.mean > 0.0 && difference.low < difference.mean, "{difference:?}");
        let (back, _) = other.difference(&one, &bootstrap).unwrap();
        assert!((back.low + difference.high).abs() < 1e-12 && (back.high + difference.low).abs() < 1e-12);
        assert!(Counted::default().point(&bootstrap).is_err());
    }
}
