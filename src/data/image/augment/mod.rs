//! Random augmentation of a stimulus before CLIP sees it: the targets of an image mapper.
//!
//! Specification: docs/spec/mapper.md §2.2. Draws ([`AugmentPlan::draw`]) and operations are apart, so that a plan can
//! be written by hand.

mod blur;
mod colour;
mod config;
mod crop;
mod mask;
mod plan;
mod planes;

pub use blur::blur;
pub use colour::{ColourStep, grey};
pub use config::AugmentConfig;
pub use crop::CropWindow;
pub use mask::MaskSquare;
pub use plan::{AugmentPlan, Flip};
pub use planes::Planes;

use image::RgbImage;
use rand::Rng;

/// Edge of an augmented image in pixels.
pub const AUGMENTED_SIDE: usize = 256;

/// A view of an image as the reference's data set gives it: 256 × 256, augmented as drawn, 8 bits by truncation.
pub fn augment(image: &RgbImage, config: &AugmentConfig, rng: &mut impl Rng) -> RgbImage {
    let planes = Planes::from_image(image).resize(AUGMENTED_SIDE, config.antialias);
    AugmentPlan::draw(config, AUGMENTED_SIDE, rng).apply(planes).into_image()
}
