//! What every training shares: the loop over epochs with its checkpoints, optimisers, schedules, averaged weights.

pub mod ema;
pub mod epoch_loop;
pub mod finite_weights;
pub mod gradient_norm;
pub mod host_rows;
pub mod lars;
pub mod optimiser;
pub mod phase_clock;
pub mod running_stats;
pub mod schedule;
pub(crate) mod state;
