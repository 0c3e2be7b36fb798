//! 8-bit images on the host: NSD's crops, resampling.

pub mod crop;
pub mod resize;
