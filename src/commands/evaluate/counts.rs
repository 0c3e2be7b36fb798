//! How what was decoded is counted.

use std::collections::BTreeMap;
use std::path::PathBuf;

use ndarray::{Array2, Axis};

use super::summary::{AveragedIdentification, CombinationRow, DecoderRow, PairedDifference};
use crate::error::Error;
use crate::metrics::bootstrap::{BootstrapConfig, Interval, mean_interval};
use crate::metrics::combined_retrieval::{DecodedPair, combine};
use crate::metrics::pairwise::{OwnRank, PairwiseIdentification, own_ranks, pairwise_identification};
use crate::metrics::retrieval::{Matching, RetrievalConfig, compute_retrieval, compute_retrieval_with_hits};
use crate::metrics::share::bounded_mean_interval;
use crate::pipelines::mapper_betas::BetasControl;
use crate::pipelines::targets::decoded_target::DecodedTarget;

/// What was found of rows that are the candidates of each other, row by row; intervals are made of all that is put together.
pub(super) struct AmongEachOther {
    pub forward: Vec<bool>,
    pub backward: Vec<bool>,
    pub ranks: Vec<OwnRank>,
    pub cosines: Vec<f64>,
    /// Expected number of right answers by chance.
    pub chance: f64,
}

impl AmongEachOther {
    /// Counts by image; `images` has one entry per row.
    ///
    /// # Errors
    /// Values that are not finite; one image alone, which has no rival.
    pub fn count(pair: &DecodedPair, images: &[u64]) -> crate::error::Result<Self> {
        let (predicted, truth) = (pair.predicted.view(), pair.target.view());
        let config = RetrievalConfig {
            batch_size: images.len(),
            matching: Matching::ByImage,
            cosine_weight: 1.0,
            bootstrap: BootstrapConfig { resamples: 0, ..BootstrapConfig::default() },
        };
        let (counts, hits) = compute_retrieval_with_hits(predicted, truth, images, &config)?;
        let ranks = own_ranks(predicted, truth, images)?;
        let ranks = ranks.ok_or_else(|| Error::failure("one held-out image, which has no rival"))?;
        let (forward, backward, chance) = (hits.forward, hits.backward, counts.chance_first_batch);
        Ok(Self { forward, backward, ranks, cosines: pair.cosines().into_iter().collect(), chance })
    }
}

/// How rows are identified, given the image of each.
type Identify<'a> = &'a dyn Fn(&DecodedPair, &[u64]) -> crate::error::Result<Option<PairwiseIdentification>>;

/// What a row says beside its counts.
pub(super) struct RowHead {
    pub name: String,
    /// What it learned from.
    pub betas: BetasControl,
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
        let RowHead { name, betas, mapper, target } = head;
        Ok(DecoderRow {
            name,
            mapper,
            penalty: None,
            penalty_at_edge: None,
            betas,
            target,
            cosine: cosine.ok_or_else(|| crate::error::Error::failure("no validation trial"))?,
            by_image,
            by_index,
            identification,
            averaged: self.averaged(pair)?,
            hits,
            over_ridge: None,
        })
    }

    /// What `row` finds more than `other`, which was counted on the same trials; none of no trial.
    pub fn difference(&self, row: &DecoderRow, other: &DecoderRow) -> Option<PairedDifference> {
        let batch_size = row.by_image.batch_size;
        let of = |ours: &[bool], theirs: &[bool]| {
            let gained =
                |(ours, theirs): (&bool, &bool)| f64::from(u8::from(*ours)) - f64::from(u8::from(*theirs));
            let gains: Vec<f64> = ours.iter().zip(theirs).map(gained).collect();
            let Interval { mean, low, high } = mean_interval(&gains, self.ids, &self.by_image.bootstrap)?;
            let [mean, low, high] = [mean, low, high].map(|share| share * batch_size as f64);
            Some(Interval { mean, low, high })
        };
        let forward = of(&row.hits.forward, &other.hits.forward)?;
        let backward = of(&row.hits.backward, &other.hits.backward)?;
        Some(PairedDifference { batch_size, forward, backward })
    }

    /// Identification by the mean of what is decoded from an image's presentations; nothing where no image has several.
    fn averaged(&self, pair: &DecodedPair) -> crate::error::Result<Option<AveragedIdentification>> {
        self.averaged_by(pair, &|pair, ids| {
            let ranks = own_ranks(pair.predicted.view(), pair.target.view(), ids)?;
            Ok(ranks.and_then(|ranks| pairwise_identification(&ranks, ids, &self.by_image.bootstrap)))
        })
    }

    /// As `identify` finds it by the mean of what is decoded from an image's presentations, one row per image; nothing where no image
    /// has several.
    pub fn averaged_by(
        &self,
        pair: &DecodedPair,
        identify: Identify<'_>,
    ) -> crate::error::Result<Option<AveragedIdentification>> {
        let mut presentations: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
        for (row, image) in self.ids.iter().enumerate() {
            presentations.entry(*image).or_default().push(row);
        }
        let num_repeated_images = presentations.values().filter(|rows| rows.len() > 1).count();
        if num_repeated_images == 0 {
            return Ok(None);
        }
        let mut predicted = Array2::zeros((presentations.len(), pair.predicted.ncols()));
        for (mut mean, rows) in predicted.rows_mut().into_iter().zip(presentations.values()) {
            let of_image = pair.predicted.select(Axis(0), rows).mapv(f64::from).sum_axis(Axis(0));
            mean.assign(&of_image.mapv(|sum| (sum / rows.len() as f64) as f32));
        }
        // All presentations have the image's target.
        let firsts: Vec<usize> = presentations.values().map(|rows| rows[0]).collect();
        let target = pair.target.select(Axis(0), &firsts);
        let ids: Vec<u64> = presentations.keys().copied().collect();
        let found = identify(&DecodedPair { predicted, target }, &ids)?;
        let mean_presentations = self.ids.len() as f64 / ids.len() as f64;
        Ok(found.map(|identification| AveragedIdentification {
            mean_presentations,
            num_repeated_images,
            identification,
        }))
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    fn averaged(predicted: Array2<f32>, ids: &[u64]) -> Option<AveragedIdentification> {
        let (one, other) = ([1.0_f32, 0.0], [0.0_f32, 1.0]);
        let target = Array2::from_shape_fn(predicted.dim(), |(row, axis)| match ids[row] {
            1 => one[axis],
            _ => other[axis],
        });
        Counts::new(ids, &RetrievalConfig::default()).averaged(&DecodedPair { predicted, target }).unwrap()
    }

    #[test]
    fn noise_of_single_presentations_is_averaged_away() {
        // The second presentation of either image points at the other one; the means (1.4, 1) and (1, 1.4) do not.
        let predicted = array![[2.0_f32, 0.0], [0.0, 2.0], [0.8, 2.0], [2.0, 0.8]];
        let found = averaged(predicted.clone(), &[1, 2, 1, 2]).unwrap();
        assert_eq!((found.mean_presentations, found.num_repeated_images), (2.0, 2));
        let PairwiseIdentification { share, num_images, .. } = found.identification;
        assert_eq!((share.mean, num_images), (1.0, 2));
        // No image twice.
        assert_eq!(averaged(array![[1.0_f32, 0.0], [0.0, 1.0]], &[1, 2]), None);
        // One image alone is told from no other.
        assert_eq!(averaged(array![[1.0_f32, 0.0], [0.0, 1.0]], &[1, 1]), None);
    }
}
