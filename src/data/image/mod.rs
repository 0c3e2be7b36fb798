//! Images on the host: NSD's crops, resampling, random augmentation.

pub mod augment;
pub mod crop;
pub mod decode;
pub mod resize;
pub mod stimulus_view;
