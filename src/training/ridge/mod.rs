//! Ridge regression: the linear baseline that any decoder has to beat.
//!
//! `W = argmin ‖X W − Y‖² + λ‖W‖²` with both sides centred on their means over the fitted rows. With fewer rows than
//! predictors the dual form is solved, `W = Xᵀ (X Xᵀ + λ I)⁻¹ Y`, otherwise the primal one, `W = (Xᵀ X + λ I)⁻¹ Xᵀ Y`; sums and
//! solutions are in f64. Memory beside the data: two square matrices with the smaller of the two counts as their side
//! (6,375 rows: 650 MB; a whole subject of NSD, 15,724 voxels: 4 GB), and `W`.

pub mod choice;
mod config;
pub mod decoder;
mod error;
pub mod permuted;
pub mod reduced_rank;
pub mod reliability;
mod rows_of_images;

use faer::linalg::matmul::matmul;
use faer::linalg::solvers::{Llt, Solve};
use faer::{Accum, Mat, Side, get_global_parallelism};
use ndarray::{Array2, ArrayView2};

pub use self::config::{GridEdge, RidgeConfig, grid_edge};
pub use self::error::RidgeError;
use crate::interrupt;

/// Rows converted to f64 at a time.
const BLOCK: usize = 1024;

/// A fitted regression.
#[derive(Clone, Debug)]
pub struct Ridge {
    /// The penalty, relative as in [`RidgeConfig::penalties`].
    pub penalty: f64,
    mean_x: Vec<f64>,
    mean_y: Vec<f64>,
    /// `[predictors, outputs]`
    weights: Mat<f64>,
}

impl Ridge {
    /// Weights `[predictors, outputs]` and what is predicted of predictors of 0, in single precision.
    pub fn coefficients(&self) -> (Array2<f32>, Vec<f32>) {
        let (rows, columns) = (self.weights.nrows(), self.weights.ncols());
        let weights =
            Array2::from_shape_fn((rows, columns), |(row, column)| self.weights[(row, column)] as f32);
        let at_means = |column: usize| -> f64 {
            self.mean_x.iter().enumerate().map(|(row, mean)| mean * self.weights[(row, column)]).sum()
        };
        let biases = (0..columns).map(|column| (self.mean_y[column] - at_means(column)) as f32).collect();
        (weights, biases)
    }

    /// `Y` for rows of predictors.
    ///
    /// # Shapes
    /// - x: `[rows, predictors]`; output: `[rows, outputs]`
    pub fn predict(&self, x: ArrayView2<'_, f32>) -> Array2<f32> {
        let mut predicted = Array2::zeros((x.nrows(), self.mean_y.len()));
        for start in (0..x.nrows()).step_by(BLOCK) {
            let rows: Vec<usize> = (start..x.nrows().min(start + BLOCK)).collect();
            // Block by block: a whole subject's betas in f64 would take twice their memory.
            let product = &centred(x, &rows, &self.mean_x) * &self.weights;
            for (row, place) in rows.iter().enumerate() {
                for (column, mean) in self.mean_y.iter().enumerate() {
                    predicted[[*place, column]] = (product[(row, column)] + mean) as f32;
                }
            }
        }
        predicted
    }
}

/// Fits `rows` of the data with one penalty.
///
/// # Shapes
/// - x: `[all rows, predictors]`; y: `[all rows, outputs]`
///
/// # Errors
/// [`RidgeError`].
pub fn fit_ridge(
    x: ArrayView2<'_, f32>,
    y: ArrayView2<'_, f32>,
    rows: &[usize],
    penalty: f64,
) -> Result<Ridge, RidgeError> {
    let mut equations = NormalEquations::new(x, rows)?;
    let side = equations.right_side(y)?;
    Ok(equations.factorised(penalty)?.solve(&side))
}

/// Bytes that a fit holds at least: rows and targets in f32, in f64 the Gram matrix with its factor, the targets and the weights.
pub fn least_bytes(rows: usize, predictors: usize, outputs: usize) -> u128 {
    let [rows, predictors, outputs] = [rows, predictors, outputs].map(|count| count as u128);
    let side = rows.min(predictors);
    4 * rows * (predictors + outputs) + 8 * (2 * side * side + outputs * (side + predictors))
}

