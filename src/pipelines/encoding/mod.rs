//! Encoders: what they read, their snapshots, and what they predict.

pub(crate) mod file_names;
pub(crate) mod latents;
pub mod snapshot;
