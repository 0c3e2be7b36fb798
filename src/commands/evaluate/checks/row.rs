//! The checks of one decoder: clusters, lures, dimensions, the fit of what it was trained on.

use super::found::{RowChecks, WithinCluster};
use super::judged::Judged;
use super::space::Space;
use crate::commands::evaluate::summary::DecoderRow;
use crate::error::{Error, Result};
use crate::interrupt::Stopped;
use crate::metrics::bootstrap::{BootstrapConfig, Interval};
use crate::metrics::combined_retrieval::DecodedPair;
use crate::metrics::pairwise::{OwnRank, PairwiseIdentification, pairwise_identification};
use crate::metrics::share::bounded_mean_interval;
use crate::metrics::trust::clusters::cluster_identification;
use crate::metrics::trust::levels::{CosineLevels, cosine_levels};
use crate::metrics::trust::lures::{AmongLures, among_lures, first_of_images, nearest_training};

/// The held-out trials of a decoder.
#[derive(Clone, Copy)]
pub(super) struct HeldOut<'a> {
    /// Image of every trial.
    pub ids: &'a [u64],
    pub bootstrap: &'a BootstrapConfig,
}

impl HeldOut<'_> {
    /// What is checked of one decoder.
    pub fn row(&self, row: &DecoderRow, judged: &Judged, space: &Space) -> Result<RowChecks> {
        let nothing = || Error::failure("no held-out trial to check");
        let Judged { pair, mapper, .. } = judged;
        let own = space.cluster_of(pair.target.view());
        let found = space.cluster_of(pair.predicted.view());
        let cluster = cluster_identification(&found, &own, space.num_clusters(), self.ids, self.bootstrap);
        let within = among(self.ids, self.within_cluster(pair, self.ids, space)?);
        let nearest = among(self.ids, self.among_training(pair, space)?);
        let trained = mapper.as_ref().map(|mapper| {
            let images: Vec<u64> = (0..mapper.training.predicted.nrows() as u64).collect();
            self.centred_cosine(&mapper.training, &images, space)
        });
        Ok(RowChecks {
            name: row.name.clone(),
            target: row.target,
            betas: row.betas,
            cluster: cluster.ok_or_else(nothing)?,
            within_cluster: self
                .identification(&within.trials, &within.ids)
                .map(|identification| WithinCluster { num_trials: within.ids.len(), identification }),
            dimensions: space.dimensions(&pair.select(&first_of_images(self.ids)))?,
            nearest_training: nearest_training(&nearest.trials, &nearest.ids, self.bootstrap)
                .ok_or_else(nothing)?,
            cosine_levels: self.cosine_levels(pair, &nearest, space),
            centred_cosine: self.centred_cosine(pair, self.ids, space).ok_or_else(nothing)?,
            training_cosine: trained.flatten(),
            permutation: None,
            permuted_participation_ratio: None,
        })
    }

    /// Cosines of what needs no decoder; none where a trial has no training image beside its own.
    fn cosine_levels(&self, pair: &DecodedPair, nearest: &WithLure, space: &Space) -> Option<CosineLevels> {
        let places: Vec<usize> = nearest.trials.iter().map(|trial| trial.nearest_lure).collect();
        if places.len() != self.ids.len() {
            return None;
        }
        cosine_levels(pair.target.view(), space.training.view(), &places, self.ids, self.bootstrap)
    }

    fn centred_cosine(&self, pair: &DecodedPair, ids: &[u64], space: &Space) -> Option<Interval> {
        let centred = DecodedPair {
            predicted: space.centred(pair.predicted.view()),
            target: space.centred(pair.target.view()),
        };
        bounded_mean_interval(&centred.cosines(), ids, self.bootstrap, [-1.0, 1.0])
    }

    /// Every trial among all training images.
    pub fn among_training(
        &self,
        pair: &DecodedPair,
        space: &Space,
    ) -> Result<Vec<Option<AmongLures>>, Stopped> {
        among_lures(pair.predicted.view(), pair.target.view(), space.training.view(), &|_, _| true)
    }

    /// Every trial of the images `ids` among the other held-out images of its cluster.
    pub fn within_cluster(
        &self,
        pair: &DecodedPair,
        ids: &[u64],
        space: &Space,
    ) -> Result<Vec<Option<AmongLures>>, Stopped> {
        let firsts = first_of_images(ids);
        let lures = pair.select(&firsts).target;
        let clusters = space.cluster_of(pair.target.view());
        let may_lure = |trial: usize, lure: usize| {
            let lure = firsts[lure];
            ids[trial] != ids[lure] && clusters[trial] == clusters[lure]
        };
        among_lures(pair.predicted.view(), pair.target.view(), lures.view(), &may_lure)
    }

    /// Two-way share and rank of the trials that have a lure.
    pub fn identification(&self, among: &[AmongLures], ids: &[u64]) -> Option<PairwiseIdentification> {
        let ranks: Vec<OwnRank> = among.iter().map(|trial| trial.rank).collect();
        pairwise_identification(&ranks, ids, self.bootstrap)
    }
}

/// Trials that have a lure, and their images.
pub(super) struct WithLure {
    pub trials: Vec<AmongLures>,
    pub ids: Vec<u64>,
}

/// Leaves out the trials without one.
pub(super) fn among(ids: &[u64], found: Vec<Option<AmongLures>>) -> WithLure {
    let with = ids.iter().zip(found).filter_map(|(id, trial)| Some((*id, trial?)));
    let (ids, trials) = with.unzip();
    WithLure { trials, ids }
}
