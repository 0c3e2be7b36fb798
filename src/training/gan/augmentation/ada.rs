//! Adaptive probability of augmentation: it rises while the discriminator is too sure of the training images.
//!
//! Specification: docs/spec/gan-training.md §8. The mean sign of the real images' scores says how much the
//! discriminator overfits.

use serde::{Deserialize, Serialize};

use super::config::{AugmentConfig, AugmentMode};

/// Ramp of a training from scratch, in thousands of images.
const RAMP_KIMG: f64 = 500.0;
/// Ramp of a training from trained weights.
const RAMP_KIMG_PRETRAINED: f64 = 100.0;

/// The controller's state; part of a checkpoint.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AdaState {
    /// Probability of every operation, 0..1.
    pub probability: f32,
    /// Sum of the signs of real scores since the last adjustment.
    sign_sum: i64,
    /// Number of those scores.
    num_signs: u64,
}

impl AdaState {
    /// The first state: the constant probability, or 0.
    pub fn new(config: &AugmentConfig) -> Self {
        let probability = if config.mode == AugmentMode::Fixed { config.probability as f32 } else { 0.0 };
        Self { probability, ..Self::default() }
    }

    /// Whether a controller that has seen so many images can be in this state: each is scored at most twice in a step.
    pub fn is_possible(&self, images_seen: u64) -> bool {
        (0.0..=1.0).contains(&self.probability)
            && self.num_signs <= images_seen.saturating_mul(2)
            && self.sign_sum.unsigned_abs() <= self.num_signs
    }

    /// Takes in the scores of `count` real images.
    pub fn observe(&mut self, sign_sum: i64, count: u64) {
        self.sign_sum += sign_sum;
        self.num_signs += count;
    }

    /// Moves the probability towards the target where `step` is one of adjustment; returns the mean sign then.
    pub fn adjust(
        &mut self,
        config: &AugmentConfig,
        step: u64,
        batch_size: usize,
        is_pretrained: bool,
    ) -> Option<f64> {
        if config.mode != AugmentMode::Ada || !step.is_multiple_of(config.interval) || self.num_signs == 0 {
            return None;
        }
        // The sums are whole numbers: the mean does not depend on the order in which rounds and devices report.
        let mean = self.sign_sum as f64 / self.num_signs as f64;
        let ramp = config.ramp_kimg.unwrap_or(if is_pretrained { RAMP_KIMG_PRETRAINED } else { RAMP_KIMG });
        // Images since the last adjustment over the images in which p may go from 0 to 1: the pace is one of images,
        // not of steps.
        let pace = batch_size as f64 * config.interval as f64 / (ramp * 1000.0);
        // Up, down or, exactly at the target, nothing.
        let direction = (mean - config.target).partial_cmp(&0.0).map_or(0.0, |order| f64::from(order as i8));
        self.probability = (f64::from(self.probability) + direction * pace).clamp(0.0, 1.0) as f32;
        self.sign_sum = 0;
        self.num_signs = 0;
        Some(mean)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(mode: AugmentMode) -> AugmentConfig {
        AugmentConfig { mode, ..Default::default() }
    }

    #[test]
    fn the_probability_follows_the_signs_at_the_set_pace() {
        let config = config(AugmentMode::Ada);
        let mut state = AdaState::new(&config);
        state.observe(16, 16);
        assert_eq!(state.adjust(&config, 1, 16, false), None, "not every step");
        state.observe(12, 16);
        assert_eq!(state.adjust(&config, 4, 16, false), Some(28.0 / 32.0));
        // 16 images · 4 steps of 500,000.
        assert!((state.probability - 64.0 / 500_000.0).abs() < 1e-9);
        assert_eq!(state.adjust(&config, 8, 16, false), None, "nothing was seen since");
        state.observe(16, 16);
        state.adjust(&config, 8, 16, true);
        assert!((state.probability - 64.0 / 500_000.0 - 64.0 / 100_000.0).abs() < 1e-9);
        for step in 3..20 {
            state.observe(-16, 16);
            state.adjust(&config, 4 * step, 16, true);
        }
        assert_eq!(state.probability, 0.0, "never below 0");
    }

    #[test]
    fn a_fixed_probability_stays() {
        let config = config(AugmentMode::Fixed);
        let mut state = AdaState::new(&config);
        state.observe(16, 16);
        assert_eq!(state.adjust(&config, 4, 16, false), None);
        assert_eq!(state.probability, 0.2);
    }

    #[test]
    fn a_ramp_far_too_fast_ends_at_one() {
        let config = AugmentConfig { ramp_kimg: Some(0.001), ..config(AugmentMode::Ada) };
        let mut state = AdaState::new(&config);
        state.observe(16, 16);
        state.adjust(&config, 0, 16, false);
        assert_eq!(state.probability, 1.0);
    }
}
