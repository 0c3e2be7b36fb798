//! Import of foreign weights: the only place that knows foreign keys.

pub mod clip;
