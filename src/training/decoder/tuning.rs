//! How many tuning images a decoder finds: what a choice is made by.

use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

use super::error::DecoderError;
use crate::metrics::retrieval::{RetrievalConfig, RetrievalSummary, compute_retrieval_with_hits};

/// What a decoder finds among the tuning images.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TuningCounts {
    /// Trials found, forward and backward together, over all batches.
    pub num_found: usize,
    /// Both directions with chance and intervals.
    pub retrieval: RetrievalSummary,
}

/// Counts on the tuning trials, in batches of nearly the published size that leave out almost none.
///
/// # Errors
/// [`DecoderError::Counts`].
pub fn tuning_counts(
    predicted: ArrayView2<'_, f32>,
    targets: ArrayView2<'_, f32>,
    image_ids: &[u64],
) -> Result<TuningCounts, DecoderError> {
    let published = RetrievalConfig::default();
    let count = image_ids.len();
    let num_batches = ((count as f64 / published.batch_size as f64).round() as usize).max(1);
    let config = RetrievalConfig { batch_size: count / num_batches, ..published };
    let (retrieval, hits) = compute_retrieval_with_hits(predicted, targets, image_ids, &config)
        .map_err(|error| DecoderError::Counts { reason: error.to_string() })?;
    let found = |hits: &[bool]| hits.iter().filter(|is_right| **is_right).count();
    Ok(TuningCounts { num_found: found(&hits.forward) + found(&hits.backward), retrieval })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    #[test]
    fn batches_leave_out_almost_nothing() {
        for (count, batch_size, num_batches) in [(10, 10, 1), (384, 384, 1), (460, 230, 2), (901, 300, 3)] {
            let targets = Array2::from_shape_fn((count, 2), |(row, axis)| {
                let angle = row as f32 / count as f32;
                if axis == 0 { angle.cos() } else { angle.sin() }
            });
            let ids: Vec<u64> = (0..count as u64).collect();
            let counts = tuning_counts(targets.view(), targets.view(), &ids).unwrap();
            let RetrievalSummary { batch_size: size, num_batches: number, .. } = counts.retrieval;
            assert_eq!((size, number), (batch_size, num_batches));
            assert_eq!(counts.num_found, 2 * size * number);
        }
        let none = Array2::zeros((0, 2));
        assert!(tuning_counts(none.view(), none.view(), &[]).is_err());
    }
}
