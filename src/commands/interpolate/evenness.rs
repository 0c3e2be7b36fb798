//! Whether a way is even: its largest step beside its mean step.

use ndarray::{Array2, ArrayView1};
use serde::{Deserialize, Serialize};

use image::RgbImage;

use crate::pipelines::targets::decoded_target::DecodedTarget;
use crate::tensor_ops::spherical::angle_between;

/// The steps from one trial to the next.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evenness {
    /// The two trials.
    pub trials: [usize; 2],
    /// What changes: an embedding, whose steps are angles in radians, or pixels, whose steps are mean absolute differences in levels of
    /// 0..255.
    pub of: DecodedTarget,
    /// Mean of the steps.
    pub mean_step: f64,
    /// Largest of the steps.
    pub largest_step: f64,
    /// The largest by the mean: 1 for steps that are all alike, the number of steps where all of the change is one jump; none where
    /// nothing changes.
    pub largest_by_mean: Option<f64>,
}

impl Evenness {
    /// Of the steps between two trials.
    pub fn of_steps(trials: [usize; 2], of: DecodedTarget, steps: &[f64]) -> Self {
        let mean_step = steps.iter().sum::<f64>() / steps.len().max(1) as f64;
        let largest_step = steps.iter().copied().fold(0.0, f64::max);
        let largest_by_mean = (mean_step > 0.0).then(|| largest_step / mean_step);
        Self { trials, of, mean_step, largest_step, largest_by_mean }
    }
}

/// Angles between rows that follow each other, in radians.
///
/// # Shapes
/// - rows: `[frames, embed_dim]`, at unit norm; output: one fewer
pub(super) fn angles(rows: &Array2<f32>) -> Vec<f64> {
    let wide = |row: ArrayView1<'_, f32>| row.iter().copied().map(f64::from).collect::<Vec<f64>>();
    let rows: Vec<Vec<f64>> = rows.rows().into_iter().map(wide).collect();
    rows.windows(2).map(|two| angle_between(&two[0], &two[1])).collect()
}

/// Mean absolute difference of two pictures of one size, in levels of 0..255.
pub(super) fn mean_difference(a: &RgbImage, b: &RgbImage) -> f64 {
    let sum: u64 = a.as_raw().iter().zip(b.as_raw()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    sum as f64 / a.as_raw().len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn steps_by_hand() {
        let rows = array![[1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [-1.0, 0.0]];
        let steps = angles(&rows);
        let right = std::f64::consts::FRAC_PI_2;
        assert!(steps.iter().zip([right, 0.0, right]).all(|(a, b)| (a - b).abs() < 1e-9), "{steps:?}");
        let found = Evenness::of_steps([4, 9], DecodedTarget::Image, &steps);
        assert!((found.mean_step - 2.0 * right / 3.0).abs() < 1e-9);
        assert!((found.largest_by_mean.unwrap() - 1.5).abs() < 1e-9, "{found:?}");
        assert_eq!(Evenness::of_steps([4, 9], DecodedTarget::Pixels, &[0.0, 0.0]).largest_by_mean, None);
        let jump = Evenness::of_steps([4, 9], DecodedTarget::Pixels, &[0.0, 0.0, 6.0]);
        assert_eq!((jump.largest_by_mean, jump.largest_step, jump.mean_step), (Some(3.0), 6.0, 2.0));
    }

    #[test]
    fn pictures_differ_by_levels() {
        let of = |level| RgbImage::from_pixel(2, 2, image::Rgb([level, 10, 10]));
        assert_eq!(mean_difference(&of(10), &of(40)), 10.0);
        assert_eq!(mean_difference(&of(7), &of(7)), 0.0);
    }
}
