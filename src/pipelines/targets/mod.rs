//! What mappers aim at: embeddings of stimuli and captions, as rows that belong to trials.

pub mod augmented_stimuli;
pub mod captioned_stimuli;
pub(crate) mod decoded_pairs;
pub mod decoded_target;
pub(crate) mod fresh_targets;
mod own_targets;
pub(crate) mod pixel_targets;
pub mod resnet_vectors;
pub(crate) mod rows;
pub(crate) mod sentences;
pub(crate) mod source;
pub mod stimulus_embeddings;
pub(crate) mod trial_targets;
