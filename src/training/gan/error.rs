//! Why a GAN training ended early.

use std::path::PathBuf;

use super::config::GanConfigError;
use super::dataset::GanDatasetError;
use crate::data::error::DataError;
use crate::models::mapper::MapperConfigError;
use crate::models::stylegan2::ConfigError;
use crate::run::error::RunError;
use crate::run::interrupt::Interrupted;

/// Why training ended early.
#[derive(Debug, thiserror::Error)]
pub enum GanTrainError {
    /// The networks' sizes do not fit.
    #[error(transparent)]
    Network(#[from] ConfigError),
    /// A training setting is out of range.
    #[error(transparent)]
    Config(#[from] GanConfigError),
    /// The data do not fit together.
    #[error(transparent)]
    Data(#[from] GanDatasetError),
    /// The gradients hold no numbers any more.
    #[error(
        "gradients were not finite in {phases} phases in a row, up to step {step}; lower the `learning_rate` and continue from \
         the last good state, `--resume {}`; the snapshots beside it are of that state",
        checkpoint.display()
    )]
    Diverged {
        /// Steps taken.
        step: u64,
        /// Phases in a row.
        phases: u64,
        /// State before the numbers went wrong.
        checkpoint: PathBuf,
    },
    /// A network holds no numbers any more.
    #[error(
        "a weight is not finite after step {step}; lower the `learning_rate` and continue from the last good state, \
         `--resume {}`; the snapshots beside it are of that state",
        checkpoint.display()
    )]
    NotFinite {
        /// Steps taken.
        step: u64,
        /// State before the numbers went wrong.
        checkpoint: PathBuf,
    },
    /// The betas of a batch cannot be read.
    #[error(transparent)]
    Betas(#[from] DataError),
    /// A mapper's sizes make no network.
    #[error(transparent)]
    Mapper(#[from] MapperConfigError),
    /// A file of the run.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The user asked to stop.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}
