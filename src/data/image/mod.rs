//! 8-bit images on the host: NSD's crops, resampling.

pub mod crop;
//! 8-bit images on the host.

pub mod resize;
