//! Probabilities and ranges of the augmentation.

use serde::{Deserialize, Serialize};

use crate::error::{SettingError, in_range};

/// What may happen to an image, in this order: crop, flip, colour jitter, grey, blur, mask.
///
/// Operations and ranges are the paper's (its A.1); the four probabilities that its text lost are the published code's
/// (docs/spec/mapper.md §2.2).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AugmentConfig {
    /// Probability that anything happens to an image; 1 in the published script. 0: the targets are embeddings of the
    /// stimulus as it is, made once and kept.
    pub probability: f64,
    /// Are validation targets augmented too, each in one way that stays? The published code does so, in a new way every epoch;
    /// losses of epochs that aim at different targets cannot be compared (docs/spec/open-questions.md OQ-05).
    pub validation: bool,
    /// Does the first resizing, 425 → 256, average over the pixels that it drops? The published code's does not
    /// (docs/spec/open-questions.md OQ-07). It holds for stimuli that are not augmented as well.
    pub antialias: bool,
    /// Least and largest area of the crop, as a share of the image.
    pub crop_area: [f64; 2],
    /// Least and largest width of the crop over its height, at most 100.
    pub crop_aspect: [f64; 2],
    /// Probability of a horizontal flip.
    pub flip_probability: f64,
    /// Probability of the colour jitter.
    pub jitter_probability: f64,
    /// The factor of brightness lies within 1 ± this.
    pub brightness: f64,
    /// The factor of contrast lies within 1 ± this.
    pub contrast: f64,
    /// The factor of saturation lies within 1 ± this.
    pub saturation: f64,
    /// The shift of hue lies within ± this, in turns.
    pub hue: f64,
    /// Probability that colours become grey.
    pub grey_probability: f64,
    /// Probability of the blur.
    pub blur_probability: f64,
    /// Least and largest deviation of the blur, in pixels of the 256 × 256 image; at most 100.
    pub blur_sigma: [f64; 2],
    /// Edge of the black square, as a share of the image's; 0: none.
    pub mask_side: f64,
}

impl Default for AugmentConfig {
    fn default() -> Self {
        Self {
            probability: 1.0,
            validation: false,
            antialias: false,
            crop_area: [0.8, 1.0],
            crop_aspect: [3.0 / 4.0, 4.0 / 3.0],
            flip_probability: 0.5,
            jitter_probability: 0.4,
            brightness: 0.4,
            contrast: 0.4,
            saturation: 0.2,
            hue: 0.1,
            grey_probability: 0.2,
            blur_probability: 0.5,
            blur_sigma: [0.1, 2.0],
            mask_side: 0.3,
        }
    }
}

impl AugmentConfig {
    /// Complains of the first setting outside its range.
    ///
    /// # Errors
    /// [`SettingError`].
    pub fn validate(&self) -> Result<(), SettingError> {
        for (field, value) in [
            ("probability", self.probability),
            ("flip_probability", self.flip_probability),
            ("jitter_probability", self.jitter_probability),
            ("grey_probability", self.grey_probability),
            ("blur_probability", self.blur_probability),
            ("brightness", self.brightness),
            ("contrast", self.contrast),
            ("saturation", self.saturation),
            ("mask_side", self.mask_side),
        ] {
            in_range(field, value, 0.0..=1.0)?;
        }
        in_range("hue", self.hue, 0.0..=0.5)?;
        for (field, [low, high], limit, expected) in [
            ("crop_area", self.crop_area, 1.0, "[least, largest], above 0 and at most 1"),
            ("crop_aspect", self.crop_aspect, 100.0, "[least, largest], above 0 and at most 100"),
            ("blur_sigma", self.blur_sigma, 100.0, "[least, largest], above 0 and at most 100"),
        ] {
            if !(low > 0.0 && low <= high && high <= limit) {
                return Err(SettingError::new(field, expected, format!("[{low}, {high}]")));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_outside_their_range_are_named() {
        assert_eq!(AugmentConfig::default().validate(), Ok(()));
        let complaint = |text: &str| {
            let config: AugmentConfig = toml::from_str(text).unwrap();
            config.validate().unwrap_err().to_string()
        };
        assert_eq!(complaint("probability = 1.5"), "`probability`: found 1.5, expected 0 to 1");
        assert_eq!(complaint("mask_side = nan"), "`mask_side`: found NaN, expected 0 to 1");
        assert_eq!(complaint("hue = 0.6"), "`hue`: found 0.6, expected 0 to 0.5");
        let text = complaint("crop_area = [0.9, 0.8]");
        assert_eq!(text, "`crop_area`: found [0.9, 0.8], expected [least, largest], above 0 and at most 1");
        assert!(complaint("blur_sigma = [0.0, 1.0]").contains("`blur_sigma`: found [0, 1]"));
    }
}
