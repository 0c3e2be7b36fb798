//! Ridge regression refitted to permuted pairs of images and betas: the null distribution of whatever is counted.
//!
//! What is predicted is linear in the targets, `ȳ + H (Y − ȳ)`, and H depends on predictors and penalty alone. It is made once per
//! penalty, with the rows of an image added up; a permutation is then one product `[rows, images] × [images, outputs]`.

use faer::Mat;
use faer::linalg::solvers::Solve;
use ndarray::{Array2, ArrayView2, Axis};

use super::{BLOCK, Factorised, NormalEquations, RidgeConfig, RidgeError, centred};
use crate::interrupt;

/// Predictors of training and held-out rows, and how a penalty is chosen.
#[derive(Clone, Copy, Debug)]
pub struct PermutedRidge<'a> {
    /// Predictors of all training rows, `[rows, predictors]`.
    pub x: ArrayView2<'a, f32>,
    /// Image of every training row, from 0; rows of an image have the same target.
    pub image_of_row: &'a [usize],
    /// Training rows that are fitted while the penalty is chosen.
    pub fitting: &'a [usize],
    /// Training rows that choose it.
    pub tuning: &'a [usize],
    /// Predictors of held-out rows, `[held-out rows, predictors]`.
    pub held_out: ArrayView2<'a, f32>,
    /// Penalties.
    pub config: &'a RidgeConfig,
}

/// Which of the targets, under which of the orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refit {
    /// Position of the target.
    pub target: usize,
    /// Position of the order.
    pub order: usize,
}

