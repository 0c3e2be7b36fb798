//! A project: one subject, one work folder, and where each command finds the files of the last.
//!
//! Work folder: `prepared/`, `captions/`, `cache/`, `runs/`. A command that needs the result of another takes the newest
//! finished run of the subject, unless the configuration names a file.

mod files;
mod finished;
mod networks;
mod paths;

pub use self::paths::{ProjectPaths, SIZES_FILE};
use crate::data::image::stimulus_view::StimulusView;
use crate::data::prepared::PreparedChoice;
use crate::data::split::SplitConfig;
use crate::data::subject::{NsdSubject, Resolution, SubjectId};
use crate::files::file_is_there;
use crate::run::device::DeviceChoice;
use crate::run::error::RunError;
use crate::run::precision::Precision;

/// What every command of a project shares; the sections of single commands are no part of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Project {
    /// Subject of NSD, or one that was imported.
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
    /// [`RunError::missing`] when none is; [`RunError::File`] for a prepared file that is there and cannot be looked at.
    pub fn of_prepared_subjects(&self) -> Result<Vec<Self>, RunError> {
        let mut found = Vec::new();
        let own = self.imported_subjects()?;
        let subjects = NsdSubject::all().map(SubjectId::Nsd).chain(own.into_iter().map(SubjectId::Own));
        for project in subjects.map(|subject| Self { subject, ..self.clone() }) {
            if file_is_there(&project.prepared())? {
                found.push(project);
            }
        }
        if found.is_empty() {
            return Err(RunError::missing(
                self.prepared(),
                "`--subject all`; run `mindreader prepare` or `mindreader import` first",
            ));
        }
        Ok(found)
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::models::condition_source::ConditionSource;
    use crate::models::mapper::MapperTarget;
    use crate::training::gan::mappers::outputs::companion_mapper;

    #[test]
    fn links_that_lead_nowhere_are_no_missing_subjects_and_no_missing_mappers() {
        let root = tempfile::tempdir().unwrap();
        let mut project = Project::default();
        project.paths.work = Some(root.path().join("work"));
        let prepared = project.prepared();
        std::fs::create_dir_all(prepared.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink("nowhere.h5", &prepared).unwrap();
        let error = project.of_prepared_subjects().unwrap_err().to_string();
        assert!(error.contains("subj01") && error.contains("nowhere"), "{error}");

        let generator = root.path().join("generator.safetensors");
        let mapper = companion_mapper(&generator, MapperTarget::Image);
        std::os::unix::fs::symlink("gone.safetensors", &mapper).unwrap();
        project.paths.generator = Some(generator);
        let error = project.networks(Some(ConditionSource::Image)).unwrap_err().to_string();
        assert!(error.contains("mapper-image.safetensors") && error.contains("gone"), "{error}");
    }

    #[test]
    fn pictures_from_images_alone_need_no_caption_mapper() {
        let root = tempfile::tempdir().unwrap();
        let file = |name: &str| Some(root.path().join(name));
        let mut project = Project::default();
        project.paths.work = file("work");
        (project.paths.generator, project.paths.image_mapper) = (file("generator"), file("mapper"));
        let (networks, _) = project.networks(Some(ConditionSource::Image)).unwrap();
        assert_eq!(Some(networks.second_mapper), project.paths.image_mapper);
        let error = project.networks(Some(ConditionSource::Both)).unwrap_err().to_string();
        assert!(error.contains("train-mapper --target caption"), "{error}");
        // The command that comes first is named first, and no other that would not help.
        project.paths.generator = None;
        let error = project.networks(Some(ConditionSource::Image)).unwrap_err().to_string();
        assert!(error.contains("finetune-gan"), "{error}");
    }
}
