//! Ridge regression on voxels weighted by their reliability, and the scale of voxels that follows from both.
//!
//! Specification: docs/spec/decoders.md §2.

use ndarray::{Array2, Axis};
use serde::{Deserialize, Serialize};

use super::error::DecoderError;
use super::trials::{DecoderTrials, RIDGE_SECTION};
use crate::training::ridge::choice::fit_ridge_chosen_on;
use crate::training::ridge::reliability::voxel_reliability;
use crate::training::ridge::{GridEdge, Ridge, RidgeConfig, fit_ridge};

/// Where the penalty comes from.
#[derive(Clone, Copy, Debug)]
pub enum Penalty<'a> {
    /// It is known, relative to the mean squared length of a centred row.
    Known(f64),
    /// The one of the grid with the least squared error on these trials.
    Chosen {
        /// Trials that are not fitted.
        tuning: &'a [usize],
        /// The grid.
        config: &'a RidgeConfig,
    },
}

/// A penalty that was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChosenPenalty {
    /// Relative to the mean squared length of a centred row of weighted voxels.
    pub penalty: f64,
    /// Where it lies at an end of the grid: another may be better.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub edge: Option<GridEdge>,
}

/// Ridge regression on `x · √rel`, as a map of betas that are not weighted.
#[derive(Clone, Debug)]
pub struct WeightedRidge {
    /// Relative to the mean squared length of a centred row of weighted voxels.
    pub penalty: f64,
    /// `[voxels, embed_dim]`
    pub weights: Array2<f32>,
    /// `[embed_dim]`
    pub bias: Vec<f32>,
    /// rel: reliability of every voxel, at least 0.001.
    reliability: Vec<f64>,
    /// Norm of every voxel's weights over the mean of all norms.
    relative_norms: Vec<f64>,
}

impl WeightedRidge {
    /// Fits `rows`; nothing of other trials enters but the choice of the penalty.
    ///
    /// # Errors
    /// [`DecoderError::Ridge`].
    pub fn fit(
        trials: &DecoderTrials<'_>,
        rows: &[usize],
        penalty: Penalty<'_>,
    ) -> Result<Self, DecoderError> {
        let image_ids = trials.image_ids(&(0..trials.betas.nrows()).collect::<Vec<_>>());
        let reliability = voxel_reliability(trials.betas.view(), &image_ids, rows);
        let roots: Vec<f64> = reliability.iter().map(|value| value.sqrt()).collect();
        let ridge = fit_weighted(trials, rows, &roots, penalty)?;
        let (mut weights, bias) = ridge.coefficients();
        for (mut row, root) in weights.axis_iter_mut(Axis(0)).zip(&roots) {
            row.iter_mut().for_each(|weight| *weight = (f64::from(*weight) * root) as f32);
        }
        let relative_norms = relative_norms(&weights);
        Ok(Self { penalty: ridge.penalty, weights, bias, reliability, relative_norms })
    }

    /// `rel · wn^power` of every voxel, at a root mean square of 1: what it is multiplied by in front of a decoder.
    pub fn voxel_scale(&self, power: i32) -> Vec<f32> {
        let places = self.reliability.iter().zip(&self.relative_norms);
        let scale: Vec<f64> = places.map(|(reliability, norm)| reliability * norm.powi(power)).collect();
        let mean_square = scale.iter().map(|value| value * value).sum::<f64>() / scale.len().max(1) as f64;
        // All weights 0: a penalty that leaves nothing, and no voxel better than another.
        let root = if mean_square > 0.0 { mean_square.sqrt() } else { 1.0 };
        scale.iter().map(|value| (value / root) as f32).collect()
    }
}

fn fit_weighted(
    trials: &DecoderTrials<'_>,
    rows: &[usize],
    roots: &[f64],
    penalty: Penalty<'_>,
) -> Result<Ridge, DecoderError> {
    let tuning = match penalty {
        Penalty::Known(_) => &[],
        Penalty::Chosen { tuning, .. } => tuning,
    };
    let all: Vec<usize> = rows.iter().chain(tuning).copied().collect();
    let mut x = trials.betas.select(Axis(0), &all);
    for mut row in x.rows_mut() {
        row.iter_mut().zip(roots).for_each(|(value, root)| *value = (f64::from(*value) * root) as f32);
    }
    let y = trials.targets_of(&all);
    let places: Vec<usize> = (0..all.len()).collect();
    let (fitting, tuning) = places.split_at(rows.len());
    let fitted = match penalty {
        Penalty::Known(penalty) => fit_ridge(x.view(), y.view(), fitting, penalty),
        Penalty::Chosen { config, .. } => fit_ridge_chosen_on(x.view(), y.view(), fitting, tuning, config),
    };
    fitted.map_err(|error| error.within(RIDGE_SECTION).into())
}

