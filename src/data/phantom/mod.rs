//! The phantom: a synthetic subject in NSD's own files whose brain is known.
pub mod anatomy;
pub mod atlas;
pub mod config;
pub mod design;
pub mod noise_field;
pub mod photographs;
pub mod scenes;
