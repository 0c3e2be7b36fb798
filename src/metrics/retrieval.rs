//! Forward and backward retrieval counts of a batch of predicted embeddings.
//!
//! Specification: docs/spec/mapper.md §7, docs/spec/metrics.md §3. `S_ij = κ · cos(target_i, predicted_j) − (1 − κ) ·
//! mean squared error`. Forward: predictions whose best target (arg-max over i) is right; backward: targets whose best
//! prediction (arg-max over j) is right. Ties go to the first index.

use std::collections::HashMap;
use std::ops::Range;

use ndarray::{Array2, ArrayView2, Axis, s};
use serde::{Deserialize, Serialize};

use super::bootstrap::{BootstrapConfig, Interval};
use super::share::count_interval;
use crate::error::{Classified, ErrorClass, SettingError, in_range, limits};

/// Floor of the product of two norms.
const NORM_PRODUCT_FLOOR: f64 = 1e-8;

/// When a retrieved item is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Matching {
    /// It is of the same image: a repeated presentation within the batch counts (the reference).
    #[default]
    ByImage,
    /// It is the same trial.
    ByIndex,
}

/// Protocol of the counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RetrievalConfig {
    /// Trials per batch, N; 1 to 1e6.
    pub batch_size: usize,
    /// When an item is right.
    pub matching: Matching,
    /// Weight κ of the cosine in the similarity, 0 to 1.
    pub cosine_weight: f64,
    /// Intervals over images.
    pub bootstrap: BootstrapConfig,
}

impl Default for RetrievalConfig {
    /// N = 300 by image identity, κ = 1 (the paper's).
    fn default() -> Self {
        Self {
            batch_size: 300,
            matching: Matching::ByImage,
            cosine_weight: 1.0,
            bootstrap: BootstrapConfig::default(),
        }
    }
}

impl RetrievalConfig {
    /// Checks every range.
    ///
    /// # Errors
    /// [`SettingError`] that names the first key out of range.
    pub fn validate(&self) -> Result<(), SettingError> {
        in_range("batch_size", self.batch_size, 1..=limits::ITEMS)?;
        in_range("cosine_weight", self.cosine_weight, 0.0..=1.0)?;
        self.bootstrap.validate().map_err(|error| error.within("bootstrap"))
    }
}

/// Which trials were found, one entry per trial of the whole batches, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetrievalHits {
    /// The prediction's best target is right.
    pub forward: Vec<bool>,
    /// The target's best prediction is right.
    pub backward: Vec<bool>,
    /// Trial of the prediction's best target.
    #[serde(default)]
    pub forward_found: Vec<usize>,
    /// Trial of the target's best prediction.
    #[serde(default)]
    pub backward_found: Vec<usize>,
}

/// Why nothing can be counted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RetrievalError {
    /// Predictions, targets and ids do not belong together.
    #[error(
        "retrieval: predictions have shape {predicted:?}, targets {target:?}, ids {ids}; expected equal numbers of rows"
    )]
    Shape {
        /// Shape of the predictions.
        predicted: Vec<usize>,
        /// Shape of the targets.
        target: Vec<usize>,
        /// Number of ids.
        ids: usize,
    },
    /// Not even one trial, or batches of none.
    #[error("retrieval: no trials to count (trials: {trials}, batch size: {batch_size})")]
    Empty {
        /// Number of trials.
        trials: usize,
        /// As configured.
        batch_size: usize,
    },
    /// An embedding that is not a number.
    #[error("retrieval: the embedding of trial {row} is not finite")]
    NotFinite {
        /// Row of the prediction or target.
        row: usize,
    },
}

impl Classified for RetrievalError {
    fn class(&self) -> ErrorClass {
        match self {
            // Too few trials of the prepared subject, or a batch size of 0.
            Self::Empty { .. } => ErrorClass::BadInput,
            Self::Shape { .. } | Self::NotFinite { .. } => ErrorClass::Failure,
        }
    }
}

/// Counts in one direction, of `batch_size` trials.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RetrievalCount {
    /// Count of the first batch.
    pub first_batch: usize,
    /// Mean count over batches with its interval (bootstrap over images, candidates as they were).
    pub over_batches: Interval,
}

