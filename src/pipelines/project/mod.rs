//! A project: one subject, one work folder, and where each command finds the files of the last.
//!
//! Work folder: `prepared/`, `captions/`, `cache/`, `runs/`. A command that needs the result of another takes the newest
//! finished run of the subject, unless the configuration names a file.

mod files;
mod finished;
mod networks;
mod paths;

pub use self::paths::ProjectPaths;
use crate::data::image::stimulus_view::StimulusView;
use crate::data::prepared::PreparedChoice;
use crate::data::split::SplitConfig;
use crate::data::subject::{Resolution, SubjectId};
use crate::run::device::DeviceChoice;
use crate::run::error::RunError;
use crate::run::precision::Precision;

/// What every command of a project shares; the sections of single commands are no part of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Project {
    /// NSD subject, 1 to 8.
    pub subject: SubjectId,
    /// Functional volumes.
    pub resolution: Resolution,
    /// Decides everything that chance decides.
    pub seed: u64,
    /// Where to compute.
    pub device: DeviceChoice,
    /// Number format in which pictures are drawn.
    pub precision: Precision,
    /// Where files are.
    pub paths: ProjectPaths,
    /// Which trials train, which validate.
    pub split: SplitConfig,
    /// Regions, sessions and scaling of the prepared betas; they name the prepared file.
    pub choice: PreparedChoice,
    /// What CLIP is given of a stimulus, whoever embeds it.
    pub stimulus_view: StimulusView,
}

impl Project {
    /// This project for every subject that is prepared, in their order.
    ///
    /// # Errors
    /// [`RunError::missing`] when none is.
    pub fn of_prepared_subjects(&self) -> Result<Vec<Self>, RunError> {
        let of = |subject| Self { subject, ..self.clone() };
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
