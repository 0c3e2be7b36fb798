//! Betas of a session: signal, noise, gain, offset and drift, stored as NSD stores them.
//!
//! For voxel `v`, trial `t` (0..749) of session `s`, image `i`, presentation `r` (0, 1, 2):
//!
//! ```text
//! beta = o_vs + g_vs · ( m_v + A_v · ( k z_v(i) (1 − a)^r + n ) / √(1 + k²) )       percent signal change
//! n    = √(1 − ρ − δ_v) ε_t + √ρ Σ_j λ_vj f_js(t) + √(12 δ_v) d_vs (t/749 − 1/2)
//! ```
//!
//! `z_v` is the voxel's drive (deviation 1), `k` its true signal-to-noise ratio, `a` the repetition suppression; `ε`
//! is white, the six factors `f` are slow and shared by neighbours, `d = ±1` is the direction of the session's
//! drift; `n` has variance 1. Amplitude `A`, mean `m`, gain `g` and offset `o` are drawn per voxel and session.
//! The stored number is `300 · beta`, rounded half away from zero and saturated to `int16`; voxels outside the
//! brain, or missing in a session, are 0 throughout.

use std::collections::BTreeMap;

use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;

use super::anatomy::{Anatomy, position};
use super::config::PhantomConfig;
use super::image_features::{FeatureTable, StandardFeatures};
use super::noise_field::smooth_field;
use super::tuning::TunedVoxel;
use crate::data::nsd::betas::BETAS_SCALE;
use crate::data::trial::{NsdId, TRIALS_PER_SESSION, Trial};
use crate::tensor_ops::random::keyed_rng;

/// Slow fluctuations that neighbouring voxels share.
const NUM_FACTORS: usize = 6;
/// `ρ`: their share of the noise variance.
const SHARED_NOISE: f64 = 0.15;
/// Largest share of the noise variance that is drift.
const LARGEST_DRIFT: f64 = 0.1;
/// Voxels over which shared noise changes.
const NOISE_LENGTH: f64 = 7.0;
/// One voxel in so many outside the visual cortex lies on a large vein and saturates.
const VEIN_EVERY: u32 = 400;
/// How much stronger such a voxel fluctuates.
const VEIN_FACTOR: f64 = 40.0;

/// What a voxel is like in every session.
struct VoxelStatistics {
    amplitude: f64,
    mean: f64,
    drift_share: f64,
}

/// Simulates sessions of one subject.
pub struct SessionSimulator<'a> {
    config: &'a PhantomConfig,
    anatomy: &'a Anatomy,
    /// Brain voxels, ascending.
    brain: Vec<usize>,
    tuned: BTreeMap<usize, &'a TunedVoxel>,
}

/// One session's numbers for all brain voxels.
pub struct SessionBetas {
    /// Flat indices of the brain voxels, ascending.
    pub voxels: Vec<usize>,
    /// `[voxel, trial]`, 300 × percent signal change.
    pub betas_x300: Vec<i16>,
    /// Whether each brain voxel was measured throughout the session.
    pub is_valid: Vec<bool>,
}

impl SessionBetas {
    /// The 750 numbers of the voxel at a place in `voxels`.
    pub fn column(&self, index: usize) -> &[i16] {
        &self.betas_x300[index * TRIALS_PER_SESSION..(index + 1) * TRIALS_PER_SESSION]
    }
}

impl<'a> SessionSimulator<'a> {
    /// Prepares the simulation.
    pub fn new(config: &'a PhantomConfig, anatomy: &'a Anatomy, tuned: &'a [TunedVoxel]) -> Self {
        let brain = anatomy.brain.iter().enumerate().filter(|(_, inside)| **inside).map(|(i, _)| i).collect();
        Self { config, anatomy, brain, tuned: tuned.iter().map(|voxel| (voxel.flat_index, voxel)).collect() }
    }

    /// Flat indices of the brain voxels, ascending.
    pub fn voxels(&self) -> &[usize] {
        &self.brain
    }