/// Norm of every row over the mean of all.
fn relative_norms(weights: &Array2<f32>) -> Vec<f64> {
    let squared =
        |row: ndarray::ArrayView1<'_, f32>| row.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>();
    let norms: Vec<f64> = weights.rows().into_iter().map(|row| squared(row).sqrt()).collect();
    let mean = norms.iter().sum::<f64>() / norms.len().max(1) as f64;
    let mean = if mean > 0.0 { mean } else { 1.0 };
    norms.iter().map(|norm| norm / mean).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::split::tuning::TuningImages;
    use crate::tensor_ops::random::keyed_rng;
    use rand::RngExt;

    /// 40 images twice; the first voxel is the first coordinate of the target, the second noise.
    fn data() -> (Array2<f32>, Array2<f32>, Vec<usize>) {
        let mut rng = keyed_rng(1, "weighted ridge", 0);
        let angles: Vec<f32> = (0..40).map(|_| 6.0 * rng.random::<f32>()).collect();
        let targets = Array2::from_shape_fn((40, 2), |(image, axis)| match axis {
            0 => angles[image].cos(),
            _ => angles[image].sin(),
        });
        let image_of_trial: Vec<usize> = (0..80).map(|trial| trial % 40).collect();
        let betas = Array2::from_shape_fn((80, 2), |(trial, voxel)| match voxel {
            0 => angles[trial % 40].cos() + 0.1 * (rng.random::<f32>() - 0.5),
            _ => rng.random::<f32>() - 0.5,
        });
        (betas, targets, image_of_trial)
    }

    fn trials_of<'a>(
        betas: &'a Array2<f32>,
        targets: &'a Array2<f32>,
        image_of_trial: &'a [usize],
        train: &'a [usize],
    ) -> DecoderTrials<'a> {
        DecoderTrials { betas, targets, image_of_trial, train, tuning: TuningImages::SeenLast }
    }

    #[test]
    fn the_voxel_that_holds_something_is_turned_up() {
        let (betas, targets, image_of_trial) = data();
        let rows: Vec<usize> = (0..80).collect();
        let trials = trials_of(&betas, &targets, &image_of_trial, &rows);
        let ridge = WeightedRidge::fit(&trials, &rows, Penalty::Known(1e-3)).unwrap();
        let [first, second] = ridge.voxel_scale(1)[..] else { panic!("two voxels") };
        assert!(first > 1.3 && second < 0.2, "{first} {second}");
        assert!((first * first + second * second - 2.0).abs() < 1e-5);
        assert!(ridge.voxel_scale(2)[1] <= second);
        // The map is of betas that are not weighted: cos again from its noisy copy.
        assert!((ridge.weights[[0, 0]] - 1.0).abs() < 0.05, "{}", ridge.weights);
    }

    #[test]
    fn the_penalty_of_the_least_error_elsewhere_is_chosen() {
        let (betas, targets, image_of_trial) = data();
        let rows: Vec<usize> = (0..80).collect();
        let trials = trials_of(&betas, &targets, &image_of_trial, &rows);
        let (fitting, tuning) = rows.split_at(60);
        let error_of = |penalty: f64| {
            let ridge = WeightedRidge::fit(&trials, fitting, Penalty::Known(penalty)).unwrap();
            let predicted = betas.select(Axis(0), tuning).dot(&ridge.weights)
                + &ndarray::Array1::from(ridge.bias.clone()).insert_axis(Axis(0));
            (predicted - trials.targets_of(tuning)).mapv(|value| f64::from(value).powi(2)).sum()
        };
        let config = RidgeConfig { penalties: vec![0.01, 1.0, 100.0], ..RidgeConfig::default() };
        let chosen =
            WeightedRidge::fit(&trials, fitting, Penalty::Chosen { tuning, config: &config }).unwrap();
        let least = error_of(chosen.penalty);
        assert!(config.penalties.iter().all(|penalty| error_of(*penalty) >= least));
        assert!(error_of(100.0) > 1.01 * least);
    }
}
