//! Loops, phases, regularisers and checkpoints. Losses know no optimiser, the loop knows no loss.

pub mod condition_noise;
pub mod ema;
pub mod gan_loss;
pub mod regularizers;
pub mod schedule;
