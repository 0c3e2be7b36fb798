//! Stored splits beside random ones of their sizes: what a decoder finds only where training images resemble those held out.

use std::collections::BTreeMap;

use ndarray::Array2;

use super::super::baselines::{SplitTask, row_name};
use super::super::config::RIDGE_SECTION;
use super::super::fold_mappers::FoldMappers;
use super::counted::Counted;
use super::found::{ComparedRow, SplitComparison};
use super::plan::Family;
use super::task::CurveTask;
use crate::data::split::Split;
use crate::interrupt;
use crate::metrics::combined_retrieval::DecodedPair;
use crate::models::mapper::MapperKind;
use crate::pipelines::mapper_betas::BetasControl;
use crate::pipelines::targets::decoded_pairs::{RidgeDecoder, tuning_split};
use crate::pipelines::targets::decoded_target::DecodedTarget;
use crate::pipelines::workbench::Workbench;
use crate::run::progress::Progress;

/// One decoder on stored and on random splits.
struct Compared {
    name: String,
    target: DecodedTarget,
    kind: Option<MapperKind>,
    stored: Counted,
    random: Counted,
    /// What it predicts on the random splits, among the candidates of the stored ones; none where those hold other trials out.
    same_candidates: Option<Counted>,
}

/// Predictions and targets of each split in its turn.
type Pairs = Vec<DecodedPair>;

/// Ridge regression to every target, and mappers of the wanted kinds.
///
/// # Errors
/// Betas that cannot be read, fits and trainings that fail, a request to stop.
pub(super) fn compare(
    task: &CurveTask<'_>,
    family: &Family,
    bench: &mut Workbench<'_>,
) -> crate::error::Result<SplitComparison> {
    let sides = [&family.stored, &family.random];
    let of_kinds = sides.map(|splits| FoldMappers {
        settings: task.settings,
        subject: task.subject,
        targets: task.targets,
        splits,
    });
    for mappers in &of_kinds {
        mappers.check()?;
    }
    let [stored, random] =
        [by_ridge(task, sides[0], bench.progress)?, by_ridge(task, sides[1], bench.progress)?];
    let targets = task.targets.aims().into_iter().map(|aims| aims.target());
    let mut compared = Vec::new();
    for (target, pairs) in targets.zip(stored.into_iter().zip(random)) {
        let name = row_name(target, BetasControl::Measured);
        compared.push(Compared::of(task, family, (name, target, None), [pairs.0, pairs.1])?);
    }
    for targets in &task.targets.vectors {
        let target: DecodedTarget = targets.form().target.into();
        for kind in of_kinds[0].kinds(targets.form().target) {
            let mut pairs = [Pairs::new(), Pairs::new()];
            for (pairs, mappers) in pairs.iter_mut().zip(&of_kinds) {
                mappers.decode_each(kind, targets, BetasControl::Measured, bench, &mut |_, pair| {
                    pairs.push(pair.clone());
                    Ok(())
                })?;
            }
            let name = FoldMappers::row_name(kind, target, BetasControl::Measured);
            compared.push(Compared::of(task, family, (name, target, Some(kind)), pairs)?);
        }
    }
    let rows = compared.iter().map(|compared| row(task, compared)).collect::<crate::error::Result<_>>()?;
    let ends = |side: usize| {
        let sizes = || family.num_images.iter().map(|sizes| sizes[side]);
        [sizes().min(), sizes().max()].map(Option::unwrap_or_default)
    };
    Ok(SplitComparison {
        name: family.name.clone(),
        num_splits: family.stored.len(),
        train_images: ends(0),
        held_out_images: ends(1),
        rows,
    })
}

impl Compared {
    /// Counts what was predicted on the stored splits and on the random ones.
    fn of(
        task: &CurveTask<'_>,
        family: &Family,
        (name, target, kind): (String, DecodedTarget, Option<MapperKind>),
        [stored, random]: [Pairs; 2],
    ) -> crate::error::Result<Self> {
        let count = |splits: &[Split], pairs: &Pairs| {
            let mut counted = Counted::default();
            for (split, pair) in splits.iter().zip(pairs) {
                task.count_pair(&mut counted, pair, &split.validation)?;
            }
            Ok::<_, crate::error::Error>(counted)
        };
        let regrouped = regrouped(family, &random);
        Ok(Self {
            name,
            target,
            kind,
            stored: count(&family.stored, &stored)?,
            random: count(&family.random, &random)?,
            same_candidates: regrouped.map(|pairs| count(&family.stored, &pairs)).transpose()?,
        })
    }
}

/// What was predicted on the random splits of the trials that each stored one holds out; none where some trial was not held out.
fn regrouped(family: &Family, random: &Pairs) -> Option<Pairs> {
    let mut places = BTreeMap::new();
    for (number, split) in family.random.iter().enumerate() {
        places.extend(split.validation.iter().enumerate().map(|(row, trial)| (*trial, (number, row))));
    }
    let of_split = |split: &Split| {
        let places: Option<Vec<(usize, usize)>> =
            split.validation.iter().map(|trial| places.get(trial).copied()).collect();
        let places = places?;
        let rows = |of: fn(&DecodedPair) -> &Array2<f32>| {
            let width = random.first().map_or(0, |pair| of(pair).ncols());
            let value = |(row, column): (usize, usize)| {
                let (number, place): (usize, usize) = places[row];
                of(&random[number])[[place, column]]
            };
            Array2::from_shape_fn((places.len(), width), value)
        };
        Some(DecodedPair { predicted: rows(|pair| &pair.predicted), target: rows(|pair| &pair.target) })
    };
    family.stored.iter().map(of_split).collect()
}

/// Every target over all splits.
fn by_ridge(
    task: &CurveTask<'_>,
    splits: &[Split],
    progress: &mut dyn Progress,
) -> crate::error::Result<Vec<Pairs>> {
    let (config, aims) = (&task.settings.evaluate, task.targets.aims());
    let order = BetasControl::Measured.order(task.subject.num_trials(), task.seed());
    let (subject, fit) = (task.subject, &config.ridge_fit);
    let decoder = RidgeDecoder { subject, order: &order, config: fit, section: RIDGE_SECTION };
    let mut pairs = vec![Pairs::new(); aims.len()];
    for split in splits {
        interrupt::check()?;
        let tuning = tuning_split(subject, &split.train, fit).map_err(|error| error.within(RIDGE_SECTION))?;
        let task_of_split = SplitTask { split, tuning: &tuning, centre: config.centre };
        let decoded = task_of_split.decode(&decoder, &aims, progress)?;
        for (pairs, decoded) in pairs.iter_mut().zip(decoded) {
            pairs.push(decoded.pair);
        }
    }
    Ok(pairs)
}

fn row(task: &CurveTask<'_>, compared: &Compared) -> crate::error::Result<ComparedRow> {
    let Compared { name, target, kind, stored, random, same_candidates } = compared;
    let bootstrap = task.bootstrap();
    let difference = random.difference(stored, bootstrap);
    let (difference, is_paired) =
        difference.ok_or_else(|| crate::error::Error::failure("no held-out trial"))?;
    let same_candidates = same_candidates.as_ref();
    let of_training = same_candidates.and_then(|same| same.difference(stored, bootstrap));
    Ok(ComparedRow {
        name: name.clone(),
        target: *target,
        kind: *kind,
        stored: stored.point(bootstrap)?,
        random: random.point(bootstrap)?,
        chance: [stored.chance(), random.chance()],
        difference,
        is_paired,
        same_candidates: same_candidates.map(|same| same.point(bootstrap)).transpose()?,
        of_training: of_training.map(|(difference, _)| difference),
    })
}
