//! What the mappers learn to predict: CLIP embeddings, clamped and scaled (docs/spec/mapper.md §2.4).

use ndarray::{Array2, ArrayView1};
use serde::{Deserialize, Serialize};

/// Clamp of the paper's code.
pub const DEFAULT_THRESHOLD: f32 = 1.5;

/// Mean and deviation of CLIP's components over NSD, by the clamp they were measured with (docs/spec/mapper.md §2.4).
const CLAMPED_MOMENTS: (f64, f64) = (0.0047, 0.3623);
const RAW_MOMENTS: (f64, f64) = (-0.0045, 0.4602);
/// Range of CLIP's components over NSD without a clamp (docs/spec/mapper.md §2.4).
const RAW_RANGE: (f64, f64) = (-9.9688, 5.1289);

/// What happens to an embedding after the clamp.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TargetScaling {
    /// Divided by its Euclidean norm: the paper's.
    #[default]
    UnitNorm,
    /// Mean 0 and deviation 1, by NSD's constants for a clamp of 1.5 and for none, else by the vector's own.
    Standardise,
    /// Left as it is.
    None,
    /// Mapped to 0..1: from `[−θ, θ]`, or from the range that NSD showed without a clamp.
    ZeroToOne,
}

/// Clamp and scaling of a mapper's targets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TargetScale {
    /// θ; 0 or less: no clamp.
    pub clamp: f32,
    /// Scaling behind the clamp (docs/spec/mapper.md §2.4).
    pub scaling: TargetScaling,
}

impl TargetScale {
    /// Clamps and scales every row.
    pub fn apply(&self, rows: &mut Array2<f32>) {
        for mut row in rows.rows_mut() {
            let mut values = row.to_vec();
            clamp_and_scale(&mut values, self.clamp, self.scaling);
            row.assign(&ArrayView1::from(&values));
        }
    }
}

/// Clamps every component to `[−threshold, threshold]`, then scales.
///
/// A threshold of 0 or less switches the clamp off. Vectors without length or spread stay as they are.
pub fn clamp_and_scale(row: &mut [f32], threshold: f32, scaling: TargetScaling) {
    let is_clamped = threshold > 0.0;
    if is_clamped {
        row.iter_mut().for_each(|value| *value = value.clamp(-threshold, threshold));
    }
    let (offset, divisor) = match scaling {
        TargetScaling::None => return,
        TargetScaling::UnitNorm => return clamp_and_unit(row, 0.0),
        // The constants hold for the clamps with which they were measured.
        TargetScaling::Standardise => match is_clamped {
            true if threshold == DEFAULT_THRESHOLD => CLAMPED_MOMENTS,
            true => moments(row),
            false => RAW_MOMENTS,
        },
        TargetScaling::ZeroToOne if is_clamped => (-f64::from(threshold), 2.0 * f64::from(threshold)),
        TargetScaling::ZeroToOne => (RAW_RANGE.0, RAW_RANGE.1 - RAW_RANGE.0),
    };
    if divisor > 0.0 {
        row.iter_mut().for_each(|value| *value = ((f64::from(*value) - offset) / divisor) as f32);
    }
}

/// Clamps every component to `[−threshold, threshold]`, then divides by the Euclidean norm.
///
/// A threshold of 0 or less switches the clamp off. A vector of zeros stays as it is.
pub fn clamp_and_unit(row: &mut [f32], threshold: f32) {
    if threshold > 0.0 {
        row.iter_mut().for_each(|value| *value = value.clamp(-threshold, threshold));
    }
    // In double precision: hundreds of squares are summed.
    let norm = row.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
    if norm > 0.0 {
        row.iter_mut().for_each(|value| *value = (f64::from(*value) / norm) as f32);
    }
}

/// Mean and population deviation.
fn moments(row: &[f32]) -> (f64, f64) {
    let count = row.len().max(1) as f64;
    let mean = row.iter().map(|value| f64::from(*value)).sum::<f64>() / count;
    let variance = row.iter().map(|value| (f64::from(*value) - mean).powi(2)).sum::<f64>() / count;
    (mean, variance.sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clamp_comes_before_scaling() {
        let mut row = [3.0, -2.0, 0.0];
        clamp_and_unit(&mut row, DEFAULT_THRESHOLD);
        let expected = 0.5_f32.sqrt();
        assert!((row[0] - expected).abs() < 1e-7 && (row[1] + expected).abs() < 1e-7);
        let mut row = [3.0, -4.0];
        clamp_and_unit(&mut row, 0.0);
        assert_eq!(row, [0.6, -0.8]);
        let mut zeros = [0.0; 3];
        clamp_and_unit(&mut zeros, 1.5);
        assert_eq!(zeros, [0.0; 3]);
    }

    #[test]
    fn the_other_scalings_follow_the_clamp() {
        let scaled = |threshold, scaling| {
            let mut row = [3.0, -1.0];
            clamp_and_scale(&mut row, threshold, scaling);
            row
        };
        assert_eq!(scaled(1.0, TargetScaling::ZeroToOne), [1.0, 0.0]);
        assert_eq!(scaled(2.0, TargetScaling::None), [2.0, -1.0]);
        assert_eq!(scaled(0.0, TargetScaling::None), [3.0, -1.0]);
        // Another clamp than the paper's: the vector's own mean 0.5 and deviation 1.5.
        assert_eq!(scaled(2.0, TargetScaling::Standardise), [1.0, -1.0]);
        let [high, low] = scaled(0.0, TargetScaling::ZeroToOne);
        assert!((high - 0.859_0).abs() < 1e-3 && (low - 0.594_0).abs() < 1e-3, "{high} {low}");
        let mut flat = [2.0, 2.0];
        clamp_and_scale(&mut flat, 3.0, TargetScaling::Standardise);
        assert_eq!(flat, [2.0, 2.0]);
    }

    #[test]
    fn rows_are_scaled_whatever_their_layout() {
        let scale = TargetScale { clamp: 0.0, scaling: TargetScaling::UnitNorm };
        let mut by_rows = ndarray::array![[3.0_f32, -4.0], [0.0, 2.0], [0.0, 0.0]];
        let mut by_columns =
            by_rows.clone().reversed_axes().as_standard_layout().into_owned().reversed_axes();
        assert!(!by_columns.is_standard_layout());
        scale.apply(&mut by_rows);
        scale.apply(&mut by_columns);
        assert_eq!(by_rows, ndarray::array![[0.6, -0.8], [0.0, 1.0], [0.0, 0.0]]);
        assert_eq!(by_columns, by_rows);
    }
}
