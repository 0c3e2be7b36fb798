//! Networks: no files, no optimisers, no losses.

pub mod clip;
pub mod mapper;
pub mod stylegan2;
