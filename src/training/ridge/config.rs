//! The grid of penalties, and how one of it is chosen.

use serde::{Deserialize, Serialize};

use crate::error::{SettingError, all_in_range, between, in_range};

/// Most penalties to choose from: each costs a factorisation.
const MOST_PENALTIES: usize = 1000;
/// Largest penalty: with it every prediction is the mean.
pub(super) const MOST_PENALTY: f64 = 1e12;
/// Smallest penalty: below it rounding decides.
pub(super) const LEAST_PENALTY: f64 = 1e-9;

/// Penalties to choose from, and the share of training images that decides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RidgeConfig {
    /// Penalties to try, as multiples of the mean squared length of a centred row of predictors: 1 to 1000, each 1e-9
    /// to 1e12.
    pub penalties: Vec<f64>,
    /// Share of the training images, those first seen last or drawn ones
    /// ([`TuningImages`](crate::data::split::tuning::TuningImages)), on which the penalty is chosen, above 0 and below
    /// 1; then all are fitted.
    pub tuning_fraction: f64,
}

impl Default for RidgeConfig {
    fn default() -> Self {
        Self { penalties: vec![0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0], tuning_fraction: 0.15 }
    }
}

impl RidgeConfig {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`SettingError`] that names the first key out of range.
    pub fn validate(&self) -> Result<(), SettingError> {
        all_in_range("penalties", &self.penalties, 1..=MOST_PENALTIES, LEAST_PENALTY..=MOST_PENALTY)?;
        in_range("tuning_fraction", self.tuning_fraction, between(0.0, 1.0))
    }

    /// As [`grid_edge`], of the penalties.
    pub fn edge(&self, penalty: f64) -> Option<GridEdge> {
        grid_edge(&self.penalties, penalty)
    }
}

/// The end of `grid` that `value` lies at; none inside it, or where there is nothing to choose from.
pub fn grid_edge(grid: &[f64], value: f64) -> Option<GridEdge> {
    let is_least = grid.iter().all(|other| *other >= value);
    let is_most = grid.iter().all(|other| *other <= value);
    match (is_least, is_most) {
        (true, false) => Some(GridEdge::Smallest),
        (false, true) => Some(GridEdge::Largest),
        _ => None,
    }
}

/// End of a grid of penalties.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GridEdge {
    /// The smallest penalty: a smaller one may fit better.
    Smallest,
    /// The largest penalty: a larger one may fit better, or there is nothing to predict.
    Largest,
}

impl GridEdge {
    /// Which end, as results say it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Smallest => "smallest",
            Self::Largest => "largest",
        }
    }

    /// That `value`, which is called `name`, lies at this end of the list `key`.
    pub fn warning(self, name: &str, value: f64, key: &str) -> String {
        let beyond = match self {
            Self::Smallest => "smaller ones",
            Self::Largest => "larger ones",
        };
        format!("{name} {value} is the {} of `{key}`; add {beyond}", self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_of_the_grid_are_known() {
        let config = RidgeConfig { penalties: vec![1.0, 0.1, 10.0], ..RidgeConfig::default() };
        let edges = [0.1, 1.0, 10.0].map(|penalty| config.edge(penalty));
        assert_eq!(edges, [Some(GridEdge::Smallest), None, Some(GridEdge::Largest)]);
        let only = RidgeConfig { penalties: vec![1.0], ..RidgeConfig::default() };
        assert_eq!(only.edge(1.0), None);
        let warning = GridEdge::Largest.warning("the penalty", 30.0, "evaluate.ridge_fit.penalties");
        assert_eq!(
            warning,
            "the penalty 30 is the largest of `evaluate.ridge_fit.penalties`; add larger ones"
        );
    }

    #[test]
    fn absurd_numbers_are_refused_with_what_is_allowed() {
        let error = |config: RidgeConfig| config.validate().unwrap_err().to_string();
        let of = |penalties: &[f64]| {
            error(RidgeConfig { penalties: penalties.to_vec(), ..RidgeConfig::default() })
        };
        let expected = "expected 1 to 1000 numbers, each 1e-9 to 1e12";
        assert_eq!(of(&[]), format!("`penalties`: found [], {expected}"));
        assert_eq!(of(&[1.0, 1e-300]), format!("`penalties`: found [1, 1e-300], {expected}"));
        let found = error(RidgeConfig { tuning_fraction: 1.0, ..RidgeConfig::default() });
        assert_eq!(found, "`tuning_fraction`: found 1, expected above 0 and below 1");
    }
}
