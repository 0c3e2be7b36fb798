//! Augmentation of what the discriminator sees (Karras et al. 2020, docs/spec/gan-training.md §8): real and generated
//! images alike.
//!
//! A plan holds every random number of a batch on the host; applying it is differentiable in the images, any number of times,
//! on every backend. Order: geometry, colour, filter, noise, cutout.

pub mod ada;
mod affine_map;
mod colour;
mod config;
mod corruption;
mod geometry;
mod image_filter;
mod plan;
mod reflection;
mod resampling;

pub use config::{AugmentConfig, AugmentMode, AugmentParts, AugmentPreset};
pub use plan::AugmentPlan;
