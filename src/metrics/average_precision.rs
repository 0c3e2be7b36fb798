//! Average precision of a ranking: `Σ (R_n − R_{n−1}) P_n` over the distinct scores from the highest down.
//!
//! P and R are precision and recall of "score at least that of step n" (scikit-learn's definition, without interpolation). Equal
//! scores are one step. A random ranking has the share of positives on average.

/// Average precision in 0..1; none without positives. A score that is not a number ranks last.
pub fn average_precision(scores: &[f32], labels: &[bool]) -> Option<f64> {
    let positives = labels.iter().filter(|label| **label).count();
    if positives == 0 {
        return None;
    }
    // Adding 0 makes −0 the same score as 0, which `total_cmp` would tell apart.
    let rank = |score: f32| if score.is_nan() { f32::NEG_INFINITY } else { score + 0.0 };
    let mut ranked: Vec<(f32, bool)> =
        scores.iter().zip(labels).map(|(score, label)| (rank(*score), *label)).collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (mut taken, mut found, mut sum) = (0, 0, 0.0);
    for tie in ranked.chunk_by(|a, b| a.0 == b.0) {
        let hits = tie.iter().filter(|(_, label)| *label).count();
        taken += tie.len();
        found += hits;
        // All members of a tie share the precision at its end: their order would be an accident of the input.
        sum += hits as f64 * found as f64 / taken as f64;
    }
    Some(sum / positives as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rankings_by_hand() {
        // Positives at places 1 and 3: (1/1 + 2/3) / 2.
        let labels = [true, false, true, false];
        let mean = (1.0 + 2.0 / 3.0) / 2.0;
        assert!((average_precision(&[0.9, 0.5, 0.4, 0.1], &labels).unwrap() - mean).abs() < 1e-12);
        assert_eq!(average_precision(&[0.9, 0.1, 0.8, 0.2], &labels), Some(1.0));
        // One tie of all is the share of positives, whatever the order.
        assert_eq!(average_precision(&[0.5; 4], &labels), Some(0.5));
        assert_eq!(average_precision(&[f32::NAN, 0.1, 0.2, 0.3], &[true, false, false, false]), Some(0.25));
        assert_eq!(average_precision(&[0.1], &[false]), None);
    }
}
