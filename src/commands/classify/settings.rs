//! Everything that a run of `classify` needs.

use std::path::PathBuf;

use serde::Serialize;

use super::config::{ClassifierInput, ClassifyConfig};
use crate::commands::train_mapper::{TargetFiles, TrainMapperConfig};
use crate::data::nsd::tree::NsdTree;
use crate::data::split::SplitConfig;
use crate::error::FileError;
use crate::models::mapper::MapperTarget;
use crate::pipelines::project::Project;
use crate::run::device::DeviceChoice;
use crate::run::error::RunError;

/// Everything that a run needs.
#[derive(Clone, Debug, Serialize)]
pub struct ClassifySettings {
    /// Root of the NSD tree, or folder of an imported subject: what the images show.
    pub nsd: PathBuf,
    /// Prepared subject.
    pub prepared: PathBuf,
    /// Image mapper; none where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_mapper: Option<PathBuf>,
    /// ResNet mapper; likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resnet_mapper: Option<PathBuf>,
    /// Folder of cached embeddings.
    pub cache: PathBuf,
    /// Folder of the runs.
    pub runs: PathBuf,
    /// Where to compute.
    pub device: DeviceChoice,
    /// Which trials train and which are held out.
    pub split: SplitConfig,
    /// Stimuli, networks of the vectors, and their form.
    pub targets: TargetFiles,
    /// Inputs, categories, networks, training.
    pub classify: ClassifyConfig,
    /// Why inputs are left out, a sentence each.
    #[serde(skip)]
    pub left_out: Vec<String>,
}

impl ClassifySettings {
    /// Settings of the command in a project: the newest mappers, and networks as far as they are there.
    ///
    /// # Errors
    /// When the NSD root is not set, or runs are there that cannot be looked at.
    pub fn resolve(
        project: &Project,
        classify: &ClassifyConfig,
        train_mapper: &TrainMapperConfig,
    ) -> Result<Self, RunError> {
        let mut found = Found { classify, left_out: Vec::new() };
        let needs_clip = [ClassifierInput::ClipImage, ClassifierInput::ClipMapped];
        let needs_resnet = [ClassifierInput::ResnetImage, ClassifierInput::ResnetMapped];
        let own_targets = train_mapper.own_targets.then(|| project.imported_targets()).transpose()?;
        let clip = match own_targets {
            Some(_) => None,
            None => found.of(&needs_clip, || project.clip())?,
        };
        let resnet = found.of(&needs_resnet, || project.resnet())?;
        let has_clip = clip.is_some() || own_targets.is_some();
        let mapper = |target| move || project.mapper(target);
        let image_mapper = match has_clip {
            true => found.of(&[ClassifierInput::ClipMapped], mapper(MapperTarget::Image))?,
            false => None,
        };
        let resnet_mapper = match resnet {
            Some(_) => found.of(&[ClassifierInput::ResnetMapped], mapper(MapperTarget::Resnet))?,
            None => None,
        };
        let nsd = project.nsd()?;
        let stimuli = NsdTree::new(&nsd).stimuli();
        let (captions, mapper) = (project.captions(), train_mapper.clone());
        Ok(Self {
            nsd,
            prepared: project.prepared(),
            image_mapper,
            resnet_mapper,
            cache: project.cache(),
            runs: project.runs(),
            device: project.device,
            split: project.split.clone(),
            targets: TargetFiles { stimuli, captions, clip, own_targets, resnet, mapper },
            left_out: found.left_out,
            classify: classify.clone(),
        })
    }
}

/// Files that are there, and why others are not used.
struct Found<'a> {
    classify: &'a ClassifyConfig,
    left_out: Vec<String>,
}

impl Found<'_> {
    /// The file, where one of `inputs` is wanted; one that is missing leaves the wanted ones of them out.
    fn of(
        &mut self,
        inputs: &[ClassifierInput],
        find: impl FnOnce() -> Result<PathBuf, RunError>,
    ) -> Result<Option<PathBuf>, RunError> {
        let wanted: Vec<&str> =
            inputs.iter().filter(|input| self.classify.wants(**input)).map(|input| input.name()).collect();
        if wanted.is_empty() {
            return Ok(None);
        }
        match find() {
            Ok(path) => Ok(Some(path)),
            Err(RunError::File(error @ FileError::Missing { .. })) => {
                self.left_out.push(format!("{} left out: {error}", wanted.join(" and ")));
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}
