//! Tensors in, scalar out.

pub mod adversarial;
pub mod contrastive;
pub mod regression;
pub mod vicreg;
