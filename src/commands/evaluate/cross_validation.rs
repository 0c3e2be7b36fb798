//! Ridge regression over folds of the images: every trial is held out once, penalties are chosen inside each fold's training part.

use super::baselines::{SplitTask, Targets, regressions, row_name};
use super::config::RIDGE_SECTION;
use super::settings::EvaluateSettings;
use super::summary::{CrossValidatedRow, CrossValidation};
use crate::data::error::DataError;
use crate::data::folds::Folds;
use crate::data::prepared::PreparedSubject;
use crate::error::{Error, SettingError};
use crate::metrics::bootstrap::BootstrapConfig;
use crate::metrics::combined_retrieval::DecodedPair;
use crate::metrics::pairwise::{OwnRank, own_ranks, pairwise_identification};
use crate::metrics::retrieval::{Matching, RetrievalConfig, compute_retrieval_with_hits};
use crate::metrics::share::{bounded_mean_interval, share_interval};
use crate::pipelines::mapper_betas::BetasControl;
use crate::pipelines::targets::decoded_pairs::{Decoded, RidgeDecoder};
use crate::pipelines::targets::decoded_target::DecodedTarget;
use crate::run::progress::Progress;

/// Fewest images of a fold: one has no rival.
const FEWEST_OF_FOLD: usize = 2;
/// Fewest folds: one is held out, another is learnt from.
const FEWEST_FOLDS: usize = 2;

/// Fits and counts every fold, once with each trial's own betas and, where that is wanted, once with exchanged ones.
///
/// # Errors
/// More folds than the images allow; what [`RidgeDecoder::decode`] refuses.
pub(super) fn cross_validate(
    settings: &EvaluateSettings,
    subject: &PreparedSubject,
    targets: &Targets,
    progress: &mut dyn Progress,
) -> crate::error::Result<CrossValidation> {
    let (count, seed) = (settings.evaluate.folds, settings.data.mapper.train.seed);
    let folds = Folds::new(&subject.split_groups(), count, seed);
    let most = folds.num_groups() / FEWEST_OF_FOLD;
    if most < FEWEST_FOLDS {
        let expected = format!("at least {} for `evaluate.folds`", FEWEST_FOLDS * FEWEST_OF_FOLD);
        let prepared = &settings.data.prepared;
        return Err(DataError::invalid(prepared, "number of images", expected, folds.num_groups()).into());
    }
    if !(FEWEST_FOLDS..=most).contains(&count) {
        let expected = format!("{FEWEST_FOLDS} to {most} for {} images", folds.num_groups());
        return Err(SettingError::new("folds", expected, count).within("evaluate").into());
    }
    let sizes: Vec<usize> = (0..count).map(|fold| folds.split(fold).validation.len()).collect();
    let mut found = CrossValidation {
        folds: count,
        num_groups: folds.num_groups(),
        candidates: [sizes.iter().min(), sizes.iter().max()].map(|size| size.copied().unwrap_or_default()),
        rows: Vec::new(),
        control: Vec::new(),
    };
    for (control, order) in regressions(&settings.evaluate, subject.num_trials(), seed) {
        let config = &settings.evaluate.ridge_fit;
        let decoder = RidgeDecoder { subject, order: &order, config, section: RIDGE_SECTION };
        let tallies = Evaluated { settings, targets, folds: &folds }.tallies(&decoder, progress)?;
        let rows = tallies
            .into_iter()
            .map(|tally| {
                let name = row_name(tally.target, control);
                tally.row(name, settings)
            })
            .collect::<Result<Vec<_>, _>>()?;
        match control {
            BetasControl::Measured => found.rows = rows,
            BetasControl::Shuffled => found.control = rows,
        }
    }
    Ok(found)
}

/// What is evaluated over which folds.
struct Evaluated<'a> {
    settings: &'a EvaluateSettings,
    targets: &'a Targets,
    folds: &'a Folds,
}

impl Evaluated<'_> {
    /// Every target over all folds.
    fn tallies(
        &self,
        decoder: &RidgeDecoder<'_>,
        progress: &mut dyn Progress,
    ) -> crate::error::Result<Vec<Tally>> {
        let config = &self.settings.evaluate;
        let aims = self.targets.aims();
        let mut tallies: Vec<Tally> = aims.iter().map(|aims| Tally::of(aims.target())).collect();
        let trials = decoder.subject.trials();
        for fold in 0..config.folds {
            let split = self.folds.split(fold);
            let tuning = self.folds.tuning(&split.train, config.ridge_fit.tuning_fraction);
            let task = SplitTask { split: &split, tuning: &tuning, centre: config.centre };
            let decoded = task.decode(decoder, &aims, progress)?;
            let images: Vec<u64> =
                split.validation.iter().map(|trial| u64::from(trials[*trial].nsd_id.0)).collect();
            for (tally, Decoded { pair, penalty }) in tallies.iter_mut().zip(&decoded) {
                tally.penalties.extend(penalty);
                tally.add(pair, &images)?;
            }
        }
        Ok(tallies)
    }
}

/// What one decoder found in the folds so far, an entry per trial.
struct Tally {
    target: DecodedTarget,
    penalties: Vec<f64>,
    images: Vec<u64>,
    forward: Vec<bool>,
    backward: Vec<bool>,
    /// Expected number of right answers by chance, summed over folds.
    chance: f64,
    ranks: Vec<OwnRank>,
    cosines: Vec<f64>,
}

impl Tally {
    fn of(target: DecodedTarget) -> Self {
        Self {
            target,
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
    fn add(&mut self, pair: &DecodedPair, images: &[u64]) -> crate::error::Result<()> {
        let (predicted, truth) = (pair.predicted.view(), pair.target.view());
        let config = RetrievalConfig {
            batch_size: images.len(),
            matching: Matching::ByImage,
            cosine_weight: 1.0,
            // Intervals are made of all folds together.
            bootstrap: BootstrapConfig { resamples: 0, ..BootstrapConfig::default() },
        };
        let (counts, hits) = compute_retrieval_with_hits(predicted, truth, images, &config)?;
        let ranks = own_ranks(predicted, truth, images)?;
        self.ranks.extend(ranks.ok_or_else(|| Error::failure("a fold of one image"))?);
        self.chance += counts.chance_first_batch;
        self.forward.extend(hits.forward);
        self.backward.extend(hits.backward);
        self.cosines.extend(pair.cosines());
        self.images.extend(images);
        Ok(())
    }

    fn row(self, name: String, settings: &EvaluateSettings) -> crate::error::Result<CrossValidatedRow> {
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
            folds_at_edge: self.penalties.iter().filter(|penalty| grid.edge(**penalty).is_some()).count(),
            penalties: self.penalties,
            forward,
            backward,
            chance: self.chance / self.images.len() as f64,
            identification,
            cosine,
        })
    }
}
