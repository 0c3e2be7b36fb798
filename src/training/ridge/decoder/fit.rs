//! The fit: candidates scored, chosen, and all training rows fitted with them.

use ndarray::{Array2, ArrayView2};
use serde::Serialize;

use super::bands::{Bands, weighted};
use super::candidates::Candidates;
use super::config::{Rescale, RidgeDecoderConfig};
use super::design::Design;
use super::equations::Equations;
use super::rescale::{column_deviations, factor};
use super::scores::Scores;
use crate::training::ridge::RidgeError;

/// A fitted decoder and what was seen on the way.
#[derive(Clone, Debug)]
pub struct RidgeDecoderFit {
    /// `[voxels, outputs]`, of betas as they were given: weights of voxels, bands and rescaling are in them, 0 for voxels left
    /// out.
    pub weights: Array2<f32>,
    /// `[outputs]`: `betas · weights + bias` is the prediction.
    pub bias: Vec<f32>,
    /// What was chosen and how well it predicts.
    pub selection: RidgeSelection,
    /// Mean of the training targets, `[outputs]`.
    pub target_means: Vec<f64>,
    /// Standard deviation of the training targets, `[outputs]`.
    pub target_deviations: Vec<f64>,
}

/// What was chosen, by which numbers. The errors are those by which the choice was made: a little better than on new images.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RidgeSelection {
    /// What was tried: relative penalties, or fractions.
    pub grid: Vec<f64>,
    /// Number of the grid that every output got.
    pub chosen: Vec<f64>,
    /// Mean squared error of a held-out value with every number of the grid, over all outputs.
    pub errors: Vec<f64>,
    /// The same with what was chosen.
    pub error: f64,
    /// The same of the mean of the fitted targets, which knows nothing about the brain.
    pub floor_error: f64,
    /// 1 − error / floor error of every output with what it got, held out; 0 is what the mean of the targets reaches. None for an
    /// output that does not vary.
    pub r2: Vec<Option<f64>>,
    /// Share of outputs at the smallest number of the grid; 0 where it has one number.
    pub at_smallest: f64,
    /// Share of outputs at the largest number of the grid; 0 where it has one number.
    pub at_largest: f64,
    /// Share of every band in the scales, the voxels of no band last; one number where there are no bands.
    pub band_shares: Vec<f64>,
    /// Mean squared error of every draw of shares, held out; the first is that of equal ones.
    pub band_errors: Vec<f64>,
    /// Rows that were fitted: trials, or images where they were averaged.
    pub num_rows: usize,
    /// Training images.
    pub num_images: usize,
    /// Training images with more than one trial: where there are none, every voxel counts as reliable.
    pub num_repeated_images: usize,
    /// Median of the reliability of all voxels.
    pub median_reliability: f64,
    /// Voxels that were not left out.
    pub num_voxels: usize,
}

/// Scores of one set of predictors, and what they make of the grid.
struct Tuned {
    scores: Scores,
    /// Place in the grid of every output.
    chosen: Vec<usize>,
}

/// The draw of bands' shares with the least error.
struct BandSearch {
    shares: Vec<f64>,
    tuned: Tuned,
    /// Of every draw.
    errors: Vec<f64>,
}

/// Fits the rows `train_rows`; everything that is chosen, is chosen on them.
///
/// # Shapes
/// - x: `[all rows, voxels]`, z-scored betas; y: `[all rows, outputs]`; `image_of_row`: the image of each of all rows
/// - bands: groups of voxels, by their column in `x`, none in two; empty for none. Voxels in no group are a group
///
/// # Errors
/// [`RidgeError`]: settings out of range, sizes that do not fit, fewer images than folds, values that are not finite, a request to
/// stop.
pub fn fit_ridge_decoder(
    x: ArrayView2<'_, f32>,
    y: ArrayView2<'_, f32>,
    image_of_row: &[u64],
    train_rows: &[usize],
    config: &RidgeDecoderConfig,
    bands: &[Vec<usize>],
) -> Result<RidgeDecoderFit, RidgeError> {
    config.validate()?;
    let design = Design::new(x, y, image_of_row, train_rows, config)?;
    let bands = Bands::new(bands, x.ncols(), &design.kept)?;
    let draws = bands.draws(config.band_draws, config.seed)?;
    let precision = Candidates::of(config).precision();
    if let [shares] = &draws[..] {
        // Without bands, the Gram matrix of the search is that of the fit.
        let equations = Equations::new(design.x.view(), design.y.view(), precision);
        let tuned = tune(&equations, &design, config)?;
        let search =
            BandSearch { errors: vec![tuned.scores.error_of(&tuned.chosen)], shares: shares.clone(), tuned };
        return fit_all(&design, &equations, &design.scale, search, config);
    }
    let search = search_bands(&design, &bands, &draws, config)?;
    let factors = bands.factors(&search.shares);
    let x = weighted(design.x.view(), &factors);
    let equations = Equations::new(x.view(), design.y.view(), precision);
    let scale: Vec<f64> = design.scale.iter().zip(&factors).map(|(scale, factor)| scale * factor).collect();
    fit_all(&design, &equations, &scale, search, config)
}

