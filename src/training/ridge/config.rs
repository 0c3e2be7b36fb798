//! The grid of penalties, and how one of it is chosen.

use serde::{Deserialize, Serialize};

use crate::error::{SettingError, between, in_range};

/// Most penalties to choose from: each costs a factorisation.
const MOST_PENALTIES: usize = 1000;
/// Largest penalty: with it every prediction is the mean.
const MOST_PENALTY: f64 = 1e12;

/// Penalties to choose from, and the share of training images that decides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RidgeConfig {
    /// Penalties to try, as multiples of the mean squared length of a centred row of predictors: up to 1000, above 0
    /// and at most 1e12.
    pub penalties: Vec<f64>,
    /// Share of the training images, those first seen last, on which the penalty is chosen, above 0 and below
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
        let in_range_all = |penalty: &f64| *penalty > 0.0 && *penalty <= MOST_PENALTY;
        if !(1..=MOST_PENALTIES).contains(&self.penalties.len()) || !self.penalties.iter().all(in_range_all) {
            let expected = format!("1 to {MOST_PENALTIES} numbers, all above 0 and at most {MOST_PENALTY}");
            return Err(SettingError::new(
                "penalties",
                expected,
                self.penalties.iter().map(f64::to_string).collect::<Vec<_>>().join(", "),
            ));
        }
        in_range("tuning_fraction", self.tuning_fraction, between(0.0, 1.0))
    }

    /// The end of the grid that `penalty` lies at; none inside it, or where there is nothing to choose from.
    pub fn edge(&self, penalty: f64) -> Option<GridEdge> {
        let is_least = self.penalties.iter().all(|other| *other >= penalty);
        let is_most = self.penalties.iter().all(|other| *other <= penalty);
        match (is_least, is_most) {
            (true, false) => Some(GridEdge::Smallest),
            (false, true) => Some(GridEdge::Largest),
            _ => None,
        }
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
    }
}
