//! Pure functions on tensors; this rank knows only Burn.

pub mod backend;
pub mod random;
