//! What the decoders of voxels share that no convolution reads: trials and their division, weights of voxels, the counts on which
//! something is chosen.
//!
//! Nothing is chosen on trials that are counted afterwards: some images of the training part, the tuning images, decide;
//! then all of the training part is fitted.

pub mod error;
pub mod trials;
pub mod tuning;
pub mod weighted_ridge;
