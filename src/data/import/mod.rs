//! Data of one's own: files of a lab to what a prepared subject holds. What may be given is told in docs/own-data.md.

pub mod array;
pub mod array_name;
pub mod betas;
pub mod classes;
mod number_table;
pub mod pictures;
pub mod regions;
pub mod stimulus_files;
pub mod targets;
pub mod trials;
pub mod voxels;
pub mod writing;
