//! Ranges of a mapper's training settings, checked before any work.

use super::config::MapperTrainConfig;
use crate::error::{SettingError, above_to, between, in_range, limits};

/// Longest time between checkpoints: two years, in minutes.
const MOST_MINUTES: f64 = 1e6;
/// Widest expander: its two inner matrices take 1 GiB each, as much again for their gradients and moments.
const MAX_EXPANDER_WIDTH: usize = 16_384;

impl MapperTrainConfig {
    /// Checks every range that does not depend on the data.
    ///
    /// # Errors
    /// [`SettingError`] that names the first key out of range.
    pub(crate) fn check_ranges(&self) -> Result<(), SettingError> {
        let Self { vicreg, critic, .. } = self;
        in_range("cosine_weight", self.cosine_weight, 0.0..=1.0)?;
        in_range("contrastive_weight", self.contrastive_weight, 0.0..=1.0)?;
        in_range("contrastive.temperature", self.contrastive.temperature, 0.0..=limits::WEIGHT)?;
        in_range("contrastive.row_share", self.contrastive.row_share, 0.0..=1.0)?;
        in_range("vicreg.invariance_weight", vicreg.invariance_weight, 0.0..=limits::WEIGHT)?;
        in_range("vicreg.variance_weight", vicreg.variance_weight, 0.0..=limits::WEIGHT)?;
        in_range("vicreg.covariance_weight", vicreg.covariance_weight, 0.0..=limits::WEIGHT)?;
        in_range("vicreg.epsilon", vicreg.epsilon, above_to(0.0, 1.0))?;
        in_range("expander_width", self.expander_width, 1..=MAX_EXPANDER_WIDTH)?;
        in_range("critic.weight", critic.weight, 0.0..=limits::WEIGHT)?;
        in_range("critic.beta_1", critic.beta_1, 0.0..1.0)?;
        in_range("critic.beta_2", critic.beta_2, 0.0..1.0)?;
        in_range("tuning_fraction", self.tuning_fraction, between(0.0, 1.0))?;
        in_range("checkpoint_every_minutes", self.checkpoint_every_minutes, 0.0..=MOST_MINUTES)?;
        if let Some(epochs) = self.patience_epochs {
            in_range("patience_epochs", epochs, 0..=limits::EPOCHS)?;
        }
        for (section, phase) in [("phase1", &self.phase1), ("phase2", &self.phase2)] {
            in_range(format!("{section}.epochs"), phase.epochs, 0..=limits::EPOCHS)?;
            // The batch of a phase that is left out does not matter.
            let least = usize::from(phase.epochs > 0);
            in_range(format!("{section}.batch"), phase.batch, least..=limits::BATCH)?;
        }
        self.retrieval.validate().map_err(|error| error.within("retrieval"))?;
        let phases = [("phase1.optimiser", &self.phase1), ("phase2.optimiser", &self.phase2)];
        let own =
            phases.into_iter().filter_map(|(section, phase)| Some((section, phase.optimiser.as_ref()?)));
        own.chain([("optimiser", &self.optimiser)]).try_for_each(|(section, optimiser)| {
            optimiser.check_ranges().map_err(|error| error.within(section))
        })
    }
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
            ("vicreg = { epsilon = 0.0 }", "vicreg.epsilon`: found 0, expected above 0 and at most 1"),
            (
                "vicreg = { covariance_weight = inf }",
                "vicreg.covariance_weight`: found inf, expected 0 to 1000000",
            ),
            ("cosine_weight = 1.5", "cosine_weight`: found 1.5, expected 0 to 1"),
            (
                "optimiser = { learning_rate = nan }",
                "optimiser.learning_rate`: found NaN, expected 0 to 1e30",
            ),
            (
                "phase2 = { loss = \"vicreg\", optimiser = { lars = { momentum = 1.0 } } }",
                "phase2.optimiser.lars.momentum`: found 1, expected at least 0 and below 1",
            ),
        ] {
            assert_eq!(with(text).unwrap_err().to_string(), format!("`{message}"));
        }
    }
}
