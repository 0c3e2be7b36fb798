//! What each voxel responds to, and how reliably.
//!
//! The drive of a voxel by an image is linear in the image's standardised features:
//! - retinotopic: `Σ_cells rf(cell) · Σ_channels w_c · map_c(cell)`, `rf` a Gaussian of the voxel's place and size;
//! - category and mixed: `Σ w_f · semantic_f`.
//!
//! Over the images the drive is shifted and scaled to mean 0 and deviation 1, so that a voxel's signal-to-noise
//! ratio is exactly the one drawn for it.

use rand::{RngExt, rngs::ChaCha12Rng};
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;

use super::anatomy::Anatomy;
use super::atlas::{self, VisualArea};
use super::config::PhantomConfig;
use super::cortical_voxel::CorticalVoxel;
use super::image_features::{FeatureTable, StandardFeatures};
use super::tuning_weights::{draw_channel_weights, draw_semantic_weights, far_field};
use super::visual_features::{CHANNELS, receptive_field};
use super::voxel_kind::{ReceptiveField, VoxelKind};
use crate::tensor_ops::random::keyed_rng;

/// A cortical voxel that images drive.
#[derive(Clone, Debug)]
pub struct TunedVoxel {
    /// Index in the volume, x fastest.
    pub flat_index: usize,
    /// What drives the voxel: nothing, a part of the visual field, or what a picture shows.
    pub kind: VoxelKind,
    /// Centre and size of the receptive field; none for voxels without one.
    pub field: Option<ReceptiveField>,
    /// Of retinotopic voxels: weight of each channel.
    pub channel_weights: [f32; CHANNELS],
    /// Of the others: weight of each semantic feature; empty for retinotopic ones.
    pub semantic_weights: Vec<f32>,
    /// True signal-to-noise ratio (deviation of the signal over that of the noise), `signal` included.
    pub ncsnr: f32,
    cells: Vec<(usize, f32)>,
    drive_mean: f32,
    drive_deviation: f32,
}

/// Median over nsdgeneral of the n = 3 noise ceiling in NSD, as a share (docs/spec/nsd-format.md §5.2).
const MEDIAN_CEILING: f64 = 0.36;
/// Spread of the logarithm of signal-to-noise ratios over voxels.
const LOG_SPREAD: f64 = 0.55;
/// Shares of voxels of nsdgeneral outside all areas.
const UNRESPONSIVE_SHARE: f64 = 0.14;
const FAR_RETINOTOPIC_SHARE: f64 = 0.2;
/// Share of unresponsive voxels inside areas.
const UNRESPONSIVE_SHARE_INSIDE: f64 = 0.06;
/// Images that the deviation of a drive is taken from.
const NORM_IMAGES: usize = 1000;

/// Draws the tuning of every voxel of nsdgeneral and its surroundings; unresponsive voxels are left out.
pub fn draw_tuning(config: &PhantomConfig, anatomy: &Anatomy) -> Vec<TunedVoxel> {
    let mut visual = Vec::new();
    let mut voxels: Vec<TunedVoxel> = anatomy
        .cortex
        .iter()
        .filter_map(|voxel| {
            let mut rng = keyed_rng(config.seed, "phantom/tuning", voxel.flat_index as u64);
            let kind = draw_kind(voxel, &mut rng);
            let ratio = if kind == VoxelKind::Unresponsive { 0.0 } else { draw_ratio(voxel, kind, &mut rng) };
            if voxel.is_visual {
                visual.push(ratio);
            }
            (ratio > 0.0).then(|| {
                let mut tuned = tuned(voxel, kind, &mut rng);
                tuned.ncsnr = ratio as f32;
                tuned
            })
        })
        .collect();
    // Scale so that the median over nsdgeneral, unresponsive voxels included, is NSD's; then apply the setting.
    visual.sort_by(f64::total_cmp);
    let median = visual.get(visual.len() / 2).copied().unwrap_or(1.0);
    // `NC = k²/(k² + 1/3)` solved for k.
    let target = (MEDIAN_CEILING / (3.0 * (1.0 - MEDIAN_CEILING))).sqrt();
    let factor = (config.signal * target / median) as f32;
    voxels.iter_mut().for_each(|voxel| voxel.ncsnr *= factor);
    voxels
}

fn draw_kind(voxel: &CorticalVoxel, rng: &mut ChaCha12Rng) -> VoxelKind {
    let chance: f64 = rng.random();
    if !voxel.is_visual {
        // Beyond nsdgeneral responses fade out with distance.
        let share = (0.5 - (voxel.point.extent - 1.0) * 1.2).max(0.0);
        return if chance < share { VoxelKind::Mixed } else { VoxelKind::Unresponsive };
    }
    let own = [
        ("floc-faces", VoxelKind::Faces),
        ("floc-bodies", VoxelKind::Bodies),
        ("floc-places", VoxelKind::Places),
        ("floc-words", VoxelKind::Words),
    ];
    let area = if atlas::visual_area(voxel).is_some() {
        Some(VoxelKind::Retinotopic)
    } else {
        own.iter().find(|(roi, _)| atlas::label(roi, voxel) > 0).map(|(_, kind)| *kind)
    };
    match area {
        Some(_) if chance < UNRESPONSIVE_SHARE_INSIDE => VoxelKind::Unresponsive,
        Some(kind) => kind,
        None if chance < UNRESPONSIVE_SHARE => VoxelKind::Unresponsive,
        None if chance < UNRESPONSIVE_SHARE + FAR_RETINOTOPIC_SHARE => VoxelKind::Retinotopic,
        None => VoxelKind::Mixed,
    }
}

