//! Bottleneck residual network (He et al. 2016, <https://arxiv.org/abs/1512.03385>) with torchvision's layout, and the low-level
//! image vectors made from it.
//!
//! Specification: docs/spec/checkpoints.md §5, the vectors docs/spec/mapper.md §6.3.
//! Parameter paths equal the names of torchvision and of VICReg's published file. The default is ResNet-50 without its
//! classifier.

pub mod bottleneck;
pub mod config;
pub mod low_level;
pub mod network;
mod stored;

pub use config::ResnetConfig;
pub use network::{Resnet, ResnetFeatures, Stage};
