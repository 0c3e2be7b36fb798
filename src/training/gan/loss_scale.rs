//! Factor on the loss while gradients pass through half precision, where values below 6e-8 vanish and above 65,504 overflow
//! (Micikevicius et al. 2018, section 3.2; the dynamic scale of their section 3.2's last paragraph).

use serde::{Deserialize, Serialize};

use crate::error::{SettingError, in_range, limits};

/// How the factor starts and moves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LossScaleConfig {
    /// First factor (32768), a power of two up to 2²⁴: scaling is then exact.
    pub initial: f32,
    /// Phases in a row without overflow after which the factor doubles (2000), 1 to 1e9.
    pub growth_interval: u64,
}

impl Default for LossScaleConfig {
    fn default() -> Self {
        Self { initial: 32_768.0, growth_interval: 2000 }
    }
}

impl LossScaleConfig {
    pub(crate) fn validate(&self) -> Result<(), SettingError> {
        in_range("initial", self.initial, 1.0..=LARGEST_INITIAL)?;
        if self.initial.log2().fract() != 0.0 {
            let expected = format!("a power of two from 1 to {LARGEST_INITIAL}");
            return Err(SettingError::new("initial", expected, self.initial));
        }
        in_range("growth_interval", self.growth_interval, 1..=limits::INTERVAL)
    }
}

/// The factor as it stands; part of a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LossScale {
    /// 1 without half precision.
    pub factor: f32,
    /// Phases since the last overflow or doubling.
    clean_phases: u64,
}

impl Default for LossScale {
    fn default() -> Self {
        Self { factor: 1.0, clean_phases: 0 }
    }
}

/// An overflow halves what is too large, so the first factor may be: 2^40.
const LARGEST_INITIAL: f32 = 1_099_511_627_776.0;

/// Beyond this the scaled loss itself might overflow.
const LARGEST: f32 = 16_777_216.0;

impl LossScale {
    /// Whether the factor is one that doubling and halving can lead to.
    pub fn is_possible(&self) -> bool {
        self.factor.is_finite() && self.factor > 0.0
    }

    /// The factor to start with.
    pub fn new(config: &LossScaleConfig, half_resolutions: usize) -> Self {
        if half_resolutions == 0 {
            return Self::default();
        }
        Self { factor: config.initial, clean_phases: 0 }
    }

    /// Takes note of a phase through half precision. Returns whether its gradients are to be left out: they overflowed, and
    /// a smaller factor may help.
    pub fn observe(&mut self, config: &LossScaleConfig, has_overflowed: bool) -> bool {
        if has_overflowed {
            // At 1 the overflow is not the factor's doing: the phase is then repaired and counted like any other.
            let may_shrink = self.factor > 1.0;
            *self = Self { factor: (self.factor / 2.0).max(1.0), clean_phases: 0 };
            return may_shrink;
        }
        self.clean_phases += 1;
        if self.clean_phases >= config.growth_interval {
            *self = Self { factor: (self.factor * 2.0).min(LARGEST), clean_phases: 0 };
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_factor_halves_on_overflow_and_doubles_after_a_clean_stretch() {
        let config = LossScaleConfig { initial: 4.0, growth_interval: 3 };
        let mut scale = LossScale::new(&config, 4);
        assert!(scale.observe(&config, true));
        assert_eq!(scale.factor, 2.0);
        for _ in 0..3 {
            assert!(!scale.observe(&config, false));
        }
        assert_eq!(scale.factor, 4.0);
        assert!(scale.observe(&config, true) && scale.observe(&config, true));
        // At 1 the overflow is the network's own.
        assert!(!scale.observe(&config, true));
        assert_eq!(scale.factor, 1.0);
        assert_eq!(LossScale::new(&config, 0).factor, 1.0);
    }

    #[test]
    fn settings_out_of_range_are_named() {
        let field = |config: LossScaleConfig| config.validate().unwrap_err().field;
        assert_eq!(field(LossScaleConfig { initial: 3.0, ..Default::default() }), "initial");
        assert_eq!(field(LossScaleConfig { initial: f32::NAN, ..Default::default() }), "initial");
        let config = LossScaleConfig { growth_interval: 0, ..Default::default() };
        assert_eq!(field(config), "growth_interval");
    }
}
