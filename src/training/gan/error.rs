//! Why a GAN training ended early.

use std::path::PathBuf;

use super::dataset::GanDatasetError;
use crate::data::error::DataError;
use crate::error::{Classified, ErrorClass, SettingError};
use crate::run::error::RunError;
use crate::run::interrupt::Interrupted;

/// Why training ended early.
#[derive(Debug, thiserror::Error)]
pub enum GanTrainError {
    /// A setting is out of range or does not go with the others.
    #[error(transparent)]
    Setting(#[from] SettingError),
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
    /// A file of the run.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The user asked to stop.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

impl GanTrainError {
    /// The error of a training whose settings stand in `section`.
    pub fn within(self, section: &str) -> Self {
        match self {
            Self::Setting(error) => Self::Setting(error.within(section)),
            other => other,
        }
    }
}

impl Classified for GanTrainError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::Setting(error) => error.class(),
            Self::Data(error) => error.class(),
            Self::Betas(error) => error.class(),
            Self::Run(error) => error.class(),
            Self::Interrupted(error) => error.class(),
            Self::Diverged { .. } | Self::NotFinite { .. } => ErrorClass::Failure,
        }
    }
}
