//! Folds of the images: every trial is held out once, and whatever is chosen is chosen inside each fold's training part. Ridge
//! regression, and mappers of the wanted kinds.

use super::baselines::{SplitTask, Targets, regressions, row_name};
use super::config::RIDGE_SECTION;
use super::fold_mappers::FoldMappers;
use super::settings::EvaluateSettings;
use super::summary::{CrossValidatedRow, CrossValidation};
use super::tally::Tally;
use crate::data::error::DataError;
use crate::data::folds::Folds;
use crate::data::prepared::PreparedSubject;
use crate::error::SettingError;
use crate::pipelines::mapper_betas::BetasControl;
use crate::pipelines::targets::decoded_pairs::{Decoded, RidgeDecoder};
use crate::pipelines::workbench::Workbench;
use crate::run::progress::Progress;

/// Fewest images of a fold: one has no rival.
const FEWEST_OF_FOLD: usize = 2;
/// Fewest folds: one is held out, another is learnt from.
const FEWEST_FOLDS: usize = 2;

/// Fits and counts every fold, once with each trial's own betas and, where that is wanted, once with exchanged ones.
///
/// # Errors
/// More folds than the images allow; what [`RidgeDecoder::decode`] and the trainings of mappers refuse.
pub(super) fn cross_validate(
    settings: &EvaluateSettings,
    subject: &PreparedSubject,
    targets: &Targets,
    bench: &mut Workbench<'_>,
) -> crate::error::Result<CrossValidation> {
    let seed = settings.data.mapper.train.seed;
    let folds = &folds(settings, subject)?;
    let splits: Vec<_> = (0..folds.count()).map(|fold| folds.split(fold)).collect();
    let mappers = FoldMappers { settings, subject, targets, splits: &splits };
    mappers.check()?;
    let mut found = CrossValidation::of(folds);
    for (control, order) in regressions(&settings.evaluate, subject.num_trials(), seed) {
        let config = &settings.evaluate.ridge_fit;
        let decoder = RidgeDecoder { subject, order: &order, config, section: RIDGE_SECTION };
        let ridge = Evaluated { settings, targets, folds }.tallies(&decoder, bench.progress)?;
        let mut rows = Vec::new();
        for tally in &ridge {
            rows.push(tally.row(row_name(tally.target, control), settings, None)?);
        }
        rows.extend(mapper_rows(&mappers, control, &ridge, bench)?);
        match control {
            BetasControl::Measured => found.rows = rows,
            BetasControl::Shuffled => found.control = rows,
        }
    }
    Ok(found)
}

/// Mappers of every kind to every target that networks make, beside ridge regression to the same.
fn mapper_rows(
    mappers: &FoldMappers<'_>,
    control: BetasControl,
    ridge: &[Tally],
    bench: &mut Workbench<'_>,
) -> crate::error::Result<Vec<CrossValidatedRow>> {
    let mut rows = Vec::new();
    for targets in &mappers.targets.vectors {
        for kind in mappers.kinds(targets.form().target) {
            let tally = mappers.tally(kind, targets, control, bench)?;
            let same_target = ridge.iter().find(|ridge| ridge.target == tally.target);
            let name = FoldMappers::row_name(kind, tally.target, control);
            rows.push(tally.row(name, mappers.settings, same_target)?);
        }
    }
    Ok(rows)
}

/// The folds, if there are images enough for so many.
fn folds(settings: &EvaluateSettings, subject: &PreparedSubject) -> crate::error::Result<Folds> {
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
    Ok(folds)
}

impl CrossValidation {
    /// Without any row yet.
    fn of(folds: &Folds) -> Self {
        let sizes: Vec<usize> = (0..folds.count()).map(|fold| folds.split(fold).validation.len()).collect();
        Self {
            folds: folds.count(),
            num_groups: folds.num_groups(),
            candidates: [sizes.iter().min(), sizes.iter().max()]
                .map(|size| size.copied().unwrap_or_default()),
            rows: Vec::new(),
            control: Vec::new(),
        }
    }
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
        let mut tallies: Vec<Tally> = aims.iter().map(|aims| Tally::of(aims.target(), None)).collect();
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
