//! The rows and columns that are fitted: trials or their means, voxels kept and weighted, arranged fold by fold.

use std::ops::Range;

use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;

use super::config::{RidgeDecoderConfig, TrainingTrials, VoxelWeighting};
use crate::error::SettingError;
use crate::training::ridge::RidgeError;
use crate::training::ridge::reliability::voxel_reliability;
use crate::training::ridge::rows_of_images::rows_of_images;

/// Predictors and targets as the equations take them.
pub(super) struct Design {
    /// `[rows, kept voxels]`: less their means, times `scale`; the rows of a fold are neighbours.
    pub(super) x: Array2<f32>,
    /// `[rows, outputs]`
    pub(super) y: Array2<f32>,
    /// Rows of every fold; no image is in two.
    pub(super) folds: Vec<Range<usize>>,
    /// Which voxels `x` has.
    pub(super) kept: Vec<usize>,
    /// Mean of every kept voxel over the rows.
    pub(super) means: Vec<f64>,
    /// Factor of every kept voxel.
    pub(super) scale: Vec<f64>,
    /// Reliability of all voxels.
    pub(super) reliability: Vec<f64>,
    /// Images of the training rows, and those of them that have more than one.
    pub(super) num_images: [usize; 2],
}

impl Design {
    pub(super) fn new(
        x: ArrayView2<'_, f32>,
        y: ArrayView2<'_, f32>,
        image_of_row: &[u64],
        train_rows: &[usize],
        config: &RidgeDecoderConfig,
    ) -> Result<Self, RidgeError> {
        check_rows(x, y, image_of_row, train_rows)?;
        let images = rows_of_images(image_of_row, train_rows);
        if images.len() < config.folds {
            let expected = format!("2 to {}, the number of training images", images.len().max(2));
            return Err(SettingError::new("folds", expected, config.folds).into());
        }
        let reliability = voxel_reliability(x, image_of_row, train_rows);
        let kept: Vec<usize> = (0..x.ncols()).filter(|voxel| reliability[*voxel] >= config.select).collect();
        if kept.is_empty() {
            let most = reliability.iter().copied().fold(0.0, f64::max);
            let expected = format!("at most {most}, the largest reliability of a voxel: none is left");
            return Err(SettingError::new("select", expected, config.select).into());
        }
        let scale = kept.iter().map(|voxel| match config.weighting {
            VoxelWeighting::None => 1.0,
            VoxelWeighting::Reliability => reliability[*voxel].sqrt(),
        });
        let scale: Vec<f64> = scale.collect();
        let (groups, folds) = fold_by_fold(&images, config);
        let all_outputs: Vec<usize> = (0..y.ncols()).collect();
        let mut predictors = means_of_rows(x, &groups, &kept);
        let means = centre_and_scale(&mut predictors, &scale);
        let y = means_of_rows(y, &groups, &all_outputs);
        let num_repeated = images.iter().filter(|rows| rows.len() > 1).count();
        let num_images = [images.len(), num_repeated];
        Ok(Self { x: predictors, y, folds, kept, means, scale, reliability, num_images })
    }
}

fn check_rows(
    x: ArrayView2<'_, f32>,
    y: ArrayView2<'_, f32>,
    image_of_row: &[u64],
    train_rows: &[usize],
) -> Result<(), RidgeError> {
    let as_predictors = format!("{} as predictors have", x.nrows());
    for (what, found) in [("rows of targets", y.nrows()), ("images of rows", image_of_row.len())] {
        if found != x.nrows() {
            return Err(RidgeError::Shape { what, found, expected: as_predictors });
        }
    }
    if let Some(row) = train_rows.iter().find(|row| **row >= x.nrows()) {
        let expected = format!("below {}, the number of rows", x.nrows());
        return Err(RidgeError::Shape { what: "training row", found: *row, expected });
    }
    if y.ncols() == 0 {
        return Err(RidgeError::Shape { what: "outputs", found: 0, expected: "at least 1".into() });
    }
    for (what, values) in [("predictors", x), ("targets", y)] {
        let is_broken = |row: &&usize| values.row(**row).iter().any(|value| !value.is_finite());
        if let Some(row) = train_rows.par_iter().find_first(is_broken) {
            return Err(RidgeError::NotFinite { what, row: *row });
        }
    }
    Ok(())
}

