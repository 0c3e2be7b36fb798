//! What the decoded embedding is about before and after, in words.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::metrics::bootstrap::{BootstrapConfig, Interval};
use crate::metrics::share::bounded_mean_interval;
use crate::pipelines::caption_probe::CaptionProbe;
use crate::tensor_ops::backend::Base;

/// Bounds of the change of a cosine.
pub(super) const LARGEST_CHANGE: [f64; 2] = [-2.0, 2.0];

/// Similarity of the decoded image embedding to a sentence, over trials.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ProbeChange {
    /// The sentence whose text embedding is compared.
    pub sentence: String,
    /// Mean cosine over trials before.
    pub before: f64,
    /// Mean cosine over trials after.
    pub after: f64,
    /// Standard deviation of the cosine over trials before (N − 1); unknown in runs of older versions.
    #[serde(default)]
    pub spread: Option<f64>,
    /// Mean change with its 95 % interval over trials; of one trial that is −2 to 2.
    pub change: Interval,
}

/// Similarity to each sentence before and after, largest rise first.
pub(super) fn probe_changes(
    probe: &CaptionProbe,
    before: Tensor<Base, 2>,
    after: Tensor<Base, 2>,
) -> Vec<ProbeChange> {
    let before = probe.similarities(before);
    let after = probe.similarities(after);
    let mut changes: Vec<ProbeChange> = probe
        .sentences()
        .iter()
        .enumerate()
        .filter_map(|(sentence, text)| {
            let column = |rows: &[Vec<f64>]| rows.iter().map(|row| row[sentence]).collect::<Vec<f64>>();
            let (before, after) = (column(&before), column(&after));
            let change: Vec<f64> = after.iter().zip(&before).map(|(after, before)| after - before).collect();
            let trials: Vec<u64> = (0..change.len() as u64).collect();
            let change =
                bounded_mean_interval(&change, &trials, &BootstrapConfig::default(), LARGEST_CHANGE)?;
            let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
            Some(ProbeChange {
                sentence: text.clone(),
                before: mean(&before),
                after: mean(&after),
                spread: Some(deviation(&before)),
                change,
            })
        })
        .collect();
    changes.sort_by(|a, b| b.change.mean.total_cmp(&a.change.mean));
    changes
}

/// Standard deviation with N − 1; 0 for a single value.
fn deviation(values: &[f64]) -> f64 {
    let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (squares / values.len().saturating_sub(1).max(1) as f64).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deviation_by_hand() {
        assert!((deviation(&[1.0, 2.0, 3.0, 4.0]) - (5.0_f64 / 3.0).sqrt()).abs() < 1e-12);
        assert_eq!(deviation(&[7.0]), 0.0);
    }
}
