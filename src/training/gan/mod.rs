//! Both stages of the GAN: pretraining without brains, finetuning on decoded embeddings.

pub mod augmentation;
pub(crate) mod check;
pub mod condition_noise;
pub mod config;
pub mod dataset;
pub(crate) mod files;
pub mod gradients;
pub mod image_view;
pub mod loss;
pub mod loss_scale;
pub mod low_level;
pub mod mappers;
pub mod phases;
pub mod regularizers;
pub mod replicas;
pub(crate) mod state;
pub(crate) mod step;
pub mod trainer;
pub mod transfer;
