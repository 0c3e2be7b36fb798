//! Training of the paper's encoding network: embeddings to betas, with the mapper's constants (docs/spec/mapper.md §5, §8).
//!
//! A part of the training images chooses the epoch; nothing sees a held-out trial.

pub mod config;
pub mod inputs;
pub(crate) mod task;
pub mod training;
pub mod trials;
