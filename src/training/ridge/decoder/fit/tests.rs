use faer::linalg::solvers::Solve;
use faer::{Mat, Side};
use ndarray::{Axis, s};
use rand::RngExt;

use super::*;
use crate::tensor_ops::random::keyed_rng;
use crate::training::ridge::decoder::{TrainingTrials, VoxelWeighting, restore_variance};

fn draw(rows: usize, columns: usize, position: u64) -> Array2<f32> {
    let mut rng = keyed_rng(5, "test of the ridge decoder", position);
    Array2::from_shape_fn((rows, columns), |_| rng.random::<f32>() - 0.5)
}

/// Trials of 20 images, each shown twice, and targets that follow from the image in part.
fn trials(voxels: usize) -> (Array2<f32>, Array2<f32>, Vec<u64>) {
    let images: Vec<u64> = (0..40).map(|row| row % 20).collect();
    let rows: Vec<usize> = images.iter().map(|image| *image as usize).collect();
    let (code, map) = (draw(20, 3, 1).select(Axis(0), &rows), draw(3, voxels, 2));
    let x = code.dot(&map) * 2.0 + draw(40, voxels, 3) + 0.3;
    let noise = draw(20, 4, 4).select(Axis(0), &rows);
    let mut y = code.dot(&draw(3, 4, 5)) + noise * 0.2 - 1.0;
    // One output that nothing predicts.
    y.column_mut(3).assign(&draw(20, 1, 6).select(Axis(0), &rows).column(0));
    (x, y, images)
}

/// Ridge in f64 by the primal equations, the penalty as it is: weights and mean of predictors and of targets.
fn plain(x: &Array2<f32>, y: &Array2<f32>, penalty: f64) -> (Array2<f64>, Vec<f64>, Vec<f64>) {
    let means = |of: &Array2<f32>| {
        of.columns()
            .into_iter()
            .map(|c| c.iter().map(|v| f64::from(*v)).sum::<f64>() / of.nrows() as f64)
            .collect()
    };
    let (mx, my): (Vec<f64>, Vec<f64>) = (means(x), means(y));
    let centred = |of: &Array2<f32>, means: &[f64]| {
        Mat::from_fn(of.nrows(), of.ncols(), |i, j| f64::from(of[[i, j]]) - means[j])
    };
    let (xc, yc) = (centred(x, &mx), centred(y, &my));
    let mut gram = xc.transpose() * &xc;
    (0..gram.nrows()).for_each(|at| gram[(at, at)] += penalty);
    let w = gram.llt(Side::Lower).unwrap().solve(xc.transpose() * &yc);
    (Array2::from_shape_fn((x.ncols(), y.ncols()), |(i, j)| w[(i, j)]), mx, my)
}

fn mean_squared_length(x: &Array2<f32>) -> f64 {
    let centred = x - &x.mean_axis(Axis(0)).unwrap();
    centred.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>() / x.nrows() as f64
}

/// Errors `[candidates][outputs]` of the same folds, fold by fold with [`plain`].
fn plain_errors(x: &Array2<f32>, y: &Array2<f32>, folds: usize, grid: &[f64], unit: f64) -> Vec<Vec<f64>> {
    let of_penalty = |penalty: &f64| {
        let mut errors = vec![0.0; y.ncols()];
        for fold in 0..folds {
            let (held, rest): (Vec<usize>, Vec<usize>) =
                (0..x.nrows()).partition(|row| (row % 20) % folds == fold);
            let (w, mx, my) = plain(&x.select(Axis(0), &rest), &y.select(Axis(0), &rest), penalty * unit);
            for row in held {
                for (output, error) in errors.iter_mut().enumerate() {
                    let sum: f64 =
                        (0..x.ncols()).map(|v| (f64::from(x[[row, v]]) - mx[v]) * w[[v, output]]).sum();
                    *error += (my[output] + sum - f64::from(y[[row, output]])).powi(2);
                }
            }
        }
        errors
    };
    grid.iter().map(of_penalty).collect()
}

fn all_rows(x: &Array2<f32>) -> Vec<usize> {
    (0..x.nrows()).collect()
}

fn fit(x: &Array2<f32>, y: &Array2<f32>, images: &[u64], config: &RidgeDecoderConfig) -> RidgeDecoderFit {
    fit_ridge_decoder(x.view(), y.view(), images, &all_rows(x), config, &[]).unwrap()
}

fn close(found: f64, expected: f64, tolerance: f64) {
    assert!((found - expected).abs() < tolerance, "{found} against {expected}");
}

