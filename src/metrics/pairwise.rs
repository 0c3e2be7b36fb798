//! Pairwise (2-way) identification and the rank of the own image: measures that say something of ten images, too.
//!
//! Specification: docs/spec/metrics.md §8. Of N images a trial's own one has the rank `1 + #{j: cos(p, t_j) > cos(p, t_own)}`, a tie
//! counting half; `(N − rank)/(N − 1)` is the share of pairs in which the own image wins.

use std::collections::BTreeSet;

use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

use super::bootstrap::{BootstrapConfig, Interval};
use super::retrieval::{RetrievalError, check_embeddings, similarity_matrix};
use super::share::{bounded_mean_interval, mean_share_interval};

/// Place of a trial's own image among all.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OwnRank {
    /// From 1; a tie with one other image adds a half.
    pub rank: f64,
    /// Images ranked, the own one included; at least 2.
    pub of: usize,
}

impl OwnRank {
    /// Share of pairs with another image that the own one wins, 0..1.
    pub fn share(self) -> f64 {
        (self.of as f64 - self.rank) / (self.of as f64 - 1.0)
    }
}

/// Both measures over all trials, each beside its chance level.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PairwiseIdentification {
    /// Share of pairs in which the own image is the more similar one, mean over trials, 0..1; interval over images.
    pub share: Interval,
    /// The share of a random choice, 1/2.
    pub chance: f64,
    /// Rank of the own image, mean over trials, from 1; interval over images.
    pub mean_rank: Interval,
    /// Median over trials.
    pub median_rank: f64,
    /// Mean rank of a random order, `(N + 1)/2`.
    pub chance_rank: f64,
    /// N: images ranked; in folds those of the largest.
    pub num_images: usize,
}

/// Ranks of every trial's own image. `ids` are image identities, a row each; the first trial of another image stands for it.
///
/// Nothing where there is one image only.
///
/// ```
/// use mindreader::metrics::pairwise::own_ranks;
/// use ndarray::array;
///
/// let target = array![[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]];
/// // The third is decoded as the first: both others are nearer than its own.
/// let predicted = array![[0.9, 0.1], [0.1, 0.9], [0.8, 0.0]];
/// let ranks = own_ranks(predicted.view(), target.view(), &[7, 8, 9])?.unwrap();
/// assert_eq!(ranks.iter().map(|own| own.rank).collect::<Vec<_>>(), [1.0, 1.0, 3.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`RetrievalError`] when rows differ in number or a value is not finite.
pub fn own_ranks(
    predicted: ArrayView2<'_, f32>,
    target: ArrayView2<'_, f32>,
    ids: &[u64],
) -> Result<Option<Vec<OwnRank>>, RetrievalError> {
    check_embeddings(predicted, target, ids)?;
    let mut seen = BTreeSet::new();
    let images: Vec<usize> = (0..ids.len()).filter(|row| seen.insert(ids[*row])).collect();
    if images.len() < 2 {
        return Ok(None);
    }
    // Row = target, column = prediction.
    let similarity = similarity_matrix(target, predicted, 1.0);
    let rank = |trial: usize| {
        let own = similarity[[trial, trial]];
        let others = images.iter().filter(|image| ids[**image] != ids[trial]);
        let lost: f64 = others
            .map(|image| match similarity[[*image, trial]].total_cmp(&own) {
                std::cmp::Ordering::Greater => 1.0,
                std::cmp::Ordering::Equal => 0.5,
                std::cmp::Ordering::Less => 0.0,
            })
            .sum();
        OwnRank { rank: 1.0 + lost, of: images.len() }
    };
    Ok(Some((0..ids.len()).map(rank).collect()))
}

/// Means, median and intervals of the ranks of trials of the images `ids`; nothing without any.
pub fn pairwise_identification(
    ranks: &[OwnRank],
    ids: &[u64],
    bootstrap: &BootstrapConfig,
) -> Option<PairwiseIdentification> {
    let num_images = ranks.iter().map(|own| own.of).max()?;
    let shares: Vec<f64> = ranks.iter().map(|own| own.share()).collect();
    let values: Vec<f64> = ranks.iter().map(|own| own.rank).collect();
    let chances: f64 = ranks.iter().map(|own| (own.of as f64 + 1.0) / 2.0).sum();
    Some(PairwiseIdentification {
        share: mean_share_interval(&shares, ids, bootstrap)?,
        chance: 0.5,
        mean_rank: bounded_mean_interval(&values, ids, bootstrap, [1.0, num_images as f64])?,
        median_rank: median(values),
        chance_rank: chances / ranks.len() as f64,
        num_images,
    })
}

/// The middle one, or the mean of the two in the middle; `values` is not empty.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() % 2 {
        0 => (values[middle - 1] + values[middle]) / 2.0,
        _ => values[middle],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, array};

    #[test]
    fn repeats_of_an_image_are_no_rivals_and_ties_count_half() {
        let target = array![[1.0_f32, 0.0], [1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]];
        // A prediction without direction is as near to every image.
        let predicted = array![[1.0_f32, 0.2], [-1.0, 0.1], [0.0, 0.0], [0.1, 1.0]];
        let ids = [5, 5, 6, 7];
        let ranks = own_ranks(predicted.view(), target.view(), &ids).unwrap().unwrap();
        let values: Vec<(f64, usize)> = ranks.iter().map(|own| (own.rank, own.of)).collect();
        assert_eq!(values, [(1.0, 3), (3.0, 3), (2.0, 3), (3.0, 3)]);
        let found = pairwise_identification(&ranks, &ids, &BootstrapConfig::default()).unwrap();
        // 1, 0, 1/2, 0 of the pairs.
        assert_eq!((found.share.mean, found.chance), (0.375, 0.5));
        assert_eq!((found.mean_rank.mean, found.median_rank, found.chance_rank), (2.25, 2.5, 2.0));
        assert_eq!(found.num_images, 3);
    }

    #[test]
    fn a_perfect_score_of_four_images_is_not_certain() {
        let target = Array2::<f32>::eye(4);
        let ids = [1, 2, 3, 4];
        let ranks = own_ranks(target.view(), target.view(), &ids).unwrap().unwrap();
        let found = pairwise_identification(&ranks, &ids, &BootstrapConfig::default()).unwrap();
        // Wilson's lower end of 4 of 4.
        assert!((found.share.low - 0.5101).abs() < 1e-3 && found.share.high == 1.0, "{found:?}");
        assert_eq!((found.mean_rank.mean, found.mean_rank.low), (1.0, 1.0));
        assert!((found.mean_rank.high - (1.0 + 3.0 * 0.4899)).abs() < 1e-2, "{found:?}");
    }

    #[test]
    fn one_image_has_no_rival() {
        let rows = array![[1.0_f32, 0.0], [0.0, 1.0]];
        assert_eq!(own_ranks(rows.view(), rows.view(), &[3, 3]).unwrap(), None);
        assert!(own_ranks(rows.view(), rows.view(), &[3]).is_err());
        assert_eq!(pairwise_identification(&[], &[], &BootstrapConfig::default()), None);
    }
}
