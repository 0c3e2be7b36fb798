//! The permutation test of mappers: each is trained anew from exchanged betas, as often as asked.

use super::checks::Judged;
use super::fold_mappers::FoldMappers;
use super::{DecoderRow, Evaluation, Targets};
use crate::error::{Error, Result};
use crate::metrics::pairwise::own_ranks;
use crate::metrics::trust::permutation::PermutationTest;
use crate::pipelines::mapper_betas::BetasControl;
use crate::pipelines::workbench::Workbench;

impl Evaluation<'_> {
    /// A test for every mapper, in the order of `mappers`; none where none is asked for. The trainings are those of `train_mapper`, of the
    /// mapper's kind and target, each from another exchange of betas and another seed.
    ///
    /// # Errors
    /// What a training refuses; a request to stop.
    pub(super) fn permute_mappers(
        &self,
        targets: &Targets,
        mappers: &[DecoderRow],
        judged: &[Judged],
        bench: &mut Workbench<'_>,
    ) -> Result<Vec<Option<PermutationTest>>> {
        let count = self.settings.evaluate.mapper_permutations;
        if count == 0 {
            return Ok(vec![None; mappers.len()]);
        }
        let mut tests = Vec::new();
        for (row, judged) in mappers.iter().zip(judged) {
            let shares = self.permuted_shares(targets, judged, count, bench)?;
            let observed = row.identification.map(|found| found.share.mean);
            tests.push(observed.and_then(|observed| PermutationTest::of(observed, &shares)));
        }
        Ok(tests)
    }

    /// Share of pairs that each training from exchanged betas wins.
    fn permuted_shares(
        &self,
        targets: &Targets,
        judged: &Judged,
        count: usize,
        bench: &mut Workbench<'_>,
    ) -> Result<Vec<f64>> {
        let missing = || Error::failure("a mapper without targets to train to");
        let aims = targets.vectors.get(judged.place).ok_or_else(missing)?;
        let kind = judged.mapper.as_ref().ok_or_else(missing)?.kind;
        let mut settings = self.settings.clone();
        let mut shares = Vec::new();
        for _ in 0..count {
            let train = &mut settings.data.mapper.train;
            train.seed = train.seed.wrapping_add(1);
            let splits = std::slice::from_ref(self.split);
            let mappers = FoldMappers { settings: &settings, subject: self.subject, targets, splits };
            mappers.decode_each(kind, aims, BetasControl::Shuffled, bench, &mut |_, pair| {
                let ranks = own_ranks(pair.predicted.view(), pair.target.view(), self.ids)?;
                let ranks = ranks.ok_or_else(|| Error::failure("one held-out image has no rival"))?;
                shares.push(ranks.iter().map(|own| own.share()).sum::<f64>() / ranks.len().max(1) as f64);
                Ok(())
            })?;
        }
        Ok(shares)
    }
}