fn draw_ratio(voxel: &CorticalVoxel, kind: VoxelKind, rng: &mut ChaCha12Rng) -> f64 {
    let median = match kind {
        VoxelKind::Retinotopic if atlas::visual_area(voxel).is_some() => 1.2,
        VoxelKind::Faces | VoxelKind::Bodies | VoxelKind::Places | VoxelKind::Words => 1.15,
        _ if voxel.is_visual => 0.9,
        _ => 0.35,
    };
    let z: f64 = StandardNormal.sample(rng);
    // Clamped at 2.5 deviations, a factor of 4 either way: single voxels without noise would decide every decoder.
    median * (LOG_SPREAD * z.clamp(-2.5, 2.5)).exp()
}

fn tuned(voxel: &CorticalVoxel, kind: VoxelKind, rng: &mut ChaCha12Rng) -> TunedVoxel {
    let mut tuned = TunedVoxel {
        flat_index: voxel.flat_index,
        kind,
        field: None,
        channel_weights: [0.0; CHANNELS],
        semantic_weights: Vec::new(),
        ncsnr: 0.0,
        cells: Vec::new(),
        drive_mean: 0.0,
        drive_deviation: 1.0,
    };
    if kind == VoxelKind::Retinotopic {
        let (field, colour, energy) = match atlas::visual_area(voxel) {
            Some((area, centre)) => {
                let size = area.field_size(centre.eccentricity());
                let (colour, energy) = match area {
                    VisualArea::V1v | VisualArea::V1d => (0.5, 1.0),
                    VisualArea::V2v | VisualArea::V2d => (0.6, 0.9),
                    VisualArea::V3v | VisualArea::V3d => (0.6, 0.8),
                    VisualArea::HV4 => (1.0, 0.5),
                };
                (ReceptiveField { x: centre.x, y: centre.y, size }, colour, energy)
            }
            None => (far_field(voxel.hemisphere, rng), 0.7, 0.7),
        };
        tuned.channel_weights = draw_channel_weights(field, colour, energy, rng);
        tuned.cells = receptive_field(field.x, field.y, field.size);
        tuned.field = Some(field);
    } else {
        tuned.semantic_weights = draw_semantic_weights(kind, rng);
    }
    tuned
}

impl TunedVoxel {
    /// Drive before shifting and scaling.
    fn raw_drive(&self, features: &StandardFeatures) -> f32 {
        if self.kind == VoxelKind::Retinotopic {
            self.cells
                .iter()
                .map(|&(cell, weight)| {
                    let values = &features.maps[cell * CHANNELS..(cell + 1) * CHANNELS];
                    weight * values.iter().zip(&self.channel_weights).map(|(v, w)| v * w).sum::<f32>()
                })
                .sum()
        } else {
            self.semantic_weights.iter().zip(&features.semantic).map(|(w, f)| w * f).sum()
        }
    }

    /// Drive by an image: mean 0 and deviation 1 over the phantom's images.
    pub fn drive(&self, features: &StandardFeatures) -> f32 {
        (self.raw_drive(features) - self.drive_mean) / self.drive_deviation
    }

    /// Whether images drive it at all.
    fn is_driven(&self) -> bool {
        self.drive_deviation > 0.0
    }
}

/// Shifts and scales every voxel's drive over (up to 1000 evenly spaced) images; voxels that no image drives
/// (a field outside the picture) lose their signal.
pub fn normalise_drives(voxels: &mut [TunedVoxel], table: &FeatureTable) {
    // Evenly spaced and not drawn: the same images for every voxel.
    let step = table.len().div_ceil(NORM_IMAGES).max(1);
    let sample: Vec<StandardFeatures> = (0..table.len())
        .step_by(step)
        .collect::<Vec<_>>()
        .into_par_iter()
        .map(|i| table.standard(i))
        .collect();
    voxels.par_iter_mut().for_each(|voxel| {
        let drives: Vec<f64> = sample.iter().map(|features| f64::from(voxel.raw_drive(features))).collect();
        let count = drives.len().max(1) as f64;
        let mean = drives.iter().sum::<f64>() / count;
        let variance = drives.iter().map(|drive| (drive - mean).powi(2)).sum::<f64>() / count;
        voxel.drive_mean = mean as f32;
        // The threshold only tells a constant drive from one that varies.
        voxel.drive_deviation = if variance > 1e-8 { variance.sqrt() as f32 } else { 0.0 };
        if !voxel.is_driven() {
            voxel.ncsnr = 0.0;
            voxel.drive_deviation = 1.0;
        }
    });
}