#[test]
fn both_forms_choose_and_fit_as_the_plain_equations_do() {
    for voxels in [12, 90] {
        let (x, y, images) = trials(voxels);
        let config = RidgeDecoderConfig { folds: 4, ..RidgeDecoderConfig::default() };
        let found = fit(&x, &y, &images, &config);
        let unit = mean_squared_length(&x);
        let errors = plain_errors(&x, &y, 4, &config.penalties, unit);
        for (at, of_penalty) in errors.iter().enumerate() {
            close(found.selection.errors[at], of_penalty.iter().sum::<f64>() / y.len() as f64, 1e-7);
        }
        for output in 0..4 {
            let error = |at: &usize| errors[*at][output];
            let best = (0..config.penalties.len()).min_by(|a, b| error(a).total_cmp(&error(b))).unwrap();
            assert_eq!(found.selection.chosen[output], config.penalties[best], "{voxels} voxels, {output}");
            let (w, mx, my) = plain(&x, &y, config.penalties[best] * unit);
            let offset: f64 = (0..voxels).map(|v| mx[v] * w[[v, output]]).sum();
            close(f64::from(found.bias[output]), my[output] - offset, 1e-5);
            (0..voxels).for_each(|v| close(f64::from(found.weights[[v, output]]), w[[v, output]], 1e-5));
        }
        // What cannot be predicted gets a large penalty; with one penalty for all, all have it.
        assert!(found.selection.chosen[3] > found.selection.chosen[0]);
        // So large a penalty leaves the mean alone.
        let floor = &plain_errors(&x, &y, 4, &[1e12], unit)[0];
        close(found.selection.floor_error, floor.iter().sum::<f64>() / y.len() as f64, 1e-7);
        let least = errors.iter().map(|of_penalty| of_penalty[0]).fold(f64::INFINITY, f64::min);
        close(found.selection.r2[0].unwrap(), 1.0 - least / floor[0], 1e-6);
        assert!(found.selection.r2[0].unwrap() > 0.1, "{:?}", found.selection);
        let of_one = fit(&x, &y, &images, &RidgeDecoderConfig { per_target: false, ..config });
        assert!(of_one.selection.chosen.iter().all(|chosen| *chosen == of_one.selection.chosen[0]));
    }
}

#[test]
fn averaged_trials_are_a_fit_to_means() {
    let (x, y, images) = trials(30);
    let mean = |of: &Array2<f32>| (&of.slice(s![..20, ..]) + &of.slice(s![20.., ..])) * 0.5;
    let single = RidgeDecoderConfig { folds: 4, ..RidgeDecoderConfig::default() };
    let averaged = RidgeDecoderConfig { trials: TrainingTrials::Averaged, ..single.clone() };
    let (a, b) = (fit(&x, &y, &images, &averaged), fit(&mean(&x), &mean(&y), &images[..20], &single));
    assert_eq!(a.selection.chosen, b.selection.chosen);
    a.weights.iter().zip(&b.weights).for_each(|(a, b)| close(f64::from(*a), f64::from(*b), 1e-6));
    assert_eq!((a.selection.num_rows, a.selection.num_images, a.selection.num_repeated_images), (20, 20, 20));
}

#[test]
fn weights_of_voxels_are_part_of_the_decoder() {
    let (x, y, images) = trials(30);
    let config =
        RidgeDecoderConfig { weighting: VoxelWeighting::Reliability, ..RidgeDecoderConfig::default() };
    let found = fit(&x, &y, &images, &config);
    let reliability =
        crate::training::ridge::reliability::voxel_reliability(x.view(), &images, &all_rows(&x));
    let mut by_hand = x.clone();
    for (mut column, reliability) in by_hand.columns_mut().into_iter().zip(&reliability) {
        column.mapv_inplace(|value| value * reliability.sqrt() as f32);
    }
    let other = fit(&by_hand, &y, &images, &RidgeDecoderConfig::default());
    let [a, b] = [x.dot(&found.weights), by_hand.dot(&other.weights)];
    let differences = a.iter().zip(&b).map(|(a, b)| f64::from(a - b));
    differences.for_each(|difference| close(difference, 0.0, 1e-5));
    // A voxel that is left out has no weight.
    let mut sorted = reliability.clone();
    sorted.sort_by(f64::total_cmp);
    let found = fit(&x, &y, &images, &RidgeDecoderConfig { select: sorted[10], ..config });
    assert_eq!(found.selection.num_voxels, 20);
    for (weights, reliability) in found.weights.outer_iter().zip(&reliability) {
        assert_eq!(weights.iter().all(|weight| *weight == 0.0), *reliability < sorted[10]);
    }
}

