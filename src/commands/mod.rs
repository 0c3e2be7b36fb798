//! One job per file: typed settings in, a summary out. No clap, no printing, no device choice.

pub mod demo;
pub mod doctor;
pub mod finetune_gan;
mod mapper_embeddings;
pub mod microstim;
pub mod phantom;
pub mod prepare;
pub mod pretrain_clip;
pub mod pretrain_gan;
pub mod project;
pub mod reconstruct;
pub mod report;
pub mod screen_captions;
pub mod train_mapper;
pub mod trial_choice;

#[cfg(test)]
mod clip_commands_test;