/// Chooses the penalty with the lowest mean squared error on the `tuning` rows, then fits both sets of rows.
///
/// # Errors
/// [`RidgeError`].
pub fn fit_tuned_ridge(
    x: ArrayView2<'_, f32>,
    y: ArrayView2<'_, f32>,
    fitting: &[usize],
    tuning: &[usize],
    config: &RidgeConfig,
) -> Result<Ridge, RidgeError> {
    let mut fitted = fit_tuned_ridges(x, &[y], fitting, tuning, config)?;
    fitted.pop().ok_or(RidgeError::Shape { what: "targets", found: 0, expected: "at least 1".into() })
}

/// As [`fit_tuned_ridge`] for several targets `ys` of the same predictors, each with a penalty of its own: the products of the
/// predictors, most of the work, are made once for all.
///
/// # Errors
/// [`RidgeError`].
pub fn fit_tuned_ridges(
    x: ArrayView2<'_, f32>,
    ys: &[ArrayView2<'_, f32>],
    fitting: &[usize],
    tuning: &[usize],
    config: &RidgeConfig,
) -> Result<Vec<Ridge>, RidgeError> {
    config.validate()?;
    if tuning.is_empty() {
        let expected = "at least 1".into();
        return Err(RidgeError::Shape { what: "rows to choose the penalty on", found: 0, expected });
    }
    let penalties = tuned_penalties(x, ys, fitting, tuning, config)?;
    let mut rows: Vec<usize> = fitting.iter().chain(tuning).copied().collect();
    // The order of additions then does not depend on how rows were divided.
    rows.sort_unstable();
    let mut equations = NormalEquations::new(x, &rows)?;
    let sides = ys.iter().map(|y| equations.right_side(*y)).collect::<Result<Vec<_>, _>>()?;
    let mut fitted: Vec<Option<Ridge>> = vec![None; ys.len()];
    for candidate in &config.penalties {
        let of_candidate: Vec<usize> = (0..ys.len()).filter(|at| penalties[*at] == *candidate).collect();
        if of_candidate.iter().all(|at| fitted[*at].is_some()) {
            continue;
        }
        interrupt::check()?;
        let solver = equations.factorised(*candidate)?;
        of_candidate.into_iter().for_each(|at| fitted[at] = Some(solver.solve(&sides[at])));
    }
    Ok(fitted.into_iter().flatten().collect())
}

/// The penalty of each of `ys` with the least error on the `tuning` rows; among equals the first.
fn tuned_penalties(
    x: ArrayView2<'_, f32>,
    ys: &[ArrayView2<'_, f32>],
    fitting: &[usize],
    tuning: &[usize],
    config: &RidgeConfig,
) -> Result<Vec<f64>, RidgeError> {
    let held_out = x.select(ndarray::Axis(0), tuning);
    let truths: Vec<Array2<f32>> = ys.iter().map(|y| y.select(ndarray::Axis(0), tuning)).collect();
    let mut best = vec![(config.penalties[0], f64::INFINITY); ys.len()];
    // Dropped at the end, before a second set is made: the Gram matrix of a subject has gigabytes.
    let mut equations = NormalEquations::new(x, fitting)?;
    let sides = ys.iter().map(|y| equations.right_side(*y)).collect::<Result<Vec<_>, _>>()?;
    for candidate in &config.penalties {
        interrupt::check()?;
        let solver = equations.factorised(*candidate)?;
        for ((side, truth), best) in sides.iter().zip(&truths).zip(&mut best) {
            let error = mean_squared_error(&solver.solve(side).predict(held_out.view()), truth);
            if error < best.1 {
                *best = (*candidate, error);
            }
        }
    }
    Ok(best.into_iter().map(|(penalty, _)| penalty).collect())
}

/// Gram matrix of the predictors, which all penalties and targets share.
struct NormalEquations<'a> {
    x: ArrayView2<'a, f32>,
    rows: &'a [usize],
    mean_x: Vec<f64>,
    /// `X Xᵀ` or `Xᵀ X`, its diagonal with the last penalty.
    gram: Mat<f64>,
    diagonal: Vec<f64>,
    is_dual: bool,
}

/// One target of the same rows.
struct RightSide {
    mean_y: Vec<f64>,
    /// `Y` or `Xᵀ Y`, both centred.
    right: Mat<f64>,
}

/// The equations with one penalty.
struct Factorised<'e, 'x> {
    equations: &'e NormalEquations<'x>,
    penalty: f64,
    factor: Llt<f64>,
}

impl<'a> NormalEquations<'a> {
    fn new(x: ArrayView2<'a, f32>, rows: &'a [usize]) -> Result<Self, RidgeError> {
        if rows.len() < 2 {
            let expected = "at least 2".into();
            return Err(RidgeError::Shape { what: "rows to fit", found: rows.len(), expected });
        }
        let mean_x = means(x, rows);
        // Both forms have the same solution; the smaller square matrix is the cheaper.
        let is_dual = rows.len() < x.ncols();
        let gram = if is_dual { row_products(x, rows, &mean_x) } else { column_products(x, rows, &mean_x) };
        let diagonal: Vec<f64> = (0..gram.nrows()).map(|index| gram[(index, index)]).collect();
        Ok(Self { x, rows, mean_x, gram, diagonal, is_dual })
    }

    fn right_side(&self, y: ArrayView2<'_, f32>) -> Result<RightSide, RidgeError> {
        if self.x.nrows() != y.nrows() {
            let expected = format!("{} as predictors have", self.x.nrows());
            return Err(RidgeError::Shape { what: "rows of targets", found: y.nrows(), expected });
        }
        let mean_y = means(y, self.rows);
        let targets = centred(y, self.rows, &mean_y);
        let right = match self.is_dual {
            true => targets,
            false => transposed_product(self.x, self.rows, &self.mean_x, &targets),
        };
        Ok(RightSide { mean_y, right })
    }

    fn factorised(&mut self, penalty: f64) -> Result<Factorised<'_, 'a>, RidgeError> {
        // The trace is the sum of squared lengths of centred rows in either form: penalties are relative to their
        // mean, and mean the same for any number of voxels and any scale.
        let unit = self.diagonal.iter().sum::<f64>() / self.rows.len() as f64;
        for (index, value) in self.diagonal.iter().enumerate() {
            self.gram[(index, index)] = value + penalty * unit;
        }
        // Cholesky reads the lower triangle alone, which is why `row_products` fills no other.
        let factor = self.gram.llt(Side::Lower).map_err(|_| RidgeError::too_small(penalty))?;
        Ok(Factorised { equations: self, penalty, factor })
    }
}

impl Factorised<'_, '_> {
    fn solve(&self, side: &RightSide) -> Ridge {
        let NormalEquations { x, rows, mean_x, is_dual, .. } = self.equations;
        let solution = self.factor.solve(&side.right);
        let weights = match is_dual {
            true => transposed_product(*x, rows, mean_x, &solution),
            false => solution,
        };
        Ridge { penalty: self.penalty, mean_x: mean_x.clone(), mean_y: side.mean_y.clone(), weights }
    }
}

fn mean_squared_error(a: &Array2<f32>, b: &Array2<f32>) -> f64 {
    let squares = a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2));
    squares.sum::<f64>() / a.len().max(1) as f64
}

