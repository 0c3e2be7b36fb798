//! `(K + λI) C = Y − mean` over the training trials, by Cholesky in f64.
//!
//! Memory beside betas and scaled betas: the kernel in single precision and twice in double, 20 bytes per pair of trials (6,400
//! trials: 0.8 GB; 23,715: 11 GB).

use faer::linalg::solvers::Solve;
use faer::{Mat, Side};
use ndarray::{Array2, Axis};
use serde::{Deserialize, Serialize};

use super::config::KernelRidgeConfig;
use crate::error::SettingError;
use crate::interrupt;
use crate::models::mapper::{KernelMapper, KernelMapperConfig};
use crate::run::progress::Progress;
use crate::tensor_ops::backend::{Base, Device};
use crate::tensor_ops::host_values::{tensor, values};
use crate::training::decoder::error::DecoderError;
use crate::training::decoder::trials::{ChosenOn, DecoderTrials};
use crate::training::decoder::tuning::{TuningCounts, tuning_counts};
use crate::training::decoder::weighted_ridge::{ChosenPenalty, Penalty, WeightedRidge};
use crate::training::frame::host_rows::gather;
use crate::training::ridge::{GridEdge, grid_edge};

/// Trials whose kernel is formed at a time.
const BLOCK: usize = 1024;
/// Power of the norms of ridge's weights in the scale of voxels.
const NORM_POWER: i32 = 2;

/// What a penalty achieves on the tuning images.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PenaltyResult {
    /// λ.
    pub penalty: f64,
    /// Mean over trials and coordinates.
    pub squared_error: f64,
    /// What is found with it.
    pub counts: TuningCounts,
}

/// What was chosen on the tuning images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KernelRidgeChoice {
    /// The tuning images.
    #[serde(default)]
    pub chosen_on: ChosenOn,
    /// Penalty of the ridge regression that weighs voxels.
    pub ridge: ChosenPenalty,
    /// λ: the one of the least squared error, among equals the first.
    pub penalty: f64,
    /// Where it lies at an end of its grid: another may be better.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub edge: Option<GridEdge>,
    /// All that were tried.
    pub penalties: Vec<PenaltyResult>,
}

/// A fitted decoder.
#[derive(Clone, Debug)]
pub struct KernelRidgeOutcome {
    /// The decoder.
    pub mapper: KernelMapper<Base>,
    /// Its sizes.
    pub network: KernelMapperConfig,
    /// What was chosen.
    pub choice: KernelRidgeChoice,
}

/// Chooses both penalties on the tuning images and fits the whole training part with them.
///
/// # Errors
/// [`DecoderError`].
pub fn fit_kernel_ridge(
    trials: &DecoderTrials<'_>,
    config: &KernelRidgeConfig,
    device: &Device,
    progress: &mut dyn Progress,
) -> Result<KernelRidgeOutcome, DecoderError> {
    config.validate()?;
    trials.check()?;
    let division = trials.divided(config.ridge.tuning_fraction)?;
    // A factorisation each, and the last fit.
    progress.start("kernel ridge regression", config.penalties.len() as u64 + 1);
    let penalty = Penalty::Chosen { tuning: &division.tuning, config: &config.ridge };
    let ridge = WeightedRidge::fit(trials, &division.fitting, penalty)?;
    let penalties =
        try_penalties(trials, &division.fitting, &division.tuning, &ridge, config, device, progress)?;
    let Some(best) = least_error(&penalties) else {
        return Err(DecoderError::trials("penalties", 0, "at least 1"));
    };
    let chosen = ChosenPenalty { penalty: ridge.penalty, edge: config.ridge.edge(ridge.penalty) };
    drop(ridge);
    let ridge = WeightedRidge::fit(trials, trials.train, Penalty::Known(chosen.penalty))?;
    let mut system = KernelSystem::new(trials, trials.train, &ridge, config.gamma, device)?;
    let mapper = system.solve(best)?;
    progress.finish(&format!("penalty {best}"));
    let [num_voxels, embed_dim] = trials.sizes();
    let network =
        KernelMapperConfig { num_voxels, num_support: trials.train.len(), embed_dim, gamma: config.gamma };
    let edge = grid_edge(&config.penalties, best);
    let chosen_on = trials.chosen_on(&division);
    let choice = KernelRidgeChoice { chosen_on, ridge: chosen, penalty: best, edge, penalties };
    Ok(KernelRidgeOutcome { mapper, network, choice })
}

fn least_error(penalties: &[PenaltyResult]) -> Option<f64> {
    let mut best = penalties.first()?;
    for result in penalties {
        if result.squared_error < best.squared_error {
            best = result;
        }
    }
    Some(best.penalty)
}

