//! One step of the GAN training: its phases, their rounds on every device.

pub mod phases;
pub mod replicas;
pub(crate) mod runner;
