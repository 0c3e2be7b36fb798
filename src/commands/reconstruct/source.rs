//! What pictures are made from: decoded betas, or what those are held against, from floor to ceiling.

use std::fmt::{self, Display, Formatter};

use serde::{Deserialize, Serialize};

/// What the pictures are made from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PictureSource {
    /// Embeddings decoded from betas, through the generator.
    #[default]
    Betas,
    /// The true embeddings that the mappers aim at, through the same generator with the same z: the ceiling, what a perfect decoder
    /// of embeddings would draw.
    Truth,
    /// The mean of the true embeddings of the training images, through the same generator with the same z: a floor, what is drawn
    /// where nothing is known of the trial.
    TrainingMean,
    /// No generator: the training image whose true embedding is nearest to the decoded one, by cosine. Pictures that are no better
    /// than these may be remembered, not reconstructed.
    NearestTraining,
    /// No generator and no betas: training images at random, a floor.
    RandomTraining,
}

impl PictureSource {
    /// As settings write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Betas => "betas",
            Self::Truth => "truth",
            Self::TrainingMean => "training-mean",
            Self::NearestTraining => "nearest-training",
            Self::RandomTraining => "random-training",
        }
    }

    /// Whether it is what the command is for.
    pub fn is_betas(&self) -> bool {
        *self == Self::Betas
    }

    /// Whether a generator draws the pictures.
    pub fn is_drawn(self) -> bool {
        matches!(self, Self::Betas | Self::Truth | Self::TrainingMean)
    }

    /// Whether betas decide the pictures.
    pub(super) fn is_decoded(self) -> bool {
        matches!(self, Self::Betas | Self::NearestTraining)
    }

    /// Whether the true embeddings of images have a part in it.
    pub(super) fn needs_targets(self) -> bool {
        matches!(self, Self::Truth | Self::TrainingMean | Self::NearestTraining)
    }
}

impl Display for PictureSource {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_settings() {
        for source in [
            PictureSource::Betas,
            PictureSource::Truth,
            PictureSource::TrainingMean,
            PictureSource::NearestTraining,
            PictureSource::RandomTraining,
        ] {
            assert_eq!(serde_json::to_value(source).unwrap(), source.name());
        }
    }
}
