//! What decoders find in the trials that each fold holds out, counted together.

use super::counts::AmongEachOther;
use super::settings::EvaluateSettings;
use super::summary::{CrossValidatedRow, FoldDifference};
use crate::error::Error;
use crate::metrics::bootstrap::BootstrapConfig;
use crate::metrics::combined_retrieval::DecodedPair;
use crate::metrics::pairwise::{OwnRank, pairwise_identification};
use crate::metrics::share::{bounded_mean_interval, share_interval};
use crate::models::mapper::MapperKind;
use crate::pipelines::targets::decoded_target::DecodedTarget;
use crate::training::mapper::selection::EpochSelection;

/// What one decoder found in the folds so far, an entry per trial.
pub(super) struct Tally {
    pub target: DecodedTarget,
    /// Of a mapper that was trained in every fold.
    pub kind: Option<MapperKind>,
    /// Of ridge regression with one penalty, fold by fold.
    pub penalties: Vec<f64>,
    images: Vec<u64>,
    forward: Vec<bool>,
    backward: Vec<bool>,
    /// Expected number of right answers by chance, summed over folds.
    chance: f64,
    ranks: Vec<OwnRank>,
    cosines: Vec<f64>,
}

impl Tally {
    pub fn of(target: DecodedTarget, kind: Option<MapperKind>) -> Self {
        Self {
            target,
            kind,
            penalties: Vec::new(),
            images: Vec::new(),
            forward: Vec::new(),
            backward: Vec::new(),
            chance: 0.0,
            ranks: Vec::new(),
            cosines: Vec::new(),
        }
    }

    /// Counts a fold: its trials are the candidates of each other, however many they are.
    pub fn add(&mut self, pair: &DecodedPair, images: &[u64]) -> crate::error::Result<()> {
        let found = AmongEachOther::count(pair, images)?;
        self.ranks.extend(found.ranks);
        self.chance += found.chance;
        self.forward.extend(found.forward);
        self.backward.extend(found.backward);
        self.cosines.extend(found.cosines);
        self.images.extend(images);
        Ok(())
    }

    /// The row, beside what `ridge` found in the same trials of the same folds.
    ///
    /// # Errors
    /// No trial at all.
    pub fn row(
        &self,
        name: String,
        settings: &EvaluateSettings,
        ridge: Option<&Self>,
    ) -> crate::error::Result<CrossValidatedRow> {
        let bootstrap = &settings.data.mapper.train.retrieval.bootstrap;
        let images = &self.images;
        let count = || {
            let forward = share_interval(&self.forward, images, bootstrap)?;
            let backward = share_interval(&self.backward, images, bootstrap)?;
            let identification = pairwise_identification(&self.ranks, images, bootstrap)?;
            let cosine = bounded_mean_interval(&self.cosines, images, bootstrap, [-1.0, 1.0])?;
            Some((forward, backward, identification, cosine))
        };
        let (forward, backward, identification, cosine) =
            count().ok_or_else(|| Error::failure("no trial in any fold"))?;
        let grid = &settings.evaluate.ridge_fit;
        Ok(CrossValidatedRow {
            name,
            target: self.target,
            kind: self.kind,
            epochs_chosen_on: self
                .kind
                .filter(|kind| *kind == MapperKind::Paper)
                .map(|_| EpochSelection::TrainPart),
            folds_at_edge: self.penalties.iter().filter(|penalty| grid.edge(**penalty).is_some()).count(),
            penalties: self.penalties.clone(),
            over_ridge: ridge.and_then(|ridge| self.difference(ridge, bootstrap)),
            forward,
            backward,
            chance: self.chance / self.images.len() as f64,
            identification,
            cosine,
        })
    }

    /// What this decoder finds more than `other` in each trial, over images.
    fn difference(&self, other: &Self, bootstrap: &BootstrapConfig) -> Option<FoldDifference> {
        let interval = |gains: Vec<f64>| bounded_mean_interval(&gains, &self.images, bootstrap, [-1.0, 1.0]);
        let of_hits = |ours: &[bool], theirs: &[bool]| {
            let as_number = |hit: &bool| f64::from(u8::from(*hit));
            interval(ours.iter().zip(theirs).map(|(a, b)| as_number(a) - as_number(b)).collect())
        };
        let ranks = self.ranks.iter().zip(&other.ranks);
        Some(FoldDifference {
            forward: of_hits(&self.forward, &other.forward)?,
            backward: of_hits(&self.backward, &other.backward)?,
            identification: interval(ranks.map(|(a, b)| a.share() - b.share()).collect())?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_paired_and_lies_over_images() {
        let rank = |rank: f64| OwnRank { rank, of: 3 };
        let tally = |forward: [bool; 4], ranks: [f64; 4]| Tally {
            images: vec![1, 1, 2, 3],
            forward: forward.to_vec(),
            backward: vec![true; 4],
            ranks: ranks.map(rank).to_vec(),
            ..Tally::of(DecodedTarget::Image, None)
        };
        let ridge = tally([true, false, false, false], [1.0, 2.0, 3.0, 3.0]);
        let other = tally([true, true, true, false], [1.0, 1.0, 2.0, 3.0]);
        let bootstrap = BootstrapConfig::default();
        let found = other.difference(&ridge, &bootstrap).unwrap();
        assert_eq!(found.forward.mean, 0.5);
        assert!(found.forward.low >= 0.0 && found.forward.high <= 1.0, "{found:?}");
        // Half a share in the second trial and half a share in the third.
        assert_eq!(found.identification.mean, 0.25);
        // Nothing gained anywhere: no point, but an interval about zero.
        assert!(found.backward.mean == 0.0 && found.backward.low < 0.0 && found.backward.high > 0.0);
        let back = ridge.difference(&other, &bootstrap).unwrap();
        assert_eq!(back.forward.mean, -0.5);
    }
}
