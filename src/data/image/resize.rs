//! Antialiased resampling of 8-bit images.
