//! Random numbers of a batch, drawn once; what they do to the images is in the neighbouring files.

use std::f64::consts::PI;

use burn::tensor::{Tensor, backend::Backend};
use rand::{Rng, RngExt};
use rand_distr::{Distribution, StandardNormal};

use super::affine_map::AffineMap;
use super::colour::ColourMap;
use super::config::AugmentParts;
use super::corruption::{cut_out, with_noise};
use super::geometry::warp;
use super::image_filter::{NUM_BANDS, band_gains, filter};

/// Largest whole-pixel shift as a share of the side.
const LARGEST_SHIFT: f64 = 0.125;

/// What happens to the images of one batch.
#[derive(Clone, Debug, PartialEq)]
pub struct AugmentPlan {
    /// Output to input coordinates.
    pub(super) geometry: Vec<AffineMap>,
    pub(super) colour: Vec<ColourMap>,
    /// Gains of the bands; empty where no image is filtered.
    pub(super) band_gains: Vec<[f64; NUM_BANDS]>,
    /// Deviations per image and normal numbers per value; empty where no image is noisy.
    pub(super) noise_deviations: Vec<f64>,
    pub(super) noise: Vec<f32>,
    /// Centres of squares, as shares of the side.
    pub(super) cutouts: Vec<Option<[f64; 2]>>,
}

/// A stream of chances: every number is drawn whether it is used or not, so that one probability does not shift another's draws.
struct Dice<'a, R: Rng> {
    rng: &'a mut R,
    probability: f64,
}

impl<R: Rng> Dice<'_, R> {
    fn is_active(&mut self) -> bool {
        self.is_active_at(self.probability)
    }

    fn is_active_at(&mut self, probability: f64) -> bool {
        self.rng.random::<f64>() < probability
    }

    fn uniform(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.rng.random::<f64>()
    }

    fn normal(&mut self, deviation: f64) -> f64 {
        let value: f64 = StandardNormal.sample(&mut *self.rng);
        value * deviation
    }

    /// `value` where the operation is active, else `neutral`.
    fn choose(&mut self, neutral: f64, value: f64) -> f64 {
        if self.is_active() { value } else { neutral }
    }
}

impl AugmentPlan {
    /// Draws a plan for `count` images of `side` × `side`, every operation with `probability`.
    pub fn draw(
        count: usize,
        side: usize,
        parts: AugmentParts,
        probability: f64,
        rng: &mut impl Rng,
    ) -> Self {
        let mut dice = Dice { rng, probability };
        let mut plan = Self {
            geometry: vec![],
            colour: vec![],
            band_gains: vec![],
            noise_deviations: vec![],
            noise: vec![],
            cutouts: vec![],
        };
        // Every operation draws, whether it takes part or not: neither preset nor probability shifts the numbers of the others.
        for _ in 0..count {
            plan.geometry.push(draw_geometry(&mut dice, parts, side as f64));
            plan.colour.push(draw_colour(&mut dice, parts));
            plan.band_gains.push(draw_bands(&mut dice, parts));
            let deviation = dice.normal(0.1).abs();
            let deviation = dice.choose(0.0, deviation);
            plan.noise_deviations.push(if parts.noise { deviation } else { 0.0 });
            let centre = [dice.uniform(0.0, 1.0), dice.uniform(0.0, 1.0)];
            plan.cutouts.push((dice.is_active() && parts.cutout).then_some(centre));
        }
        if plan.band_gains.iter().all(|gains| *gains == [1.0; NUM_BANDS]) {
            plan.band_gains.clear();
        }
        if plan.noise_deviations.iter().all(|deviation| *deviation == 0.0) {
            plan.noise_deviations.clear();
        } else {
            plan.noise = (0..count * 3 * side * side).map(|_| dice.normal(1.0) as f32).collect();
        }
        plan
    }

    /// Augments a batch.
    ///
    /// # Shapes
    /// - pixels_pm1, output: `[batch, 3, side, side]`, batch and side as drawn for
    pub fn apply<B: Backend>(&self, pixels_pm1: Tensor<B, 4>) -> Tensor<B, 4> {
        let x = warp(pixels_pm1, &self.geometry);
        let x = ColourMap::apply(&self.colour, x);
        let x = if self.band_gains.is_empty() { x } else { filter(x, &self.band_gains) };
        let x = if self.noise.is_empty() { x } else { with_noise(x, &self.noise_deviations, &self.noise) };
        if self.cutouts.iter().all(Option::is_none) { x } else { cut_out(x, &self.cutouts) }
    }
}

