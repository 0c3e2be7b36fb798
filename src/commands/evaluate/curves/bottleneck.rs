//! A linear bottleneck between betas and decoder, fitted to training trials (Mayo et al. 2024, *BrainBits*): how many dimensions of the
//! betas a score needs.

use ndarray::{Array2, Axis, s};
use rand::seq::SliceRandom;

use super::super::baselines::{regressions, row_name};
use super::super::config::RIDGE_SECTION;
use super::counted::Counted;
use super::found::{BottleneckCurve, BottleneckPoint, DimensionsReached};
use super::task::CurveTask;
use super::wanted::{Dimensions, sorted_dimensions};
use crate::interrupt;
use crate::metrics::bootstrap::{BootstrapConfig, resampled_means};
use crate::pipelines::brain_decoder::LoadedMapper;
use crate::pipelines::mapper_betas::{BetasControl, require_variation};
use crate::pipelines::targets::decoded_pairs::{Aims, tuning_split};
use crate::pipelines::workbench::Workbench;
use crate::run::progress::Progress;
use crate::tensor_ops::host_values::values;
use crate::tensor_ops::random::keyed_rng;
use crate::training::ridge::fit_tuned_ridges;
use crate::training::ridge::reduced_rank::{Codes, PredictorPatterns, ReducedRank};

/// Trials per forward pass.
const BATCH: usize = 64;
/// The part of the way from floor to `full` that is asked for.
const PART_OF_WAY: f64 = 0.9;

/// What ridge regression to one target makes of the trials.
struct Fitted {
    rank: ReducedRank,
    /// Codes of the held-out trials.
    codes: Codes,
    /// Predictions of the held-out trials without a bottleneck.
    predicted: Array2<f32>,
    /// The betas that codes stand for, where a mapper asks.
    patterns: Option<PredictorPatterns>,
}

/// Held-out trials at one width, and the same from exchanged betas.
struct CountedPoint {
    dimensions: Dimensions,
    found: Counted,
    floor: Option<Counted>,
}

/// A curve for ridge regression to every target, and for every mapper.
///
/// # Errors
/// Betas that cannot be read, fits that fail, a request to stop.
pub(super) fn curves(
    task: &CurveTask<'_>,
    bench: &mut Workbench<'_>,
) -> crate::error::Result<Vec<BottleneckCurve>> {
    let aims = task.targets.aims();
    let num_curves = (aims.len() + task.mappers.len()) as u64;
    bench.progress.start("bottleneck", num_curves);
    let config = &task.settings.evaluate;
    let mut fits = Vec::new();
    for (control, order) in regressions(config, task.subject.num_trials(), task.seed()) {
        let is_asked = control == BetasControl::Measured && !task.mappers.is_empty();
        fits.push(fitted(task, &aims, &order, is_asked)?);
    }
    let (measured, exchanged) = (&fits[0], fits.get(1));
    let mut curves = Vec::new();
    for (place, aims) in aims.iter().enumerate() {
        let control = exchanged.map(|fits| &fits[place]);
        curves.push(of_ridge(task, aims, &measured[place], control, bench.progress)?);
        bench.progress.advance(curves.len() as u64, "");
    }
    for number in 0..task.mappers.len() {
        curves.push(of_mapper(task, number, measured, bench)?);
        bench.progress.advance(curves.len() as u64, "");
    }
    bench.progress.finish("");
    Ok(curves)
}

