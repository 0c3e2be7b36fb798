//! How like each other originals, cycled pictures and those from measured betas are, and betas measured and predicted.

use std::collections::BTreeSet;

use ndarray::{Array2, Axis};
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::metrics::bootstrap::{BootstrapConfig, Interval, mean_interval};
use crate::metrics::pairwise::{PairwiseIdentification, own_ranks, pairwise_identification};
use crate::metrics::share::share_interval;

/// A similarity of pairs that belong together, beside that of pairs that do not.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Likeness {
    /// Mean over the pictures, with its interval over them.
    pub own: Interval,
    /// The same with every other picture in the place of the own one: the floor. None of a single picture.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub others: Option<Interval>,
}

/// Identification of the own picture among all.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CycleIdentification {
    /// In pairs, with the rank.
    pub pairwise: PairwiseIdentification,
    /// Share of pictures whose own is the most similar of all; a tie is none.
    pub top_1: Interval,
    /// What a random choice gives.
    pub top_1_chance: f64,
}

/// Rows of two kinds, one of each for every picture.
pub(super) struct Pairs<'a> {
    pub found: &'a Array2<f32>,
    pub truth: &'a Array2<f32>,
    pub ids: &'a [u64],
    pub bootstrap: &'a BootstrapConfig,
}

impl Pairs<'_> {
    /// Cosine, or of centred rows Pearson's r.
    pub fn likeness(&self) -> Option<Likeness> {
        let similarity = unit_rows(self.found).dot(&unit_rows(self.truth).t());
        let count = similarity.nrows();
        let own: Vec<f64> = (0..count).map(|row| similarity[[row, row]]).collect();
        let others: Vec<f64> = (0..count)
            .map(|row| (similarity.row(row).sum() - own[row]) / (count.max(2) - 1) as f64)
            .collect();
        let interval = |values: &[f64]| mean_interval(values, self.ids, self.bootstrap);
        let is_single = self.ids.iter().collect::<BTreeSet<_>>().len() < 2;
        Some(Likeness { own: interval(&own)?, others: interval(&others).filter(|_| !is_single) })
    }

    /// Identification of `truth` by `found`; none of a single picture.
    ///
    /// # Errors
    /// Rows that are no numbers.
    pub fn identification(&self) -> Result<Option<CycleIdentification>> {
        let Some(ranks) = own_ranks(self.found.view(), self.truth.view(), self.ids)? else { return Ok(None) };
        let hits: Vec<bool> = ranks.iter().map(|own| own.rank == 1.0).collect();
        let pairwise = pairwise_identification(&ranks, self.ids, self.bootstrap);
        let top_1 = share_interval(&hits, self.ids, self.bootstrap);
        Ok(pairwise.zip(top_1).map(|(pairwise, top_1)| CycleIdentification {
            pairwise,
            top_1,
            top_1_chance: 1.0 / pairwise.num_images.max(1) as f64,
        }))
    }
}

/// Rows of unit norm in double precision; a row of zeros stays.
fn unit_rows(rows: &Array2<f32>) -> Array2<f64> {
    let mut rows = rows.mapv(f64::from);
    for mut row in rows.rows_mut() {
        let norm = row.dot(&row).sqrt();
        if norm > 0.0 {
            row.mapv_inplace(|value| value / norm);
        }
    }
    rows
}

/// Rows less their means, so that a cosine is Pearson's r over the columns.
pub(super) fn centred_rows(rows: &Array2<f32>) -> Array2<f32> {
    let Some(means) = rows.mapv(f64::from).mean_axis(Axis(1)) else { return rows.clone() };
    let mut centred = rows.clone();
    for (mut row, mean) in centred.rows_mut().into_iter().zip(means) {
        row.mapv_inplace(|value| (f64::from(value) - mean) as f32);
    }
    centred
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn own_pairs_stand_beside_others_by_hand() {
        let truth = array![[1.0_f32, 0.0], [0.0, 2.0], [-1.0, 0.0]];
        let found = array![[2.0_f32, 0.0], [3.0, 3.0], [-1.0, 0.0]];
        let bootstrap = BootstrapConfig { resamples: 100, ..BootstrapConfig::default() };
        let pairs = Pairs { found: &found, truth: &truth, ids: &[1, 2, 3], bootstrap: &bootstrap };
        let likeness = pairs.likeness().unwrap();
        let root = 0.5_f64.sqrt();
        assert!((likeness.own.mean - (2.0 + root) / 3.0).abs() < 1e-9);
        // (0 − 1)/2, (√½ − √½)/2, (−1 + 0)/2.
        assert!((likeness.others.unwrap().mean + 1.0 / 3.0).abs() < 1e-9);
        let identification = pairs.identification().unwrap().unwrap();
        // The second is as near to the first as to its own: half a pair lost, and no hit.
        assert!((identification.pairwise.share.mean - (1.0 + 0.75 + 1.0) / 3.0).abs() < 1e-9);
        assert!((identification.top_1.mean - 2.0 / 3.0).abs() < 1e-9);
        assert!((identification.top_1_chance - 1.0 / 3.0).abs() < 1e-9);
    }

    #[test]
    fn a_single_picture_has_no_others() {
        let rows = array![[1.0_f32, 0.0]];
        let bootstrap = BootstrapConfig::default();
        let pairs = Pairs { found: &rows, truth: &rows, ids: &[1], bootstrap: &bootstrap };
        assert_eq!(pairs.likeness().unwrap().others, None);
        assert!(pairs.identification().unwrap().is_none());
    }

    #[test]
    fn centred_rows_correlate() {
        let centred = centred_rows(&array![[1.0_f32, 2.0, 3.0], [5.0, 5.0, 5.0]]);
        assert_eq!(centred, array![[-1.0, 0.0, 1.0], [0.0, 0.0, 0.0]]);
    }
}
