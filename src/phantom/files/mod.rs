//! Writers: each turns one part of a phantom into files of NSD's layout; and the truth read back.

pub mod annotations;
pub mod behaviour;
pub mod experiment;
pub mod marker;
pub mod sessions;
pub mod stimuli;
pub mod truth;
pub mod truth_reader;
pub mod volumes;
