//! What happens to one image, drawn from the settings.

use rand::seq::SliceRandom;
use rand::{Rng, RngExt};

use super::blur::blur;
use super::colour::{ColourStep, grey};
use super::config::AugmentConfig;
use super::crop::{CropWindow, flip, uniform};
use super::mask::MaskSquare;
use super::planes::Planes;

/// Is the image mirrored?
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flip {
    /// Left stays left.
    #[default]
    None,
    /// Left becomes right.
    Horizontal,
}

/// Operations on one image, in the order of the fields; the default does nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AugmentPlan {
    /// Part that is enlarged to the size of the image.
    pub crop: Option<CropWindow>,
    /// Mirroring.
    pub flip: Flip,
    /// Colour jitter, one step after the other.
    pub colours: Vec<ColourStep>,
    /// Do colours become grey?
    pub grey: bool,
    /// Deviation of the blur in pixels.
    pub blur_sigma: Option<f64>,
    /// Black square.
    pub mask: Option<MaskSquare>,
}

impl AugmentPlan {
    /// Draws a plan for a `side` × `side` image.
    pub fn draw(config: &AugmentConfig, side: usize, rng: &mut impl Rng) -> Self {
        if !happens(config.probability, rng) {
            return Self::default();
        }
        let crop = Some(CropWindow::draw(config, side, rng));
        let flip = if happens(config.flip_probability, rng) { Flip::Horizontal } else { Flip::None };
        let colours = if happens(config.jitter_probability, rng) { jitter(config, rng) } else { Vec::new() };
        let grey = happens(config.grey_probability, rng);
        let blur_sigma = happens(config.blur_probability, rng).then(|| uniform(config.blur_sigma, rng));
        let mask = (config.mask_side > 0.0)
            .then(|| MaskSquare { centre: [rng.random(), rng.random()], side: config.mask_side });
        Self { crop, flip, colours, grey, blur_sigma, mask }
    }

    /// Carries the plan out on a square image.
    pub fn apply(&self, mut planes: Planes) -> Planes {
        if let Some(window) = &self.crop {
            planes = window.apply(&planes, planes.width);
        }
        if self.flip == Flip::Horizontal {
            flip(&mut planes);
        }
        for step in &self.colours {
            step.apply(&mut planes);
        }
        if self.grey {
            grey(&mut planes);
        }
        if let Some(sigma) = self.blur_sigma {
            blur(&mut planes, sigma);
        }
        if let Some(mask) = &self.mask {
            mask.apply(&mut planes);
        }
        planes
    }
}

fn happens(probability: f64, rng: &mut impl Rng) -> bool {
    rng.random::<f64>() < probability
}

/// The four steps in random order; a range of 0 leaves its step out.
fn jitter(config: &AugmentConfig, rng: &mut impl Rng) -> Vec<ColourStep> {
    let mut around = |centre: f64, range: f64| uniform([centre - range, centre + range], rng) as f32;
    // Drawn whether the step is used or not: a range of 0 shifts no other draw.
    let drawn = [
        (config.brightness, ColourStep::Brightness(around(1.0, config.brightness))),
        (config.contrast, ColourStep::Contrast(around(1.0, config.contrast))),
        (config.saturation, ColourStep::Saturation(around(1.0, config.saturation))),
        (config.hue, ColourStep::Hue(around(0.0, config.hue))),
    ];
    let mut steps: Vec<_> =
        drawn.into_iter().filter(|(range, _)| *range > 0.0).map(|(_, step)| step).collect();
    steps.shuffle(rng);
    steps
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::image::augment::{AUGMENTED_SIDE, augment};
    use crate::tensor_ops::random::keyed_rng;
    use std::collections::HashSet;

    #[test]
    fn every_operation_comes_as_often_as_its_probability_says() {
        let config = AugmentConfig { probability: 0.9, ..AugmentConfig::default() };
        let mut rng = keyed_rng(3, "plans", 0);
        let plans: Vec<_> = (0..4000).map(|_| AugmentPlan::draw(&config, 256, &mut rng)).collect();
        let share = |test: &dyn Fn(&AugmentPlan) -> bool| {
            plans.iter().filter(|plan| test(plan)).count() as f64 / plans.len() as f64
        };
        // Four deviations of a share of 4000 are 0.032 at most.
        for (actual, expected) in [
            (share(&|plan| plan.crop.is_some() && plan.mask.is_some()), 0.9),
            (share(&|plan| plan.flip == Flip::Horizontal), 0.45),
            (share(&|plan| plan.colours.len() == 4), 0.36),
            (share(&|plan| plan.grey), 0.18),
            (share(&|plan| plan.blur_sigma.is_some_and(|sigma| (0.1..2.0).contains(&sigma))), 0.45),
            (share(&|plan| *plan == AugmentPlan::default()), 0.1),
        ] {
            assert!((actual - expected).abs() < 0.032, "{actual} {expected}");
        }
        let first: HashSet<_> =
            plans.iter().filter_map(|plan| plan.colours.first().map(std::mem::discriminant)).collect();
        assert_eq!(first.len(), 4, "the order of the colour steps varies");
    }

    #[test]
    fn the_key_decides_the_picture() {
        let image = image::RgbImage::from_fn(425, 425, |x, y| image::Rgb([x as u8, y as u8, (x ^ y) as u8]));
        let draw =
            |position| augment(&image, &AugmentConfig::default(), &mut keyed_rng(1, "augment", position));
        let first = draw(5);
        assert_eq!((first.width() as usize, first.height() as usize), (AUGMENTED_SIDE, AUGMENTED_SIDE));
        assert_eq!(first, draw(5));
        assert_ne!(first, draw(6));
    }
}
