//! Retrieval by several decoders at once: `S = Σ_k w_k S⁽ᵏ⁾`, weights from a grid search (docs/spec/mapper.md §7).

use std::collections::HashMap;
use std::ops::Range;

use ndarray::{Array2, ArrayView1, ArrayView2};
use serde::{Deserialize, Serialize};

use super::bootstrap::BootstrapConfig;
use super::retrieval::{
    RetrievalConfig, RetrievalError, RetrievalSummary, check_embeddings, retrieve, similarity_matrix,
};

/// Steps between weight 0 and weight 1.
const STEPS: usize = 10;

/// What one decoder predicts and what it aimed at, both `[trials, width]`; widths may differ between decoders.
#[derive(Clone, Debug)]
pub struct DecodedPair {
    /// What the decoder predicts from the betas, a row per trial.
    pub predicted: Array2<f32>,
    /// Embeddings of what was shown in the same trials.
    pub target: Array2<f32>,
}

impl DecodedPair {
    /// Cosine of prediction and target, per trial; 0 for a vector without length.
    pub fn cosines(&self) -> Vec<f64> {
        let dot = |a: ArrayView1<f32>, b: ArrayView1<f32>| -> f64 {
            a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
        };
        let rows = self.predicted.rows().into_iter().zip(self.target.rows());
        rows.map(|(a, b)| {
            let length = (dot(a, a) * dot(b, b)).sqrt();
            if length > 0.0 { dot(a, b) / length } else { 0.0 }
        })
        .collect()
    }

    /// The pair less `mean`, the mean of what the decoder was fitted to: what is common to all images says nothing of one.
    pub fn less(&mut self, mean: ArrayView1<'_, f32>) {
        for rows in [&mut self.predicted, &mut self.target] {
            *rows -= &mean;
        }
    }

    /// Every vector less its own mean: the cosine of two is then their Pearson correlation.
    pub fn less_own_means(&mut self) {
        for rows in [&mut self.predicted, &mut self.target] {
            for mut row in rows.rows_mut() {
                let mean = row.iter().map(|value| f64::from(*value)).sum::<f64>() / row.len().max(1) as f64;
                row.mapv_inplace(|value| (f64::from(value) - mean) as f32);
            }
        }
    }

    /// The pair of some trials.
    pub fn select(&self, trials: &[usize]) -> Self {
        let of = |rows: &Array2<f32>| rows.select(ndarray::Axis(0), trials);
        Self { predicted: of(&self.predicted), target: of(&self.target) }
    }
}

/// Retrieval of a combination.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CombinedRetrieval {
    /// One weight per decoder, summing to 1.
    pub weights: Vec<f64>,
    /// Counts on trials that the search did not see.
    pub retrieval: RetrievalSummary,
}

/// Positions of trials in two halves of the images: those of even and of odd rank in order of first appearance.
pub fn halves_by_image(ids: &[u64]) -> [Vec<usize>; 2] {
    let mut ranks: HashMap<u64, usize> = HashMap::new();
    let mut halves = [Vec::new(), Vec::new()];
    for (trial, id) in ids.iter().enumerate() {
        let next = ranks.len();
        let rank = *ranks.entry(*id).or_insert(next);
        halves[rank % 2].push(trial);
    }
    halves
}

/// Weights that find most on the first half of the images, and what they find on the second.
///
/// # Errors
/// [`RetrievalError`] when parts do not fit `ids`, or a half is empty.
pub fn combine(
    parts: &[&DecodedPair],
    ids: &[u64],
    config: &RetrievalConfig,
) -> Result<CombinedRetrieval, RetrievalError> {
    for part in parts {
        check_embeddings(part.predicted.view(), part.target.view(), ids)?;
    }
    // Split by image, never by trial: the repeats of an image would otherwise show the search what it is judged on
    // (docs/spec/mapper.md §7).
    let [search, report] = halves_by_image(ids);
    let of = |trials: &[usize]| -> (Vec<DecodedPair>, Vec<u64>) {
        let parts = parts.iter().map(|part| part.select(trials)).collect();
        (parts, trials.iter().map(|trial| ids[*trial]).collect())
    };
    let (parts, ids) = of(&search);
    let weights = search_weights(&parts, &ids, config)?;
    let (parts, ids) = of(&report);
    let retrieval = retrieve(&ids, config, &mut |rows| {
        weighted_sum(&similarities(&parts, rows, config.cosine_weight), &weights)
    })?;
    Ok(CombinedRetrieval { weights, retrieval })
}

/// The weights, multiples of a tenth, with the most hits in both directions; among equals the first.
fn search_weights(
    parts: &[DecodedPair],
    ids: &[u64],
    config: &RetrievalConfig,
) -> Result<Vec<f64>, RetrievalError> {
    let plain = RetrievalConfig {
        // Only means are compared here; their intervals would cost more than the search.
        bootstrap: BootstrapConfig { resamples: 0, ..config.bootstrap.clone() },
        ..config.clone()
    };
    // Every batch's matrices once, not once per grid point.
    let mut batches: HashMap<usize, Vec<Array2<f64>>> = HashMap::new();
    let mut best: Option<(f64, Vec<f64>)> = None;
    for weights in simplex(parts.len(), STEPS) {
        let weights: Vec<f64> = weights.iter().map(|weight| *weight as f64 / STEPS as f64).collect();
        let found = retrieve(ids, &plain, &mut |rows| {
            let batch =
                batches.entry(rows.start).or_insert_with(|| similarities(parts, rows, config.cosine_weight));
            weighted_sum(batch, &weights)
        })?;
        // The grid has 11 points for two decoders, 66 for three.
        let hits = found.forward.over_batches.mean + found.backward.over_batches.mean;
        if best.as_ref().is_none_or(|(most, _)| hits > *most) {
            best = Some((hits, weights));
        }
    }
    let empty = RetrievalError::Empty { trials: ids.len(), batch_size: config.batch_size };
    best.map(|(_, weights)| weights).ok_or(empty)
}

