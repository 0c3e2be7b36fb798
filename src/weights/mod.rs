//! Import of foreign weights: the only place that knows foreign keys.

pub mod clip;
pub mod error;
pub mod foreign;
pub mod readers;
