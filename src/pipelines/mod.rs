//! Compositions that several commands share.

pub mod feature_cache;
