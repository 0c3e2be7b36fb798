//! Random weights of voxels: on channels of the visual field, on what the image holds.

use std::f64::consts::PI;

use rand::{RngExt, rngs::ChaCha12Rng};
use rand_distr::{Distribution, StandardNormal};

use super::semantic_features::{
    LAST_THING, NUM_SEMANTIC, STUFF_GROUPS, SUPERCATEGORIES, Semantic, supercategory_of,
};
use super::visual_features::{CHANNELS, FIRST_COLOUR_CHANNEL};
use super::voxel_kind::{ReceptiveField, VoxelKind};
use crate::data::nsd::tree::Hemisphere;

/// Large fields of the areas beyond V4, in the opposite half of the visual field.
pub fn far_field(hemisphere: Hemisphere, rng: &mut ChaCha12Rng) -> ReceptiveField {
    let side = if hemisphere == Hemisphere::Left { 1.0 } else { -1.0 };
    let eccentricity = rng.random_range(0.3..3.5);
    let angle = rng.random_range(-0.5..0.5) * PI;
    ReceptiveField {
        x: side * eccentricity * angle.cos(),
        y: eccentricity * angle.sin(),
        size: rng.random_range(1.0..2.2),
    }
}

/// Broad tuning to a direction, to a spatial frequency that falls with field size, and to brightness and colours.
pub fn draw_channel_weights(
    field: ReceptiveField,
    colour: f64,
    energy: f64,
    rng: &mut ChaCha12Rng,
) -> [f32; CHANNELS] {
    let mut weights = [0.0; CHANNELS];
    let direction = rng.random_range(0.0..PI);
    // Preferred scale: 0 (fine) for fields of 0.2 degrees, 2 (coarse) for 1 degree and more.
    let preferred = ((field.size / 0.2).log2() * 0.85 + rng.random_range(-0.5..0.5)).clamp(0.0, 2.0);
    for scale in 0..3 {
        let by_scale = (-(scale as f64 - preferred).powi(2)).exp();
        for step in 0..4 {
            // Directions are those of lines, with period π, hence the factor 2 inside the cosine.
            let difference = PI * step as f64 / 4.0 - direction;
            let by_direction = 0.35 + 0.65 * (0.5 + 0.5 * (2.0 * difference).cos());
            weights[scale * 4 + step] = (energy * by_scale * by_direction) as f32;
        }
    }
    for weight in &mut weights[FIRST_COLOUR_CHANNEL..] {
        let z: f64 = StandardNormal.sample(rng);
        *weight = (colour * z) as f32;
    }
    weights
}

/// Weights of a category voxel, or a mixture alone for a mixed one.
pub fn draw_semantic_weights(kind: VoxelKind, rng: &mut ChaCha12Rng) -> Vec<f32> {
    let mut weights = mixture(rng);
    // Unit length, so that `selectivity` is the true share of the preferred category beside it.
    let norm = weights.iter().map(|weight| weight * weight).sum::<f32>().sqrt();
    weights.iter_mut().for_each(|weight| *weight /= norm);
    let preferred: &[(Semantic, f32)] = match kind {
        VoxelKind::Faces => &[(Semantic::Special(0), 1.0), (Semantic::Special(1), 0.15)],
        VoxelKind::Bodies => &[(Semantic::Special(1), 1.0)],
        VoxelKind::Words => &[(Semantic::Special(2), 1.0)],
        VoxelKind::Places => &[
            (Semantic::Special(3), 0.5),
            (Semantic::Stuff(5), 0.6),
            (Semantic::Stuff(4), 0.4),
            (Semantic::Stuff(7), 0.5),
            (Semantic::Stuff(6), 0.4),
            (Semantic::Stuff(3), 0.3),
            (Semantic::Special(0), -0.3),
            // Straight edges of built places: fine horizontal and vertical energy.
            (Semantic::Summary(0), 0.25),
            (Semantic::Summary(2), 0.25),
        ],
        _ => return weights,
    };
    // Graded selectivity: between rather general and nearly pure.
    let selectivity: f32 = rng.random_range(0.6..0.95);
    weights.iter_mut().for_each(|weight| *weight *= 1.0 - selectivity);
    for (feature, weight) in preferred {
        weights[feature.index()] += selectivity * weight;
    }
    weights
}

/// Random mixture over categories (similar within a supercategory), stuff, colours and spatial frequencies.
fn mixture(rng: &mut ChaCha12Rng) -> Vec<f32> {
    let mut normal = |deviation: f32| -> f32 {
        let z: f32 = StandardNormal.sample(rng);
        deviation * z
    };
    let mut weights = vec![0.0; NUM_SEMANTIC];
    let shared: Vec<f32> = SUPERCATEGORIES.iter().map(|_| normal(0.8)).collect();
    for (index, weight) in shared.iter().enumerate() {
        weights[Semantic::Supercategory(index).index()] = *weight;
    }
    for id in 1..=LAST_THING as u32 {
        let inherited = supercategory_of(id).map_or(0.0, |index| shared[index]);
        // Members of a supercategory share a part: a voxel that likes dogs tends to like cats.
        weights[Semantic::Category(id).index()] = 0.4 * inherited + normal(0.5);
    }
    for index in 0..STUFF_GROUPS.len() {
        weights[Semantic::Stuff(index).index()] = normal(0.8);
    }
    for index in 0..4 {
        weights[Semantic::Special(index).index()] = normal(0.6);
    }
    for channel in 0..CHANNELS {
        let deviation = if channel >= FIRST_COLOUR_CHANNEL { 0.9 } else { 0.3 };
        weights[Semantic::Summary(channel).index()] = normal(deviation);
    }
    weights
}
