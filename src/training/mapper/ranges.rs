//! Ranges of a mapper's training settings, checked before any work.

use super::config::{MapperTrainConfig, MapperTrainConfigError};
use crate::training::frame::optimiser::OptimiserConfig;

/// Widest expander: its two inner matrices take 1 GiB each, as much again for their gradients and moments.
const MAX_EXPANDER_WIDTH: usize = 16_384;

struct Check(&'static str, f64, Range);

#[derive(Clone, Copy)]
enum Range {
    Positive,
    NotNegative,
    /// 0 and 1 included.
    Share,
    /// 0 included, 1 not.
    BelowOne,
    ExpanderWidth,
}

impl Range {
    fn holds(self, value: f64) -> bool {
        value.is_finite()
            && match self {
                Self::Positive => value > 0.0,
                Self::NotNegative => value >= 0.0,
                Self::Share => (0.0..=1.0).contains(&value),
                Self::BelowOne => (0.0..1.0).contains(&value),
                Self::ExpanderWidth => (1.0..=MAX_EXPANDER_WIDTH as f64).contains(&value),
            }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Positive => "a number above 0",
            Self::NotNegative => "0 or more",
            Self::Share => "a number in [0, 1]",
            Self::BelowOne => "a number in [0, 1)",
            Self::ExpanderWidth => "1 to 16384",
        }
    }
}

/// Names the first that does not hold.
fn check(prefix: &str, checks: &[Check]) -> Result<(), MapperTrainConfigError> {
    match checks.iter().find(|Check(_, value, range)| !range.holds(*value)) {
        Some(Check(field, found, range)) => Err(MapperTrainConfigError {
            key: format!("{prefix}{field}"),
            expected: range.words().into(),
            found: found.to_string(),
        }),
        None => Ok(()),
    }
}

impl MapperTrainConfig {
    /// Checks every range that does not depend on the data.
    ///
    /// # Errors
    /// [`MapperTrainConfigError`] that names the first key out of range.
    pub(crate) fn check_ranges(&self) -> Result<(), MapperTrainConfigError> {
        let Self { vicreg, critic, .. } = self;
        check(
            "",
            &[
                Check("cosine_weight", self.cosine_weight, Range::Share),
                Check("contrastive_weight", self.contrastive_weight, Range::Share),
                Check("vicreg.invariance_weight", vicreg.invariance_weight, Range::NotNegative),
                Check("vicreg.variance_weight", vicreg.variance_weight, Range::NotNegative),
                Check("vicreg.covariance_weight", vicreg.covariance_weight, Range::NotNegative),
                Check("vicreg.epsilon", vicreg.epsilon, Range::Positive),
                Check("expander_width", self.expander_width as f64, Range::ExpanderWidth),
                Check("critic.weight", critic.weight, Range::NotNegative),
                Check("critic.beta_1", f64::from(critic.beta_1), Range::BelowOne),
                Check("critic.beta_2", f64::from(critic.beta_2), Range::BelowOne),
            ],
        )?;
        let own = [("phase1", &self.phase1), ("phase2", &self.phase2)]
            .map(|(name, phase)| (format!("{name}.optimiser."), phase.optimiser.as_ref()));
        let common = ("optimiser.".to_string(), Some(&self.optimiser));
        own.into_iter().chain([common]).try_for_each(|(prefix, optimiser)| match optimiser {
            Some(optimiser) => check(&prefix, &checks_of(optimiser)),
            None => Ok(()),
        })
    }
}

fn checks_of(optimiser: &OptimiserConfig) -> [Check; 10] {
    let OptimiserConfig { lars, decay, .. } = optimiser;
    [
        Check("learning_rate", optimiser.learning_rate, Range::NotNegative),
        Check("beta_1", f64::from(optimiser.beta_1), Range::BelowOne),
        Check("beta_2", f64::from(optimiser.beta_2), Range::BelowOne),
        Check("epsilon", f64::from(optimiser.epsilon), Range::Positive),
        Check("weight_decay", f64::from(optimiser.weight_decay), Range::NotNegative),
        Check("decay.factor", decay.factor, Range::Positive),
        Check("lars.momentum", lars.momentum, Range::BelowOne),
        Check("lars.trust", lars.trust, Range::Positive),
        Check("lars.base_rate", lars.base_rate, Range::NotNegative),
        Check("lars.final_share", lars.final_share, Range::Share),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_out_of_range_is_named() {
        let with = |text: &str| toml::from_str::<MapperTrainConfig>(text).unwrap().check_ranges();
        assert_eq!(with(""), Ok(()));
        assert_eq!(with("phase2 = { loss = \"vicreg\", optimiser = { algorithm = \"lars\" } }"), Ok(()));
        for (text, message) in [
            ("expander_width = 0", "expander_width`: found 0, expected 1 to 16384"),
            ("expander_width = 20000", "expander_width`: found 20000, expected 1 to 16384"),
            ("vicreg = { epsilon = 0.0 }", "vicreg.epsilon`: found 0, expected a number above 0"),
            (
                "vicreg = { covariance_weight = inf }",
                "vicreg.covariance_weight`: found inf, expected 0 or more",
            ),
            ("cosine_weight = 1.5", "cosine_weight`: found 1.5, expected a number in [0, 1]"),
            (
                "optimiser = { learning_rate = nan }",
                "optimiser.learning_rate`: found NaN, expected 0 or more",
            ),
            (
                "phase2 = { loss = \"vicreg\", optimiser = { lars = { momentum = 1.0 } } }",
                "phase2.optimiser.lars.momentum`: found 1, expected a number in [0, 1)",
            ),
        ] {
            assert_eq!(with(text).unwrap_err().to_string(), format!("`train_mapper.train.{message}"));
        }
    }
}