/// Regressions to all targets from the betas that `order` gives every trial.
fn fitted(
    task: &CurveTask<'_>,
    aims: &[Aims<'_>],
    order: &[usize],
    with_patterns: bool,
) -> crate::error::Result<Vec<Fitted>> {
    let (subject, split, config) = (task.subject, task.split, &task.settings.evaluate);
    let given = |trials: &[usize]| -> Vec<usize> { trials.iter().map(|trial| order[*trial]).collect() };
    let betas = subject.betas_of(&given(&split.train))?;
    let rows: Vec<usize> = (0..betas.nrows()).collect();
    require_variation(subject.path(), betas.view(), &rows)?;
    let targets: Vec<Array2<f32>> = aims.iter().map(|aims| aims.fitted(&split.train)).collect();
    let views: Vec<_> = targets.iter().map(|rows| rows.view()).collect();
    let tuning = tuning_split(subject, &split.train, &config.ridge_fit)
        .map_err(|error| error.within(RIDGE_SECTION))?;
    let fits = fit_tuned_ridges(betas.view(), &views, &tuning.train, &tuning.validation, &config.ridge_fit)
        .map_err(|error| error.within(RIDGE_SECTION))?;
    let widest = config.bottleneck.iter().filter_map(|width| match width {
        Dimensions::Of(count) => Some(*count),
        Dimensions::Full => None,
    });
    let widest = widest.max().unwrap_or(0);
    let mut behind = Vec::new();
    for ridge in &fits {
        interrupt::check()?;
        let predicted = ridge.predict(betas.view());
        let rank = ReducedRank::new(predicted.view())?;
        let patterns =
            with_patterns.then(|| PredictorPatterns::new(&rank, betas.view(), predicted.view(), widest));
        behind.push((rank, patterns));
    }
    // Betas of training and validation are never in memory together.
    drop(betas);
    let betas = subject.betas_of(&given(&split.validation))?;
    let of = |(ridge, (rank, patterns)): (&crate::training::ridge::Ridge, (ReducedRank, _))| {
        let predicted = ridge.predict(betas.view());
        Fitted { codes: rank.codes(predicted.view()), rank, predicted, patterns }
    };
    Ok(fits.iter().zip(behind).map(of).collect())
}

/// The widths that differ: beyond the rank nothing is added.
fn widths(wanted: &[Dimensions], rank: usize) -> Vec<Dimensions> {
    let mut widths = sorted_dimensions(wanted);
    widths.retain(|width| match width {
        Dimensions::Of(count) => *count <= rank,
        Dimensions::Full => true,
    });
    if widths.is_empty() {
        widths.push(Dimensions::Full);
    }
    widths
}

fn of_ridge(
    task: &CurveTask<'_>,
    aims: &Aims<'_>,
    fitted: &Fitted,
    control: Option<&Fitted>,
    progress: &mut dyn Progress,
) -> crate::error::Result<BottleneckCurve> {
    let name = row_name(aims.target(), BetasControl::Measured);
    let of = |fitted: &Fitted, dimensions: Dimensions| {
        let predicted = match dimensions {
            Dimensions::Full => fitted.predicted.clone(),
            Dimensions::Of(count) => fitted.rank.predictions(&fitted.codes, count),
        };
        let mut counted = Counted::default();
        task.count(&mut counted, predicted, aims, task.split)?;
        Ok::<_, crate::error::Error>(counted)
    };
    let mut points = Vec::new();
    for dimensions in widths(&task.settings.evaluate.bottleneck, fitted.rank.rank()) {
        interrupt::check()?;
        let found = of(fitted, dimensions)?;
        let floor = control.map(|control| of(control, dimensions)).transpose()?;
        points.push(CountedPoint { dimensions, found, floor });
    }
    say_left_out(task, &name, fitted.rank.rank(), progress);
    curve(task, (name, aims, None), fitted.rank.rank(), &points)
}

/// A mapper behind the bottleneck of ridge regression to its target: it gets the betas that the codes stand for. Its floor is what it
/// makes of held-out betas that were exchanged between held-out trials.
fn of_mapper(
    task: &CurveTask<'_>,
    number: usize,
    fits: &[Fitted],
    bench: &Workbench<'_>,
) -> crate::error::Result<BottleneckCurve> {
    let row = &task.mappers[number];
    let path = &task.settings.mappers[number];
    let mapper = LoadedMapper::open(path, bench.device)?;
    let form = task.settings.source_of_mapper(path, &mapper)?.form;
    let known = &task.targets.vectors;
    let place = known.iter().position(|known| known.form().is_same(&form));
    let place = place.ok_or_else(|| crate::error::Error::failure("a mapper without targets"))?;
    let (aims, fitted) = (Aims::Vectors(&known[place]), &fits[place]);
    let held_out = &task.split.validation;
    let mut order: Vec<usize> = (0..held_out.len()).collect();
    order.shuffle(&mut keyed_rng(task.seed(), "exchange held-out betas", 0));
    let mut points = Vec::new();
    for dimensions in widths(&task.settings.evaluate.bottleneck, fitted.rank.rank()) {
        let predicted = decoded(task, &mapper, fitted, dimensions, bench)?;
        let (mut found, mut floor) = (Counted::default(), Counted::default());
        task.count(&mut floor, predicted.select(Axis(0), &order), &aims, task.split)?;
        task.count(&mut found, predicted, &aims, task.split)?;
        points.push(CountedPoint { dimensions, found, floor: Some(floor) });
    }
    curve(task, (row.name.clone(), &aims, Some(path.clone())), fitted.rank.rank(), &points)
}

/// Unit predictions of a mapper for the held-out trials behind a bottleneck.
fn decoded(
    task: &CurveTask<'_>,
    mapper: &LoadedMapper,
    fitted: &Fitted,
    dimensions: Dimensions,
    bench: &Workbench<'_>,
) -> crate::error::Result<Array2<f32>> {
    let held_out = &task.split.validation;
    let width = mapper.snapshot.network.embed_dim();
    let mut predicted = Array2::zeros((held_out.len(), width));
    for first in (0..held_out.len()).step_by(BATCH) {
        interrupt::check()?;
        let count = BATCH.min(held_out.len() - first);
        let betas = match (dimensions, &fitted.patterns) {
            (Dimensions::Of(kept), Some(patterns)) => {
                patterns.predictors(&fitted.codes.rows(first, count), kept)
            }
            _ => task.subject.betas_of(&held_out[first..first + count])?,
        };
        let rows = values(mapper.embed(&betas, bench.device));
        let rows = Array2::from_shape_vec((count, width), rows)?;
        predicted.slice_mut(s![first..first + count, ..]).assign(&rows);
    }
    Ok(predicted)
}

fn curve(
    task: &CurveTask<'_>,
    (name, aims, mapper): (String, &Aims<'_>, Option<std::path::PathBuf>),
    rank: usize,
    points: &[CountedPoint],
) -> crate::error::Result<BottleneckCurve> {
    let bootstrap = task.bootstrap();
    let point = |CountedPoint { dimensions, found, floor }: &CountedPoint| {
        let floor = floor.as_ref().map(|floor| floor.point(bootstrap)).transpose()?;
        Ok(BottleneckPoint { dimensions: *dimensions, found: found.point(bootstrap)?, floor })
    };
    Ok(BottleneckCurve {
        name,
        target: aims.target(),
        mapper,
        rank,
        chance: points.first().map_or(0.0, |point| point.found.chance()),
        points: points.iter().map(point).collect::<crate::error::Result<_>>()?,
        ninety_percent: ninety_percent(points, bootstrap),
    })
}

/// The fewest dimensions that reach most of the way, with all images and over resamples of them.
fn ninety_percent(points: &[CountedPoint], bootstrap: &BootstrapConfig) -> Option<DimensionsReached> {
    let full = points.last().filter(|point| point.dimensions == Dimensions::Full)?;
    let (_, images) = full.found.identification();
    let mut lists: Vec<Vec<f64>> = points.iter().map(|point| point.found.identification().0).collect();
    // A random choice wins half of the pairs.
    let chance = || vec![0.5; images.len()];
    // A control below chance by luck is no lower floor.
    let floor = full.floor.as_ref().map(|floor| floor.identification().0);
    let mean_of = |list: &[f64]| list.iter().sum::<f64>() / list.len().max(1) as f64;
    lists.push(floor.filter(|floor| mean_of(floor) > 0.5).unwrap_or_else(chance));
    let reached = |means: &[f64]| {
        let (floor, of_points) = means.split_last()?;
        let full = of_points.last()?;
        let wanted = floor + PART_OF_WAY * (full - floor);
        let place = of_points.iter().position(|mean| *mean >= wanted).filter(|_| full > floor);
        Some(points[place.unwrap_or(points.len() - 1)].dimensions)
    };
    let found = full.found.point(bootstrap).ok()?.identification;
    let means: Vec<f64> = lists.iter().map(|list| mean_of(list)).collect();
    if found.low <= *means.last()? {
        return None;
    }
    let mut resampled: Vec<Dimensions> =
        resampled_means(&lists, &images, bootstrap).iter().filter_map(|means| reached(means)).collect();
    resampled.sort_unstable();
    let dimensions = reached(&means)?;
    let last = resampled.len().checked_sub(1);
    let below = |last: usize| ((1.0 - bootstrap.confidence) / 2.0 * (last + 1) as f64).floor() as usize;
    let [low, high] = match last {
        None => [dimensions; 2],
        Some(last) => [resampled[below(last).min(last)], resampled[last - below(last).min(last)]],
    };
    Some(DimensionsReached { dimensions, low, high })
}

/// Says which of the dimensions would be repetitions.
fn say_left_out(task: &CurveTask<'_>, name: &str, rank: usize, progress: &mut dyn Progress) {
    let is_beyond = |width: &&Dimensions| matches!(width, Dimensions::Of(count) if *count > rank);
    let left_out = task.settings.evaluate.bottleneck.iter().filter(is_beyond).count();
    if left_out > 0 {
        progress.warning(&format!(
            "{name}: predictions spread in no more than {rank} dimensions; wider ones of `evaluate.bottleneck` are what `full` is, and are left out"
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_are_sorted_and_end_at_the_rank() {
        use Dimensions::{Full, Of};
        assert_eq!(widths(&[Full, Of(5), Of(2), Of(5), Of(9)], 5), [Of(2), Of(5), Full]);
        assert_eq!((widths(&[Of(3)], 2), widths(&[Of(3)], 3)), (vec![Full], vec![Of(3)]));
    }
}
