//! Mean accuracy of an encoding model over the voxels of a region, with its interval over images (docs/spec/metrics.md §5).
//!
//! Pearson's r is no mean over trials: in every resample of the images the r of every voxel is formed anew, from sums over the trials
//! of each image, and then averaged over the region.

use std::collections::BTreeMap;

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, get_global_parallelism};
use ndarray::ArrayView2;

use super::bootstrap::{BootstrapConfig, Interval, percentile_interval, resampled_counts};
use super::correlation::voxel_correlation;
use crate::interrupt::{self, Stopped};

/// Voxels whose sums are in memory together; between two blocks a request to stop is heeded.
const VOXELS_AT_ONCE: usize = 256;
/// Sums of a voxel: predicted, measured, both squares and the product.
const SUMS: usize = 5;
/// A variance below this share of the voxel's own is rounding: such a resample holds one image, or trials that are all alike.
const LEAST_VARIANCE: f64 = 1e-9;

/// Accuracy of every voxel, and of regions.
#[derive(Clone, Debug, PartialEq)]
pub struct VoxelAccuracies {
    /// Pearson's r over all trials; NaN where predicted or measured is constant.
    pub of_voxels: Vec<f64>,
    /// Mean over each region's voxels that have a number, with its interval; none where no voxel has.
    pub of_regions: Vec<Option<Interval>>,
}

/// Pearson's r between predicted and measured betas.
///
/// # Shapes
/// - predicted, measured: `[trials, voxels]`; images: one identity per trial; regions: places of voxels
/// - output: `None` when the shapes differ
///
/// # Errors
/// Somebody asked to stop.
pub fn voxel_accuracies(
    predicted: ArrayView2<'_, f32>,
    measured: ArrayView2<'_, f32>,
    images: &[u64],
    regions: &[Vec<usize>],
    config: &BootstrapConfig,
) -> Result<Option<VoxelAccuracies>, Stopped> {
    let Some(of_voxels) =
        voxel_correlation(predicted, measured).filter(|_| images.len() == predicted.nrows())
    else {
        return Ok(None);
    };
    let resamples = Resamples::of(images, config);
    let mut sums = RegionSums::new(&of_voxels, regions, config.resamples);
    for first in (0..of_voxels.len()).step_by(VOXELS_AT_ONCE) {
        interrupt::check()?;
        if config.resamples == 0 {
            break;
        }
        let last = of_voxels.len().min(first + VOXELS_AT_ONCE);
        let counted: Vec<usize> = (first..last).filter(|voxel| !sums.regions_of[*voxel].is_empty()).collect();
        sums.add(&counted, &resamples.correlations(predicted, measured, &counted));
    }
    let of_regions = sums.intervals(&of_voxels, regions, config.confidence);
    Ok(Some(VoxelAccuracies { of_voxels, of_regions }))
}

/// The images of the trials, and how often each is drawn.
struct Resamples {
    /// Place of every trial's image.
    image_of_trial: Vec<usize>,
    num_images: usize,
    /// `[resamples, images]`
    counts: Mat<f64>,
    /// Trials in every resample.
    trials: Vec<f64>,
}

impl Resamples {
    fn of(images: &[u64], config: &BootstrapConfig) -> Self {
        let mut places: BTreeMap<u64, usize> = images.iter().map(|image| (*image, 0)).collect();
        // Sorted, as the groups of every other interval are.
        places.values_mut().enumerate().for_each(|(place, value)| *value = place);
        let image_of_trial: Vec<usize> =
            images.iter().filter_map(|image| places.get(image).copied()).collect();
        let num_images = places.len();
        let drawn = match num_images {
            0 => Vec::new(),
            _ => resampled_counts(num_images, config),
        };
        let counts = Mat::from_fn(drawn.len(), num_images, |row, image| f64::from(drawn[row][image]));
        let mut trials_of = vec![0.0; num_images];
        image_of_trial.iter().for_each(|image| trials_of[*image] += 1.0);
        let trials =
            (0..drawn.len()).map(|row| (0..num_images).map(|at| counts[(row, at)] * trials_of[at]).sum());
        Self { image_of_trial, num_images, trials: trials.collect(), counts }
    }

