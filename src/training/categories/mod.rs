//! Training of category classifiers (docs/spec/mapper.md §9): all epochs on the training trials, and the network of the last one counts.
//!
//! Nothing is looked at on the way, no epoch is chosen, and there is no checkpoint: a training is one of several short ones of a command.

pub mod config;
pub mod error;
pub mod fit;
