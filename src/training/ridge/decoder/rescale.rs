//! The variance that a penalty takes from predictions, given back.

use ndarray::{Array2, ArrayView2};

use super::design::column_means;

/// Gives every output the mean and the deviation of its training targets, by the mean and deviation of the predictions
/// themselves. Transductive: what one row becomes depends on all that are decoded with it (Ozcelik & VanRullen 2023,
/// *Brain-Diffuser*, do so with the test set). An output whose predictions do not vary becomes the mean.
///
/// # Shapes
/// - predictions: `[rows, outputs]`; means and deviations: `[outputs]`, of the training targets
pub fn restore_variance(predictions: &mut Array2<f32>, means: &[f64], deviations: &[f64]) {
    let own_means = column_means(predictions.view());
    let own_deviations = column_deviations(predictions.view(), &own_means);
    for mut row in predictions.outer_iter_mut() {
        let outputs = own_means.iter().zip(&own_deviations).zip(means.iter().zip(deviations));
        for (value, ((own_mean, own_deviation), (mean, deviation))) in row.iter_mut().zip(outputs) {
            let factor = factor(*own_deviation, *deviation).unwrap_or(0.0);
            *value = (mean + (f64::from(*value) - own_mean) * factor) as f32;
        }
    }
}

/// [`restore_variance`] with the mean and deviation of given targets.
///
/// # Shapes
/// - predictions: `[rows, outputs]`; targets: `[training rows, outputs]`
pub fn give_moments_of(targets: ArrayView2<'_, f32>, predictions: &mut Array2<f32>) {
    let means = column_means(targets);
    restore_variance(predictions, &means, &column_deviations(targets, &means));
}

/// What predictions with the deviation `own` are multiplied by to have that of the targets; none where they do not vary.
pub(super) fn factor(own: f64, wanted: f64) -> Option<f64> {
    (own > 0.0).then(|| wanted / own).filter(|factor| factor.is_finite())
}

/// The standard deviation of every column about `means`, over all rows.
pub(super) fn column_deviations(of: ArrayView2<'_, f32>, means: &[f64]) -> Vec<f64> {
    let mut squares = vec![0.0; of.ncols()];
    for row in of.outer_iter() {
        let values = row.iter().zip(means);
        squares
            .iter_mut()
            .zip(values)
            .for_each(|(sum, (value, mean))| *sum += (f64::from(*value) - mean).powi(2));
    }
    squares.iter().map(|sum| (sum / of.nrows().max(1) as f64).sqrt()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn predictions_get_mean_and_deviation_of_the_targets() {
        let mut predictions = array![[1.0, 4.0], [3.0, 4.0]];
        restore_variance(&mut predictions, &[10.0, 7.0], &[5.0, 2.0]);
        assert_eq!(predictions, array![[5.0, 7.0], [15.0, 7.0]]);
        give_moments_of(array![[0.0, 2.0], [4.0, 2.0], [2.0, 2.0], [2.0, 2.0]].view(), &mut predictions);
        assert!((predictions[[0, 0]] - (2.0 - 2.0_f32.sqrt())).abs() < 1e-6, "{predictions}");
        assert_eq!(predictions.column(1).to_vec(), [2.0, 2.0]);
    }
}
