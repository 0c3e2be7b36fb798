//! Both stages of the GAN: pretraining without brains, finetuning on decoded embeddings.

pub mod augmentation;
mod check;
pub mod condition_noise;
pub mod config;
pub mod dataset;
pub mod error;
pub mod gradients;
pub mod image_view;
pub mod loss;
pub mod loss_scale;
pub mod low_level;
pub mod mappers;
pub mod regularizers;
pub(crate) mod round_memory;
pub mod run_files;
pub mod snapshot_origin;
pub mod starting_point;
pub(crate) mod state;
pub mod step;
pub mod task;
pub mod tick;
pub mod trainer;
pub mod transfer;
