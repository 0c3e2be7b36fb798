//! Checks of what `evaluate` counts (docs/trust.md): is it the image or its cluster, has the output collapsed, would permuted pairs do
//! as well, is it a copy of training?

mod checked;
mod flags;
pub mod found;
mod judged;
mod leaks;
mod lines;
mod permutations;
mod row;
mod space;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

pub(super) use self::checked::{Checked, training_sample};
use self::flags::flags;
pub use self::found::{
    CheckName, Checks, Dimensions, Flag, LeakCheck, RowChecks, TargetClusters, WithinCluster,
};
pub(super) use self::judged::{CheckedRows, Judged, JudgedMapper};
pub(super) use self::leaks::recorded_split;
use self::row::among;
use self::space::{Space, SpaceConfig};
use super::baselines::Targets;
use super::summary::DecoderRow;
use crate::error::Result;
use crate::metrics::combined_retrieval::DecodedPair;
use crate::metrics::pairwise::PairwiseIdentification;
use crate::metrics::trust::lures::{Lures, first_of_images};
use crate::metrics::trust::permutation::PermutationTest;
use crate::run::progress::Progress;

impl Checked<'_> {
    /// Checks every row; `judged` has one entry for each, in their order, `permuted` one for each mapper. Then brings the lures of the
    /// settings into the rows.
    ///
    /// # Errors
    /// Betas that cannot be read, a request to stop.
    pub fn check(
        &self,
        targets: &Targets,
        (judged, permuted): (&[Judged], Vec<Option<PermutationTest>>),
        rows: &mut CheckedRows<'_>,
        progress: &mut dyn Progress,
    ) -> Result<Checks> {
        let spaces = self.spaces(targets, progress)?;
        let mut found = Vec::new();
        for (row, judged) in rows.iter().zip(judged) {
            found.push(self.held_out().row(row, judged, &spaces[judged.place])?);
        }
        for (row, test) in found.iter_mut().zip(permuted) {
            row.permutation = test;
        }
        self.add_permutations(targets, rows, &mut found, progress)?;
        let leak = self.leaks(targets)?;
        let held_out = self.settings.data.split.record(self.subject, self.split);
        let flags = flags(&found, rows.iter(), judged, &leak, &held_out);
        if self.settings.evaluate.lures != Lures::Test {
            for (row, judged) in rows.iter_mut().zip(judged) {
                self.change_lures(row, judged, &spaces[judged.place])?;
            }
        }
        Ok(Checks { clusters: self.clusters(&spaces, judged), rows: found, leak, flags })
    }

    fn spaces(&self, targets: &Targets, progress: &mut dyn Progress) -> Result<Vec<Space>> {
        let aims = targets.aims();
        progress.start("clusters and dimensions of the targets", aims.len() as u64);
        let firsts: Vec<usize> =
            first_of_images(&self.training_images()).into_iter().map(|row| self.split.train[row]).collect();
        let config = SpaceConfig {
            train: &self.split.train,
            first_of_images: &firsts,
            num_held_out_images: self.ids.iter().collect::<BTreeSet<_>>().len(),
            centre: self.settings.evaluate.centre,
            clusters: self.settings.evaluate.clusters,
            seed: self.settings.data.mapper.train.seed,
        };
        let mut spaces = Vec::new();
        for (done, aims) in aims.iter().enumerate() {
            spaces.push(Space::of_aims(aims, &config)?);
            progress.advance(done as u64 + 1, "");
        }
        progress.finish("");
        Ok(spaces)
    }

    /// Clusters of every target that some decoder predicts, by those of the held-out images.
    fn clusters(&self, spaces: &[Space], judged: &[Judged]) -> Vec<TargetClusters> {
        let firsts = first_of_images(self.ids);
        let of_space = |(place, space): (usize, &Space)| {
            let judged = judged.iter().find(|judged| judged.place == place)?;
            space.clusters(&space.cluster_of(judged.pair.select(&firsts).target.view()))
        };
        spaces.iter().enumerate().filter_map(of_space).collect()
    }

    /// Adds the permutation test to the rows of ridge regression from each trial's own betas, which are in the order of the targets.
    fn add_permutations(
        &self,
        targets: &Targets,
        rows: &CheckedRows<'_>,
        found: &mut [RowChecks],
        progress: &mut dyn Progress,
    ) -> Result<()> {
        if rows.ridge.is_empty() || self.settings.evaluate.permutations == 0 {
            return Ok(());
        }
        let nulls = self.nulls(&targets.aims(), progress)?;
        let first = rows.mappers.len();
        for ((row, null), found) in rows.ridge.iter().zip(&nulls).zip(&mut found[first..]) {
            found.permutation = row
                .identification
                .and_then(|observed| PermutationTest::of(observed.share.mean, &null.shares));
            found.permuted_participation_ratio = null.participation_ratio();
        }
        Ok(())
    }

    /// Identification of a row among the lures of the settings in place of the other held-out images.
    fn change_lures(&self, row: &mut DecoderRow, judged: &Judged, space: &Space) -> Result<()> {
        let held_out = self.held_out();
        let identify = |pair: &DecodedPair, ids: &[u64]| -> Result<Option<PairwiseIdentification>> {
            let found = match self.settings.evaluate.lures {
                Lures::Cluster => held_out.within_cluster(pair, ids, space)?,
                Lures::Test | Lures::Train => held_out.among_training(pair, space)?,
            };
            let found = among(ids, found);
            Ok(held_out.identification(&found.trials, &found.ids))
        };
        row.identification = identify(&judged.pair, self.ids)?;
        row.averaged = self.counts.averaged_by(&judged.pair, &identify)?;
        Ok(())
    }
}
