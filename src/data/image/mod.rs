//! 8-bit images on the host.
