//! When images are augmented, and by which operations.

use serde::{Deserialize, Serialize};

use crate::error::{SettingError, above_to, between, in_range, limits};

/// Whether the discriminator's images are augmented.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AugmentMode {
    /// Not at all: Mind Reader and Lafite.
    #[default]
    None,
    /// Every operation with a constant probability.
    Fixed,
    /// With a probability that follows the discriminator's overfitting: StyleGAN2-ADA.
    Ada,
}

/// Groups of operations; the combinations are named by first letters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the letters are those of the groups")]
pub enum AugmentPreset {
    Blit,
    Geom,
    Color,
    Filter,
    Noise,
    Cutout,
    Bg,
    /// Blit, geom and color: the default of StyleGAN2-ADA.
    #[default]
    Bgc,
    Bgcf,
    Bgfn,
    Bgcfn,
    Bgcfnc,
}

/// Which groups of operations take part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AugmentParts {
    /// Mirror, quarter turns, whole-pixel shifts.
    pub blit: bool,
    /// Scale, rotation, anisotropic scale, sub-pixel shifts.
    pub geom: bool,
    /// Brightness, contrast, luma flip, hue, saturation.
    pub color: bool,
    /// Gains of four bands of spatial frequency.
    pub filter: bool,
    /// Noise per pixel.
    pub noise: bool,
    /// A grey square.
    pub cutout: bool,
}

impl AugmentPreset {
    /// The groups.
    pub fn parts(self) -> AugmentParts {
        let parts = |letters: &str| AugmentParts {
            blit: letters.contains('b'),
            geom: letters.contains('g'),
            color: letters.contains('c'),
            filter: letters.contains('f'),
            noise: letters.contains('n'),
            cutout: letters.contains('x'),
        };
        parts(match self {
            Self::Blit => "b",
            Self::Geom => "g",
            Self::Color => "c",
            Self::Filter => "f",
            Self::Noise => "n",
            Self::Cutout => "x",
            Self::Bg => "bg",
            Self::Bgc => "bgc",
            Self::Bgcf => "bgcf",
            Self::Bgfn => "bgfn",
            Self::Bgcfn => "bgcfn",
            Self::Bgcfnc => "bgcfnx",
        })
    }
}

/// Augmentation of the discriminator's images; off by default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AugmentConfig {
    /// Not at all, at a constant probability, or adaptively.
    pub mode: AugmentMode,
    /// Groups of operations that take part.
    pub preset: AugmentPreset,
    /// Probability of every operation under `fixed` (0.2).
    pub probability: f64,
    /// Mean sign of the real images' scores that `ada` holds (0.6), above −1 and below 1.
    pub target: f64,
    /// Steps between adjustments of `ada` (4), 1 to 1e9.
    pub interval: u64,
    /// Thousands of images in which `ada` can go from 0 to 1; above 0 and at most 1e9; when absent 500 from scratch,
    /// 100 from trained weights.
    pub ramp_kimg: Option<f64>,
}

impl Default for AugmentConfig {
    fn default() -> Self {
        Self {
            mode: AugmentMode::None,
            preset: AugmentPreset::Bgc,
            probability: 0.2,
            target: 0.6,
            interval: 4,
            ramp_kimg: None,
        }
    }
}

impl AugmentConfig {
    /// Checks every value.
    ///
    /// # Errors
    /// [`SettingError`] that names the key.
    pub fn validate(&self) -> Result<(), SettingError> {
        in_range("probability", self.probability, 0.0..=1.0)?;
        // At −1 the probability could only rise.
        in_range("target", self.target, between(-1.0, 1.0))?;
        in_range("interval", self.interval, 1..=limits::INTERVAL)?;
        self.ramp_kimg.map_or(Ok(()), |kimg| in_range("ramp_kimg", kimg, above_to(0.0, limits::KIMG)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn combinations_are_their_letters() {
        assert_eq!(AugmentPreset::Blit.parts(), AugmentParts { blit: true, ..Default::default() });
        assert_eq!(AugmentPreset::Cutout.parts(), AugmentParts { cutout: true, ..Default::default() });
        let all =
            AugmentParts { blit: true, geom: true, color: true, filter: true, noise: true, cutout: true };
        assert_eq!(AugmentPreset::Bgcfnc.parts(), all);
        assert_eq!(AugmentPreset::Bgcfn.parts(), AugmentParts { cutout: false, ..all });
        assert_eq!(AugmentPreset::Bgfn.parts(), AugmentParts { cutout: false, color: false, ..all });
        let named: AugmentPreset = serde_json::from_str("\"bgcfnc\"").unwrap();
        assert_eq!(named, AugmentPreset::Bgcfnc);
    }

    #[test]
    fn values_out_of_range_are_named() {
        let field = |config: AugmentConfig| config.validate().unwrap_err().field;
        assert_eq!(field(AugmentConfig { probability: 1.5, ..Default::default() }), "probability");
        assert_eq!(field(AugmentConfig { target: f64::NAN, ..Default::default() }), "target");
        assert_eq!(field(AugmentConfig { interval: 0, ..Default::default() }), "interval");
        assert_eq!(field(AugmentConfig { ramp_kimg: Some(0.0), ..Default::default() }), "ramp_kimg");
        assert!(AugmentConfig::default().validate().is_ok());
    }
}
