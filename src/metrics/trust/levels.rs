//! Cosines with the true target that need no decoder: of the mean training target, of a random training target, and of the one nearest to
//! what was predicted.

use ndarray::{Array1, ArrayView1, ArrayView2, Axis};
use serde::{Deserialize, Serialize};

use crate::metrics::bootstrap::{BootstrapConfig, Interval};
use crate::metrics::share::bounded_mean_interval;

/// Below this share of a training target's length the mean target is nothing but rounding: the targets are centred.
const LEAST_MEAN: f64 = 1e-4;

/// Mean cosine with the true targets of held-out trials, of what stands in place of every prediction; intervals over images.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CosineLevels {
    /// The mean training target; none where it was taken off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean_embedding: Option<Interval>,
    /// A training target drawn at random, expected value.
    pub random_training_image: Interval,
    /// The training target nearest to the prediction.
    pub nearest_training_image: Interval,
}

/// The levels of trials with the targets `target`, to whose predictions the training targets `nearest` are nearest; `None` of no trial.
///
/// # Shapes
/// - target: `[trials, dimensions]`; training: `[training images, dimensions]`; nearest, ids: `[trials]`
pub fn cosine_levels(
    target: ArrayView2<'_, f32>,
    training: ArrayView2<'_, f32>,
    nearest: &[usize],
    ids: &[u64],
    bootstrap: &BootstrapConfig,
) -> Option<CosineLevels> {
    let units: Vec<Array1<f64>> = target.rows().into_iter().map(at_unit_norm).collect();
    let interval = |values: Vec<f64>| bounded_mean_interval(&values, ids, bootstrap, [-1.0, 1.0]);
    let with = |vector: &Array1<f64>| interval(units.iter().map(|unit| unit.dot(vector)).collect());
    let num_training = training.nrows().max(1) as f64;
    let mut mean_unit = Array1::<f64>::zeros(training.ncols());
    let mut length = 0.0;
    for row in training.rows() {
        mean_unit += &at_unit_norm(row);
        length += norm(row) / num_training;
    }
    mean_unit /= num_training;
    let mean = training.mapv(f64::from).mean_axis(Axis(0))?;
    let mean_length = mean.dot(&mean).sqrt();
    let is_centred = mean_length <= LEAST_MEAN * length;
    let of_nearest = |(unit, nearest): (&Array1<f64>, &usize)| {
        (*nearest < training.nrows()).then(|| unit.dot(&at_unit_norm(training.row(*nearest))))
    };
    Some(CosineLevels {
        mean_embedding: if is_centred { None } else { with(&(&mean / mean_length)) },
        random_training_image: with(&mean_unit)?,
        nearest_training_image: interval(
            units.iter().zip(nearest).map(of_nearest).collect::<Option<Vec<f64>>>()?,
        )?,
    })
}

fn norm(row: ArrayView1<'_, f32>) -> f64 {
    row.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt()
}

/// A row at unit norm; zeros stay zeros.
fn at_unit_norm(row: ArrayView1<'_, f32>) -> Array1<f64> {
    let length = norm(row);
    row.mapv(|value| if length > 0.0 { f64::from(value) / length } else { 0.0 })
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn levels_by_hand() {
        let target = array![[2.0_f32, 0.0], [0.0, 3.0]];
        let training = array![[4.0_f32, 0.0], [0.0, 1.0], [0.0, 1.0]];
        let found =
            cosine_levels(target.view(), training.view(), &[0, 0], &[1, 2], &BootstrapConfig::default())
                .unwrap();
        // The mean target (4, 2)/3: cosines 4/√20 and 2/√20.
        assert!((found.mean_embedding.unwrap().mean - 3.0 / 20.0_f64.sqrt()).abs() < 1e-12, "{found:?}");
        // One of three is the first's, two of three are the second's.
        assert!((found.random_training_image.mean - 0.5).abs() < 1e-12);
        assert_eq!(found.nearest_training_image.mean, 0.5);
    }

    #[test]
    fn centred_targets_have_no_mean() {
        let training = array![[1.0_f32, 0.5], [-1.0, -0.5]];
        let found = |nearest: &[usize]| {
            cosine_levels(training.view(), training.view(), nearest, &[1, 2], &BootstrapConfig::default())
        };
        let levels = found(&[0, 1]).unwrap();
        assert_eq!(levels.mean_embedding, None);
        assert!(levels.random_training_image.mean.abs() < 1e-12);
        assert!((levels.nearest_training_image.mean - 1.0).abs() < 1e-7);
        assert_eq!(found(&[0, 2]), None);
    }
}
