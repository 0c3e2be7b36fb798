//! Bottleneck residual network (He et al. 2016) with torchvision's layout, and the low-level image vectors made from it.
//!
//! Parameter paths equal the names of torchvision and of VICReg's published file. The default is ResNet-50 without its
//! classifier.

pub mod bottleneck;
pub mod config;
pub mod low_level;
pub mod network;

pub use config::{ResnetConfig, ResnetConfigError};
pub use network::{Resnet, ResnetFeatures, Stage};