/// Retrieval over consecutive whole batches of the trials in order.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RetrievalSummary {
    /// Trials per batch: the configured N, or all trials when there are fewer.
    pub batch_size: usize,
    /// Whole batches counted; trials of a last partial batch are left out.
    pub num_batches: usize,
    /// Predictions whose best target is right.
    pub forward: RetrievalCount,
    /// Targets whose best prediction is right.
    pub backward: RetrievalCount,
    /// Expected count, either direction, of a uniformly random choice in the first batch: `Σ_j m_j / N` with `m_j`
    /// the number of candidates that are right for j.
    pub chance_first_batch: f64,
    /// The same, mean over batches.
    pub chance_over_batches: f64,
}

/// Counts retrievals. `ids` are image identities, one per row, in the order of the trials.
///
/// ```
/// use mindreader::metrics::retrieval::{RetrievalConfig, compute_retrieval};
/// use ndarray::array;
///
/// // The last trial shows the image of the first once more; the third is decoded as that image, too.
/// let target = array![[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [1.0, 0.0]];
/// let predicted = array![[0.9, 0.1], [0.2, 0.8], [0.7, 0.1], [1.0, 0.2]];
/// let config = RetrievalConfig { batch_size: 4, ..RetrievalConfig::default() };
/// let found = compute_retrieval(predicted.view(), target.view(), &[7, 8, 9, 7], &config)?;
/// assert_eq!((found.forward.first_batch, found.backward.first_batch), (3, 3));
/// assert_eq!(found.chance_first_batch, 1.5);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`RetrievalError`] when rows differ in number, there are none, or a value is not finite.
pub fn compute_retrieval(
    predicted: ArrayView2<f32>,
    target: ArrayView2<f32>,
    ids: &[u64],
    config: &RetrievalConfig,
) -> Result<RetrievalSummary, RetrievalError> {
    Ok(compute_retrieval_with_hits(predicted, target, ids, config)?.0)
}

/// What [`compute_retrieval`] counts, and which trials those are.
///
/// # Errors
/// As [`compute_retrieval`].
pub fn compute_retrieval_with_hits(
    predicted: ArrayView2<f32>,
    target: ArrayView2<f32>,
    ids: &[u64],
    config: &RetrievalConfig,
) -> Result<(RetrievalSummary, RetrievalHits), RetrievalError> {
    check_embeddings(predicted, target, ids)?;
    let found = find(ids, config, &mut |rows| {
        let rows = s![rows, ..];
        similarity_matrix(target.slice(rows), predicted.slice(rows), config.cosine_weight)
    })?;
    Ok((found.summary(ids, config)?, found.hits))
}

/// Refuses predictions and targets that do not belong together or hold what is no number.
pub(super) fn check_embeddings(
    predicted: ArrayView2<f32>,
    target: ArrayView2<f32>,
    ids: &[u64],
) -> Result<(), RetrievalError> {
    if predicted.dim() != target.dim() || predicted.nrows() != ids.len() {
        return Err(RetrievalError::Shape {
            predicted: predicted.shape().to_vec(),
            target: target.shape().to_vec(),
            ids: ids.len(),
        });
    }
    for rows in [&predicted, &target] {
        let bad = rows.axis_iter(Axis(0)).position(|row| row.iter().any(|value| !value.is_finite()));
        if let Some(row) = bad {
            return Err(RetrievalError::NotFinite { row });
        }
    }
    Ok(())
}

/// Counts retrievals by any similarity: `similarity(rows)` is `S` of the trials `rows`, one row per target.
pub(super) fn retrieve(
    ids: &[u64],
    config: &RetrievalConfig,
    similarity: &mut dyn FnMut(Range<usize>) -> Array2<f64>,
) -> Result<RetrievalSummary, RetrievalError> {
    find(ids, config, similarity)?.summary(ids, config)
}

fn empty(ids: &[u64], config: &RetrievalConfig) -> RetrievalError {
    RetrievalError::Empty { trials: ids.len(), batch_size: config.batch_size }
}

/// Hits and chance counts of whole batches, at least one.
struct Found {
    batch_size: usize,
    chances: Vec<f64>,
    hits: RetrievalHits,
}

