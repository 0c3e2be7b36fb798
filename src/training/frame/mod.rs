//! What every training shares: the loop over epochs with its checkpoints, optimisers, schedules, averaged weights.
//!
//! Read [`task`] first: what a training has to know. [`epoch_loop`] does the rest.

pub mod adamw;
pub(crate) mod checkpoint_clock;
pub mod ema;
pub mod epoch_loop;
pub mod error;
pub(crate) mod exact_floats;
pub mod finite_weights;
pub mod gradient_norm;
pub mod held_out;
pub mod host_rows;
pub(crate) mod identity;
pub mod lars;
pub mod optimiser;
pub mod phase_clock;
pub mod running_stats;
pub mod schedule;
pub mod state;
pub mod task;