/// Inverse maps in the order of the operations.
fn draw_geometry<R: Rng>(dice: &mut Dice<'_, R>, parts: AugmentParts, side: f64) -> AffineMap {
    let mut map = AffineMap::IDENTITY;
    // Blit.
    // The amount is drawn first, then whether it takes effect: the order of draws is part of every result.
    let flip = f64::from(dice.rng.random_range(0..2_u8));
    let flip = dice.choose(0.0, flip);
    let turns = dice.rng.random_range(0..4_u8);
    let turns = if dice.is_active() { turns } else { 0 };
    let mut shift = || dice.uniform(-LARGEST_SHIFT, LARGEST_SHIFT) * side;
    // Whole pixels: blit must not blur.
    let shift = [shift().round(), shift().round()];
    let is_shifted = dice.is_active();
    if parts.blit {
        // Each factor is the inverse of its operation, since the map goes from output to input: a shift by s reads
        // from −s.
        map = map.then(AffineMap::scale(1.0 - 2.0 * flip, 1.0));
        map = map.then(AffineMap::quarter_turns(turns));
        if is_shifted {
            map = map.then(AffineMap::translation(-shift[0], -shift[1]));
        }
    }
    // Geom.
    let scale = dice.normal(0.2).exp2();
    let scale = dice.choose(1.0, scale);
    // Two rotations: together they are active with the probability of the others.
    let each = 1.0 - (1.0 - dice.probability).max(0.0).sqrt();
    let mut angle = || {
        let angle = dice.uniform(-PI, PI);
        if dice.is_active_at(each) { angle } else { 0.0 }
    };
    let (before, after) = (angle(), angle());
    let stretch = dice.normal(0.2).exp2();
    let stretch = dice.choose(1.0, stretch);
    let shift = [dice.normal(0.125) * side, dice.normal(0.125) * side];
    let is_shifted = dice.is_active();
    if parts.geom {
        map = map.then(AffineMap::scale(1.0 / scale, 1.0 / scale));
        map = map.then(AffineMap::rotation(-before));
        map = map.then(AffineMap::scale(1.0 / stretch, stretch));
        map = map.then(AffineMap::rotation(-after));
        if is_shifted {
            map = map.then(AffineMap::translation(-shift[0], -shift[1]));
        }
    }
    map
}

fn draw_colour<R: Rng>(dice: &mut Dice<'_, R>, parts: AugmentParts) -> ColourMap {
    let brightness = dice.normal(0.2);
    let brightness = dice.choose(0.0, brightness);
    let contrast = dice.normal(0.5).exp2();
    let contrast = dice.choose(1.0, contrast);
    // Mirrored with chance ½ where the operation acts at all, as with the flip above.
    let is_flipped = dice.rng.random_bool(0.5);
    let is_flipped = dice.is_active() && is_flipped;
    let hue = dice.uniform(-PI, PI);
    let hue = dice.choose(0.0, hue);
    let saturation = dice.normal(1.0).exp2();
    let saturation = dice.choose(1.0, saturation);
    if !parts.color {
        return ColourMap::IDENTITY;
    }
    let map = ColourMap::IDENTITY.brightened(brightness).contrasted(contrast);
    let map = if is_flipped { map.luma_flipped() } else { map };
    map.hue_rotated(hue).saturated(saturation)
}

