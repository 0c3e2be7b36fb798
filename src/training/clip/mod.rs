//! Training of a small CLIP, for domains without a published one.
//!
//! [`training`] is the door; [`task`] says what a step, an evaluation and a checkpoint of it are.

pub mod batch;
pub mod captioned_images;
pub mod config;
pub mod error;
pub mod evaluation;
pub(crate) mod optimisation;
pub(crate) mod task;
pub(crate) mod token_subset;
pub mod training;
