//! Learning rates as pure functions of progress.

use serde::{Deserialize, Serialize};

/// What happens to the optimiser's moments and step counter when the rate decays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OptimiserState {
    /// A new optimiser at every decay, as the reference does: right after it the bias-corrected step is about
    /// `rate · sign(gradient)`, a short kick.
    #[default]
    Reset,
    /// Moments and counter go on.
    Keep,
}

/// Multiplies the rate by `factor` every `every_epochs` epochs (docs/spec/mapper.md §5.2).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StepDecay {
    /// Epochs between decays; 0 keeps the rate constant.
    pub every_epochs: usize,
    /// Factor of each decay.
    pub factor: f64,
    /// Fate of the optimiser's moments.
    pub optimiser_state: OptimiserState,
}

impl Default for StepDecay {
    /// ×0.8 every 10 epochs with a new optimiser.
    fn default() -> Self {
        Self { every_epochs: 10, factor: 0.8, optimiser_state: OptimiserState::Reset }
    }
}

impl StepDecay {
    /// Learning rate of `epoch`, counted from 0.
    pub fn learning_rate(&self, initial: f64, epoch: usize) -> f64 {
        match epoch.checked_div(self.every_epochs) {
            // Division by 0 epochs answers `None`: the rate is constant.
            Some(decays) => initial * self.factor.powi(i32::try_from(decays).unwrap_or(i32::MAX)),
            None => initial,
        }
    }

    /// Does `epoch` begin with a new optimiser?
    pub fn resets_optimiser(&self, epoch: usize) -> bool {
        epoch > 0
            && self.optimiser_state == OptimiserState::Reset
            && epoch.checked_rem(self.every_epochs) == Some(0)
    }
}

/// Lets the rate fall at the end of a training: over its last `share`, geometrically, down to `factor` times the rate.
/// An averaged network follows a rate that falls; StyleGAN2's published rate is constant.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FinalDecay {
    /// Share of the training, from 0 (the rate is constant) to 1.
    pub share: f64,
    /// What is left of the rate at the end.
    pub factor: f64,
}

impl Default for FinalDecay {
    /// Constant.
    fn default() -> Self {
        Self { share: 0.0, factor: 0.1 }
    }
}

impl FinalDecay {
    /// Whether the rate ever changes.
    pub fn is_constant(&self) -> bool {
        self.share == 0.0
    }

    /// Factor on the rate after `progress` of the training, from 0 to 1.
    pub fn factor_at(&self, progress: f64) -> f64 {
        let past_start = progress - (1.0 - self.share);
        if self.is_constant() || past_start <= 0.0 {
            return 1.0;
        }
        // Beyond the planned end, where a run may be continued, the rate stays at its last value.
        self.factor.powf((past_start / self.share).min(1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_final_decay_is_geometric_and_ends_at_its_factor() {
        let decay = FinalDecay { share: 0.4, factor: 0.01 };
        assert_eq!(decay.factor_at(0.0), 1.0);
        assert_eq!(decay.factor_at(0.5), 1.0);
        assert!((decay.factor_at(0.8) - 0.1).abs() < 1e-12);
        assert!((decay.factor_at(1.0) - 0.01).abs() < 1e-12);
        assert!((decay.factor_at(1.5) - 0.01).abs() < 1e-12);
        let constant = FinalDecay::default();
        assert_eq!((constant.factor_at(0.0), constant.factor_at(1.0)), (1.0, 1.0));
    }

    #[test]
    fn decays_at_10_20_30_and_resets_there_only() {
        let decay = StepDecay::default();
        let resets: Vec<usize> = (0..40).filter(|epoch| decay.resets_optimiser(*epoch)).collect();
        assert_eq!(resets, [10, 20, 30]);
        assert_eq!(decay.learning_rate(4e-4, 9), 4e-4);
        assert!((decay.learning_rate(4e-4, 25) - 4e-4 * 0.64).abs() < 1e-15);
    }

    #[test]
    fn the_state_can_be_kept_and_the_rate_constant() {
        let keep = StepDecay { optimiser_state: OptimiserState::Keep, ..StepDecay::default() };
        assert!((0..40).all(|epoch| !keep.resets_optimiser(epoch)));
        let constant = StepDecay { every_epochs: 0, ..StepDecay::default() };
        assert_eq!(constant.learning_rate(0.1, 1000), 0.1);
        assert!((0..40).all(|epoch| !constant.resets_optimiser(epoch)));
    }
}
