//! One step of the GAN training: its batch, the phases that are due, their rounds on every device, the average.

pub(crate) mod batches;
pub(crate) mod phase_runner;
pub mod phases;
pub mod replicas;
pub(crate) mod runner;
