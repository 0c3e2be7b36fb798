//! Compositions that several commands share.

pub mod brain_decoder;
pub mod caption_probe;
pub mod caption_screen;
pub mod chain_record;
pub mod classifier_snapshot;
pub mod clip_snapshot;
pub mod command_line;
pub mod drawing_manifest;
pub mod feature_cache;
pub mod gan;
pub mod generator_use;
pub(crate) mod held_out_photographs;
pub mod inference;
pub mod mapper_betas;
pub(crate) mod mapper_input;
pub mod mapper_provenance;
pub mod measured;
pub mod pictures;
pub mod project;
pub(crate) mod run_folder;
pub mod scene_labels;
pub mod stimulation;
pub mod targets;
pub(crate) mod training_curves;
pub mod trial_choice;
pub mod workbench;
