//! Area under the ROC curve of multi-label classifiers (docs/spec/metrics.md §4).
//!
//! `AUC = (R⁺ − n⁺(n⁺ + 1)/2) / (n⁺ n⁻)`, R⁺ the sum of the ranks of the positives, ties at their average rank. A class without
//! positives or without negatives has no AUC and stays out of every mean over classes.

use std::ops::Range;

use ndarray::{ArrayView2, Axis, s};
use serde::{Deserialize, Serialize};

use crate::error::{Classified, ErrorClass};

/// Why there are no areas.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClassificationError {
    /// Scores and labels do not belong together.
    #[error("classification: labels have shape {labels:?}, expected {scores:?} as the scores")]
    Shape {
        /// `[samples, classes]` of the scores.
        scores: Vec<usize>,
        /// `[samples, classes]` of the labels.
        labels: Vec<usize>,
    },
    /// A score that has no rank.
    #[error("classification: the score of sample {sample}, class {class} is not a number")]
    NotANumber {
        /// Row of the scores, from 0.
        sample: usize,
        /// Column of the scores, from 0.
        class: usize,
    },
}

impl Classified for ClassificationError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::Shape { .. } | Self::NotANumber { .. } => ErrorClass::Failure,
        }
    }
}

/// AUC-ROC of every class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassAuc {
    /// 0..1; none for a class with one kind of label only.
    pub per_class: Vec<Option<f64>>,
    /// Samples that hold the class.
    pub positives: Vec<usize>,
}

/// Mean over the classes of a group.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupAuc {
    /// Mean over classes with an AUC.
    pub mean: f64,
    /// Standard deviation over these classes (divided by their number).
    pub deviation: f64,
    /// Classes with an AUC.
    pub num_classes: usize,
}

/// AUC-ROC per class of scores and labels `[samples, classes]`; scores of any scale.
///
/// # Errors
/// [`ClassificationError`].
pub fn compute_class_auc(
    scores: ArrayView2<'_, f32>,
    labels: ArrayView2<'_, bool>,
) -> Result<ClassAuc, ClassificationError> {
    check(scores, labels)?;
    let columns = scores.axis_iter(Axis(1)).zip(labels.axis_iter(Axis(1)));
    let per_class = columns.map(|(scores, labels)| auc_roc(scores.iter().zip(labels))).collect();
    let positives =
        labels.axis_iter(Axis(1)).map(|labels| labels.iter().filter(|label| **label).count()).collect();
    Ok(ClassAuc { per_class, positives })
}

/// AUC-ROC of all entries of a range of classes taken as one class ("micro"); none with one kind of label only. A range past
/// the last class ends there.
///
/// # Errors
/// [`ClassificationError`].
pub fn compute_micro_auc(
    scores: ArrayView2<'_, f32>,
    labels: ArrayView2<'_, bool>,
    classes: Range<usize>,
) -> Result<Option<f64>, ClassificationError> {
    check(scores, labels)?;
    let end = classes.end.min(scores.ncols());
    let classes = s![.., classes.start.min(end)..end];
    let (scores, labels) = (scores.slice(classes), labels.slice(classes));
    Ok(auc_roc(scores.iter().zip(labels.iter())))
}

impl ClassAuc {
    /// Mean over a range of classes; none when not one of them has an AUC. A range past the last class ends there.
    pub fn group(&self, classes: Range<usize>) -> Option<GroupAuc> {
        let values: Vec<f64> = self.classes(classes).map(|(auc, _)| auc).collect();
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let squares = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
        let deviation = (squares / count).sqrt();
        (!values.is_empty()).then_some(GroupAuc { mean, deviation, num_classes: values.len() })
    }

    /// Mean over a range of classes, each weighted by its positives; none when not one of them has an AUC.
    pub fn weighted_mean(&self, classes: Range<usize>) -> Option<f64> {
        let (sum, weight) = self.classes(classes).fold((0.0, 0.0), |(sum, weight), (auc, positives)| {
            (sum + auc * positives as f64, weight + positives as f64)
        });
        (weight > 0.0).then(|| sum / weight)
    }

