//! Pearson's correlation, and how a voxel's correlation compares with its noise ceiling (docs/spec/metrics.md §5).
//!
//! The ceiling itself is a property of the data: `data::nsd::noise_ceiling` reads or estimates it.

use ndarray::{ArrayView2, Axis};
use rayon::prelude::*;

/// Pearson's r of paired values, −1..1; none for fewer than two pairs, unequal lengths or a constant side.
pub fn pearson(a: &[f64], b: &[f64]) -> Option<f64> {
    if a.len() != b.len() || a.len() < 2 {
        return None;
    }
    // The mean of a constant can miss it by a rounding, which would correlate.
    let is_constant = |values: &[f64]| values.iter().all(|value| *value == values[0]);
    if is_constant(a) || is_constant(b) {
        return None;
    }
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let (mut joint, mut square_a, mut square_b) = (0.0, 0.0, 0.0);
    for (a, b) in a.iter().zip(b) {
        let (a, b) = (a - mean_a, b - mean_b);
        joint += a * b;
        square_a += a * a;
        square_b += b * b;
    }
    let r = joint / (square_a.sqrt() * square_b.sqrt());
    // Deviations that are not finite, or whose squares vanish, give no number.
    r.is_finite().then(|| r.clamp(-1.0, 1.0))
}

/// Pearson's r of every voxel over trials; NaN where predicted or measured is constant.
///
/// # Shapes
/// - predicted, measured: `[trials, voxels]`
/// - output: one value per voxel; `None` when the shapes differ
pub fn voxel_correlation(predicted: ArrayView2<'_, f32>, measured: ArrayView2<'_, f32>) -> Option<Vec<f64>> {
    if predicted.dim() != measured.dim() {
        return None;
    }
    let column = |of: ArrayView2<'_, f32>, voxel: usize| -> Vec<f64> {
        of.index_axis(Axis(1), voxel).iter().map(|value| f64::from(*value)).collect()
    };
    let correlation =
        |voxel| pearson(&column(predicted, voxel), &column(measured, voxel)).unwrap_or(f64::NAN);
    Some((0..predicted.ncols()).into_par_iter().map(correlation).collect())
}

/// The largest correlation that a ceiling in percent of explained variance leaves: `√(NC/100)`.
pub fn ceiling_correlation(noise_ceiling_percent: f64) -> f64 {
    (noise_ceiling_percent / 100.0).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn by_hand_and_where_there_is_none() {
        // Deviations −1, 0, 1 and −1, −1, 2: 3/√(2·6).
        let r = pearson(&[1.0, 2.0, 3.0], &[0.0, 0.0, 3.0]).unwrap();
        assert!((r - 3.0 / 12.0_f64.sqrt()).abs() < 1e-15);
        assert!((pearson(&[1.0, 2.0], &[4.0, 3.0]).unwrap() + 1.0).abs() < 1e-15);
        assert_eq!(pearson(&[0.1; 6], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), None);
        assert_eq!(pearson(&[1.0], &[1.0]), None);
        assert_eq!(pearson(&[1.0, 2.0], &[1.0]), None);
        assert_eq!(pearson(&[1.0, f64::NAN], &[1.0, 2.0]), None);
    }

    #[test]
    fn columns_are_voxels() {
        let predicted = array![[1.0_f32, 7.0, 1.0], [2.0, 7.0, 2.0]];
        let measured = array![[10.0_f32, 1.0, 5.0], [30.0, 2.0, 4.0]];
        let r = voxel_correlation(predicted.view(), measured.view()).unwrap();
        assert!((r[0] - 1.0).abs() < 1e-15 && (r[2] + 1.0).abs() < 1e-15, "{r:?}");
        assert!(r[1].is_nan());
        assert!(voxel_correlation(predicted.view(), array![[1.0_f32]].view()).is_none());
    }

    #[test]
    fn half_the_variance_leaves_a_correlation_of_0_71() {
        assert!((ceiling_correlation(50.0) - 0.5_f64.sqrt()).abs() < 1e-15);
    }
}
