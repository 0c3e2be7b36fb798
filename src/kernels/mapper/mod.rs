//! The Conv1D mapper, forward and backward.

pub(crate) mod network_pass;
pub mod position_head;
pub mod signal_conv;
