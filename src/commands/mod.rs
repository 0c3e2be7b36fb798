//! One job per file: typed settings in, a summary out. No clap, no printing, no device choice.

pub mod ablate;
pub mod classify;
pub mod compact_weights;
pub mod config;
pub mod cycle;
pub mod demo;
pub mod doctor;
pub mod encode;
pub mod evaluate;
pub mod evaluate_images;
pub mod finetune_gan;
#[cfg(test)]
mod fixtures;
pub mod import;
pub mod import_weights;
pub mod init;
pub mod interpolate;
pub mod microstim;
pub mod phantom;
pub mod prepare;
pub mod pretrain_classifier;
pub mod pretrain_clip;
pub mod pretrain_gan;
pub mod reconstruct;
pub mod report;
pub mod run;
pub mod score;
pub mod screen_captions;
pub mod split;
pub mod train_mapper;
pub mod weights;
