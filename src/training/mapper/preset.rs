//! Trainings of the paper's network by name.

use serde::{Deserialize, Serialize};

use super::config::MapperTrainConfig;
use super::selection::EpochSelection;

/// A training by name, in place of what some keys say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MapperPreset {
    /// None: every key counts; those that are left out have the published values.
    #[default]
    None,
    /// This program's own (how they were chosen, on training images: docs/mappers.md): rate 4e-4, 24 and 12 epochs, τ 0.5, the
    /// epoch chosen on training images.
    Tuned,
}

impl MapperPreset {
    /// The training with the values of the preset. A phase of no epochs stays left out, one with an optimiser of its own keeps it.
    pub fn apply(self, train: &mut MapperTrainConfig) {
        if self == Self::None {
            return;
        }
        train.optimiser.learning_rate = 4e-4;
        train.contrastive.temperature = 0.5;
        train.selection = EpochSelection::TrainPart;
        for (phase, epochs) in [(&mut train.phase1, 24), (&mut train.phase2, 12)] {
            if phase.epochs > 0 {
                phase.epochs = epochs;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preset_says_what_its_keys_would_and_leaves_the_rest() {
        let own = MapperTrainConfig { seed: 7, ..MapperTrainConfig::default() };
        let mut train = own.clone();
        MapperPreset::None.apply(&mut train);
        assert_eq!(train, own);
        MapperPreset::Tuned.apply(&mut train);
        assert_eq!(
            (train.seed, train.optimiser.learning_rate, train.contrastive.temperature),
            (7, 4e-4, 0.5)
        );
        assert_eq!((train.phase1.epochs, train.phase2.epochs), (24, 12));
        assert_eq!((train.phase1.batch, train.selection), (32, EpochSelection::TrainPart));
        let mut one_phase = own;
        one_phase.phase2.epochs = 0;
        MapperPreset::Tuned.apply(&mut one_phase);
        assert_eq!((one_phase.phase1.epochs, one_phase.phase2.epochs), (24, 0));
    }
}
