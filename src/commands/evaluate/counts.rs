//! How what was decoded is counted.

use std::path::PathBuf;

use super::summary::{CombinationRow, DecoderRow};
use crate::metrics::combined_retrieval::{DecodedPair, combine};
use crate::metrics::pairwise::{own_ranks, pairwise_identification};
use crate::metrics::retrieval::{Matching, RetrievalConfig, compute_retrieval, compute_retrieval_with_hits};
use crate::metrics::share::bounded_mean_interval;
use crate::pipelines::targets::decoded_target::DecodedTarget;

/// What a row says beside its counts.
pub(super) struct RowHead {
    pub name: String,
    /// Snapshot of the mapper, if it is one.
    pub mapper: Option<PathBuf>,
    pub target: DecodedTarget,
}

/// Protocols of the counts, and the images of the validation trials.
pub(super) struct Counts<'a> {
    ids: &'a [u64],
    by_image: RetrievalConfig,
    by_index: RetrievalConfig,
}

impl<'a> Counts<'a> {
    pub fn new(ids: &'a [u64], config: &RetrievalConfig) -> Self {
        let of = |matching| RetrievalConfig { matching, ..config.clone() };
        Self { ids, by_image: of(Matching::ByImage), by_index: of(Matching::ByIndex) }
    }

    /// Every subset of mappers, by the number of mappers in it; `pairs` has one entry per mapper.
    pub fn combinations(&self, pairs: &[DecodedPair]) -> crate::error::Result<Vec<CombinationRow>> {
        let mut rows = Vec::new();
        for subset in 1_usize..1 << pairs.len() {
            let mappers: Vec<usize> = (0..pairs.len()).filter(|mapper| subset >> mapper & 1 == 1).collect();
            let parts: Vec<&DecodedPair> = mappers.iter().map(|mapper| &pairs[*mapper]).collect();
            rows.push(CombinationRow { combined: combine(&parts, self.ids, &self.by_image)?, mappers });
        }
        rows.sort_by_key(|row| row.mappers.len());
        Ok(rows)
    }

    /// Counts of one decoder.
    pub fn row(&self, head: RowHead, pair: &DecodedPair) -> crate::error::Result<DecoderRow> {
        let (predicted, truth) = (pair.predicted.view(), pair.target.view());
        // Of pictures the correlation alone is compared: the squared error of luminances has another scale.
        let of_target = |config: &RetrievalConfig| match head.target {
            DecodedTarget::Pixels => RetrievalConfig { cosine_weight: 1.0, ..config.clone() },
            _ => config.clone(),
        };
        let (by_image, by_index) = (of_target(&self.by_image), of_target(&self.by_index));
        let bootstrap = &by_image.bootstrap;
        let cosine = bounded_mean_interval(&pair.cosines(), self.ids, bootstrap, [-1.0, 1.0]);
        let ranks = own_ranks(predicted, truth, self.ids)?;
        let identification = ranks.and_then(|ranks| pairwise_identification(&ranks, self.ids, bootstrap));
        let by_index = compute_retrieval(predicted, truth, self.ids, &by_index)?;
        let (by_image, hits) = compute_retrieval_with_hits(predicted, truth, self.ids, &by_image)?;
        let RowHead { name, mapper, target } = head;
        Ok(DecoderRow {
            name,
            mapper,
            penalty: None,
            penalty_at_edge: None,
            target,
            cosine: cosine.ok_or_else(|| crate::error::Error::failure("no validation trial"))?,
            by_image,
            by_index,
            identification,
            hits,
        })
    }
}