fn means(of: ArrayView2<'_, f32>, rows: &[usize]) -> Vec<f64> {
    let mut sums = vec![0.0_f64; of.ncols()];
    for row in rows {
        for (sum, value) in sums.iter_mut().zip(of.row(*row)) {
            *sum += f64::from(*value);
        }
    }
    sums.iter_mut().for_each(|sum| *sum /= rows.len() as f64);
    sums
}

/// Some rows in f64, less the means: `[rows, columns]`.
fn centred(of: ArrayView2<'_, f32>, rows: &[usize], means: &[f64]) -> Mat<f64> {
    Mat::from_fn(rows.len(), of.ncols(), |row, column| f64::from(of[[rows[row], column]]) - means[column])
}

/// `X Xᵀ` of the centred rows; the lower triangle only.
fn row_products(x: ArrayView2<'_, f32>, rows: &[usize], means: &[f64]) -> Mat<f64> {
    let count = rows.len();
    let mut gram = Mat::zeros(count, count);
    for first in (0..count).step_by(BLOCK) {
        let left = centred(x, &rows[first..count.min(first + BLOCK)], means);
        // Blocks on and below the diagonal.
        for second in (0..=first).step_by(BLOCK) {
            let right = centred(x, &rows[second..count.min(second + BLOCK)], means);
            let part = gram.as_mut().submatrix_mut(first, second, left.nrows(), right.nrows());
            matmul(part, Accum::Replace, &left, right.transpose(), 1.0, get_global_parallelism());
        }
    }
    gram
}

