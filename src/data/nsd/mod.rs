//! What NSD means, in its own words: paths, trial order, betas, ROIs, stimuli, behaviour, noise ceiling.
//!
//! Ids are 0-based from here on; the 1-based numbers of the files are converted in `design`, `responses` and nowhere
//! else. Voxels are numbered in NIfTI order, x fastest ("flat index" `x + X·(y + Y·z)`).

pub mod betas;
mod betas_chunks;
mod betas_hyperslabs;
pub mod ctab;
pub mod design;
pub mod noise_ceiling;
pub mod responses;
pub mod roi;
pub mod roi_pattern;
pub mod stim_info;
pub mod stimuli;
pub mod tree;
pub mod voxel_selection;
