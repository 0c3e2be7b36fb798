//! Ridge regression refitted to permuted pairs of images and betas.

use std::collections::HashMap;

use ndarray::Array2;
use rand::seq::SliceRandom;

use super::super::baselines::bring_to_comparison;
use super::super::config::RIDGE_SECTION;
use super::checked::Checked;
use crate::error::{Error, Result};
use crate::metrics::combined_retrieval::DecodedPair;
use crate::metrics::pairwise::own_ranks;
use crate::metrics::trust::dimensions::Components;
use crate::metrics::trust::lures::first_of_images;
use crate::pipelines::targets::decoded_pairs::{Aims, tuning_split};
use crate::run::progress::Progress;
use crate::tensor_ops::random::keyed_rng;
use crate::training::ridge::RidgeError;
use crate::training::ridge::permuted::{PermutedRidge, Refit};

/// What refits to one target find.
#[derive(Clone, Debug, Default)]
pub(super) struct Null {
    /// Two-way share of each refit.
    pub shares: Vec<f64>,
    /// Participation ratio of what each predicts.
    pub participation_ratios: Vec<f64>,
}

impl Null {
    /// Mean participation ratio; none of no refit.
    pub fn participation_ratio(&self) -> Option<f64> {
        let count = self.participation_ratios.len();
        (count > 0).then(|| self.participation_ratios.iter().sum::<f64>() / count as f64)
    }
}

/// Why a refit was not counted.
enum RefitError {
    Ridge(RidgeError),
    Other(Error),
}

impl From<RidgeError> for RefitError {
    fn from(error: RidgeError) -> Self {
        Self::Ridge(error)
    }
}

impl From<RefitError> for Error {
    fn from(error: RefitError) -> Self {
        match error {
            RefitError::Ridge(error) => error.within(RIDGE_SECTION).into(),
            RefitError::Other(error) => error,
        }
    }
}

impl Checked<'_> {
    /// Null distributions of ridge regression to each of `aims`: whole images exchange their targets, so that the presentations of an
    /// image stay together.
    ///
    /// # Errors
    /// Betas that cannot be read, settings that do not fit, a request to stop.
    pub(super) fn nulls(&self, aims: &[Aims<'_>], progress: &mut dyn Progress) -> Result<Vec<Null>> {
        let config = &self.settings.evaluate;
        let (count, seed) = (config.permutations, self.settings.data.mapper.train.seed);
        progress.start("permutation test of ridge regression", (count * aims.len()) as u64);
        let images = self.training_images();
        let mut place: HashMap<u64, usize> = HashMap::new();
        let image_of_row: Vec<usize> = images
            .iter()
            .map(|image| {
                let next = place.len();
                *place.entry(*image).or_insert(next)
            })
            .collect();
        let orders: Vec<Vec<usize>> = (0..count).map(|at| order(place.len(), seed, at as u64)).collect();
        let firsts: Vec<usize> =
            first_of_images(&images).into_iter().map(|row| self.split.train[row]).collect();
        let targets: Vec<Array2<f32>> = aims.iter().map(|aims| aims.fitted(&firsts)).collect();
        let views: Vec<_> = targets.iter().map(|target| target.view()).collect();
        let tuning = tuning_split(self.subject, &self.split.train, &config.ridge_fit)
            .map_err(|error| error.within(RIDGE_SECTION))?;
        let (betas, held_out) =
            (self.subject.betas_of(&self.split.train)?, self.subject.betas_of(&self.split.validation)?);
        let ridge = PermutedRidge {
            x: betas.view(),
            image_of_row: &image_of_row,
            fitting: &tuning.train,
            tuning: &tuning.validation,
            held_out: held_out.view(),
            config: &config.ridge_fit,
        };
        let mut nulls = vec![Null::default(); aims.len()];
        let mut done = 0;
        ridge.refit(&views, &orders, &mut |refit: Refit,
                                            predicted: Array2<f32>|
         -> Result<(), RefitError> {
            self.count(&aims[refit.target], predicted, &mut nulls[refit.target])
                .map_err(RefitError::Other)?;
            done += 1;
            progress.advance(done, "");
            Ok(())
        })?;
        progress.finish(&format!("{count} permutations"));
        Ok(nulls)
    }

    /// Counts one refit as the decoder's own predictions are counted.
    fn count(&self, aims: &Aims<'_>, predicted: Array2<f32>, null: &mut Null) -> Result<()> {
        let mut pair = DecodedPair { predicted, target: aims.truth(&self.split.validation) };
        bring_to_comparison(&mut pair, aims, self.settings.evaluate.centre, &self.split.train);
        let ranks = own_ranks(pair.predicted.view(), pair.target.view(), self.ids)?;
        let ranks = ranks.ok_or_else(|| Error::failure("one held-out image has no rival"))?;
        null.shares.push(ranks.iter().map(|own| own.share()).sum::<f64>() / ranks.len() as f64);
        let of_images = pair.select(&first_of_images(self.ids));
        let components = Components::of(of_images.predicted.view());
        null.participation_ratios
            .extend(components.map(|components| components.spread().participation_ratio));
        Ok(())
    }
}

/// The image whose target each image gets, drawn for each permutation.
pub(super) fn order(num_images: usize, seed: u64, permutation: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..num_images).collect();
    order.shuffle(&mut keyed_rng(seed, "permute images", permutation));
    order
}
