//! Networks: no files, no optimisers, no losses.

pub mod batch_norm;
pub mod category_classifier;
pub mod classifier;
pub mod clip;
pub mod condition_source;
pub mod encoder;
pub mod inception;
pub mod mapper;
pub mod plain_conv;
pub mod resnet;
pub mod stylegan2;
