//! Tensors in, scalar out.

pub mod adversarial;
pub mod binary_cross_entropy;
pub mod clip_contrastive;
pub mod contrastive;
pub mod regression;
pub mod vicreg;
