//! One job per file: typed settings in, a summary out. No clap, no printing, no device choice.

pub mod doctor;
mod mapper_embeddings;
pub mod microstim;
pub mod phantom;
pub mod prepare;
pub mod pretrain_clip;
pub mod reconstruct;
pub mod report;
pub mod screen_captions;
pub mod train_mapper;
pub mod trial_choice;
