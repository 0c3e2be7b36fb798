//! How much of a voxel's variance a model of the image could explain at best.
//!
//! Allen et al. 2022, Methods, *Noise ceiling estimation*: betas are z-scored per session; over the images with exactly three
//! trials the noise variance is the mean of the (n − 1) variances, the signal variance what is missing to 1.

use std::collections::HashMap;
use std::path::Path;

use ndarray::ArrayView2;

use super::space::VolumeSpace;
use crate::data::error::DataError;
use crate::data::formats::nifti;
use crate::data::trial::NsdId;

/// Trials per image that enter the estimate.
const REPETITIONS: usize = 3;

/// Noise ceiling in percent for responses averaged over `num_repetitions` trials.
pub fn noise_ceiling_percent(ncsnr: f64, num_repetitions: usize) -> f64 {
    percent(ncsnr, 1.0 / num_repetitions as f64)
}

/// Noise ceiling in percent when `once`, `twice`, `thrice` images are averages of one, two, three trials.
pub fn mixed_noise_ceiling_percent(ncsnr: f64, once: usize, twice: usize, thrice: usize) -> f64 {
    let (once, twice, thrice) = (once as f64, twice as f64, thrice as f64);
    percent(ncsnr, (thrice / 3.0 + twice / 2.0 + once) / (thrice + twice + once))
}

fn percent(ncsnr: f64, noise_share: f64) -> f64 {
    let signal = ncsnr * ncsnr;
    100.0 * signal / (signal + noise_share)
}

/// The noise-ceiling signal-to-noise ratio of every voxel.
///
/// # Shapes
/// - `betas_z`: `[trials, voxels]`, z-scored within session; `images`: the image of every trial
/// - output: one ratio per voxel; NaN where a voxel is constant or no image was shown three times
pub fn compute_ncsnr(betas_z: ArrayView2<'_, f32>, images: &[NsdId]) -> Vec<f32> {
    let mut trials_of: HashMap<NsdId, Vec<usize>> = HashMap::new();
    for (trial, image) in images.iter().enumerate() {
        trials_of.entry(*image).or_default().push(trial);
    }
    let mut triples: Vec<Vec<usize>> =
        trials_of.into_values().filter(|trials| trials.len() == REPETITIONS).collect();
    // A hash map has no order; sums of floats have one.
    triples.sort_unstable();
    let mut sums = vec![0.0_f64; betas_z.ncols()];
    for trials in &triples {
        for (voxel, sum) in sums.iter_mut().enumerate() {
            let values = [0, 1, 2].map(|index| f64::from(betas_z[[trials[index], voxel]]));
            let mean = values.iter().sum::<f64>() / REPETITIONS as f64;
            *sum += values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (REPETITIONS - 1) as f64;
        }
    }
    sums.iter()
        .map(|sum| {
            // The betas are standardised: the whole variance is 1, so the signal's is what the noise leaves.
            let noise_variance = sum / triples.len() as f64;
            if noise_variance > 0.0 {
                ((1.0 - noise_variance).max(0.0).sqrt() / noise_variance.sqrt()) as f32
            } else {
                f32::NAN
            }
        })
        .collect()
}

