//! Which trials choose the epoch of a phase.

use serde::{Deserialize, Serialize};

/// Trials by whose loss the epoch of each phase is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EpochSelection {
    /// The held-out trials, which are then counted, as in the published code (docs/spec/mapper.md §5.3).
    #[default]
    Validation,
    /// Those of the tuning images, a part of the training images (docs/spec/decoders.md §1), which are then not fitted.
    TrainPart,
}

impl std::fmt::Display for EpochSelection {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Validation => "validation",
            Self::TrainPart => "train-part",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_files() {
        for selection in [EpochSelection::Validation, EpochSelection::TrainPart] {
            assert_eq!(serde_json::to_value(selection).unwrap(), selection.to_string());
        }
    }
}
