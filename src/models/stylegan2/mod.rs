//! Conditional StyleGAN2 (Karras et al. 2020, <https://arxiv.org/abs/1912.04958>) with Lafite's condition injection (Zhou et al.
//! 2022, <https://arxiv.org/abs/2111.13792>) and Mind Reader's second head (<https://arxiv.org/abs/2210.01769>).
//!
//! Specification: docs/spec/generator.md and docs/spec/discriminator.md. Images are
//! `[batch, 3, height, width]`, RGB, −1..1 for a trained network; conditions are unit vectors.

pub mod condition;
pub mod config;
pub mod discriminator;
pub mod epilogue;
pub mod equalized;
pub mod generator;
pub mod mapping;
pub mod modulated_layer;
pub mod noise;
pub mod pair;
mod stored;
pub mod synthesis;
pub mod weight_init;

/// The highest resolutions that the published networks hold in half precision (docs/spec/generator.md §6).
pub const HALF_RESOLUTIONS: usize = 4;

pub use condition::Condition;
pub use config::{ConditionHeads, DiscriminatorConfig, GeneratorConfig, HeadNormalisation, ProjectionTerm};
pub use discriminator::Discriminator;
pub use epilogue::DiscriminatorOutput;
pub use generator::{Generator, Truncation};
pub use noise::Noise;
pub use pair::GanSizes;