impl PermutedRidge<'_> {
    /// Refits to each of `targets` under each of `orders`, the penalty chosen for each as
    /// [`fit_tuned_ridges`](super::fit_tuned_ridges) chooses it, and gives `heed` what is predicted of the held-out rows, by
    /// ascending penalty.
    ///
    /// # Shapes
    /// - targets: `[images, outputs]` each; an order says of every image whose target it gets
    /// - predicted: `[held-out rows, outputs]`
    ///
    /// # Errors
    /// [`RidgeError`] of shapes and penalties, a request to stop; what `heed` returns.
    pub fn refit<E: From<RidgeError>>(
        &self,
        targets: &[ArrayView2<'_, f32>],
        orders: &[Vec<usize>],
        heed: &mut dyn FnMut(Refit, Array2<f32>) -> Result<(), E>,
    ) -> Result<(), E> {
        let penalties = self.penalties(targets, orders)?;
        let mut rows: Vec<usize> = self.fitting.iter().chain(self.tuning).copied().collect();
        rows.sort_unstable();
        let mut equations = NormalEquations::new(self.x, &rows)?;
        for candidate in &self.config.penalties {
            let of_candidate: Vec<usize> =
                (0..penalties.len()).filter(|at| penalties[*at] == *candidate).collect();
            if of_candidate.is_empty() {
                continue;
            }
            let map = equations.factorised(*candidate)?.image_map(self.held_out, self.image_of_row)?;
            for at in of_candidate {
                interrupt::check().map_err(RidgeError::from)?;
                let refit = Refit { target: at / orders.len(), order: at % orders.len() };
                let product = &map * permuted(targets[refit.target], &orders[refit.order]);
                let predicted = Array2::from_shape_fn((product.nrows(), product.ncols()), |place| {
                    product[(place.0, place.1)] as f32
                });
                heed(refit, predicted)?;
            }
        }
        Ok(())
    }

    /// The penalty with the least error on the tuning rows, of every target under every order; among equals the first.
    fn penalties(
        &self,
        targets: &[ArrayView2<'_, f32>],
        orders: &[Vec<usize>],
    ) -> Result<Vec<f64>, RidgeError> {
        self.config.validate()?;
        self.check(targets, orders)?;
        let held_out = self.x.select(Axis(0), self.tuning);
        let mut best = vec![(self.config.penalties[0], f64::INFINITY); targets.len() * orders.len()];
        let mut equations = NormalEquations::new(self.x, self.fitting)?;
        for candidate in &self.config.penalties {
            let map = equations.factorised(*candidate)?.image_map(held_out.view(), self.image_of_row)?;
            for (at, best) in best.iter_mut().enumerate() {
                interrupt::check()?;
                let targets = permuted(targets[at / orders.len()], &orders[at % orders.len()]);
                let predicted = &map * &targets;
                let error = self.squared_error(&predicted, &targets);
                if error < best.1 {
                    *best = (*candidate, error);
                }
            }
        }
        Ok(best.into_iter().map(|(penalty, _)| penalty).collect())
    }

    /// Sum over the tuning rows, in the precision in which predictions are given.
    fn squared_error(&self, predicted: &Mat<f64>, targets: &Mat<f64>) -> f64 {
        let mut sum = 0.0;
        for column in 0..predicted.ncols() {
            for (row, tuning) in self.tuning.iter().enumerate() {
                let truth = targets[(self.image_of_row[*tuning], column)];
                sum += (predicted[(row, column)] - truth).powi(2);
            }
        }
        sum
    }

    /// Refuses images, targets and orders that do not fit each other.
    fn check(&self, targets: &[ArrayView2<'_, f32>], orders: &[Vec<usize>]) -> Result<(), RidgeError> {
        let wrong = |what, found, expected: usize| {
            Err(RidgeError::Shape { what, found, expected: expected.to_string() })
        };
        let num_images = self.image_of_row.iter().max().map_or(0, |last| last + 1);
        if self.image_of_row.len() != self.x.nrows() {
            return wrong("images of rows", self.image_of_row.len(), self.x.nrows());
        }
        if let Some(target) = targets.iter().find(|target| target.nrows() != num_images) {
            return wrong("targets of images", target.nrows(), num_images);
        }
        let is_order =
            |order: &&Vec<usize>| order.len() == num_images && order.iter().all(|at| *at < num_images);
        match orders.iter().find(|order| !is_order(order)) {
            Some(order) => wrong("a permutation of images", order.len(), num_images),
            None => Ok(()),
        }
    }
}

/// Targets in another order, `[images, outputs]`.
fn permuted(targets: ArrayView2<'_, f32>, order: &[usize]) -> Mat<f64> {
    Mat::from_fn(order.len(), targets.ncols(), |image, output| f64::from(targets[[order[image], output]]))
}

impl Factorised<'_, '_> {
    /// What predictions of `held_out` take of the target of each image, the mean included: `[held-out rows, images]`.
    fn image_map(
        &self,
        held_out: ArrayView2<'_, f32>,
        image_of_row: &[usize],
    ) -> Result<Mat<f64>, RidgeError> {
        let NormalEquations { x, rows, mean_x, is_dual, .. } = self.equations;
        let all: Vec<usize> = (0..held_out.nrows()).collect();
        let predictors = centred(held_out, &all, mean_x).transpose().to_owned();
        interrupt::check()?;
        let of_rows = match is_dual {
            true => self.factor.solve(&product(*x, rows, mean_x, &predictors)),
            false => product(*x, rows, mean_x, &self.factor.solve(&predictors)),
        };
        let num_images = image_of_row.iter().max().map_or(0, |last| last + 1);
        // Columns of centred rows add up to 0, so that the mean is taken of every row alike.
        let of_mean = 1.0 / rows.len() as f64;
        let mut map = Mat::zeros(held_out.nrows(), num_images);
        for (row, place) in rows.iter().enumerate() {
            for at in 0..map.nrows() {
                map[(at, image_of_row[*place])] += of_rows[(row, at)] + of_mean;
            }
        }
        Ok(map)
    }
}

/// `X B` of the centred rows, `B` `[predictors, columns]`.
fn product(x: ArrayView2<'_, f32>, rows: &[usize], means: &[f64], b: &Mat<f64>) -> Mat<f64> {
    let mut product = Mat::zeros(rows.len(), b.ncols());
    for (block, rows) in rows.chunks(BLOCK).enumerate() {
        let part = centred(x, rows, means) * b;
        product.as_mut().subrows_mut(block * BLOCK, rows.len()).copy_from(&part);
    }
    product
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_ops::random::keyed_rng;
    use crate::training::ridge::fit_tuned_ridge;
    use rand::RngExt;

    fn draw(rows: usize, columns: usize, seed: u64) -> Array2<f32> {
        let mut rng = keyed_rng(seed, "ridge", 0);
        Array2::from_shape_fn((rows, columns), |_| rng.random::<f32>() - 0.3)
    }

    /// 20 images of two rows each, the last five of which choose the penalty.
    fn found(columns: usize, order: &[usize]) -> (Array2<f32>, Array2<f32>) {
        let (x, held_out, targets) = (draw(40, columns, 1), draw(7, columns, 2), draw(20, 3, 3));
        let image_of_row: Vec<usize> = (0..40).map(|row| row % 20).collect();
        let (fitting, tuning): (Vec<usize>, Vec<usize>) = (0..40).partition(|row| row % 20 < 15);
        let config = RidgeConfig::default();
        let ridge = PermutedRidge {
            x: x.view(),
            image_of_row: &image_of_row,
            fitting: &fitting,
            tuning: &tuning,
            held_out: held_out.view(),
            config: &config,
        };
        let mut refits = Vec::new();
        let mut heed = |refit: Refit, predicted: Array2<f32>| {
            assert_eq!(refit, Refit { target: 0, order: 0 });
            refits.push(predicted);
            Ok::<_, RidgeError>(())
        };
        ridge.refit(&[targets.view()], &[order.to_vec()], &mut heed).unwrap();
        let rows: Vec<usize> = image_of_row.iter().map(|image| order[*image]).collect();
        let y = targets.select(Axis(0), &rows);
        let expected = fit_tuned_ridge(x.view(), y.view(), &fitting, &tuning, &config).unwrap();
        (refits.remove(0), expected.predict(held_out.view()))
    }

    #[test]
    fn a_refit_is_the_fit_to_permuted_targets() {
        // Fewer rows than predictors and more: the dual and the primal form.
        for columns in [60, 12] {
            for order in [(0..20).collect::<Vec<_>>(), (0..20).map(|image| (image * 7 + 3) % 20).collect()] {
                let (refit, expected) = found(columns, &order);
                let largest = (&refit - &expected).iter().fold(0.0_f32, |most, value| most.max(value.abs()));
                assert!(largest < 2e-6, "{columns} columns: {largest}");
            }
        }
    }

    #[test]
    fn misfits_are_errors() {
        let (x, targets, config) = (draw(4, 2, 1), draw(2, 1, 2), RidgeConfig::default());
        let refit = |image_of_row: &[usize], order: Vec<usize>| {
            let ridge = PermutedRidge {
                x: x.view(),
                image_of_row,
                fitting: &[0, 1],
                tuning: &[2, 3],
                held_out: x.view(),
                config: &config,
            };
            ridge
                .refit(&[targets.view()], &[order], &mut |_, _| Ok::<_, RidgeError>(()))
                .map_err(|error| error.to_string())
        };
        assert!(refit(&[0, 1, 0, 1], vec![1, 0]).is_ok());
        assert!(refit(&[0, 1, 0], vec![1, 0]).unwrap_err().contains("images of rows: found 3, expected 4"));
        assert!(refit(&[0, 1, 2, 1], vec![1, 0, 2]).unwrap_err().contains("targets of images: found 2"));
        assert!(refit(&[0, 1, 0, 1], vec![1, 2]).unwrap_err().contains("a permutation of images"));
    }
}