fn draw_bands<R: Rng>(dice: &mut Dice<'_, R>, parts: AugmentParts) -> [f64; NUM_BANDS] {
    let changes: [Option<f64>; NUM_BANDS] = std::array::from_fn(|_| {
        let gain = dice.normal(1.0).exp2();
        dice.is_active().then_some(gain)
    });
    if parts.filter { band_gains(changes) } else { [1.0; NUM_BANDS] }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_ops::backend::{Base, Diff, cpu};
    use crate::tensor_ops::random::{keyed_rng, normal};
    use crate::training::gan::augmentation::AugmentPreset;

    const SIDE: usize = 16;

    fn draw(preset: AugmentPreset, count: usize, probability: f64, seed: u64) -> AugmentPlan {
        AugmentPlan::draw(count, SIDE, preset.parts(), probability, &mut keyed_rng(seed, "augment", 0))
    }

    fn images(count: usize) -> Tensor<Base, 4> {
        normal([count, 3, SIDE, SIDE], &mut keyed_rng(1, "images", 0), &cpu())
    }

    fn values<B: Backend>(x: Tensor<B, 4>) -> Vec<f32> {
        x.into_data().to_vec().unwrap()
    }

    #[test]
    fn probability_zero_changes_nothing_and_one_changes_every_group() {
        let none = draw(AugmentPreset::Bgcfnc, 4, 0.0, 1);
        assert_eq!(values(none.apply(images(4))), values(images(4)));
        let presets = [
            AugmentPreset::Blit,
            AugmentPreset::Geom,
            AugmentPreset::Color,
            AugmentPreset::Filter,
            AugmentPreset::Noise,
            AugmentPreset::Cutout,
        ];
        for preset in presets {
            let changed = values(draw(preset, 4, 1.0, 1).apply(images(4)));
            assert_ne!(changed, values(images(4)), "{preset:?}");
            assert!(changed.iter().all(|value| value.is_finite()), "{preset:?}");
        }
    }

    #[test]
    fn the_seed_decides_the_plan() {
        assert_eq!(draw(AugmentPreset::Bgcfnc, 3, 0.7, 5), draw(AugmentPreset::Bgcfnc, 3, 0.7, 5));
        assert_ne!(draw(AugmentPreset::Bgcfnc, 3, 0.7, 5), draw(AugmentPreset::Bgcfnc, 3, 0.7, 6));
        // A group that does not take part leaves the draws of the others as they are.
        assert_eq!(draw(AugmentPreset::Bgc, 3, 0.7, 5).colour, draw(AugmentPreset::Color, 3, 0.7, 5).colour);
    }

    #[test]
    fn operations_are_as_frequent_as_asked() {
        let share = |active: usize| active as f64 / 4000.0;
        let plan = draw(AugmentPreset::Cutout, 4000, 0.3, 2);
        assert!((share(plan.cutouts.iter().flatten().count()) - 0.3).abs() < 0.03);
        let plan = draw(AugmentPreset::Blit, 4000, 0.3, 2);
        let unmoved = plan.geometry.iter().filter(|map| **map == AffineMap::IDENTITY).count();
        // Not mirrored, not turned, not shifted; a shift by 0 pixels in both axes is rare enough (1/5 · 1/5).
        let expected = (1.0 - 0.15) * (1.0 - 0.225) * (1.0 - 0.3 * (1.0 - 1.0 / 16.0));
        assert!((share(unmoved) - expected).abs() < 0.04, "{} {expected}", share(unmoved));
        let plan = draw(AugmentPreset::Geom, 4000, 0.3, 2);
        let unmoved = plan.geometry.iter().filter(|map| **map == AffineMap::IDENTITY).count();
        // Scale, the two rotations together, stretch, shift.
        assert!((share(unmoved) - 0.7_f64.powi(4)).abs() < 0.03, "{}", share(unmoved));
    }

    /// Without its offsets the pipe is linear: ⟨A·x, y⟩ = ⟨x, Aᵀ·y⟩ with Aᵀ from the backward pass.
    #[test]
    fn gradients_are_the_transpose() {
        let plan = draw(AugmentPreset::Bgcfnc, 4, 0.9, 3);
        let y = Tensor::<Diff, 4>::from_inner(normal([4, 3, SIDE, SIDE], &mut keyed_rng(2, "y", 0), &cpu()));
        let x = Tensor::<Diff, 4>::from_inner(images(4)).require_grad();
        let gradient = x.grad(&(plan.apply(x.clone()) * y.clone()).sum().backward()).unwrap();
        let zero = plan.apply(images(4).mul_scalar(0.0));
        let linear = plan.apply(images(4)) - zero;
        let sum = |a: Tensor<Base, 4>, b: Tensor<Base, 4>| (a * b).sum().into_scalar();
        let (left, right) = (sum(linear, y.inner()), sum(images(4), gradient));
        assert!((left - right).abs() < 1e-3 * left.abs().max(1.0), "{left} {right}");
    }
}
