//! Inception-V3 as the Fréchet inception distance uses it: TensorFlow's network of 2015-12-05 (Szegedy et al. 2016,
//! <https://arxiv.org/abs/1512.00567>), up to the pooled features.
//!
//! Specification: docs/spec/checkpoints.md §6 and docs/spec/metrics.md §1. It differs from torchvision's network in the
//! average pools, which leave the padding out, and in a maximum pool in the last block. Parameter paths are the names of the
//! pytorch-fid file in lower case.

pub mod config;
pub mod conv_unit;
pub mod mixed5;
pub mod mixed6;
pub mod mixed7;
pub mod network;
pub mod preprocess;

pub use config::InceptionConfig;
pub use network::Inception;
pub use preprocess::InceptionPreprocessing;
