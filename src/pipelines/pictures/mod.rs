//! Pictures, their features and distances between sets of them.

pub(crate) mod animation;
pub mod picture;
pub mod picture_distance;
pub mod picture_features;
pub mod stimulus_features;
