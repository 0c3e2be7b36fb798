//! Loops, phases, regularisers and checkpoints. Losses know no optimiser, the loop knows no loss.

pub mod classifier;
pub mod clip;
pub mod frame;
pub mod gan;
pub mod mapper;
pub mod ridge;
