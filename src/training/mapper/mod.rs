//! Stage one: training of the mappers from betas to embeddings.

pub mod auxiliary_critic;
pub mod companions;
pub mod config;
pub mod joint_expander;
pub(crate) mod phase;
pub mod ranges;
pub mod target_queue;
pub mod targets;
pub mod trials;
