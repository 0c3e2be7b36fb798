//! The phantom: a synthetic subject in NSD's own files whose brain is known.
pub mod anatomy;
pub mod atlas;
pub mod config;
pub mod design;
pub mod image_features;
pub mod noise_field;
pub mod photographs;
pub mod responses;
pub mod scenes;
pub mod semantic_features;
pub mod stimuli;
pub mod tuning;
pub mod visual_features;
