//! How much of a voxel's variance comes back when an image is shown again.

use ndarray::{ArrayView2, Axis, s};
use rayon::prelude::*;

use super::rows_of_images::rows_of_images;

/// Least reliability: a voxel that seems to hold nothing keeps a small part, because the estimate has an error, too.
pub const LEAST_RELIABILITY: f64 = 1e-3;
/// Voxels that one thread takes at a time: their sums stay in the first cache.
const VOXELS_PER_TASK: usize = 256;

/// The reliability of every voxel, 0.001 to 1: the covariance of two trials of one image over the variance of all trials. It is
/// what Pearson's correlation between repeats estimates, and `ncsnr² / (1 + ncsnr²)` in the terms of NSD's noise ceiling
/// (Allen et al. 2022).
///
/// With trials centred on their mean over `rows`, `N` of them, and `n_i` trials of image `i`:
/// `(Σᵢ (Σₜ xᵢₜ)² − Σ x²) / Σᵢ nᵢ (nᵢ − 1)` over `Σ x² / N`. Every voxel has 1 where no image has two rows; a voxel that does not
/// vary has the least. Sums are in f64, in the order of images and rows.
///
/// # Shapes
/// - x: `[all rows, voxels]`; `image_of_row`: the image of each of them; rows: those that count, of training alone
/// - output: `[voxels]`
///
/// # Panics
/// When a row lies beyond `x`.
pub fn voxel_reliability(x: ArrayView2<'_, f32>, image_of_row: &[u64], rows: &[usize]) -> Vec<f64> {
    let images = rows_of_images(image_of_row, rows);
    let num_pairs: usize = images.iter().map(|rows| rows.len() * (rows.len() - 1)).sum();
    let mut reliability = vec![1.0; x.ncols()];
    if num_pairs == 0 {
        return reliability;
    }
    reliability.par_chunks_mut(VOXELS_PER_TASK).enumerate().for_each(|(task, out)| {
        let first = task * VOXELS_PER_TASK;
        let voxels = x.slice(s![.., first..first + out.len()]);
        of_voxels(voxels, &images, num_pairs, out);
    });
    reliability
}

/// As [`voxel_reliability`] of a few voxels.
fn of_voxels(x: ArrayView2<'_, f32>, images: &[Vec<usize>], num_pairs: usize, out: &mut [f64]) {
    let num_rows = images.iter().map(Vec::len).sum::<usize>() as f64;
    let mut means = vec![0.0; out.len()];
    for row in images.iter().flatten() {
        add(&mut means, x.index_axis(Axis(0), *row).iter().map(|value| f64::from(*value)));
    }
    means.iter_mut().for_each(|mean| *mean /= num_rows);
    let mut squares = vec![0.0; out.len()];
    let mut squares_of_sums = vec![0.0; out.len()];
    let mut of_image = vec![0.0; out.len()];
    for rows in images {
        of_image.fill(0.0);
        for row in rows {
            let row = x.index_axis(Axis(0), *row);
            let places = row.iter().zip(&means).zip(of_image.iter_mut().zip(&mut squares));
            for ((value, mean), (sum, square)) in places {
                let centred = f64::from(*value) - mean;
                *sum += centred;
                *square += centred * centred;
            }
        }
        add(&mut squares_of_sums, of_image.iter().map(|sum| sum * sum));
    }
    for ((out, square), square_of_sums) in out.iter_mut().zip(squares).zip(squares_of_sums) {
        let covariance = (square_of_sums - square) / num_pairs as f64;
        let share = if square > 0.0 { covariance / (square / num_rows) } else { 0.0 };
        *out = share.clamp(LEAST_RELIABILITY, 1.0);
    }
}

fn add(sums: &mut [f64], values: impl Iterator<Item = f64>) {
    sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, array};

    #[test]
    fn by_hand() {
        // Mean 0. First voxel: pairs (2, 1) and (−2, −1): covariance (2 + 2)/2 = 2, variance (4 + 1 + 4 + 1)/4 = 2.5.
        // Second: the repeat says the contrary. Third: does not vary. Fourth: says the same again.
        let x = array![
            [2.0, 1.0, 5.0, 1.0],
            [-2.0, -1.0, 5.0, -1.0],
            [1.0, -1.0, 5.0, 1.0],
            [-1.0, 1.0, 5.0, -1.0],
            [9.0, 9.0, 9.0, 9.0]
        ];
        let found = voxel_reliability(x.view(), &[10, 20, 10, 20, 10], &[0, 1, 2, 3]);
        for (found, expected) in found.iter().zip([0.8, 1e-3, 1e-3, 1.0]) {
            assert!((found - expected).abs() < 1e-12, "{found} against {expected}");
        }
    }

    #[test]
    fn images_shown_once_count_in_the_variance_alone() {
        // Mean 0; one pair (1, 1): covariance 1; variance (1 + 1 + 4)/3 = 2.
        let x = array![[1.0], [1.0], [-2.0]];
        assert_eq!(voxel_reliability(x.view(), &[1, 1, 2], &[0, 1, 2]), [0.5]);
    }

    #[test]
    fn without_repeats_every_voxel_is_as_good_as_another() {
        let x = array![[1.0, 2.0], [3.0, 5.0]];
        assert_eq!(voxel_reliability(x.view(), &[1, 2], &[0, 1]), [1.0, 1.0]);
        assert_eq!(voxel_reliability(x.view(), &[1, 1], &[]), [1.0, 1.0]);
    }

    #[test]
    fn tasks_do_not_show() {
        let x = Array2::from_shape_fn((8, 600), |(row, voxel)| ((row * 7 + voxel * 5) % 11) as f32);
        let images = [0, 1, 2, 3, 0, 1, 2, 3];
        let rows: Vec<usize> = (0..8).collect();
        let whole = voxel_reliability(x.view(), &images, &rows);
        for voxel in [0, 255, 256, 511, 599] {
            let one = voxel_reliability(x.slice(s![.., voxel..=voxel]), &images, &rows);
            assert_eq!(one[0], whole[voxel]);
        }
    }
}
