//! Stage one: training of the mappers from betas to embeddings.
//!
//! [`training`] is the door; [`task`] says what a step, an evaluation and a checkpoint of a mapper are.

pub mod auxiliary_critic;
pub(crate) mod checkpoint;
pub mod companions;
pub mod config;
pub mod error;
pub mod events;
pub mod joint_expander;
pub(crate) mod phase;
pub mod preset;
pub mod ranges;
pub mod selection;
pub mod target_queue;
pub mod targets;
pub(crate) mod task;
pub mod training;
pub mod trials;