fn try_penalties(
    trials: &DecoderTrials<'_>,
    fitting: &[usize],
    tuning: &[usize],
    ridge: &WeightedRidge,
    config: &KernelRidgeConfig,
    device: &Device,
    progress: &mut dyn Progress,
) -> Result<Vec<PenaltyResult>, DecoderError> {
    let mut system = KernelSystem::new(trials, fitting, ridge, config.gamma, device)?;
    let (targets, image_ids) = (trials.targets_of(tuning), trials.image_ids(tuning));
    let mut results = Vec::with_capacity(config.penalties.len());
    for penalty in &config.penalties {
        let mapper = system.solve(*penalty)?;
        let predicted = predict(&mapper, trials, tuning, device)?;
        let squares = predicted.iter().zip(&targets).map(|(a, b)| f64::from(a - b).powi(2));
        let squared_error = squares.sum::<f64>() / targets.len().max(1) as f64;
        let counts = tuning_counts(predicted.view(), targets.view(), &image_ids)?;
        results.push(PenaltyResult { penalty: *penalty, squared_error, counts });
        progress.advance(results.len() as u64, &format!("penalty {penalty}"));
    }
    Ok(results)
}

fn predict(
    mapper: &KernelMapper<Base>,
    trials: &DecoderTrials<'_>,
    rows: &[usize],
    device: &Device,
) -> Result<Array2<f32>, DecoderError> {
    let [voxels, width] = trials.sizes();
    let mut predicted = Array2::zeros((rows.len(), width));
    for (rows, mut out) in rows.chunks(BLOCK).zip(predicted.axis_chunks_iter_mut(Axis(0), BLOCK)) {
        interrupt::check()?;
        let betas = gather(voxels, rows.iter().map(|trial| trials.betas.row(*trial)), device);
        out.iter_mut().zip(values(mapper.forward(betas))).for_each(|(out, value)| *out = value);
    }
    Ok(predicted)
}

/// The equations of some trials, which all penalties share.
struct KernelSystem<'a> {
    /// With coefficients 0.
    mapper: KernelMapper<Base>,
    /// `[trials, trials]`
    kernel: Array2<f32>,
    /// Targets less their mean, `[trials, embed_dim]`.
    centred: Mat<f64>,
    device: &'a Device,
}

impl<'a> KernelSystem<'a> {
    fn new(
        trials: &DecoderTrials<'_>,
        rows: &[usize],
        ridge: &WeightedRidge,
        gamma: f64,
        device: &'a Device,
    ) -> Result<Self, DecoderError> {
        let targets = trials.targets_of(rows);
        let mean: Vec<f64> = targets
            .columns()
            .into_iter()
            .map(|column| column.iter().map(|value| f64::from(*value)).sum::<f64>() / rows.len() as f64)
            .collect();
        let centred = Mat::from_fn(rows.len(), mean.len(), |row, column| {
            f64::from(targets[[row, column]]) - mean[column]
        });
        let mapper = without_coefficients(trials, rows, ridge.voxel_scale(NORM_POWER), &mean, gamma, device);
        let mut kernel = Array2::zeros((rows.len(), rows.len()));
        for (rows, mut out) in rows.chunks(BLOCK).zip(kernel.axis_chunks_iter_mut(Axis(0), BLOCK)) {
            interrupt::check()?;
            let betas =
                gather(trials.betas.ncols(), rows.iter().map(|trial| trials.betas.row(*trial)), device);
            out.iter_mut().zip(values(mapper.similarity(betas))).for_each(|(out, value)| *out = value);
        }
        Ok(Self { mapper, kernel, centred, device })
    }

    fn solve(&mut self, penalty: f64) -> Result<KernelMapper<Base>, DecoderError> {
        interrupt::check()?;
        let (count, width) = (self.kernel.nrows(), self.centred.ncols());
        // Cholesky reads the lower triangle alone.
        let matrix = Mat::from_fn(count, count, |row, column| {
            f64::from(self.kernel[[row, column]]) + if row == column { penalty } else { 0.0 }
        });
        let factor = matrix.llt(Side::Lower).map_err(|_| too_small(penalty))?;
        drop(matrix);
        let solution = factor.solve(&self.centred);
        let mut coefficients = Vec::with_capacity(count * width);
        for row in 0..count {
            coefficients.extend((0..width).map(|column| solution[(row, column)] as f32));
        }
        Ok(self.mapper.clone().with_coefficients(tensor(coefficients, [count, width], self.device)))
    }
}

/// The kernel with this penalty on its diagonal has no Cholesky factor.
fn too_small(penalty: f64) -> SettingError {
    let expected =
        "larger ones: trials resemble each other so much that the equations of the kernel have no solution";
    SettingError::new("penalties", expected, penalty)
}

