//! From what the grid names to the penalty of every output.

use faer::Mat;

use super::config::RidgeDecoderConfig;
use super::equations::Reduced;
use super::products::Precision;
use crate::interrupt;
use crate::training::ridge::RidgeError;

/// Relative penalty that stands for none: weights change no more below it, and equations can still be solved.
const NO_PENALTY: f64 = 1e-9;
/// Relative penalties at which lengths of weights are measured, as powers of ten; between them they are interpolated.
const MEASURED: [f64; 2] = [-7.0, 6.0];
/// Distance of measured penalties, as a power of ten.
const STEP: f64 = 0.2;
/// Below this a penalty is of the size of the errors of a fast Gram matrix.
const LEAST_FOR_FAST: f64 = 1e-4;

/// The grid, and what its numbers are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidates<'a> {
    pub(super) grid: &'a [f64],
    are_fractions: bool,
}

impl<'a> Candidates<'a> {
    pub(super) fn of(config: &'a RidgeDecoderConfig) -> Self {
        Self { grid: config.grid(), are_fractions: !config.fractions.is_empty() }
    }

    pub(super) fn precision(&self) -> Precision {
        let is_fast = !self.are_fractions && self.grid.iter().all(|penalty| *penalty >= LEAST_FOR_FAST);
        if is_fast { Precision::Fast } else { Precision::Double }
    }

    /// The penalty of every candidate for every output, `[candidates][outputs]`, in the units of the equations.
    pub(super) fn penalties(&self, reduced: &Reduced, unit: f64) -> Result<Vec<Vec<f64>>, RidgeError> {
        let outputs = reduced.right.ncols();
        // Predictors that do not vary predict the mean with any penalty.
        let unit = if unit > 0.0 { unit } else { 1.0 };
        if !self.are_fractions {
            return Ok(self.grid.iter().map(|penalty| vec![penalty * unit; outputs]).collect());
        }
        let count = ((MEASURED[1] - MEASURED[0]) / STEP).round() as usize;
        let measured: Vec<f64> = (0..=count).map(|at| 10_f64.powf(MEASURED[0] + at as f64 * STEP)).collect();
        let penalties: Vec<f64> = [NO_PENALTY].into_iter().chain(measured).collect();
        let mut lengths = Vec::new();
        for penalty in &penalties {
            interrupt::check()?;
            lengths.push(self.lengths(reduced, penalty * unit)?);
        }
        let penalty_of = |fraction: f64, output: usize| {
            let of_output = lengths.iter().map(|lengths| lengths[output]).collect::<Vec<_>>();
            penalty_at(fraction, &penalties, &of_output) * unit
        };
        Ok(self
            .grid
            .iter()
            .map(|share| (0..outputs).map(|output| penalty_of(*share, output)).collect())
            .collect())
    }

    /// The solutions with one penalty per output, in the basis of the band.
    pub(super) fn solve(&self, reduced: &Reduced, penalties: &[f64]) -> Result<Mat<f64>, RidgeError> {
        let solution = reduced.reduction.band.solve(penalties, &reduced.right);
        solution.ok_or_else(RidgeError::lost_in_rounding)
    }

    /// The length of every output's weights with a penalty.
    fn lengths(&self, reduced: &Reduced, penalty: f64) -> Result<Vec<f64>, RidgeError> {
        let solution = self.solve(reduced, &vec![penalty; reduced.right.ncols()])?;
        let squares = match reduced.is_dual {
            true => reduced.reduction.band.quadratic_forms(&solution),
            false => solution.col_iter().map(|column| column.squared_norm_l2()).collect(),
        };
        Ok(squares.into_iter().map(|square| square.max(0.0).sqrt()).collect())
    }
}

/// The penalty at which weights are `fraction` of their length without one, linear in the logarithm of the penalty between the
/// measured ones; the first where there are no weights at all, the last for shares that none has.
fn penalty_at(fraction: f64, penalties: &[f64], lengths: &[f64]) -> f64 {
    let wanted = fraction * lengths[0];
    let below = lengths.iter().position(|length| *length <= wanted).unwrap_or(lengths.len() - 1);
    let Some(above) = below.checked_sub(1) else { return penalties[0] };
    let step = lengths[above] - lengths[below];
    let share = if step > 0.0 { ((lengths[above] - wanted) / step).min(1.0) } else { 1.0 };
    let [from, to] = [above, below].map(|at| penalties[at].ln());
    (from + share * (to - from)).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_interpolated_between_measured_penalties() {
        let (penalties, lengths) = ([1e-9, 1e-2, 1.0], [4.0, 3.0, 1.0]);
        assert_eq!(penalty_at(1.0, &penalties, &lengths), 1e-9);
        // 2 is half way between 3 and 1: the geometric mean of 0.01 and 1.
        assert!((penalty_at(0.5, &penalties, &lengths) - 0.1).abs() < 1e-12);
        assert!((penalty_at(0.1, &penalties, &lengths) - 1.0).abs() < 1e-12);
        assert_eq!(penalty_at(0.5, &penalties, &[0.0; 3]), 1e-9);
    }
}
