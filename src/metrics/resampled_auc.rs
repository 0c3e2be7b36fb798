//! AUC-ROC of a class (docs/spec/metrics.md §4) over all samples and in resamples of their images.
//!
//! Trials of one image are not independent: whole images are drawn, as [`mean_interval`](super::bootstrap::mean_interval) draws them,
//! and all their trials enter as often as their image was drawn.

use std::collections::BTreeMap;

use super::bootstrap::{BootstrapConfig, drawn_counts};

/// How often every image is drawn in every resample.
#[derive(Clone, Debug)]
pub struct ImageResamples {
    /// Image of every sample, from 0.
    image_of_sample: Vec<usize>,
    /// `[resamples][images]`
    counts: Vec<Vec<u32>>,
}

impl ImageResamples {
    /// Of samples whose images are `images`.
    pub fn of(images: &[u64], config: &BootstrapConfig) -> Self {
        let places: BTreeMap<u64, usize> = images.iter().map(|image| (*image, 0)).collect();
        let places: BTreeMap<u64, usize> = places.into_keys().zip(0..).collect();
        let count = |resample| drawn_counts(places.len(), resample, config);
        Self {
            image_of_sample: images.iter().map(|image| places[image]).collect(),
            counts: (0..config.resamples).map(count).collect(),
        }
    }
}

/// AUC of a class.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ResampledAuc {
    /// Over all samples, 0..1; none with one kind of label only.
    pub whole: Option<f64>,
    /// Of every resample; NaN where it has one kind of label only.
    pub resampled: Vec<f64>,
}

/// AUC-ROC of scores, of any scale and without NaN, one per sample of `resamples`; samples without a label stay out. Ties count half.
pub fn resampled_auc(
    scores: impl Iterator<Item = f32>,
    labels: impl Iterator<Item = Option<bool>>,
    resamples: &ImageResamples,
) -> ResampledAuc {
    let samples = scores.zip(labels).zip(&resamples.image_of_sample);
    // Zeros of either sign are equal scores.
    let samples = samples.filter_map(|((score, label), image)| Some((score + 0.0, label?, *image)));
    let mut samples: Vec<(f32, bool, usize)> = samples.collect();
    samples.sort_by(|a, b| a.0.total_cmp(&b.0));
    let ties: Vec<&[(f32, bool, usize)]> = samples.chunk_by(|a, b| a.0 == b.0).collect();
    let of_resample = |counts: &Vec<u32>| auc_of_ties(&ties, |image| counts[image]).unwrap_or(f64::NAN);
    ResampledAuc {
        whole: auc_of_ties(&ties, |_| 1),
        resampled: resamples.counts.iter().map(of_resample).collect(),
    }
}

/// Share of pairs of a positive and a negative in the right order, a tie counting half, each sample counted as often as `weight` says of
/// its image; `ties` are samples of one score, ascending.
fn auc_of_ties(ties: &[&[(f32, bool, usize)]], weight: impl Fn(usize) -> u32) -> Option<f64> {
    // Whole numbers: a sum of halves of them is exact.
    let (mut twice_right, mut positives, mut negatives) = (0_u64, 0_u64, 0_u64);
    for tie in ties {
        let (mut of_tie, mut others) = (0_u64, 0_u64);
        for (_, is_positive, image) in *tie {
            let weight = u64::from(weight(*image));
            *if *is_positive { &mut of_tie } else { &mut others } += weight;
        }
        twice_right += of_tie * (2 * negatives + others);
        positives += of_tie;
        negatives += others;
    }
    let pairs = positives * negatives;
    (pairs > 0).then(|| twice_right as f64 / (2 * pairs) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::classification::compute_class_auc;
    use ndarray::Array2;

    const SCORES: [f32; 8] = [0.1, 0.4, -0.0, 0.0, 0.9, 0.4, 0.2, 0.7];
    const LABELS: [bool; 8] = [false, true, true, false, true, false, false, true];

    fn of(scores: &[f32], labels: &[bool], images: &[u64], resamples: usize) -> ResampledAuc {
        let config = BootstrapConfig { resamples, ..BootstrapConfig::default() };
        let resamples = ImageResamples::of(images, &config);
        resampled_auc(scores.iter().copied(), labels.iter().copied().map(Some), &resamples)
    }

    #[test]
    fn over_all_samples_it_is_the_rank_statistic() {
        let images: Vec<u64> = (0..8).collect();
        let scores = Array2::from_shape_vec((8, 1), SCORES.to_vec()).unwrap();
        let labels = Array2::from_shape_vec((8, 1), LABELS.to_vec()).unwrap();
        let expected = compute_class_auc(scores.view(), labels.view()).unwrap();
        assert_eq!(of(&SCORES, &LABELS, &images, 0).whole, expected.per_class[0]);
        assert_eq!(of(&[1.0, 2.0], &[true, true], &[0, 1], 0).whole, None);
        assert_eq!(of(&[2.0, 1.0, 1.0], &[true, false, true], &[0, 1, 2], 0).whole, Some(0.75));
    }

    #[test]
    fn a_resample_is_the_statistic_of_the_drawn_samples() {
        let images = [5, 5, 1, 1, 7, 7, 3, 3];
        let found = of(&SCORES, &LABELS, &images, 50);
        let config = BootstrapConfig::default();
        let places = [2, 2, 0, 0, 3, 3, 1, 1];
        for (resample, auc) in found.resampled.iter().enumerate() {
            let counts = drawn_counts(4, resample, &config);
            let drawn: Vec<usize> = (0..8).flat_map(|row| vec![row; counts[places[row]] as usize]).collect();
            let scores: Vec<f32> = drawn.iter().map(|row| SCORES[*row]).collect();
            let labels: Vec<bool> = drawn.iter().map(|row| LABELS[*row]).collect();
            let shape = (drawn.len(), 1);
            let expected = compute_class_auc(
                Array2::from_shape_vec(shape, scores).unwrap().view(),
                Array2::from_shape_vec(shape, labels).unwrap().view(),
            );
            match expected.unwrap().per_class[0] {
                Some(expected) => assert!((auc - expected).abs() < 1e-12),
                None => assert!(auc.is_nan()),
            }
        }
    }

    #[test]
    fn what_is_not_known_stays_out() {
        let config = BootstrapConfig { resamples: 5, ..BootstrapConfig::default() };
        let resamples = ImageResamples::of(&[0, 1, 2], &config);
        let labels = [Some(true), None, Some(false)];
        let found = resampled_auc([0.9, 0.95, 0.1].into_iter(), labels.into_iter(), &resamples);
        assert_eq!(found.whole, Some(1.0));
    }
}