/// `Xᵀ X` of the centred rows.
fn column_products(x: ArrayView2<'_, f32>, rows: &[usize], means: &[f64]) -> Mat<f64> {
    let mut gram = Mat::zeros(x.ncols(), x.ncols());
    for rows in rows.chunks(BLOCK) {
        let block = centred(x, rows, means);
        matmul(gram.as_mut(), Accum::Add, block.transpose(), &block, 1.0, get_global_parallelism());
    }
    gram
}

/// `Xᵀ B` of the centred rows, `B` `[rows, outputs]`.
fn transposed_product(x: ArrayView2<'_, f32>, rows: &[usize], means: &[f64], b: &Mat<f64>) -> Mat<f64> {
    let mut product = Mat::zeros(x.ncols(), b.ncols());
    for (block, rows) in rows.chunks(BLOCK).enumerate() {
        let part = b.as_ref().subrows(block * BLOCK, rows.len());
        let x = centred(x, rows, means);
        matmul(product.as_mut(), Accum::Add, x.transpose(), part, 1.0, get_global_parallelism());
    }
    product
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_ops::random::keyed_rng;
    use ndarray::{Axis, array, s};
    use rand::RngExt;

    fn draw(rows: usize, columns: usize, seed: u64) -> Array2<f32> {
        let mut rng = keyed_rng(seed, "ridge", 0);
        Array2::from_shape_fn((rows, columns), |_| rng.random::<f32>() - 0.5)
    }

    #[test]
    fn one_predictor_by_hand() {
        // x − 2 = −1, 0, 1; y − 5 = −2, 0, 2; slope 4/(2 + λ) with λ = penalty · 2/3.
        let (x, y) = (array![[1.0], [2.0], [3.0]], array![[3.0], [5.0], [7.0]]);
        let mut equations = NormalEquations::new(x.view(), &[0, 1, 2]).unwrap();
        let side = equations.right_side(y.view()).unwrap();
        let mut at = |penalty| {
            equations.factorised(penalty).unwrap().solve(&side).predict(array![[4.0]].view())[[0, 0]]
        };
        // Again the first: no penalty stays behind.
        for (penalty, expected) in [(0.0, 9.0), (3.0, 7.0), (0.0, 9.0)] {
            assert!((at(penalty) - expected).abs() < 1e-6);
        }
    }

    #[test]
    fn the_memory_of_a_whole_subject_is_that_of_its_gram_matrix() {
        // 15,724 voxels and 24,000 trials: 1.5 GB of betas, 3.96 GB for the matrix and its factor, 0.13 GB of weights.
        let bytes = least_bytes(24_000, 15_724, 512);
        assert_eq!(bytes, 4 * 24_000 * (15_724 + 512) + 8 * (2 * 15_724 * 15_724 + 512 * 2 * 15_724));
        assert_eq!(least_bytes(3, 5, 1), 4 * 3 * 6 + 8 * (2 * 9 + 3 + 5));
    }

    #[test]
    fn both_forms_satisfy_the_normal_equations() {
        for (rows, columns) in [(30, 7), (30, 50)] {
            let (x, y) = (draw(rows, columns, 1), draw(rows, 3, 2));
            let fitted: Vec<usize> = (0..rows).filter(|row| row % 3 > 0).collect();
            let fit = fit_ridge(x.view(), y.view(), &fitted, 0.2).unwrap();
            let centre = |of: &Array2<f32>| {
                let of = of.select(Axis(0), &fitted);
                &of - &of.mean_axis(Axis(0)).unwrap()
            };
            let (xc, yc) = (centre(&x), centre(&y));
            let lambda = 0.2 * xc.iter().map(|v| v * v).sum::<f32>() / fitted.len() as f32;
            let weights = Array2::from_shape_fn((columns, 3), |(i, j)| fit.weights[(i, j)] as f32);
            // Xᵀ(XW − Y) + λW = 0
            let gradient = xc.t().dot(&(xc.dot(&weights) - &yc)) + &weights * lambda;
            let largest = gradient.iter().fold(0.0_f32, |m, v| m.max(v.abs()));
            assert!(largest < 2e-5, "{rows} x {columns}: {largest}");
        }
    }

    #[test]
    fn blocks_do_not_show() {
        // More rows than a block, in both forms.
        for columns in [4, 1500] {
            let (x, y) = (draw(BLOCK + 300, columns, 3), draw(BLOCK + 300, 2, 4));
            let rows: Vec<usize> = (0..x.nrows()).collect();
            let fit = fit_ridge(x.view(), y.view(), &rows, 1.0).unwrap();
            let mut shuffled = rows.clone();
            shuffled.rotate_left(500);
            let other = fit_ridge(x.view(), y.view(), &shuffled, 1.0).unwrap();
            let (a, b) = (fit.predict(x.view()), other.predict(x.view()));
            let largest = (&a - &b).iter().fold(0.0_f32, |m, v| m.max(v.abs()));
            assert!(largest < 1e-5, "{largest}");
        }
    }

    #[test]
    fn the_penalty_fits_the_noise_and_a_linear_map_is_found() {
        let (x, map) = (draw(400, 60, 5), draw(60, 4, 6));
        let y = x.dot(&map) + draw(400, 4, 7) * 0.5;
        let (fitting, tuning): (Vec<usize>, Vec<usize>) = ((0..250).collect(), (250..300).collect());
        let fit = fit_tuned_ridge(x.view(), y.view(), &fitting, &tuning, &RidgeConfig::default()).unwrap();
        let truth = x.slice(s![300.., ..]).dot(&map);
        let error = mean_squared_error(&fit.predict(x.slice(s![300.., ..])), &truth);
        let spread = mean_squared_error(&Array2::zeros(truth.dim()), &truth);
        assert!(error < 0.1 * spread, "{error} of {spread}");
        // Pure noise: the largest penalty.
        let noise = draw(400, 4, 8);
        let fit =
            fit_tuned_ridge(x.view(), noise.view(), &fitting, &tuning, &RidgeConfig::default()).unwrap();
        assert!(fit.penalty >= 3.0, "{}", fit.penalty);
    }

    #[test]
    fn several_targets_at_once_are_as_one_by_one() {
        // Both forms; one target follows from the predictors, the other is noise and wants another penalty.
        for columns in [20, 90] {
            let x = draw(80, columns, 9);
            let ys = [x.dot(&draw(columns, 3, 10)), draw(80, 5, 11)];
            let (fitting, tuning): (Vec<usize>, Vec<usize>) = ((0..60).collect(), (60..80).collect());
            let config = RidgeConfig::default();
            let views = [ys[0].view(), ys[1].view()];
            let together = fit_tuned_ridges(x.view(), &views, &fitting, &tuning, &config).unwrap();
            assert!(together[0].penalty < together[1].penalty, "{together:?}");
            for (y, of_both) in ys.iter().zip(&together) {
                let alone = fit_tuned_ridge(x.view(), y.view(), &fitting, &tuning, &config).unwrap();
                assert_eq!(alone.penalty, of_both.penalty);
                assert_eq!(alone.predict(x.view()), of_both.predict(x.view()));
            }
        }
    }

    #[test]
    fn misfits_are_errors() {
        let (x, y) = (draw(5, 3, 1), draw(4, 2, 2));
        let error = fit_ridge(x.view(), y.view(), &[0, 1], 1.0).unwrap_err().to_string();
        assert!(error.contains("rows of targets: found 4, expected 5"), "{error}");
        let y = draw(5, 2, 2);
        assert!(fit_ridge(x.view(), y.view(), &[0], 1.0).is_err());
        let fit = |tuning: &[usize], config: &RidgeConfig| {
            fit_tuned_ridge(x.view(), y.view(), &[0, 1, 2], tuning, config).unwrap_err().to_string()
        };
        let with = |penalties, tuning_fraction| RidgeConfig { penalties, tuning_fraction };
        for config in [with(vec![], 0.1), with(vec![1.0, f64::NAN], 0.1), with(vec![-1.0], 0.1)] {
            assert!(fit(&[3, 4], &config).contains("`penalties`"), "{config:?}");
        }
        for share in [0.0, 1.0, f64::NAN] {
            assert!(fit(&[3, 4], &with(vec![1.0], share)).contains("`tuning_fraction`"));
        }
        assert!(fit(&[], &RidgeConfig::default()).contains("rows to choose the penalty on: found 0"));
        let mut broken = x;
        broken[[0, 0]] = f32::NAN;
        let error = fit_ridge(broken.view(), y.view(), &[0, 1, 2, 3], 1.0).unwrap_err();
        let text = error.within("evaluate.ridge_fit").to_string();
        assert!(text.starts_with("`evaluate.ridge_fit.penalties`: found 1, expected larger ones"), "{text}");
    }
}