    /// Betas of one session; `trials` are its 750, `place` gives the row of an image in the feature table.
    pub fn simulate(
        &self,
        session: u16,
        trials: &[Trial],
        table: &FeatureTable,
        place: &BTreeMap<NsdId, usize>,
    ) -> SessionBetas {
        // Each image of the session once.
        let mut distinct: Vec<NsdId> = trials.iter().map(|trial| trial.nsd_id).collect();
        distinct.sort_unstable();
        distinct.dedup();
        // Standardised once a session: 750 trials show some 580 images.
        let features: Vec<StandardFeatures> =
            distinct.par_iter().map(|image| table.standard(place[image])).collect();
        let shown: Vec<usize> =
            trials.iter().map(|trial| distinct.partition_point(|image| *image < trial.nsd_id)).collect();
        let suppression: Vec<f64> = trials
            .iter()
            .map(|trial| (1.0 - self.config.repetition_suppression).powi(i32::from(trial.repetition)))
            .collect();
        let factors = self.shared_factors(session);
        let is_valid: Vec<bool> = self.brain.iter().map(|&voxel| self.is_measured(voxel, session)).collect();
        let mut betas_x300 = vec![0_i16; self.brain.len() * TRIALS_PER_SESSION];
        betas_x300.par_chunks_mut(TRIALS_PER_SESSION).enumerate().for_each(|(index, column)| {
            if !is_valid[index] {
                return;
            }
            let voxel = self.brain[index];
            let mut noise = self.noise(voxel, session, &factors);
            let statistics = self.statistics(voxel);
            // Keyed by voxel and session: threads can take voxels in any order.
            let mut rng = keyed_rng(self.config.seed, &format!("phantom/session{session}"), voxel as u64);
            let mut normal = || -> f64 { StandardNormal.sample(&mut rng) };
            let gain = (0.08 * normal()).exp();
            let offset = 0.25 * statistics.amplitude * normal();
            if let Some(tuned) = self.tuned.get(&voxel) {
                let ratio = f64::from(tuned.ncsnr);
                let drives: Vec<f64> = features.iter().map(|image| f64::from(tuned.drive(image))).collect();
                // Signal and noise together have deviation 1, whatever their ratio: a voxel's amplitude is its own.
                let total = (1.0 + ratio * ratio).sqrt();
                for (t, value) in noise.iter_mut().enumerate() {
                    *value = (*value + ratio * drives[shown[t]] * suppression[t]) / total;
                }
            }
            for (stored, value) in column.iter_mut().zip(&noise) {
                let beta = offset + gain * (statistics.mean + statistics.amplitude * value);
                // `as` saturates, as MATLAB's int16() does.
                *stored = (beta * f64::from(BETAS_SCALE)).round() as i16;
            }
        });
        SessionBetas { voxels: self.brain.clone(), betas_x300, is_valid }
    }

    fn statistics(&self, voxel: usize) -> VoxelStatistics {
        let mut rng = keyed_rng(self.config.seed, "phantom/statistics", voxel as u64);
        let mut normal = || -> f64 { StandardNormal.sample(&mut rng) };
        let mut amplitude = (0.45 + 0.35 * normal()).exp();
        let is_driven = self.tuned.contains_key(&voxel);
        let mean = if is_driven { 0.8 + 0.4 * normal() } else { 0.15 * normal() };
        let drift_share = LARGEST_DRIFT * rng.random::<f64>();
        if !is_driven && rng.random_ratio(1, VEIN_EVERY) {
            amplitude *= VEIN_FACTOR;
        }
        VoxelStatistics { amplitude, mean, drift_share }
    }

