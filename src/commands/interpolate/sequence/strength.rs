//! How strongly a sequence is smoothed: as the settings say, or chosen on training trials.

use std::collections::BTreeSet;

use ndarray::Array2;
use serde::{Deserialize, Serialize};

use super::smoothing::{Moment, smoothed};
use crate::commands::interpolate::truth::as_steering;
use crate::data::prepared::PreparedSubject;
use crate::data::split::Split;
use crate::data::split::tuning::TuningImages;
use crate::error::{Result, SettingError};
use crate::models::mapper::MapperTarget;
use crate::pipelines::brain_decoder::BrainDecoder;
use crate::pipelines::targets::decoded_pairs::{Aims, Decoded, RidgeDecoder, require_ridge_memory};
use crate::pipelines::targets::trial_targets::TrialTargets;
use crate::run::progress::Progress;
use crate::training::ridge::RidgeConfig;

/// Strengths to choose from; of equals the largest, which smooths least.
const CANDIDATES: [f64; 10] = [1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1];
/// Share of the training images, those seen last, on which it is chosen.
const JUDGING_SHARE: f64 = 0.15;
/// Key of the strength in the settings.
const KEY: &str = "interpolate.smoothing";

/// A strength that was tried.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TriedStrength {
    /// The strength.
    pub strength: f64,
    /// Mean cosine of the smoothed embeddings with the true ones.
    pub cosine: f64,
}

/// How one embedding is smoothed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Strength {
    /// Whose space.
    pub target: MapperTarget,
    /// a of `e_t = (1 − a) e_{t−1} + a x_t`: 1 is none.
    pub strength: f64,
    /// What was tried on training trials; empty where the settings say the strength.
    pub tried: Vec<TriedStrength>,
    /// Training trials that chose; 0 where the settings say the strength.
    pub num_trials: usize,
    /// Their images.
    pub num_images: usize,
}

impl Strength {
    /// One that the settings say.
    pub fn given(target: MapperTarget, strength: f64) -> Self {
        Self { target, strength, tried: vec![], num_trials: 0, num_images: 0 }
    }
}

/// What a strength is chosen with.
pub(super) struct Chooser<'a> {
    pub prepared: &'a PreparedSubject,
    pub split: &'a Split,
    pub decoder: &'a BrainDecoder,
    /// Of both mappers.
    pub targets: &'a [TrialTargets; 2],
}

impl Chooser<'_> {
    /// The strengths of the `parts` (0 image, 1 second). The mappers have seen all training trials and decode them too well, so ridge
    /// regression stands in: fitted to the training images seen first, its penalty chosen among them, it decodes those seen last, and
    /// the strength that brings these nearest to the truth is taken. No held-out trial has a part in it.
    ///
    /// # Errors
    /// Too few training trials; betas that cannot be read; a wish to stop.
    pub fn choose(&self, parts: &[usize], progress: &mut dyn Progress) -> Result<Vec<Strength>> {
        let (judged, tuning) = self.divided()?;
        require_ridge_memory(KEY, self.prepared, judged.train.len())?;
        let order: Vec<usize> = (0..self.prepared.num_trials()).collect();
        let config = RidgeConfig::default();
        let ridge = RidgeDecoder { subject: self.prepared, order: &order, config: &config, section: KEY };
        let aims = self.targets.each_ref().map(Aims::Vectors);
        let decoded = ridge.decode(&aims, &judged, &tuning, progress)?;
        let [predicted, truth] = self.as_steering(decoded)?;
        let moments = moments_of(self.prepared, &judged.validation);
        let images: BTreeSet<u32> =
            judged.validation.iter().map(|trial| self.prepared.trials()[*trial].nsd_id.0).collect();
        let spaces = [self.decoder.image_mapper().1.snapshot.target, self.decoder.second_target()];
        let choose = |part: &usize| {
            let tried = tried(&predicted[*part], &truth[*part], &moments);
            let best =
                tried.iter().copied().reduce(|best, one| if one.cosine > best.cosine { one } else { best });
            Strength {
                target: spaces[*part],
                strength: best.map_or(1.0, |best| best.strength),
                tried,
                num_trials: judged.validation.len(),
                num_images: images.len(),
            }
        };
        Ok(parts.iter().map(choose).collect())
    }

    /// Training trials to fit and to judge on, and of the first (by position) those that choose the penalty.
    fn divided(&self) -> Result<(Split, Split), SettingError> {
        let groups = self.prepared.split_groups();
        let later = |trials: &[usize]| {
            let groups: Vec<u64> = trials.iter().map(|trial| groups[*trial]).collect();
            TuningImages::SeenLast.split(&groups, JUDGING_SHARE)
        };
        let train = &self.split.train;
        let positions = later(train);
        let of = |positions: &[usize]| positions.iter().map(|place| train[*place]).collect::<Vec<usize>>();
        let judged = Split { train: of(&positions.train), validation: of(&positions.validation) };
        let tuning = later(&judged.train);
        if tuning.train.len() < 2 || tuning.validation.is_empty() || judged.validation.len() < 2 {
            let expected = format!("a number: {} training trials are too few to choose it on", train.len());
            return Err(SettingError::new("smoothing", expected, "none").within("interpolate"));
        }
        Ok((judged, tuning))
    }

    /// Predictions and truths of both parts as they steer the generator.
    fn as_steering(&self, decoded: Vec<Decoded>) -> Result<[[Array2<f32>; 2]; 2]> {
        let (mut predicted, mut truth) = (Vec::new(), Vec::new());
        for decoded in decoded {
            predicted.push(decoded.pair.predicted);
            truth.push(decoded.pair.target);
        }
        let both = |rows: Vec<Array2<f32>>| -> Result<[Array2<f32>; 2]> {
            let rows = <[Array2<f32>; 2]>::try_from(rows)
                .map_err(|_| crate::error::Error::failure("predictions of two mappers were expected"))?;
            Ok(as_steering(self.decoder, rows))
        };
        Ok([both(predicted)?, both(truth)?])
    }
}

