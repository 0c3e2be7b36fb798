//! Tensors in, scalar out.

pub mod adversarial;
pub mod bank_contrastive;
pub mod binary_cross_entropy;
pub mod clip_contrastive;
pub mod contrastive;
pub mod regression;
pub mod vicreg;