    /// Pearson's r of each of `voxels` in every resample, `[resamples, voxels]`; NaN where there is none.
    fn correlations(
        &self,
        predicted: ArrayView2<'_, f32>,
        measured: ArrayView2<'_, f32>,
        voxels: &[usize],
    ) -> Mat<f64> {
        let width = voxels.len();
        let mut sums = Mat::<f64>::zeros(self.num_images, SUMS * width);
        let mut variances = Vec::with_capacity(width);
        for (place, voxel) in voxels.iter().enumerate() {
            let [p, m] = [predicted, measured].map(|of| centred(of, *voxel));
            variances
                .push([&p, &m].map(|values| values.iter().map(|v| v * v).sum::<f64>() / values.len() as f64));
            for ((image, p), m) in self.image_of_trial.iter().zip(p).zip(m) {
                for (kind, value) in [p, m, p * p, m * m, p * m].into_iter().enumerate() {
                    sums[(*image, kind * width + place)] += value;
                }
            }
        }
        let mut drawn = Mat::<f64>::zeros(self.counts.nrows(), SUMS * width);
        matmul(drawn.as_mut(), Accum::Replace, &self.counts, &sums, 1.0, get_global_parallelism());
        Mat::from_fn(self.counts.nrows(), width, |row, place| {
            let n = self.trials[row];
            let [p, m, pp, mm, pm] = [0, 1, 2, 3, 4].map(|kind| drawn[(row, kind * width + place)] / n);
            let [variance_p, variance_m] = [pp - p * p, mm - m * m];
            let [whole_p, whole_m] = variances[place];
            if variance_p <= LEAST_VARIANCE * whole_p || variance_m <= LEAST_VARIANCE * whole_m {
                return f64::NAN;
            }
            ((pm - p * m) / (variance_p * variance_m).sqrt()).clamp(-1.0, 1.0)
        })
    }
}

/// A voxel's values about their mean: the differences of sums below lose no digits then.
fn centred(of: ArrayView2<'_, f32>, voxel: usize) -> Vec<f64> {
    let values: Vec<f64> = of.column(voxel).iter().map(|value| f64::from(*value)).collect();
    let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
    values.into_iter().map(|value| value - mean).collect()
}

/// What the voxels of each region add up to in every resample.
struct RegionSums {
    /// Regions of every voxel that has an accuracy.
    regions_of: Vec<Vec<usize>>,
    /// Sum and number, `[regions][resamples]`.
    sums: Vec<Vec<(f64, u32)>>,
}

impl RegionSums {
    fn new(of_voxels: &[f64], regions: &[Vec<usize>], resamples: usize) -> Self {
        let mut regions_of = vec![Vec::new(); of_voxels.len()];
        for (region, voxels) in regions.iter().enumerate() {
            for voxel in voxels.iter().filter(|voxel| of_voxels.get(**voxel).is_some_and(|r| r.is_finite())) {
                regions_of[*voxel].push(region);
            }
        }
        Self { regions_of, sums: vec![vec![(0.0, 0); resamples]; regions.len()] }
    }

    fn add(&mut self, voxels: &[usize], correlations: &Mat<f64>) {
        for (place, voxel) in voxels.iter().enumerate() {
            for region in &self.regions_of[*voxel] {
                for (row, sum) in self.sums[*region].iter_mut().enumerate() {
                    let r = correlations[(row, place)];
                    if r.is_finite() {
                        *sum = (sum.0 + r, sum.1 + 1);
                    }
                }
            }
        }
    }

