//! A project: one configuration for the whole chain, one work folder, and where each command finds the files of the last.
//!
//! Work folder: `prepared/`, `captions/`, `cache/`, `runs/`. A command that needs the result of another takes the newest
//! finished run of the subject, unless the configuration names a file.

mod config;
mod data_settings;
mod files;
mod image_settings;
mod mapper_settings;
mod networks;

pub use self::config::{ProjectConfig, ProjectPaths, SEED_KEYS, SUBJECT_KEYS};
use crate::data::subject::SubjectId;
use crate::run::error::RunError;

/// A configuration with the places that follow from it.
#[derive(Clone, Debug)]
pub struct Project {
    /// The configuration.
    pub config: ProjectConfig,
}

impl Project {
    /// A project of a configuration.
    pub fn new(config: ProjectConfig) -> Self {
        Self { config }
    }

    /// This project for every subject that is prepared, in their order.
    ///
    /// # Errors
    /// [`RunError::Missing`] when none is.
    pub fn of_prepared_subjects(&self) -> Result<Vec<Self>, RunError> {
        let of = |subject| Self::new(ProjectConfig { subject, ..self.config.clone() });
        let found: Vec<Self> =
            SubjectId::all().map(of).filter(|project| project.prepared().is_file()).collect();
        if found.is_empty() {
            return Err(RunError::missing(
                self.prepared(),
                "`--subject all`; run `mindreader prepare` first",
            ));
        }
        Ok(found)
    }
}
