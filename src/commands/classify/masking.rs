//! Masked voxels (docs/spec/mapper.md §10, appendix A.6 of the paper): a random subset of every trial's voxels is set to 0, and its
//! categories are told from what is left, from the betas themselves and from what the mapper decodes from them.
//!
//! A draw puts the voxels of each trial into an order; a ratio masks the first of them. So a voxel that is masked at one ratio is at all
//! larger ones of the same draw, and ratios differ by what is masked more, not by another draw.

use ndarray::{Array2, ArrayView2, Axis, s};
use rand::seq::SliceRandom;
use rayon::prelude::*;

use super::classifiers::{ClassifierKind, Classifiers, Fitting};
use super::config::{ClassifierInput, MaskConfig};
use super::features::{DecodingMapper, FeatureReader, Features};
use super::labels::Labels;
use super::scored::{Scored, Scorer};
use super::summary::{MaskedCurve, MaskedPoint};
use crate::interrupt;
use crate::metrics::bootstrap::BootstrapConfig;
use crate::run::progress::Progress;
use crate::tensor_ops::backend::Device;
use crate::tensor_ops::random::keyed_rng;

/// Trials masked at a time.
const AT_ONCE: usize = 256;
/// Purposes of the draws, for held-out and for training trials.
const TEST_DRAW: &str = "classify masked voxels";
const TRAIN_DRAW: &str = "classify masked training voxels";

/// Which voxels of which trial.
#[derive(Clone, Copy)]
struct Draw {
    purpose: &'static str,
    seed: u64,
    /// Number of the draw.
    mask: usize,
}

impl Draw {
    /// Sets the first `num_masked` voxels of every row's order to 0; the rows are those from `first` on.
    fn mask(self, rows: &mut Array2<f32>, first: usize, num_masked: usize) {
        let width = rows.ncols();
        // Of standard layout as it was made: a row is a slice.
        let Some(values) = rows.as_slice_mut() else { return };
        values.par_chunks_mut(width.max(1)).enumerate().for_each(|(row, values)| {
            let position = ((self.mask as u64) << 32) | (first + row) as u64;
            let mut order: Vec<usize> = (0..values.len()).collect();
            order.shuffle(&mut keyed_rng(self.seed, self.purpose, position));
            order.iter().take(num_masked).for_each(|voxel| values[*voxel] = 0.0);
        });
    }
}

/// Voxels behind a ratio.
fn num_masked(ratio: f64, num_voxels: usize) -> usize {
    ((ratio * num_voxels as f64).round() as usize).min(num_voxels)
}

/// Classifiers of betas or of what is decoded from them.
pub(super) struct MaskedInput<'a> {
    pub input: ClassifierInput,
    /// None for betas.
    pub mapper: Option<&'a DecodingMapper>,
    /// Trained on all voxels.
    pub classifiers: &'a Classifiers,
}

/// The experiment.
pub(super) struct Masking<'a> {
    pub config: &'a MaskConfig,
    pub fitting: &'a Fitting<'a>,
    pub reader: &'a FeatureReader,
    pub inputs: &'a [MaskedInput<'a>],
    pub bootstrap: &'a BootstrapConfig,
}