/// What every strength comes to.
fn tried(predicted: &Array2<f32>, truth: &Array2<f32>, moments: &[Moment]) -> Vec<TriedStrength> {
    let of = |strength: &f64| {
        let cosines = row_products(&smoothed(predicted, moments, *strength), truth);
        TriedStrength {
            strength: *strength,
            cosine: cosines.iter().sum::<f64>() / cosines.len().max(1) as f64,
        }
    };
    CANDIDATES.iter().map(of).collect()
}

/// Product of every row with the row of the same place: cosines of unit ones.
pub(super) fn row_products(a: &Array2<f32>, b: &Array2<f32>) -> Vec<f64> {
    let product = |(a, b): (ndarray::ArrayView1<'_, f32>, ndarray::ArrayView1<'_, f32>)| {
        a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
    };
    a.rows().into_iter().zip(b.rows()).map(product).collect()
}

/// When trials were.
pub(super) fn moments_of(prepared: &PreparedSubject, trials: &[usize]) -> Vec<Moment> {
    trials.iter().map(|trial| Moment { session: prepared.trials()[*trial].session, trial: *trial }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_ops::random::keyed_rng;
    use rand::RngExt;

    /// Unit rows of a direction that turns by `step` radians a scan, and noisy views of them.
    fn turning(step: f32, noise: f32) -> [Array2<f32>; 2] {
        let mut rng = keyed_rng(4, "turning", 0);
        let truth = Array2::from_shape_fn((60, 2), |(scan, axis)| {
            let angle = step * scan as f32;
            if axis == 0 { angle.cos() } else { angle.sin() }
        });
        let mut seen = truth.mapv(|value| value + noise * (rng.random::<f32>() - 0.5));
        seen.rows_mut().into_iter().for_each(|mut row| {
            let norm = row.dot(&row).sqrt();
            row /= norm;
        });
        [seen, truth]
    }

    fn best(step: f32, noise: f32) -> f64 {
        let [seen, truth] = turning(step, noise);
        let moments: Vec<Moment> = (0..60).map(|trial| Moment { session: 1, trial }).collect();
        let tried = tried(&seen, &truth, &moments);
        assert_eq!(tried.len(), 10);
        tried
            .iter()
            .copied()
            .reduce(|best, one| if one.cosine > best.cosine { one } else { best })
            .unwrap()
            .strength
    }

    #[test]
    fn what_changes_slowly_is_smoothed_and_what_changes_at_once_is_not() {
        assert!(best(0.02, 2.0) <= 0.5, "{}", best(0.02, 2.0));
        assert_eq!(best(2.5, 0.1), 1.0);
        assert!(best(0.02, 0.0) >= 0.9);
    }
}