    fn intervals(self, of_voxels: &[f64], regions: &[Vec<usize>], confidence: f64) -> Vec<Option<Interval>> {
        let interval = |(voxels, sums): (&Vec<usize>, Vec<(f64, u32)>)| {
            let whole = mean_over(of_voxels, voxels)?;
            let drawn = sums.into_iter().filter(|(_, count)| *count > 0);
            let mut means: Vec<f64> = drawn.map(|(sum, count)| sum / f64::from(count)).collect();
            Some(percentile_interval(whole, &mut means, confidence))
        };
        regions.iter().zip(self.sums).map(interval).collect()
    }
}

/// Mean of the values of some voxels that have one; none where none has.
pub fn mean_over(values: &[f64], voxels: &[usize]) -> Option<f64> {
    let finite = voxels.iter().filter_map(|voxel| values.get(*voxel)).filter(|value| value.is_finite());
    let (sum, count) = finite.fold((0.0, 0_u32), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / f64::from(count))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::correlation::pearson;
    use crate::tensor_ops::random::keyed_rng;
    use ndarray::{Array2, array};
    use rand::RngExt;

    #[test]
    fn resamples_are_correlations_of_the_drawn_trials() {
        let mut rng = keyed_rng(1, "voxels", 0);
        let mut draw = |rows, columns| Array2::from_shape_fn((rows, columns), |_| rng.random::<f32>());
        let measured = draw(30, 4);
        let predicted = &measured * 0.5 + draw(30, 4);
        let images: Vec<u64> = (0..30).map(|trial| 100 - trial % 11).collect();
        let config = BootstrapConfig { resamples: 60, ..BootstrapConfig::default() };
        let regions = vec![vec![0, 1, 2, 3], vec![2], vec![]];
        let found = voxel_accuracies(predicted.view(), measured.view(), &images, &regions, &config);
        let found = found.unwrap().unwrap();
        // The same by drawing whole images, trial by trial.
        let mut means: Vec<f64> = resampled_counts(11, &config)
            .into_iter()
            .map(|counts| {
                let drawn: Vec<usize> = (0..30)
                    .flat_map(|trial| vec![trial; counts[(images[trial] - 90) as usize] as usize])
                    .collect();
                let of = |from: &Array2<f32>| {
                    drawn.iter().map(|row| f64::from(from[[*row, 2]])).collect::<Vec<_>>()
                };
                pearson(&of(&predicted), &of(&measured)).unwrap()
            })
            .collect();
        let whole = found.of_voxels[2];
        let expected = percentile_interval(whole, &mut means, 0.95);
        let [all, Some(one), None] = found.of_regions[..] else { panic!("{found:?}") };
        assert!((one.low - expected.low).abs() < 1e-9 && (one.high - expected.high).abs() < 1e-9, "{one:?}");
        assert!(one.low < whole && whole < one.high && one.mean == whole);
        let all = all.unwrap();
        assert!((all.mean - found.of_voxels.iter().sum::<f64>() / 4.0).abs() < 1e-12);
        assert!(all.high - all.low < one.high - one.low, "four voxels together are known better");
    }

    #[test]
    fn constants_and_single_images_have_no_number_and_do_not_spoil_others() {
        let predicted = array![[1.0_f32, 5.0], [2.0, 5.0], [3.0, 5.0]];
        let measured = array![[1.0_f32, 1.0], [2.5, 2.0], [2.0, 3.0]];
        let config = BootstrapConfig { resamples: 50, ..BootstrapConfig::default() };
        let regions = [vec![0, 1], vec![1]];
        let of = |images: &[u64]| {
            voxel_accuracies(predicted.view(), measured.view(), images, &regions, &config).unwrap()
        };
        let found = of(&[1, 2, 3]).unwrap();
        assert!(found.of_voxels[1].is_nan() && found.of_regions[1].is_none());
        let interval = found.of_regions[0].unwrap();
        assert_eq!(interval.mean, found.of_voxels[0]);
        assert!(interval.low.is_finite() && interval.high <= 1.0);
        let one = of(&[7, 7, 7]).unwrap().of_regions[0].unwrap();
        assert!((one.low - one.mean).abs() < 1e-12 && (one.high - one.mean).abs() < 1e-12);
        assert!(of(&[1, 2]).is_none());
    }
}
