//! How a stimulus, 425 × 425, is resized before CLIP's own preprocessing sees it (docs/spec/open-questions.md OQ-07).

use image::RgbImage;
use serde::{Deserialize, Serialize};

use super::augment::{AUGMENTED_SIDE, Planes};

/// The sizes that a stimulus passes on its way to CLIP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResizeChain {
    /// To 256 × 256 and 8 bits, augmented or not, then CLIP's preprocessing: the published data set's way.
    #[default]
    #[serde(rename = "through-256")]
    Through256,
    /// CLIP's preprocessing alone. Augmentation works at 256 × 256 and does not go with it.
    Direct,
}

impl std::fmt::Display for ResizeChain {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Through256 => "through-256",
            Self::Direct => "direct",
        })
    }
}

/// What CLIP's preprocessing is given of a stimulus. One view holds for all that is compared with each other: targets of
/// training and validation, plain and augmented, `evaluate`, the GAN's conditions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StimulusView {
    /// Sizes.
    pub chain: ResizeChain,
    /// Does the resizing to 256 × 256 average over the pixels that it drops?
    pub antialias: bool,
}

impl StimulusView {
    /// The stimulus as CLIP's preprocessing is given it, 8 bits by truncation where it was resized.
    pub fn of(self, image: RgbImage) -> RgbImage {
        match self.chain {
            ResizeChain::Direct => image,
            ResizeChain::Through256 => {
                Planes::from_image(&image).resize(AUGMENTED_SIDE, self.antialias).into_image()
            }
        }
    }

    /// What tells embeddings of this view from those of others; nothing where CLIP is given the stimulus itself.
    pub(crate) fn name(self) -> Option<&'static str> {
        match (self.chain, self.antialias) {
            (ResizeChain::Direct, _) => None,
            (ResizeChain::Through256, false) => Some("bilinear to 256, 8 bits"),
            (ResizeChain::Through256, true) => Some("antialiased bilinear to 256, 8 bits"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::image::augment::{AugmentConfig, augment};
    use crate::tensor_ops::random::keyed_rng;

    fn stimulus() -> RgbImage {
        RgbImage::from_fn(425, 425, |x, y| {
            image::Rgb([(x * 7 % 256) as u8, (y * 5 % 256) as u8, (x + y) as u8])
        })
    }

    #[test]
    fn a_stimulus_that_is_not_augmented_is_the_augmented_one_without_its_changes() {
        for antialias in [false, true] {
            let view = StimulusView { chain: ResizeChain::Through256, antialias };
            let config = AugmentConfig { probability: 0.0, antialias, ..AugmentConfig::default() };
            let plain = augment(&stimulus(), &config, &mut keyed_rng(1, "augment", 0));
            assert_eq!(view.of(stimulus()), plain);
            assert_eq!(plain.dimensions(), (256, 256));
        }
        let sharp = StimulusView::default().of(stimulus());
        let smooth = StimulusView { antialias: true, ..StimulusView::default() }.of(stimulus());
        assert_ne!(sharp, smooth);
    }

    #[test]
    fn the_direct_view_is_the_stimulus_itself() {
        let direct = StimulusView { chain: ResizeChain::Direct, antialias: false };
        assert_eq!(direct.of(stimulus()), stimulus());
        assert_eq!(direct.name(), None);
        assert_ne!(StimulusView::default().name(), None);
    }
}
