//! A penalty chosen on some rows for the fit of others alone.

use ndarray::{ArrayView2, Axis};

use super::{NormalEquations, Ridge, RidgeConfig, RidgeError, mean_squared_error};
use crate::interrupt;

/// The fit of the `fitting` rows whose penalty has the lowest mean squared error on the `tuning` rows; among equals the first. Unlike
/// [`super::fit_tuned_ridge`] it never sees the `tuning` rows in the fit.
///
/// # Shapes
/// - x: `[all rows, predictors]`; y: `[all rows, outputs]`
///
/// # Errors
/// [`RidgeError`].
pub fn fit_ridge_chosen_on(
    x: ArrayView2<'_, f32>,
    y: ArrayView2<'_, f32>,
    fitting: &[usize],
    tuning: &[usize],
    config: &RidgeConfig,
) -> Result<Ridge, RidgeError> {
    config.validate()?;
    let none = || RidgeError::Shape {
        what: "rows to choose the penalty on",
        found: tuning.len(),
        expected: "at least 1".into(),
    };
    if tuning.is_empty() {
        return Err(none());
    }
    let (held_out, truth) = (x.select(Axis(0), tuning), y.select(Axis(0), tuning));
    let mut equations = NormalEquations::new(x, fitting)?;
    let side = equations.right_side(y)?;
    let mut best: Option<(f64, Ridge)> = None;
    for candidate in &config.penalties {
        interrupt::check()?;
        let fit = equations.factorised(*candidate)?.solve(&side);
        let error = mean_squared_error(&fit.predict(held_out.view()), &truth);
        if best.as_ref().is_none_or(|(least, _)| error < *least) {
            best = Some((error, fit));
        }
    }
    best.map(|(_, fit)| fit).ok_or_else(none)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_ops::random::keyed_rng;
    use crate::training::ridge::{fit_ridge, fit_tuned_ridge};
    use ndarray::Array2;
    use rand::RngExt;

    fn draw(rows: usize, columns: usize, seed: u64) -> Array2<f32> {
        let mut rng = keyed_rng(seed, "ridge", 0);
        Array2::from_shape_fn((rows, columns), |_| rng.random::<f32>() - 0.2)
    }

    #[test]
    fn the_penalty_is_that_of_the_other_fit_and_the_rows_are_not() {
        let x = draw(90, 20, 1);
        let y = x.dot(&draw(20, 3, 2)) + draw(90, 3, 3) * 2.0;
        let (fitting, tuning): (Vec<usize>, Vec<usize>) = ((0..60).collect(), (60..90).collect());
        let config = RidgeConfig::default();
        let both = fit_tuned_ridge(x.view(), y.view(), &fitting, &tuning, &config).unwrap();
        let part = fit_ridge_chosen_on(x.view(), y.view(), &fitting, &tuning, &config).unwrap();
        assert_eq!(part.penalty, both.penalty);
        let alone = fit_ridge(x.view(), y.view(), &fitting, part.penalty).unwrap();
        assert_eq!(part.predict(x.view()), alone.predict(x.view()));
        assert!(fit_ridge_chosen_on(x.view(), y.view(), &fitting, &[], &config).is_err());
    }

    #[test]
    fn coefficients_predict_as_the_fit_does() {
        for columns in [7, 50] {
            let (x, y) = (draw(30, columns, 4), draw(30, 3, 5));
            let fit = fit_ridge(x.view(), y.view(), &(0..25).collect::<Vec<_>>(), 0.1).unwrap();
            let (weights, bias) = fit.coefficients();
            let mut predicted = x.dot(&weights);
            predicted.rows_mut().into_iter().for_each(|mut row| row += &ndarray::ArrayView1::from(&bias));
            let largest = (&predicted - &fit.predict(x.view())).iter().fold(0.0_f32, |m, v| m.max(v.abs()));
            assert!(largest < 2e-6, "{largest}");
        }
    }
}
