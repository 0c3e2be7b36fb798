//! Compositions that several commands share.

pub mod caption_screen;
pub mod feature_cache;
pub mod picture;
pub mod stimulation;