    /// `n` of the module's equation, for all trials.
    fn noise(&self, voxel: usize, session: u16, factors: &[Vec<f64>]) -> Vec<f64> {
        let mut rng = keyed_rng(self.config.seed, &format!("phantom/noise{session}"), voxel as u64);
        let drift_share = self.statistics(voxel).drift_share;
        let direction = if rng.random_bool(0.5) { 1.0 } else { -1.0 };
        let drift = (12.0 * drift_share).sqrt() * direction;
        // The three parts of the noise are independent and their variances add up to 1. A uniform ramp from −½ to ½
        // has variance 1/12.
        let white = (1.0 - SHARED_NOISE - drift_share).sqrt();
        let p = position(self.anatomy.grid, voxel).map(|x| x / NOISE_LENGTH);
        let mut loadings: Vec<f64> =
            (0..factors.len()).map(|j| smooth_field(p, self.config.seed ^ (0x9e37 + j as u64))).collect();
        let norm = loadings.iter().map(|loading| loading * loading).sum::<f64>().sqrt().max(1e-9);
        // Factors have variance 1 each: loadings of norm √ρ give the shared part variance ρ.
        loadings.iter_mut().for_each(|loading| *loading *= SHARED_NOISE.sqrt() / norm);
        (0..TRIALS_PER_SESSION)
            .map(|t| {
                let epsilon: f64 = StandardNormal.sample(&mut rng);
                let shared: f64 =
                    factors.iter().zip(&loadings).map(|(factor, loading)| factor[t] * loading).sum();
                white * epsilon + shared + drift * (t as f64 / (TRIALS_PER_SESSION - 1) as f64 - 0.5)
            })
            .collect()
    }

    /// `f_js`: first-order autoregressive series of variance 1.
    fn shared_factors(&self, session: u16) -> Vec<Vec<f64>> {
        const MEMORY: f64 = 0.9;
        (0..NUM_FACTORS)
            .map(|j| {
                let purpose = format!("phantom/factors{session}");
                let mut rng = keyed_rng(self.config.seed, &purpose, j as u64);
                let mut state: f64 = StandardNormal.sample(&mut rng);
                (0..TRIALS_PER_SESSION)
                    .map(|_| {
                        let step: f64 = StandardNormal.sample(&mut rng);
                        // Stationary from the first trial on, because the state before it has variance 1, too.
                        state = MEMORY * state + (1.0 - MEMORY * MEMORY).sqrt() * step;
                        state
                    })
                    .collect()
            })
            .collect()
    }