/// A decoder of these trials that predicts their mean.
fn without_coefficients(
    trials: &DecoderTrials<'_>,
    rows: &[usize],
    scale: Vec<f32>,
    mean: &[f64],
    gamma: f64,
    device: &Device,
) -> KernelMapper<Base> {
    let [voxels, width] = trials.sizes();
    let mut support = trials.betas.select(Axis(0), rows);
    for mut row in support.rows_mut() {
        row.iter_mut().zip(&scale).for_each(|(value, scale)| *value *= scale);
    }
    let support: Vec<f32> = support.into_iter().collect();
    KernelMapper::of_support(
        tensor(scale, [voxels], device),
        tensor(support, [rows.len(), voxels], device),
        tensor(mean.iter().map(|value| *value as f32).collect(), [width], device),
        gamma,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::split::tuning::TuningImages;
    use crate::run::progress::Silent;
    use crate::tensor_ops::backend::cpu;
    use crate::tensor_ops::random::keyed_rng;
    use rand::RngExt;

    /// 60 images twice; the target turns twice as fast as what the voxels tell, which no line can follow.
    fn data() -> (Array2<f32>, Array2<f32>, Vec<usize>) {
        let mut rng = keyed_rng(2, "kernel ridge", 0);
        let angles: Vec<f32> = (0..60).map(|_| std::f32::consts::TAU * rng.random::<f32>()).collect();
        let turned = |factor: f32, image: usize, axis: usize| match axis {
            0 => (factor * angles[image]).cos(),
            _ => (factor * angles[image]).sin(),
        };
        let targets = Array2::from_shape_fn((60, 2), |(image, axis)| turned(2.0, image, axis));
        let image_of_trial: Vec<usize> = (0..120).map(|trial| trial % 60).collect();
        let betas = Array2::from_shape_fn((120, 2), |(trial, axis)| {
            turned(1.0, trial % 60, axis) + 0.1 * (rng.random::<f32>() - 0.5)
        });
        (betas, targets, image_of_trial)
    }

    #[test]
    fn what_no_line_can_follow_is_found() {
        let (betas, targets, image_of_trial) = data();
        let train: Vec<usize> = (0..120).filter(|trial| trial % 60 < 45).collect();
        let trials = DecoderTrials {
            betas: &betas,
            targets: &targets,
            image_of_trial: &image_of_trial,
            train: &train,
            tuning: TuningImages::SeenLast,
        };
        let config = KernelRidgeConfig { gamma: 2.0, penalties: vec![0.03, 10.0], ..Default::default() };
        let outcome = fit_kernel_ridge(&trials, &config, &cpu(), &mut Silent).unwrap();
        assert_eq!((outcome.choice.penalty, outcome.choice.edge), (0.03, Some(GridEdge::Smallest)));
        assert_eq!((outcome.network.num_support, outcome.choice.penalties.len()), (90, 2));
        let others: Vec<usize> = (0..120).filter(|trial| trial % 60 >= 45).collect();
        let predicted = predict(&outcome.mapper, &trials, &others, &cpu()).unwrap();
        let truth = trials.targets_of(&others);
        let error = (&predicted - &truth).mapv(|value| value * value).mean().unwrap();
        assert!(error < 0.1, "{error} of a variance of 0.5");
    }

    #[test]
    fn the_equations_are_solved() {
        let (betas, targets, image_of_trial) = data();
        let train: Vec<usize> = (0..30).collect();
        let trials = DecoderTrials {
            betas: &betas,
            targets: &targets,
            image_of_trial: &image_of_trial,
            train: &train,
            tuning: TuningImages::SeenLast,
        };
        let ridge = WeightedRidge::fit(&trials, &train, Penalty::Known(1.0)).unwrap();
        let device = cpu();
        let mut system = KernelSystem::new(&trials, &train, &ridge, 0.7, &device).unwrap();
        let mapper = system.solve(0.5).unwrap();
        // Of a training trial: prediction = target − λ · coefficients.
        let predicted = predict(&mapper, &trials, &train, &device).unwrap();
        let coefficients = values(mapper.coefficients.val());
        for (row, trial) in train.iter().enumerate() {
            for axis in 0..2 {
                let expected = targets[[*trial, axis]] - 0.5 * coefficients[2 * row + axis];
                assert!((predicted[[row, axis]] - expected).abs() < 1e-5);
            }
        }
        // exp(−γ d² / (2 · mean squared length)), d by hand.
        let scale = values(mapper.voxel_scale.val());
        let scaled = |row: usize| [betas[[row, 0]] * scale[0], betas[[row, 1]] * scale[1]];
        let squared = |a: [f32; 2]| a[0] * a[0] + a[1] * a[1];
        let mean: f32 = train.iter().map(|row| squared(scaled(*row))).sum::<f32>() / 30.0;
        let (a, b) = (scaled(3), scaled(8));
        let expected = (-0.7 * squared([a[0] - b[0], a[1] - b[1]]) / (2.0 * mean)).exp();
        assert!((system.kernel[[3, 8]] - expected).abs() < 1e-5, "{expected}");
        assert!((system.kernel[[5, 5]] - 1.0).abs() < 1e-5);
    }
}
