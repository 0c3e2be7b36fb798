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
            let mut rng = keyed_rng(self.config.seed, &format!("phantom/session{session}"), voxel as u64);
            let mut normal = || -> f64 { StandardNormal.sample(&mut rng) };
            let gain = (0.08 * normal()).exp();
            let offset = 0.25 * statistics.amplitude * normal();
            if let Some(tuned) = self.tuned.get(&voxel) {
                let ratio = f64::from(tuned.ncsnr);
                let drives: Vec<f64> = features.iter().map(|image| f64::from(tuned.drive(image))).collect();
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
        let white = (1.0 - SHARED_NOISE - drift_share).sqrt();
        let p = position(self.anatomy.grid, voxel).map(|x| x / NOISE_LENGTH);
        let mut loadings: Vec<f64> =
            (0..factors.len()).map(|j| smooth_field(p, self.config.seed ^ (0x9e37 + j as u64))).collect();
        let norm = loadings.iter().map(|loading| loading * loading).sum::<f64>().sqrt().max(1e-9);
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
                        state = MEMORY * state + (1.0 - MEMORY * MEMORY).sqrt() * step;
                        state
                    })
                    .collect()
            })
            .collect()
    }

    /// The slab sits a little differently in every session and misses its outermost planes.
    fn is_measured(&self, voxel: usize, session: u16) -> bool {
        let mut rng = keyed_rng(self.config.seed, "phantom/slab", u64::from(session));
        let depth = self.anatomy.grid[2] as f64;
        let most = (0.04 * depth).max(1.0);
        let below = (rng.random::<f64>() * most).round();
        let above = (1.0 + rng.random::<f64>() * most).floor();
        let [_, _, z] = position(self.anatomy.grid, voxel);
        z >= below && z < depth - above
    }
}