/// Cross-validates every draw; among equals the first counts.
fn search_bands(
    design: &Design,
    bands: &Bands,
    draws: &[Vec<f64>],
    config: &RidgeDecoderConfig,
) -> Result<BandSearch, RidgeError> {
    let mut best: Option<BandSearch> = None;
    let mut errors = Vec::new();
    for shares in draws {
        let x = weighted(design.x.view(), &bands.factors(shares));
        let equations = Equations::new(x.view(), design.y.view(), Candidates::of(config).precision());
        let tuned = tune(&equations, design, config)?;
        let error = tuned.scores.error_of(&tuned.chosen);
        if errors.iter().all(|other| error < *other) {
            best = Some(BandSearch { shares: shares.clone(), tuned, errors: Vec::new() });
        }
        errors.push(error);
    }
    let best = best.map(|best| BandSearch { errors, ..best });
    best.ok_or(RidgeError::Shape { what: "draws of bands", found: 0, expected: "at least 1".into() })
}

fn tune(
    equations: &Equations<'_>,
    design: &Design,
    config: &RidgeDecoderConfig,
) -> Result<Tuned, RidgeError> {
    let candidates = Candidates::of(config);
    let scores = Scores::cross_validated(equations, design.y.view(), &design.folds, candidates)?;
    let chosen = scores.best(config.per_target);
    Ok(Tuned { scores, chosen })
}

/// All rows with what was chosen; `scale` is what every kept voxel was multiplied by.
fn fit_all(
    design: &Design,
    equations: &Equations<'_>,
    scale: &[f64],
    search: BandSearch,
    config: &RidgeDecoderConfig,
) -> Result<RidgeDecoderFit, RidgeError> {
    let Tuned { scores, chosen } = &search.tuned;
    let candidates = Candidates::of(config);
    let reduced = equations.without(0..0)?;
    let of_candidates = candidates.penalties(&reduced, equations.unit)?;
    let penalties: Vec<f64> =
        chosen.iter().enumerate().map(|(output, candidate)| of_candidates[*candidate][output]).collect();
    let solution = candidates.solve(&reduced, &penalties)?;
    let fitted = equations.weights(&reduced, solution);
    let target_deviations = column_deviations(design.y.view(), &reduced.mean_y);
    let factors: Vec<f64> = match config.rescale {
        Rescale::None | Rescale::Test => vec![1.0; chosen.len()],
        Rescale::Train => {
            let own = scores.prediction_deviations(chosen);
            own.iter()
                .zip(&target_deviations)
                .map(|(own, wanted)| factor(*own, *wanted).unwrap_or(1.0))
                .collect()
        }
    };
    let offsets = equations.offsets(&fitted);
    let mut weights = Array2::zeros((design.reliability.len(), chosen.len()));
    let mut bias = Vec::new();
    for (output, factor) in factors.iter().enumerate() {
        let mut offset = offsets[output];
        for (at, voxel) in design.kept.iter().enumerate() {
            let weight = fitted[(at, output)] * scale[at];
            offset += weight * design.means[at];
            weights[[*voxel, output]] = (weight * factor) as f32;
        }
        bias.push((reduced.mean_y[output] - factor * offset) as f32);
    }
    let target_means = reduced.mean_y;
    let selection = describe(design, &search, config);
    Ok(RidgeDecoderFit { weights, bias, selection, target_means, target_deviations })
}

fn describe(design: &Design, search: &BandSearch, config: &RidgeDecoderConfig) -> RidgeSelection {
    let Tuned { scores, chosen } = &search.tuned;
    let grid = config.grid().to_vec();
    let share_at = |end: f64| {
        let count = chosen.iter().filter(|candidate| grid[**candidate] == end).count();
        if grid.len() > 1 { count as f64 / chosen.len() as f64 } else { 0.0 }
    };
    let [least, most] = [f64::min, f64::max].map(|of| grid.iter().copied().reduce(of));
    let values = (design.y.len()) as f64;
    let mut reliability = design.reliability.clone();
    reliability.sort_by(f64::total_cmp);
    let middle = reliability.len() / 2;
    let [num_images, num_repeated_images] = design.num_images;
    RidgeSelection {
        chosen: chosen.iter().map(|candidate| grid[*candidate]).collect(),
        errors: scores.mean_squared_errors(),
        error: scores.error_of(chosen) / values,
        floor_error: scores.floor.iter().sum::<f64>() / values,
        r2: scores.r2(chosen),
        at_smallest: least.map_or(0.0, share_at),
        at_largest: most.map_or(0.0, share_at),
        grid,
        band_shares: search.shares.clone(),
        band_errors: search.errors.iter().map(|error| error / values).collect(),
        num_rows: design.y.nrows(),
        num_images,
        num_repeated_images,
        median_reliability: (reliability[middle] + reliability[(reliability.len() - 1) / 2]) / 2.0,
        num_voxels: design.kept.len(),
    }
}

#[cfg(test)]
mod tests;
