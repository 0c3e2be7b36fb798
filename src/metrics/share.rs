//! Shares and counts with intervals that are never a point.

use std::collections::BTreeSet;

use super::bootstrap::{BootstrapConfig, Interval, mean_interval};

/// Share of hits with its interval over `groups` (one group per hit); `None` without any. See [`mean_share_interval`].
pub fn share_interval(hits: &[bool], groups: &[u64], config: &BootstrapConfig) -> Option<Interval> {
    let values: Vec<f64> = hits.iter().map(|hit| f64::from(u8::from(*hit))).collect();
    mean_share_interval(&values, groups, config)
}

/// Mean of shares, each from 0 to 1, with its interval over `groups` (one group per share); `None` without any.
///
/// The interval is that of [`mean_interval`]. Where the groups' shares are all equal, or there is one group only, resampling them
/// says nothing: it is Wilson's at the same confidence then, for as many draws as there are groups (Wilson 1927).
pub fn mean_share_interval(values: &[f64], groups: &[u64], config: &BootstrapConfig) -> Option<Interval> {
    let interval = mean_interval(values, groups, config)?;
    if interval.low < interval.high {
        return Some(interval);
    }
    // Images and not trials: trials of one image are not independent.
    let distinct: BTreeSet<&u64> = groups.iter().take(values.len()).collect();
    Some(wilson(interval.mean, distinct.len() as f64, config.confidence))
}

/// Expected number of hits among `num` with its interval over `groups` (one group per hit); `None` without any. See
/// [`mean_share_interval`].
pub fn count_interval(
    hits: &[bool],
    num: usize,
    groups: &[u64],
    config: &BootstrapConfig,
) -> Option<Interval> {
    // A hit is worth `num`, so that the mean over trials is a count.
    let values: Vec<f64> = hits.iter().map(|hit| f64::from(u8::from(*hit)) * num as f64).collect();
    let interval = mean_interval(&values, groups, config)?;
    if interval.low < interval.high {
        return Some(interval);
    }
    let Interval { mean, low, high } = share_interval(hits, groups, config)?;
    let [mean, low, high] = [mean, low, high].map(|share| share * num as f64);
    Some(Interval { mean, low, high })
}

/// Mean of values that lie within `bounds`, with its interval over resampled groups. One group says nothing of others: the interval is
/// then all that is possible. Where several groups are equal it is Wilson's, of the mean's place between the bounds.
pub fn bounded_mean_interval(
    values: &[f64],
    groups: &[u64],
    config: &BootstrapConfig,
    bounds: [f64; 2],
) -> Option<Interval> {
    let interval = mean_interval(values, groups, config)?;
    let distinct: BTreeSet<&u64> = groups.iter().take(values.len()).collect();
    let [least, most] = bounds;
    if distinct.len() < 2 {
        return Some(Interval { low: least, high: most, ..interval });
    }
    if interval.low < interval.high {
        return Some(interval);
    }
    let place = ((interval.mean - least) / (most - least)).clamp(0.0, 1.0);
    let place = wilson(place, distinct.len() as f64, config.confidence);
    let [low, high] = [place.low, place.high].map(|end| least + end * (most - least));
    Some(Interval { low, high, ..interval })
}

fn wilson(share: f64, count: f64, confidence: f64) -> Interval {
    let z = two_sided_quantile(confidence);
    let square = z * z / count;
    let centre = (share + square / 2.0) / (1.0 + square);
    let half = z * (share * (1.0 - share) / count + square / (4.0 * count)).sqrt() / (1.0 + square);
    // Rounding must not keep the ends from 0 and 1 where they are just that.
    let low = if share > 0.0 { (centre - half).max(0.0) } else { 0.0 };
    let high = if share < 1.0 { (centre + half).min(1.0) } else { 1.0 };
    Interval { mean: share, low, high }
}