    /// The slab sits a little differently in every session and misses its outermost planes.
    fn is_measured(&self, voxel: usize, session: u16) -> bool {
        // Keyed by the session alone: all voxels of a session see the same slab.
        let mut rng = keyed_rng(self.config.seed, "phantom/slab", u64::from(session));
        let depth = self.anatomy.grid[2] as f64;
        let most = (0.04 * depth).max(1.0);
        let below = (rng.random::<f64>() * most).round();
        let above = (1.0 + rng.random::<f64>() * most).floor();
        let [_, _, z] = position(self.anatomy.grid, voxel);
        z >= below && z < depth - above
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::nsd::noise_ceiling::compute_ncsnr;
    use crate::data::standardize::zscore_in_place;
    use crate::phantom::config::PhantomSize;
    use crate::phantom::design::ExperimentPlan;
    use crate::phantom::image_features::ImageFeatures;
    use crate::phantom::semantic_features::NUM_SEMANTIC;
    use crate::phantom::tuning::{draw_tuning, normalise_drives};
    use crate::phantom::visual_features::{CHANNELS, NUM_CELLS};
    use half::f16;
    use ndarray::Array2;

    /// A tiny session over images whose features are random numbers: no rendering needed.
    fn simulate(config: &PhantomConfig) -> (SessionBetas, Vec<TunedVoxel>, Vec<Trial>) {
        let trials = ExperimentPlan::draw(config).trials(config.subject, 1);
        let mut images: Vec<NsdId> = trials.iter().map(|trial| trial.nsd_id).collect();
        images.sort_unstable();
        images.dedup();
        let place: BTreeMap<NsdId, usize> = images.iter().enumerate().map(|(i, image)| (*image, i)).collect();
        let features = images
            .iter()
            .map(|image| {
                let mut rng = keyed_rng(1, "test features", u64::from(image.0));
                let mut normal = || -> f32 { StandardNormal.sample(&mut rng) };
                ImageFeatures {
                    maps: (0..NUM_CELLS * CHANNELS).map(|_| f16::from_f32(normal())).collect(),
                    semantic: (0..NUM_SEMANTIC).map(|_| normal()).collect(),
                    lost: 0.0,
                }
            })
            .collect();
        let table = FeatureTable::new(features);
        let anatomy = Anatomy::grow(config);
        let mut tuned = draw_tuning(config, &anatomy);
        normalise_drives(&mut tuned, &table);
        let betas = SessionSimulator::new(config, &anatomy, &tuned).simulate(1, &trials, &table, &place);
        (betas, tuned, trials)
    }

    fn tiny(signal: f64) -> PhantomConfig {
        PhantomConfig { size: PhantomSize::Tiny, signal, seed: 5, ..Default::default() }
    }

    /// Estimated and true ratio of every measured voxel that has one.
    fn ratios(signal: f64) -> (Vec<f64>, Vec<f64>) {
        let (betas, tuned, trials) = simulate(&tiny(signal));
        let count = betas.voxels.len();
        let mut matrix =
            Array2::from_shape_fn((750, count), |(trial, voxel)| f32::from(betas.column(voxel)[trial]));
        zscore_in_place(&mut matrix);
        let images: Vec<NsdId> = trials.iter().map(|trial| trial.nsd_id).collect();
        let estimated = compute_ncsnr(matrix.view(), &images);
        tuned
            .iter()
            .filter_map(|voxel| {
                let index = betas.voxels.binary_search(&voxel.flat_index).unwrap();
                betas.is_valid[index].then(|| (f64::from(estimated[index]), f64::from(voxel.ncsnr)))
            })
            .unzip()
    }

    #[test]
    fn the_planted_ratio_is_found_in_the_betas() {
        let (estimated, planted) = ratios(1.0);
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let (me, mp) = (mean(&estimated), mean(&planted));
        let cross: f64 = estimated.iter().zip(&planted).map(|(e, p)| (e - me) * (p - mp)).sum();
        let spread =
            |values: &[f64], mean: f64| values.iter().map(|v| (v - mean).powi(2)).sum::<f64>().sqrt();
        let r = cross / (spread(&estimated, me) * spread(&planted, mp));
        assert!(r > 0.9, "correlation {r:.3}");
        assert!((me - mp).abs() < 0.08, "mean {me:.3} against {mp:.3}");
    }

    #[test]
    fn without_signal_repeats_share_nothing() {
        let (estimated, planted) = ratios(0.0);
        assert!(planted.iter().all(|ratio| *ratio == 0.0));
        // Half of the estimates are cut at 0; the standard error of the noise variance is about 0.06.
        let mut sorted = estimated;
        sorted.sort_by(f64::total_cmp);
        assert!(sorted[sorted.len() / 2] < 0.2, "median {}", sorted[sorted.len() / 2]);
    }

    #[test]
    fn the_number_of_threads_changes_nothing() {
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| simulate(&tiny(1.0)).0.betas_x300)
        };
        assert_eq!(run(1), run(3));
    }

    #[test]
    fn missing_voxels_are_zero_and_veins_saturate() {
        let (betas, _, _) = simulate(&tiny(1.0));
        let missing = betas.is_valid.iter().filter(|is_valid| !**is_valid).count();
        assert!(missing > 0 && missing < betas.voxels.len() / 4, "{missing} of {}", betas.voxels.len());
        for (index, is_valid) in betas.is_valid.iter().enumerate() {
            assert_eq!(betas.column(index).iter().any(|value| *value != 0), *is_valid);
        }
        assert!(betas.betas_x300.contains(&i16::MAX) && betas.betas_x300.contains(&i16::MIN));
    }

    #[test]
    fn suppression_weakens_repeats() {
        let config = PhantomConfig { repetition_suppression: 1.0, ..tiny(4.0) };
        let (betas, tuned, trials) = simulate(&config);
        let voxel = tuned.iter().max_by(|a, b| a.ncsnr.total_cmp(&b.ncsnr)).unwrap();
        let column = betas.column(betas.voxels.binary_search(&voxel.flat_index).unwrap());
        let variance = |repetition: u8| {
            let values: Vec<f64> = (0..750)
                .filter(|t| trials[*t].repetition == repetition)
                .map(|t| f64::from(column[t]))
                .collect();
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64
        };
        assert!(variance(0) > 3.0 * variance(1) && variance(0) > 3.0 * variance(2));
    }
}