impl Found {
    fn summary(&self, ids: &[u64], config: &RetrievalConfig) -> Result<RetrievalSummary, RetrievalError> {
        let Self { batch_size, chances, hits } = self;
        let batch_size = *batch_size;
        let count = |hits: &[bool]| -> Option<RetrievalCount> {
            Some(RetrievalCount {
                first_batch: hits[..batch_size].iter().filter(|hit| **hit).count(),
                over_batches: count_interval(hits, batch_size, &ids[..hits.len()], &config.bootstrap)?,
            })
        };
        let (forward, backward) =
            count(&hits.forward).zip(count(&hits.backward)).ok_or_else(|| empty(ids, config))?;
        Ok(RetrievalSummary {
            batch_size,
            num_batches: chances.len(),
            forward,
            backward,
            chance_first_batch: chances[0],
            chance_over_batches: chances.iter().sum::<f64>() / chances.len() as f64,
        })
    }
}

fn find(
    ids: &[u64],
    config: &RetrievalConfig,
    similarity: &mut dyn FnMut(Range<usize>) -> Array2<f64>,
) -> Result<Found, RetrievalError> {
    // Counts depend on the number of candidates, so a last, smaller batch is left out instead of being averaged in.
    let batch_size = config.batch_size.min(ids.len());
    let num_batches = ids.len().checked_div(batch_size).ok_or_else(|| empty(ids, config))?;
    let mut hits = RetrievalHits::default();
    let mut chances = Vec::new();
    for start in (0..num_batches * batch_size).step_by(batch_size) {
        let rows = start..start + batch_size;
        let ids = &ids[rows.clone()];
        let similarity = similarity(rows);
        let is_right = |i: usize, j: usize| match config.matching {
            Matching::ByImage => ids[i] == ids[j],
            Matching::ByIndex => i == j,
        };
        for j in 0..batch_size {
            // Column j holds the similarities of prediction j with all targets, row j those of target j with all
            // predictions.
            let (target, prediction) =
                (arg_max(similarity.column(j).iter()), arg_max(similarity.row(j).iter()));
            hits.forward.push(is_right(target, j));
            hits.backward.push(is_right(prediction, j));
            hits.forward_found.push(start + target);
            hits.backward_found.push(start + prediction);
        }
        chances.push(chance_count(ids, config.matching));
    }
    Ok(Found { batch_size, chances, hits })
}

/// `S[i, j]`: row = target, column = prediction; `cosine_weight` is κ.
pub fn similarity_matrix(
    target: ArrayView2<f32>,
    predicted: ArrayView2<f32>,
    cosine_weight: f64,
) -> Array2<f64> {
    let (target, predicted) = (target.mapv(f64::from), predicted.mapv(f64::from));
    let width = target.ncols() as f64;
    let squared = |rows: &Array2<f64>| rows.map_axis(Axis(1), |row| row.dot(&row));
    let (target_sq, predicted_sq) = (squared(&target), squared(&predicted));
    let mut similarity = target.dot(&predicted.t());
    for ((i, j), value) in similarity.indexed_iter_mut() {
        let dot = *value;
        let cosine = dot / (target_sq[i] * predicted_sq[j]).sqrt().max(NORM_PRODUCT_FLOOR);
        // `‖t − p‖² = ‖t‖² + ‖p‖² − 2⟨t, p⟩`: one matrix product serves both measures. In double precision the
        // cancellation does no harm.
        let squared_error = (target_sq[i] + predicted_sq[j] - 2.0 * dot) / width;
        *value = cosine_weight * cosine - (1.0 - cosine_weight) * squared_error;
    }
    similarity
}

/// Expected number of right answers when each of the N queries picks one of the N candidates at random.
pub fn chance_count(ids: &[u64], matching: Matching) -> f64 {
    if matching == Matching::ByIndex || ids.is_empty() {
        return if ids.is_empty() { 0.0 } else { 1.0 };
    }
    let mut copies: HashMap<u64, usize> = HashMap::new();
    for id in ids {
        *copies.entry(*id).or_default() += 1;
    }
    // An image with m trials is right for each of its m queries with chance m/N.
    copies.values().map(|m| (m * m) as f64).sum::<f64>() / ids.len() as f64
}

