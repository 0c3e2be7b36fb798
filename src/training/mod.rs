//! Loops, phases, regularisers and checkpoints. Losses know no optimiser, the loop knows no loss.

pub mod ada;
pub mod augmentation;
pub mod auxiliary_critic;
pub mod captioned_images;
pub mod clip_batch;
pub mod clip_config;
pub mod clip_evaluation;
mod clip_step;
pub mod clip_trainer;
pub mod condition_noise;
pub mod ema;
mod epoch_state;
pub mod epoch_trainer;
mod gan_check;
pub mod gan_config;
pub mod gan_dataset;
pub mod gan_gradients;
pub mod gan_loss;
pub mod gan_phases;
mod gan_state;
mod gan_step;
pub mod gan_trainer;
pub mod gradient_norm;
pub mod image_view;
pub mod low_level;
pub mod mapper_config;
pub mod mapper_targets;
pub mod mapper_task;
pub mod optimiser;
pub mod regularizers;
pub mod running_stats;
pub mod schedule;
pub mod target_queue;
mod token_subset;

pub use epoch_state::{EpochTrainError, PhaseReport};
