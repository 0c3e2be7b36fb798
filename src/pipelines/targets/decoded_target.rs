//! What a decoder predicts of an image.

use serde::{Deserialize, Serialize};

use crate::models::mapper::MapperTarget;

/// What a decoder predicts: the space of a mapper, or the picture itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DecodedTarget {
    /// CLIP embedding of the stimulus.
    Image,
    /// CLIP embedding of its caption.
    Caption,
    /// ResNet-50 vector of the stimulus.
    Resnet,
    /// Luminance of the stimulus' pixels at a small size: needs no network.
    Pixels,
}

impl DecodedTarget {
    /// The space as mappers know it; none of pixels.
    pub fn of_mapper(self) -> Option<MapperTarget> {
        match self {
            Self::Image => Some(MapperTarget::Image),
            Self::Caption => Some(MapperTarget::Caption),
            Self::Resnet => Some(MapperTarget::Resnet),
            Self::Pixels => None,
        }
    }
}

impl From<MapperTarget> for DecodedTarget {
    fn from(target: MapperTarget) -> Self {
        match target {
            MapperTarget::Image => Self::Image,
            MapperTarget::Caption => Self::Caption,
            MapperTarget::Resnet => Self::Resnet,
        }
    }
}

impl std::fmt::Display for DecodedTarget {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.of_mapper() {
            Some(target) => target.fmt(formatter),
            None => formatter.write_str("pixels"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_files() {
        for target in
            [DecodedTarget::Image, DecodedTarget::Caption, DecodedTarget::Resnet, DecodedTarget::Pixels]
        {
            assert_eq!(serde_json::to_value(target).unwrap(), target.to_string());
            assert!(target.of_mapper().is_none_or(|mapper| DecodedTarget::from(mapper) == target));
        }
    }
}