/// Reads `ncsnr.nii.gz` at the given voxels (flat indices into `space`); NaN where a voxel was never valid. A volume stored from
/// another side is turned.
///
/// # Errors
/// [`DataError::missing`], [`DataError::unreadable`], or [`DataError::Invalid`] for a volume that does not lie as `space` (see
/// [`VolumeSpace::align`]).
pub fn read_ncsnr(path: &Path, space: &VolumeSpace, voxels: &[usize]) -> Result<Vec<f32>, DataError> {
    let volume = space.align(path, nifti::read_volume(path, "the noise ceiling")?)?;
    if volume.dims.len() != 3 {
        let found = format!("{:?}", volume.dims);
        return Err(DataError::invalid(path, "size of the volume", "three axes", found));
    }
    Ok(voxels.iter().map(|voxel| volume.data[*voxel] as f32).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;
    use rand_distr::{Distribution, StandardNormal};

    #[test]
    fn ceiling_of_hand_computed_values() {
        assert!((noise_ceiling_percent(1.0, 1) - 50.0).abs() < 1e-12);
        assert!((noise_ceiling_percent(1.0, 3) - 75.0).abs() < 1e-12);
        assert_eq!(noise_ceiling_percent(0.0, 3), 0.0);
        // Two images with three, one with one trial: noise share (2/3 + 1)/3 = 5/9.
        assert!((mixed_noise_ceiling_percent(1.0, 1, 0, 2) - 100.0 / (1.0 + 5.0 / 9.0)).abs() < 1e-12);
        assert_eq!(mixed_noise_ceiling_percent(0.7, 0, 0, 5), noise_ceiling_percent(0.7, 3));
    }

    #[test]
    fn a_volume_stored_from_the_other_side_gives_every_voxel_its_own_ratio() {
        use crate::data::formats::nifti::{Affine, Frame, write_volume_at};
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ncsnr.nii.gz");
        let plain = Affine { rows: [[2.0, 0.0, 0.0, -2.0], [0.0, 2.0, 0.0, 0.0], [0.0, 0.0, 2.0, 0.0]] };
        let mut flipped = plain;
        flipped.rows[0] = [-2.0, 0.0, 0.0, 2.0];
        let mut shifted = plain;
        shifted.rows[1][3] = 2.0;
        let write = |affine: &Affine| {
            write_volume_at(&path, &[3, 1, 1], Frame::F32(&[0.5, 0.25, f32::NAN]), Some(affine), 2.0, 1.0)
                .unwrap();
        };
        let space = |affine, is_of_betas| {
            let path = "prepared.h5".into();
            VolumeSpace { path, grid: [3, 1, 1], affine, is_of_betas }
        };
        write(&plain);
        assert_eq!(read_ncsnr(&path, &space(Some(plain), true), &[0, 1]).unwrap(), [0.5, 0.25]);
        write(&flipped);
        let turned = read_ncsnr(&path, &space(Some(plain), true), &[1, 2]).unwrap();
        assert_eq!(turned, [0.25, 0.5]);
        // A prepared file of an earlier version does not know: as it lies.
        assert_eq!(read_ncsnr(&path, &space(None, false), &[0, 1]).unwrap(), [0.5, 0.25]);
        let error = read_ncsnr(&path, &space(Some(plain), false), &[0]).unwrap_err().to_string();
        assert!(error.contains("ncsnr.nii.gz`: affine is") && error.contains("prepared.h5"), "{error}");
        write(&shifted);
        let error = read_ncsnr(&path, &space(Some(plain), true), &[0]).unwrap_err().to_string();
        assert!(error.contains("up to flipped or permuted axes"), "{error}");
    }

    #[test]
    fn the_planted_ratio_is_estimated() {
        let mut rng = crate::tensor_ops::random::keyed_rng(1, "ncsnr", 0);
        let (num_images, ratio) = (4000, 0.8_f32);
        let noise = 1.0 / (1.0 + ratio * ratio).sqrt();
        let mut betas = Array2::zeros((num_images * 3, 2));
        let mut images = Vec::new();
        for image in 0..num_images {
            let signal: f32 = StandardNormal.sample(&mut rng);
            for repetition in 0..3 {
                let error: f32 = StandardNormal.sample(&mut rng);
                betas[[image * 3 + repetition, 0]] = noise * (ratio * signal + error);
                images.push(NsdId(image as u32));
            }
        }
        let ncsnr = compute_ncsnr(betas.view(), &images);
        // Standard error of the estimate: about 0.016.
        assert!((ncsnr[0] - ratio).abs() < 0.05, "{}", ncsnr[0]);
        assert!(ncsnr[1].is_nan());
        assert!(compute_ncsnr(betas.view(), &vec![NsdId(0); images.len()])[0].is_nan());
    }
}