#[test]
fn a_band_of_noise_gets_a_small_share() {
    let (x, y, images) = trials(10);
    let noisy = ndarray::concatenate![Axis(1), x, draw(40, 60, 9) * 3.0];
    let bands = [(0..10).collect::<Vec<usize>>()];
    let config = RidgeDecoderConfig { band_draws: 12, ..RidgeDecoderConfig::default() };
    let found = fit_ridge_decoder(noisy.view(), y.view(), &images, &all_rows(&x), &config, &bands).unwrap();
    let RidgeSelection { band_shares, band_errors, error, .. } = &found.selection;
    assert!(band_shares[1] < 0.2, "{band_shares:?}");
    assert!(*error < band_errors[0], "{error} against {band_errors:?}");
    // The first draw is ridge without bands.
    let without = fit(&noisy, &y, &images, &config);
    close(without.selection.error, band_errors[0], 1e-9);
}

#[test]
fn fractions_are_lengths_of_weights() {
    for voxels in [12, 90] {
        let (x, y, images) = trials(voxels);
        let with = |share| RidgeDecoderConfig { fractions: vec![share], ..RidgeDecoderConfig::default() };
        let [whole, part] = [1.0, 0.4].map(|share| fit(&x, &y, &images, &with(share)));
        for output in 0..4 {
            let length = |of: &RidgeDecoderFit| {
                of.weights.column(output).iter().map(|w| f64::from(*w).powi(2)).sum::<f64>()
            };
            close((length(&part) / length(&whole)).sqrt(), 0.4, 0.02);
        }
        if voxels == 12 {
            let (w, ..) = plain(&x, &y, 0.0);
            close(f64::from(whole.weights[[3, 1]]), w[[3, 1]], 1e-5);
        }
    }
}

#[test]
fn rescaling_gives_held_out_predictions_the_deviation_of_the_targets() {
    let (x, y, images) = trials(30);
    let [none, train] = [Rescale::None, Rescale::Train].map(|rescale| {
        fit(&x, &y, &images, &RidgeDecoderConfig { rescale, ..RidgeDecoderConfig::default() })
    });
    for output in 0..4 {
        let ratio = train.weights[[0, output]] / none.weights[[0, output]];
        assert!(ratio > 1.0, "a penalty shrinks: {ratio}");
        // The mean row is predicted as the mean target, with or without.
        let mean = x.mean_axis(Axis(0)).unwrap();
        let at_mean = mean.dot(&train.weights.column(output)) + train.bias[output];
        close(f64::from(at_mean), train.target_means[output], 1e-5);
    }
    let mut predicted = x.dot(&none.weights);
    restore_variance(&mut predicted, &none.target_means, &none.target_deviations);
    close(f64::from(predicted.column(1).std(0.0)), none.target_deviations[1], 1e-5);
}

#[test]
fn what_cannot_be_fitted_is_refused() {
    let (x, y, images) = trials(5);
    let text = |x: &Array2<f32>, images: &[u64], rows: &[usize]| {
        let config = RidgeDecoderConfig::default();
        fit_ridge_decoder(x.view(), y.view(), images, rows, &config, &[]).unwrap_err().to_string()
    };
    assert!(text(&x, &images[1..], &[0, 1]).contains("images of rows: found 39, expected 40"));
    assert!(text(&x, &images, &[0, 40]).contains("training row: found 40, expected below 40"));
    let few = text(&x, &images, &[0, 1, 2, 3, 20]);
    assert_eq!(few, "`folds`: found 5, expected 2 to 4, the number of training images");
    let absurd = RidgeDecoderConfig { select: 0.999_999, ..RidgeDecoderConfig::default() };
    let error = fit_ridge_decoder(x.view(), y.view(), &images, &all_rows(&x), &absurd, &[]).unwrap_err();
    let error = error.within("train_mapper.ridge").to_string();
    assert!(error.starts_with("`train_mapper.ridge.select`: found 0.999999, expected at most 0."), "{error}");
    let mut broken = x.clone();
    broken[[7, 2]] = f32::NAN;
    assert!(text(&broken, &images, &all_rows(&x)).contains("predictors: row 7"));
    // A row that is not of training may hold anything.
    let rows: Vec<usize> = all_rows(&x).into_iter().filter(|row| *row != 7).collect();
    assert!(
        fit_ridge_decoder(broken.view(), y.view(), &images, &rows, &RidgeDecoderConfig::default(), &[])
            .is_ok()
    );
}

#[test]
fn predictors_that_do_not_vary_predict_the_mean() {
    let (_, y, images) = trials(5);
    let x = Array2::from_elem((40, 5), 2.0);
    let found = fit(&x, &y, &images, &RidgeDecoderConfig::default());
    assert!(found.weights.iter().all(|weight| *weight == 0.0));
    close(f64::from(found.bias[0]), found.target_means[0], 1e-6);
}
