//! Loops, phases, regularisers and checkpoints. Losses know no optimiser, the loop knows no loss.

pub mod condition_noise;
pub mod ema;
pub mod gan_loss;
pub mod regularizers;
pub mod captioned_images;
pub mod clip_batch;
pub mod clip_config;
pub mod clip_evaluation;
mod clip_step;
pub mod clip_trainer;
pub mod ema;
mod epoch_state;
pub mod epoch_trainer;
pub mod mapper_config;
pub mod mapper_targets;
pub mod mapper_task;
pub mod optimiser;
pub mod gradient_norm;
pub mod schedule;
mod token_subset;

pub use epoch_state::{EpochTrainError, PhaseReport};
