//! Training of a small CLIP, for domains without a published one.

pub mod batch;
pub mod captioned_images;
pub mod config;
pub mod evaluation;
pub(crate) mod optimisation;
pub(crate) mod token_subset;
pub mod training;
