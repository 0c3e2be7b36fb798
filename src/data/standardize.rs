//! Z-scores per voxel over the trials of one session.
//!
//! Population standard deviation (ddof 0), sums in `f64`, a voxel that never varies becomes 0. The factor 300 of the stored
//! betas cancels.

use ndarray::Array2;

/// How the betas of a prepared subject are scaled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standardization {
    /// Mean 0 and standard deviation 1 per voxel within every session, the paper's choice.
    #[default]
    ZscorePerSession,
    /// Percent signal change as it is.
    None,
}

impl Standardization {
    /// The convention in a file's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::ZscorePerSession => "zscored",
            Self::None => "unscaled",
        }
    }

    /// The convention in words, as recorded in prepared files.
    pub fn description(self) -> &'static str {
        match self {
            Self::ZscorePerSession => "z-score per session and voxel, ddof 0, zero variance to 0",
            Self::None => "none, percent signal change",
        }
    }
}

/// Replaces every column by its z-scores.
///
/// # Shapes
/// - `betas`: `[trials of one session, voxels]`
pub fn zscore_in_place(betas: &mut Array2<f32>) {
    let (num_trials, num_voxels) = betas.dim();
    if num_trials == 0 {
        return;
    }
    // Row by row, because rows lie together in memory.
    let mut mean = vec![0.0_f64; num_voxels];
    for row in betas.rows() {
        mean.iter_mut().zip(row).for_each(|(sum, value)| *sum += f64::from(*value));
    }
    mean.iter_mut().for_each(|sum| *sum /= num_trials as f64);
    let mut inverse_deviation = vec![0.0_f64; num_voxels];
    for row in betas.rows() {
        for ((sum, value), mean) in inverse_deviation.iter_mut().zip(row).zip(&mean) {
            *sum += (f64::from(*value) - mean).powi(2);
        }
    }
    for (inverse, mean) in inverse_deviation.iter_mut().zip(&mean) {
        let deviation = (*inverse / num_trials as f64).sqrt();
        // A constant column may keep a rest of rounding; nothing real varies by less than this share of its mean.
        *inverse = if deviation > mean.abs() * 1e-12 { 1.0 / deviation } else { 0.0 };
    }
    for mut row in betas.rows_mut() {
        for ((value, mean), inverse) in row.iter_mut().zip(&mean).zip(&inverse_deviation) {
            *value = ((f64::from(*value) - mean) * inverse) as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn hand_computed_columns() {
        let mut betas = array![[1.0_f32, 5.0, 0.1], [3.0, 5.0, 0.1], [5.0, 5.0, 0.1]];
        zscore_in_place(&mut betas);
        // Column 0: mean 3, population deviation √(8/3).
        let expected = 2.0 / (8.0_f32 / 3.0).sqrt();
        assert!((betas[[0, 0]] + expected).abs() < 1e-6 && (betas[[2, 0]] - expected).abs() < 1e-6);
        for trial in 0..3 {
            assert_eq!((betas[[trial, 1]], betas[[trial, 2]]), (0.0, 0.0));
        }
        zscore_in_place(&mut Array2::zeros((0, 4)));
    }

    #[test]
    fn a_large_offset_does_not_spoil_the_result() {
        let mut betas = Array2::from_shape_fn((750, 1), |(trial, _)| 16_384.0 + (trial % 2) as f32 / 512.0);
        zscore_in_place(&mut betas);
        assert!(betas.iter().all(|value| (value.abs() - 1.0).abs() < 1e-5));
    }
}