    fn classes(&self, classes: Range<usize>) -> impl Iterator<Item = (f64, usize)> {
        let all = self.per_class.iter().zip(&self.positives);
        all.skip(classes.start)
            .take(classes.len())
            .filter_map(|(auc, positives)| auc.map(|auc| (auc, *positives)))
    }
}

fn check(scores: ArrayView2<'_, f32>, labels: ArrayView2<'_, bool>) -> Result<(), ClassificationError> {
    if scores.dim() != labels.dim() {
        return Err(ClassificationError::Shape {
            scores: scores.shape().to_vec(),
            labels: labels.shape().to_vec(),
        });
    }
    match scores.indexed_iter().find(|(_, score)| score.is_nan()) {
        Some(((sample, class), _)) => Err(ClassificationError::NotANumber { sample, class }),
        None => Ok(()),
    }
}

fn auc_roc<'a>(samples: impl Iterator<Item = (&'a f32, &'a bool)>) -> Option<f64> {
    let mut samples: Vec<(f32, bool)> = samples.map(|(score, label)| (*score, *label)).collect();
    // Zeros of either sign are equal scores.
    samples.sort_by(|a, b| (a.0 + 0.0).total_cmp(&(b.0 + 0.0)));
    let positives = samples.iter().filter(|(_, label)| *label).count();
    let negatives = samples.len() - positives;
    if positives == 0 || negatives == 0 {
        return None;
    }
    let mut rank_sum = 0.0;
    let mut below = 0;
    for tie in samples.chunk_by(|a, b| a.0 == b.0) {
        // Ranks below + 1 to below + n on average.
        let average_rank = below as f64 + (tie.len() + 1) as f64 / 2.0;
        rank_sum += average_rank * tie.iter().filter(|(_, label)| *label).count() as f64;
        below += tie.len();
    }
    let (positives, negatives) = (positives as f64, negatives as f64);
    // Mann and Whitney's statistic: the share of pairs (positive, negative) in the right order, a tie counting half.
    Some((rank_sum - positives * (positives + 1.0) / 2.0) / (positives * negatives))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn order_ties_and_degenerate_classes() {
        // Perfect, reversed, all tied, half right with a tie of both zeros, no positive, no negative.
        let scores = array![
            [1.0_f32, 3.0, 5.0, -0.0, 1.0, 1.0],
            [2.0, 2.0, 5.0, 0.0, 2.0, 2.0],
            [3.0, 1.0, 5.0, 1.0, 3.0, 3.0],
        ];
        let labels = array![
            [false, false, false, true, false, true],
            [true, true, true, false, false, true],
            [true, true, true, false, false, true],
        ];
        let auc = compute_class_auc(scores.view(), labels.view()).unwrap();
        assert_eq!(auc.per_class, [Some(1.0), Some(0.0), Some(0.5), Some(0.25), None, None]);
        assert_eq!(auc.positives, [2, 2, 2, 1, 0, 3]);
        let group = auc.group(0..2).unwrap();
        assert_eq!((group.mean, group.deviation, group.num_classes), (0.5, 0.5, 2));
        assert_eq!(auc.group(4..6), None);
        assert_eq!(auc.group(3..100).unwrap().num_classes, 1);
        assert_eq!(auc.weighted_mean(2..5), Some((0.5 * 2.0 + 0.25) / 3.0));
        assert_eq!(auc.weighted_mean(4..6), None);
        assert_eq!(compute_micro_auc(scores.view(), labels.view(), 0..1).unwrap(), Some(1.0));
        assert_eq!(compute_micro_auc(scores.view(), labels.view(), 4..5).unwrap(), None);
        assert_eq!(compute_micro_auc(scores.view(), labels.view(), 7..9).unwrap(), None);
    }

    #[test]
    fn bad_input_is_named() {
        let labels = array![[true, false], [false, true]];
        let error = compute_class_auc(array![[1.0_f32], [2.0]].view(), labels.view()).unwrap_err();
        assert!(matches!(error, ClassificationError::Shape { .. }));
        let error =
            compute_class_auc(array![[1.0_f32, 2.0], [f32::NAN, 1.0]].view(), labels.view()).unwrap_err();
        assert_eq!(error.to_string(), "classification: the score of sample 1, class 0 is not a number");
    }
}
