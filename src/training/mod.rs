//! Loops, phases, regularisers and checkpoints. Losses know no optimiser, the loop knows no loss.

pub mod categories;
pub mod classifier;
pub mod clip;
pub mod decoder;
pub mod encoder;
pub mod frame;
pub mod gan;
pub mod kernel_ridge;
pub mod mapper;
pub mod residual;
pub mod ridge;