fn similarities(parts: &[DecodedPair], rows: Range<usize>, cosine_weight: f64) -> Vec<Array2<f64>> {
    let of = |values: &Array2<f32>| -> Array2<f32> {
        let view: ArrayView2<f32> = values.slice(ndarray::s![rows.clone(), ..]);
        view.to_owned()
    };
    parts
        .iter()
        .map(|part| similarity_matrix(of(&part.target).view(), of(&part.predicted).view(), cosine_weight))
        .collect()
}

fn weighted_sum(matrices: &[Array2<f64>], weights: &[f64]) -> Array2<f64> {
    let mut sum = Array2::zeros(matrices.first().map_or((0, 0), Array2::dim));
    for (matrix, weight) in matrices.iter().zip(weights) {
        sum.scaled_add(*weight, matrix);
    }
    sum
}

/// Every way to write `total` as a sum of `parts` counts.
fn simplex(parts: usize, total: usize) -> Vec<Vec<usize>> {
    match parts {
        0 => Vec::new(),
        1 => vec![vec![total]],
        _ => (0..=total)
            .flat_map(|first| {
                let rest = simplex(parts - 1, total - first);
                rest.into_iter().map(move |rest| std::iter::once(first).chain(rest).collect())
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::retrieval::compute_retrieval;
    use crate::tensor_ops::random::keyed_rng;
    use rand::RngExt;

    /// 200 images, two trials each; predictions are targets under noise of the given strength.
    fn pair(seed: u64, noise: f32) -> DecodedPair {
        let mut rng = keyed_rng(seed, "test", 0);
        let mut draw = |rows: usize| Array2::from_shape_fn((rows, 8), |_| rng.random::<f32>() - 0.5);
        let images = draw(200);
        let target = Array2::from_shape_fn((400, 8), |(trial, column)| images[[trial % 200, column]]);
        DecodedPair { predicted: &target + &(draw(400) * noise), target }
    }

    fn ids() -> Vec<u64> {
        (0..400).map(|trial| trial % 200).collect()
    }

    #[test]
    fn the_grid_is_complete() {
        assert_eq!(simplex(2, 10).len(), 11);
        assert_eq!(simplex(3, 10).len(), 66);
        assert!(simplex(3, 10).iter().all(|weights| weights.iter().sum::<usize>() == 10));
    }

    #[test]
    fn halves_share_no_image() {
        let [search, report] = halves_by_image(&[4, 7, 4, 9, 7, 1]);
        assert_eq!((search, report), (vec![0, 2, 3], vec![1, 4, 5]));
    }

    #[test]
    fn two_independent_views_find_more_than_either() {
        let (one, other, ids) = (pair(1, 2.0), pair(2, 2.0), ids());
        let config = RetrievalConfig { batch_size: 100, ..RetrievalConfig::default() };
        let both = combine(&[&one, &other], &ids, &config).unwrap();
        let hits = |summary: &RetrievalSummary| {
            summary.forward.over_batches.mean + summary.backward.over_batches.mean
        };
        for part in [&one, &other] {
            let alone = combine(&[part], &ids, &config).unwrap();
            assert_eq!(alone.weights, [1.0]);
            assert!(hits(&both.retrieval) > hits(&alone.retrieval), "{both:?} {alone:?}");
            // A single part is plain retrieval on the second half.
            let [_, report] = halves_by_image(&ids);
            let half = part.select(&report);
            let ids: Vec<u64> = report.iter().map(|trial| ids[*trial]).collect();
            let plain = compute_retrieval(half.predicted.view(), half.target.view(), &ids, &config).unwrap();
            assert_eq!(alone.retrieval, plain);
        }
    }

    #[test]
    fn a_useless_part_gets_little_weight_and_misfits_are_refused() {
        let (good, noise, ids) = (pair(1, 0.3), pair(2, 1000.0), ids());
        let config = RetrievalConfig { batch_size: 100, ..RetrievalConfig::default() };
        let found = combine(&[&noise, &good], &ids, &config).unwrap();
        assert!(found.weights[1] >= 0.5, "{found:?}");
        assert!(combine(&[&good], &ids[..10], &config).is_err());
        assert!(combine(&[], &ids, &config).is_err());
    }

    #[test]
    fn a_mean_is_taken_from_predictions_and_targets_alike() {
        use ndarray::array;
        let mut pair =
            DecodedPair { predicted: array![[3.0, 1.0], [1.0, 3.0]], target: array![[2.0, 1.0], [1.0, 4.0]] };
        pair.less(array![1.0, 1.0].view());
        assert_eq!((pair.predicted[[0, 0]], pair.target[[1, 1]]), (2.0, 3.0));
        assert_eq!(pair.cosines(), [1.0, 1.0]);
        // Deviations −1, 0, 1 and −1, −1, 2: Pearson's 3/√12.
        let mut pair = DecodedPair { predicted: array![[1.0, 2.0, 3.0]], target: array![[0.0, 0.0, 3.0]] };
        pair.less_own_means();
        assert!((pair.cosines()[0] - 3.0 / 12.0_f64.sqrt()).abs() < 1e-6, "{pair:?}");
    }
}
