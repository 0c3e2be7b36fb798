//! Mappers that are finetuned end to end with the GAN.

pub mod config;
pub mod joint;
pub mod outputs;
pub mod phase;
pub(crate) mod runner;
