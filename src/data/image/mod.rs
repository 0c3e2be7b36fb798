//! 8-bit images on the host.

pub mod resize;
