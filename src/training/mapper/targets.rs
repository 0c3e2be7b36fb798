//! From raw CLIP embeddings to the targets of a mapper: choice of captions, clamp, unit norm.
//!
//! Specification: docs/spec/mapper.md §2; docs/spec/open-questions.md OQ-08: the mean of captions is taken of raw
//! embeddings, then clamped and scaled.

use std::ops::Range;

use ndarray::{Array2, ArrayView1, Axis, s};
use rand::RngExt;
use serde::{Deserialize, Serialize};

use crate::data::targets::TargetScale;
use crate::tensor_ops::random::keyed_rng;

/// Which caption of an image a caption mapper aims at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CaptionChoice {
    /// The first one.
    First,
    /// One at random, anew in every epoch; for validation one that stays.
    #[default]
    Random,
    /// The mean of all.
    Mean,
}

/// Finished targets (clamped, scaled) and which of them belong to a trial.
#[derive(Clone, Debug, PartialEq)]
pub struct EmbeddingTargets {
    embeddings: Array2<f32>,
    candidates: Vec<Range<usize>>,
}

impl EmbeddingTargets {
    /// Targets from raw embeddings: rows `rows_of_image[image_of_trial[trial]]` of `raw` belong to a trial.
    ///
    /// An image mapper has one row per image and `CaptionChoice::First`.
    /// Every range must lie within `raw` and hold a row, every image of a trial must have a range.
    pub fn new(
        raw: &Array2<f32>,
        rows_of_image: &[Range<usize>],
        image_of_trial: &[usize],
        choice: CaptionChoice,
        scale: TargetScale,
    ) -> Self {
        let mut embeddings = match choice {
            CaptionChoice::Random => raw.clone(),
            // From here on a row is an image's; with `Random` it stays a caption's.
            CaptionChoice::First => raw.select(Axis(0), &starts(rows_of_image)),
            CaptionChoice::Mean => {
                let mut means = Array2::zeros((rows_of_image.len(), raw.ncols()));
                for (mut mean, rows) in means.rows_mut().into_iter().zip(rows_of_image) {
                    mean += &raw.slice(s![rows.clone(), ..]).sum_axis(Axis(0));
                    mean /= rows.len().max(1) as f32;
                }
                means
            }
        };
        scale.apply(&mut embeddings);
        let of_image = |image: usize| match choice {
            CaptionChoice::Random => rows_of_image[image].clone(),
            CaptionChoice::First | CaptionChoice::Mean => image..image + 1,
        };
        Self { embeddings, candidates: image_of_trial.iter().map(|image| of_image(*image)).collect() }
    }

    /// Width of the embeddings.
    pub fn embed_dim(&self) -> usize {
        self.embeddings.ncols()
    }

    /// Number of trials.
    pub fn num_trials(&self) -> usize {
        self.candidates.len()
    }

    /// Target of a validation trial: drawn once, the same in every epoch.
    pub fn validation(&self, trial: usize, seed: u64) -> ArrayView1<'_, f32> {
        self.choose(trial, seed, "validation caption", 0)
    }

    /// Target of a trial; among several the draw is keyed by (seed, purpose, epoch, trial).
    pub fn choose(&self, trial: usize, seed: u64, purpose: &str, epoch: usize) -> ArrayView1<'_, f32> {
        let rows = self.candidates[trial].clone();
        let row = match rows.len() {
            // Nothing to choose, nothing drawn: every stream is keyed by its place, so no other draw shifts.
            1 => rows.start,
            _ => {
                let position = epoch as u64 * self.candidates.len() as u64 + trial as u64;
                keyed_rng(seed, purpose, position).random_range(rows)
            }
        };
        self.embeddings.row(row)
    }
}

fn starts(ranges: &[Range<usize>]) -> Vec<usize> {
    ranges.iter().map(|range| range.start).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::targets::TargetScaling;
    use ndarray::array;
    use std::collections::BTreeSet;

    /// Image 0 has rows 0 and 1, image 1 has row 2; trials 0 and 2 show image 1, trial 1 shows image 0.
    fn targets(choice: CaptionChoice, clamp: f32) -> EmbeddingTargets {
        let raw = array![[3.0, 0.0], [0.0, 1.0], [-4.0, 3.0]];
        let scale = TargetScale { clamp, scaling: TargetScaling::UnitNorm };
        EmbeddingTargets::new(&raw, &[0..2, 2..3], &[1, 0, 1], choice, scale)
    }

    fn assert_row(row: ArrayView1<f32>, expected: [f32; 2]) {
        assert!((row[0] - expected[0]).abs() < 1e-6 && (row[1] - expected[1]).abs() < 1e-6, "{row}");
    }

    #[test]
    fn first_and_mean_give_one_row_per_image() {
        let first = targets(CaptionChoice::First, 0.0);
        assert_row(first.choose(0, 1, "c", 0), [-0.8, 0.6]);
        assert_row(first.choose(1, 1, "c", 9), [1.0, 0.0]);
        // The mean of the raw rows is (1.5, 0.5), not the mean of unit rows.
        let norm = 2.5_f32.sqrt();
        assert_row(targets(CaptionChoice::Mean, 0.0).choose(1, 1, "c", 0), [1.5 / norm, 0.5 / norm]);
        assert_row(targets(CaptionChoice::Mean, 1.0).choose(1, 1, "c", 0), [0.894_427, 0.447_214]);
    }

    #[test]
    fn the_clamp_comes_before_the_norm() {
        let clamped = targets(CaptionChoice::First, 1.5);
        assert_row(clamped.choose(0, 1, "c", 0), [-(0.5_f32.sqrt()), 0.5_f32.sqrt()]);
    }

    #[test]
    fn random_captions_vary_with_the_epoch_and_repeat_with_the_key() {
        let random = targets(CaptionChoice::Random, 0.0);
        let first_values: BTreeSet<u32> =
            (0..50).map(|epoch| random.choose(1, 1, "c", epoch)[0].to_bits()).collect();
        assert_eq!(first_values.len(), 2);
        assert_eq!(random.choose(1, 1, "c", 7), random.choose(1, 1, "c", 7));
        assert_eq!((random.embed_dim(), random.num_trials()), (2, 3));
    }
}
