//! Compositions that several commands share.

pub mod feature_cache;
pub mod picture;
pub mod stimulation;