impl Masking<'_> {
    /// A curve for each input and classifier, then, where that is wanted, those of classifiers that were trained on masked trials.
    ///
    /// # Errors
    /// A request to stop; scores that are no numbers; what a training refuses.
    pub fn curves(&self, progress: &mut dyn Progress) -> crate::error::Result<Vec<MaskedCurve>> {
        let bootstrap = BootstrapConfig { resamples: self.config.resamples, ..self.bootstrap.clone() };
        let scorer = Scorer::new(self.labels(), &bootstrap);
        let mut curves = Vec::new();
        for masked in self.inputs {
            curves.extend(self.of_input(masked, &scorer, false, progress)?);
        }
        for masked in self.inputs.iter().filter(|_| self.config.retrain) {
            curves.extend(self.of_input(masked, &scorer, true, progress)?);
        }
        Ok(curves)
    }

    fn labels(&self) -> &Labels {
        self.fitting.labels
    }

    fn device(&self) -> &Device {
        self.fitting.device
    }

    /// Curves of both classifiers of an input.
    fn of_input(
        &self,
        masked: &MaskedInput<'_>,
        scorer: &Scorer<'_>,
        is_retrained: bool,
        progress: &mut dyn Progress,
    ) -> crate::error::Result<Vec<MaskedCurve>> {
        let mut points: [Vec<MaskedPoint>; 2] = Default::default();
        let num_voxels = self.reader.betas().test.ncols();
        for ratio in &self.config.ratios {
            let num_masked = num_masked(*ratio, num_voxels);
            // Where nothing is left there is nothing to be trained on.
            let is_trained = is_retrained && num_masked < num_voxels;
            let retrained = is_trained.then(|| self.retrained(masked, num_masked, progress)).transpose()?;
            let classifiers = retrained.as_ref().unwrap_or(masked.classifiers);
            // Without a choice of voxels one draw is all of them.
            let masks = if (1..num_voxels).contains(&num_masked) { self.config.masks } else { 1 };
            let title = format!("masked voxels, {}, {:.0} %", masked.input.name(), 100.0 * ratio);
            progress.start(&title, masks as u64);
            let mut scored: [Vec<Scored>; 2] = Default::default();
            for mask in 0..masks {
                let scores = self.scores(masked, classifiers, mask, num_masked)?;
                for (scored, scores) in scored.iter_mut().zip(&scores) {
                    scored.push(scorer.score(scores.view())?);
                }
                progress.advance(mask as u64 + 1, "");
            }
            progress.finish("");
            for (points, scored) in points.iter_mut().zip(&scored) {
                points.extend(point(scorer, *ratio, num_masked, scored));
            }
        }
        let curves = ClassifierKind::ALL.into_iter().zip(points);
        let input = masked.input;
        Ok(curves
            .map(|(classifier, points)| MaskedCurve { input, classifier, is_retrained, points })
            .collect())
    }

    /// Scores of the held-out trials under a draw.
    fn scores(
        &self,
        masked: &MaskedInput<'_>,
        classifiers: &Classifiers,
        mask: usize,
        num_masked: usize,
    ) -> crate::error::Result<[Array2<f32>; 2]> {
        let draw = Draw { purpose: TEST_DRAW, seed: self.fitting.config.train.seed, mask };
        let betas = self.reader.betas().test.view();
        if num_masked < betas.ncols() {
            let rows = self.masked_rows(betas, masked.mapper, draw, num_masked)?;
            return classifiers.scores(rows.view());
        }
        // All trials are alike then, and so must be their scores: rounding could put them into an order.
        let rows = self.masked_rows(betas.slice(s![..1, ..]), masked.mapper, draw, num_masked)?;
        let of_one = classifiers.scores(rows.view())?;
        let of_all = |scores: &Array2<f32>| scores.select(Axis(0), &vec![0; betas.nrows()]);
        Ok(of_one.each_ref().map(of_all))
    }

    /// Masked betas, or what a mapper decodes from them.
    fn masked_rows(
        &self,
        betas: ArrayView2<'_, f32>,
        mapper: Option<&DecodingMapper>,
        draw: Draw,
        num_masked: usize,
    ) -> crate::error::Result<Array2<f32>> {
        let mut rows: Option<Array2<f32>> = None;
        for first in (0..betas.nrows()).step_by(AT_ONCE) {
            interrupt::check()?;
            let end = betas.nrows().min(first + AT_ONCE);
            let mut part = betas.slice(s![first..end, ..]).to_owned();
            draw.mask(&mut part, first, num_masked);
            let part = match mapper {
                Some(mapper) => mapper.decoded(part.view(), self.device())?,
                None => part,
            };
            let rows = rows.get_or_insert_with(|| Array2::zeros((betas.nrows(), part.ncols())));
            rows.slice_mut(s![first..end, ..]).assign(&part);
        }
        Ok(rows.unwrap_or_default())
    }

    /// Classifiers that are trained on masked training trials, each with a mask of its own.
    fn retrained(
        &self,
        masked: &MaskedInput<'_>,
        num_masked: usize,
        progress: &mut dyn Progress,
    ) -> crate::error::Result<Classifiers> {
        let draw = Draw { purpose: TRAIN_DRAW, seed: self.fitting.config.train.seed, mask: 0 };
        let betas = self.reader.betas().train.view();
        let train = self.masked_rows(betas, masked.mapper, draw, num_masked)?;
        let features = Features { train, test: Array2::default((0, 0)) };
        let labels = [self.labels().train.clone()];
        let fitted = self.fitting.fit(masked.input, &features, &labels, progress)?;
        fitted.into_iter().next().ok_or_else(|| crate::error::Error::failure("no classifier was fitted"))
    }
}

/// The mean over draws.
fn point(scorer: &Scorer<'_>, ratio: f64, num_masked: usize, scored: &[Scored]) -> Option<MaskedPoint> {
    let of_draws: Vec<f64> =
        scored.iter().filter_map(|scored| Some(scorer.group(scored, None)?.auc.mean)).collect();
    let range = [
        of_draws.iter().copied().fold(f64::INFINITY, f64::min),
        of_draws.iter().copied().fold(0.0, f64::max),
    ];
    let auc = scorer.group(&Scored::mean(scored)?, None)?.auc;
    Some(MaskedPoint { ratio, num_masked, masks: scored.len(), auc, range })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_masks_its_share_of_every_trial_and_a_larger_one_more_of_the_same() {
        let draw = Draw { purpose: TEST_DRAW, seed: 1, mask: 0 };
        let masked = |draw: Draw, num_masked: usize| {
            let mut rows = Array2::<f32>::ones((30, 20));
            draw.mask(&mut rows, 0, num_masked);
            rows
        };
        let (few, many) = (masked(draw, 5), masked(draw, 12));
        assert!(few.rows().into_iter().all(|row| row.sum() == 15.0));
        assert!(many.rows().into_iter().all(|row| row.sum() == 8.0));
        assert!(few.iter().zip(&many).all(|(few, many)| *few == 1.0 || *many == 0.0));
        assert_ne!(few.row(0), few.row(1), "each trial has a mask of its own");
        assert_ne!(few, masked(Draw { mask: 1, ..draw }, 5));
        // A block further down is masked as it would be in the whole.
        let mut part = Array2::<f32>::ones((10, 20));
        draw.mask(&mut part, 20, 5);
        assert_eq!(part, few.slice(s![20.., ..]));
        assert_eq!([0.0, 0.26, 0.5, 1.0].map(|ratio| num_masked(ratio, 10)), [0, 3, 5, 10]);
    }
}