/// The z within which a standard normal number lies with probability `confidence`, from 0 to 1: 1.96 for 0.95.
fn two_sided_quantile(confidence: f64) -> f64 {
    // Beyond 38 the tail is below the smallest number.
    let (mut inside, mut outside) = (0.0, 38.0);
    loop {
        let z = f64::midpoint(inside, outside);
        if z <= inside || z >= outside {
            return z;
        }
        // erfc and not erf: of tails near 0 erf keeps no digits.
        if libm::erfc(z * std::f64::consts::FRAC_1_SQRT_2) > 1.0 - confidence {
            inside = z;
        } else {
            outside = z;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_as_tables_have_them() {
        for (confidence, z) in [
            (0.95, 1.959_963_984_540_054),
            (0.5, 0.674_489_750_196_081_7),
            (0.99, 2.575_829_303_548_900_4),
            (0.0, 0.0),
        ] {
            assert!((two_sided_quantile(confidence) - z).abs() < 1e-13, "{confidence}");
        }
        assert!(two_sided_quantile(1.0).is_finite());
    }

    #[test]
    fn the_width_follows_the_confidence_with_equal_hits_and_with_others() {
        let groups: Vec<u64> = (0..20).collect();
        let width = |confidence, hits: &[bool]| {
            let config = BootstrapConfig { confidence, ..BootstrapConfig::default() };
            let interval = share_interval(hits, &groups, &config).unwrap();
            interval.high - interval.low
        };
        let mixed: Vec<bool> = (0..20).map(|index| index % 3 == 0).collect();
        for hits in [&[true; 20][..], &mixed] {
            assert!(width(0.5, hits) < width(0.95, hits) && width(0.95, hits) < width(0.99, hits));
        }
        // z² / (n + z²) at 50 %.
        assert!((width(0.5, &[false; 20]) - 0.02224).abs() < 1e-4, "{}", width(0.5, &[false; 20]));
    }

    #[test]
    fn wilson_by_hand() {
        // 5 of 20: (0.1119, 0.4687), as any table of Wilson's interval has it.
        let interval = wilson(0.25, 20.0, 0.95);
        assert!(
            (interval.low - 0.1119).abs() < 1e-4 && (interval.high - 0.4687).abs() < 1e-4,
            "{interval:?}"
        );
    }

    #[test]
    fn without_a_single_hit_the_interval_still_has_a_width() {
        let config = BootstrapConfig::default();
        let none =
            share_interval(&[false; 30], &(0..30).map(|i| i / 3).collect::<Vec<_>>(), &config).unwrap();
        // z² / (n + z²) for the 10 groups.
        assert_eq!((none.mean, none.low), (0.0, 0.0));
        assert!((none.high - 0.2775).abs() < 1e-4, "{none:?}");
        let all = share_interval(&[true; 10], &(0..10).collect::<Vec<_>>(), &config).unwrap();
        assert!((all.low - 0.7225).abs() < 1e-4 && all.high > 1.0 - 1e-12, "{all:?}");
        let some: Vec<bool> = (0..10).map(|i| i < 4).collect();
        let groups: Vec<u64> = (0..10).collect();
        let values: Vec<f64> = some.iter().map(|hit| f64::from(u8::from(*hit))).collect();
        assert_eq!(share_interval(&some, &groups, &config), mean_interval(&values, &groups, &config));
        // Half of two presentations of one image; the same half of every image.
        for groups in [vec![3, 3], vec![1, 1, 2, 2, 3, 3]] {
            let halves: Vec<f64> = (0..groups.len()).map(|index| (index % 2) as f64).collect();
            let interval = mean_share_interval(&halves, &groups, &config).unwrap();
            assert_eq!(interval.mean, 0.5);
            assert!(interval.low < 0.3 && interval.high > 0.7, "{interval:?}");
        }
        assert_eq!(share_interval(&[], &[], &config), None);
        // The change of one trial, and of two.
        let one = bounded_mean_interval(&[0.5, 0.7], &[3, 3], &config, [-2.0, 2.0]).unwrap();
        assert_eq!((one.mean, one.low, one.high), (0.6, -2.0, 2.0));
        let two = bounded_mean_interval(&[0.5, 0.7], &[3, 4], &config, [-2.0, 2.0]).unwrap();
        assert_eq!((two.low, two.high), (0.5, 0.7));
        // Four equal groups in the middle of the bounds: Wilson's 2 of 4, 0.1500 to 0.8500.
        let equal = bounded_mean_interval(&[0.0; 4], &[1, 2, 3, 4], &config, [-1.0, 1.0]).unwrap();
        assert!((equal.low + 0.7000).abs() < 1e-3 && (equal.high - 0.7000).abs() < 1e-3, "{equal:?}");
        // Four images, all found: 4 of 4, and not with certainty.
        let count = count_interval(&[true; 4], 4, &[1, 2, 3, 4], &config).unwrap();
        assert!(count.mean == 4.0 && (count.low - 4.0 * 0.5101).abs() < 1e-3, "{count:?}");
        let half = count_interval(&some, 10, &groups, &config).unwrap();
        assert!((half.mean - 4.0).abs() < 1e-12 && half.low < 4.0 && half.high > 4.0, "{half:?}");
    }
}
