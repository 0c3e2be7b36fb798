//! The transformer block of CLIP.

pub mod attention;
pub mod layer_norm;
pub mod transformer_block;
