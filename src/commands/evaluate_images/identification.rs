//! Is each picture closest to its own ground truth?

use std::collections::BTreeSet;

use ndarray::{Array2, Axis};

use super::config::{EvaluateImagesConfig, IdentifiedTrials};
use super::summary::IdentificationSummary;
use crate::metrics::identification::{Identification, IdentificationConfig, OwnPicture};

/// n-way identification of decoded trials of the images `ids`, and every trial that took part beside its ground truth.
///
/// # Errors
/// Features that are not finite; a protocol out of range.
pub(super) fn identify(
    generated: &Array2<f32>,
    truth: &Array2<f32>,
    ids: &[u64],
    config: &EvaluateImagesConfig,
) -> crate::error::Result<(IdentificationSummary, Vec<(usize, OwnPicture)>)> {
    let mut seen = BTreeSet::new();
    let rows: Vec<usize> = (0..ids.len())
        .filter(|row| seen.insert(ids[*row]) || config.trials == IdentifiedTrials::All)
        .collect();
    let ids: Vec<u64> = rows.iter().map(|row| ids[*row]).collect();
    let num_images = seen.len();
    let (ways, skipped_ways): (Vec<usize>, Vec<usize>) =
        config.identification.ways.iter().partition(|ways| **ways <= num_images);
    let protocol = IdentificationConfig { ways, ..config.identification.clone() };
    let (generated, truth) = (generated.select(Axis(0), &rows), truth.select(Axis(0), &rows));
    let compared = Identification::new(generated.view(), truth.view(), &ids, protocol.distractors)?;
    let own = compared.own_pictures();
    let num_trials = rows.len();
    let own = rows.into_iter().zip(own).collect();
    let summary = IdentificationSummary {
        trials: config.trials,
        num_trials,
        repeats: protocol.repeats,
        accuracies: compared.accuracies(&ids, &protocol)?,
        skipped_ways,
    };
    Ok((summary, own))
}
