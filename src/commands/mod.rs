//! One job per file: typed settings in, a summary out. No clap, no printing, no device choice.

pub mod ablate;
pub mod compact_weights;
mod decoded_pairs;
pub mod demo;
pub mod doctor;
pub mod encode;
pub mod evaluate;
pub mod evaluate_images;
pub mod finetune_gan;
mod gan_conditions;
mod gan_distance;
mod gan_grid;
mod gan_images;
mod gan_mappers;
pub mod gan_snapshots;
mod held_out_photographs;
pub mod import_weights;
mod mapper_embeddings;
mod mapper_plots;
pub mod microstim;
pub mod phantom;
pub mod prepare;
pub mod pretrain_classifier;
pub mod pretrain_clip;
pub mod pretrain_gan;
mod pretrain_images;
pub mod project;
pub mod reconstruct;
pub mod report;
pub mod score;
pub mod screen_captions;
pub mod shipped_networks;
pub mod train_mapper;
pub mod trial_choice;
pub mod weights;

#[cfg(test)]
mod classifier_commands_test;
#[cfg(test)]
mod clip_commands_test;
#[cfg(test)]
mod small_subject_test;
use crate::training::gan_trainer::GanTrainError;

/// The cause itself where the trainer only passes it on, so that a caller can see of what kind it is.
fn gan_error(error: GanTrainError) -> anyhow::Error {
    match error {
        GanTrainError::Interrupted(interrupted) => interrupted.into(),
        GanTrainError::Run(error) => error.into(),
        GanTrainError::Betas(error) => error.into(),
        GanTrainError::Mapper(error) => error.into(),
        other => other.into(),
    }
}