fn arg_max<'a>(values: impl Iterator<Item = &'a f64>) -> usize {
    let mut best = (0, f64::NEG_INFINITY);
    for (index, value) in values.enumerate() {
        // Strictly larger: the first of equal ones wins, whatever the number of candidates.
        if *value > best.1 {
            best = (index, *value);
        }
    }
    best.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn repeats_count_by_image_and_not_by_index() {
        let target = array![[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]];
        let predicted = array![[0.9, 0.1], [0.8, 0.1], [-0.1, -1.0]];
        let ids = [5, 5, 6];
        let of = |matching| {
            let config = RetrievalConfig { matching, ..RetrievalConfig::default() };
            compute_retrieval(predicted.view(), target.view(), &ids, &config).unwrap()
        };
        let by_image = of(Matching::ByImage);
        assert_eq!((by_image.forward.first_batch, by_image.backward.first_batch), (2, 2));
        assert!((by_image.chance_first_batch - 5.0 / 3.0).abs() < 1e-12);
        // Both predictions of image 5 tie between its two equal targets: the first wins.
        let by_index = of(Matching::ByIndex);
        assert_eq!(by_index.forward.first_batch, 1);
        assert_eq!(by_index.chance_first_batch, 1.0);
    }

    #[test]
    fn chance_is_what_random_predictions_reach() {
        use rand::RngExt;
        let mut rng = crate::tensor_ops::random::keyed_rng(3, "test", 0);
        let mut draw = |rows: usize| Array2::from_shape_fn((rows, 12), |_| rng.random::<f32>() - 0.5);
        let ids: Vec<u64> = (0..3000).map(|i| i % 100).collect();
        let config = RetrievalConfig { batch_size: 150, ..RetrievalConfig::default() };
        let mut counts = Vec::new();
        for _ in 0..10 {
            let images = draw(100);
            let target = Array2::from_shape_fn((3000, 12), |(i, c)| images[[i % 100, c]]);
            let summary = compute_retrieval(draw(3000).view(), target.view(), &ids, &config).unwrap();
            assert_eq!(summary.num_batches, 20);
            // 50 of the 100 images come twice in a batch of 150: (50 · 4 + 50) / 150.
            assert!((summary.chance_over_batches - 250.0 / 150.0).abs() < 1e-12);
            counts.extend([summary.forward.over_batches.mean, summary.backward.over_batches.mean]);
        }
        // About 670 hits: 4 % of one standard deviation.
        let mean = counts.iter().sum::<f64>() / counts.len() as f64;
        assert!((mean * 150.0 / 250.0 - 1.0).abs() < 0.15, "{mean}");
    }

    #[test]
    fn the_interval_holds_a_perfect_and_a_useless_decoder_apart() {
        let target = Array2::from_shape_fn((40, 40), |(i, j)| f32::from(u8::from(i == j)));
        let ids: Vec<u64> = (0..40).collect();
        let config = RetrievalConfig::default();
        let perfect = compute_retrieval(target.view(), target.view(), &ids, &config).unwrap();
        let over = perfect.forward.over_batches;
        assert_eq!((perfect.batch_size, over.mean, over.high), (40, 40.0, 40.0));
        // Wilson's interval of 40 hits in 40 images.
        assert!((over.low - 40.0 * 40.0 / (40.0 + 3.8415)).abs() < 1e-3, "{over:?}");
        let constant = Array2::ones((40, 40));
        let useless = compute_retrieval(constant.view(), target.view(), &ids, &config).unwrap();
        assert_eq!(useless.forward.first_batch, 1);
        assert!(useless.forward.over_batches.high < 5.0, "{useless:?}");
    }

    #[test]
    fn what_cannot_be_counted_is_an_error() {
        let config = RetrievalConfig::default();
        let good = Array2::<f32>::ones((2, 3));
        let of = |predicted: &Array2<f32>, ids: &[u64]| {
            compute_retrieval(predicted.view(), good.view(), ids, &config).unwrap_err().to_string()
        };
        assert!(of(&Array2::ones((3, 3)), &[1, 2]).contains("[3, 3]"));
        assert!(of(&good, &[1]).contains("ids 1"));
        let mut broken = good.clone();
        broken[[1, 2]] = f32::NAN;
        assert!(of(&broken, &[1, 2]).contains("trial 1 is not finite"));
        let none = Array2::<f32>::zeros((0, 3));
        let error = compute_retrieval(none.view(), none.view(), &[], &config).unwrap_err();
        assert!(matches!(error, RetrievalError::Empty { trials: 0, .. }));
    }
}
