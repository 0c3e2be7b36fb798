//! Compositions that several commands share.

pub mod augmented_stimuli;
pub mod brain_decoder;
pub mod caption_probe;
pub mod caption_screen;
pub mod captioned_stimuli;
pub mod classifier_snapshot;
pub mod clip_snapshot;
pub mod feature_cache;
pub mod picture;
pub mod picture_distance;
pub mod picture_features;
pub mod resnet_vectors;
pub mod scene_labels;
pub mod stimulation;
pub mod stimulus_embeddings;
pub mod stimulus_features;