/// The trials that make a row, for all rows, and the rows of every fold. Images are dealt to the folds in turn, in the order in
/// which they appear first: every fold then has images of all sessions.
fn fold_by_fold(images: &[Vec<usize>], config: &RidgeDecoderConfig) -> (Vec<Vec<usize>>, Vec<Range<usize>>) {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    let mut folds = Vec::new();
    for fold in 0..config.folds {
        let first = groups.len();
        for rows in images.iter().skip(fold).step_by(config.folds) {
            match config.trials {
                TrainingTrials::Single => groups.extend(rows.iter().map(|row| vec![*row])),
                TrainingTrials::Averaged => groups.push(rows.clone()),
            }
        }
        folds.push(first..groups.len());
    }
    (groups, folds)
}

/// The mean of some columns over the rows of every group: `[groups, columns]`.
fn means_of_rows(of: ArrayView2<'_, f32>, groups: &[Vec<usize>], columns: &[usize]) -> Array2<f32> {
    let mut means = Array2::zeros((groups.len(), columns.len()));
    means.outer_iter_mut().collect::<Vec<_>>().into_par_iter().zip(groups).for_each(|(mut out, rows)| {
        for (out, column) in out.iter_mut().zip(columns) {
            let sum: f64 = rows.iter().map(|row| f64::from(of[[*row, *column]])).sum();
            *out = (sum / rows.len() as f64) as f32;
        }
    });
    means
}

/// `(x − mean) · scale` of every column; returns the means.
fn centre_and_scale(x: &mut Array2<f32>, scale: &[f64]) -> Vec<f64> {
    let means = column_means(x.view());
    x.outer_iter_mut().collect::<Vec<_>>().into_par_iter().for_each(|mut row| {
        for ((value, mean), scale) in row.iter_mut().zip(&means).zip(scale) {
            *value = ((f64::from(*value) - mean) * scale) as f32;
        }
    });
    means
}

/// The mean of every column, summed in f64 in the order of rows.
pub(super) fn column_means(of: ArrayView2<'_, f32>) -> Vec<f64> {
    let mut means = vec![0.0; of.ncols()];
    for row in of.outer_iter() {
        means.iter_mut().zip(row).for_each(|(mean, value)| *mean += f64::from(*value));
    }
    means.iter_mut().for_each(|mean| *mean /= of.nrows().max(1) as f64);
    means
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    fn design(config: &RidgeDecoderConfig) -> Design {
        let x = array![[1.0, 4.0], [3.0, 0.0], [5.0, 2.0], [9.0, 9.0], [3.0, 6.0]];
        let y = array![[1.0], [2.0], [3.0], [9.0], [5.0]];
        Design::new(x.view(), y.view(), &[7, 8, 9, 7, 7], &[0, 1, 2, 4], config).unwrap()
    }

    #[test]
    fn repeats_stay_on_one_side_and_columns_are_centred() {
        let config = RidgeDecoderConfig { folds: 2, ..RidgeDecoderConfig::default() };
        let single = design(&config);
        // Image 7 (rows 0 and 4) and 9 are of the first fold.
        assert_eq!((single.folds, single.num_images), (vec![0..3, 3..4], [3, 1]));
        assert_eq!(single.y, array![[1.0], [5.0], [3.0], [2.0]]);
        assert_eq!((single.means, single.x.column(0).to_vec()), (vec![3.0, 3.0], vec![-2.0, 0.0, 2.0, 0.0]));
        let averaged = design(&RidgeDecoderConfig { trials: TrainingTrials::Averaged, ..config });
        assert_eq!((averaged.folds, averaged.y), (vec![0..2, 2..3], array![[3.0], [3.0], [2.0]]));
    }

    #[test]
    fn voxels_are_weighted_and_left_out_by_reliability() {
        // First voxel: deviations −2 and 0 of image 7: covariance 0. Second: 1 and 3: 3 of variance (1 + 9 + 9 + 1)/4.
        let config = RidgeDecoderConfig {
            folds: 2,
            select: 0.5,
            weighting: VoxelWeighting::Reliability,
            ..RidgeDecoderConfig::default()
        };
        let design = design(&config);
        assert_eq!((design.kept, design.reliability), (vec![1], vec![1e-3, 0.6]));
        assert!((design.scale[0] - 0.6_f64.sqrt()).abs() < 1e-12);
        assert!((f64::from(design.x[[0, 0]]) - 0.6_f64.sqrt()).abs() < 1e-6);
    }
}
