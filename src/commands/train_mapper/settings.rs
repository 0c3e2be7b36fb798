//! Everything that a run of `train-mapper` needs.

use std::path::PathBuf;

use serde::Serialize;

use super::config::TrainMapperConfig;
use crate::data::nsd::tree::NsdTree;
use crate::data::split::SplitConfig;
use crate::data::subject::SubjectId;
use crate::models::mapper::MapperTarget;
use crate::pipelines::mapper_betas::BetasControl;
use crate::pipelines::project::Project;
use crate::pipelines::targets::source::TargetSource;
use crate::run::device::DeviceChoice;
use crate::run::error::RunError;

/// Everything that a run needs.
#[derive(Clone, Debug, Serialize)]
pub struct TrainMapperSettings {
    /// What to predict.
    pub target: MapperTarget,
    /// Whose betas.
    pub subject: SubjectId,
    /// Prepared subject.
    pub prepared: PathBuf,
    /// `nsd_stimuli.hdf5`; read for images only.
    pub stimuli: PathBuf,
    /// Vetted captions of `screen-captions`; read for captions only.
    pub captions: PathBuf,
    /// Snapshot of the network that makes the targets: CLIP, or ResNet-50 for [`MapperTarget::Resnet`].
    pub target_network: PathBuf,
    /// Folder of cached embeddings.
    pub cache: PathBuf,
    /// Folder of the runs.
    pub runs: PathBuf,
    /// Checkpoint to continue from, in its own folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resume: Option<PathBuf>,
    /// Mapper to start from, in place of random weights.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init_from: Option<PathBuf>,
    /// Where to compute.
    pub device: DeviceChoice,
    /// Control experiment.
    pub betas: BetasControl,
    /// Which trials belong to training and validation.
    pub split: SplitConfig,
    /// Network, targets and training.
    pub mapper: TrainMapperConfig,
}

impl TrainMapperSettings {
    /// Settings of the command in a project.
    ///
    /// # Errors
    /// When the NSD root is not set or the network of the targets is not there.
    pub fn resolve(
        project: &Project,
        train_mapper: &TrainMapperConfig,
        target: MapperTarget,
        betas: BetasControl,
        resume: Option<PathBuf>,
    ) -> Result<Self, RunError> {
        Ok(Self {
            target,
            subject: project.subject,
            prepared: project.prepared(),
            stimuli: NsdTree::new(project.nsd()?).stimuli(),
            captions: project.captions(),
            target_network: match target {
                MapperTarget::Image if train_mapper.own_targets => project.imported_targets()?,
                MapperTarget::Image | MapperTarget::Caption => project.clip()?,
                MapperTarget::Resnet => project.resnet()?,
            },
            cache: project.cache(),
            runs: project.runs(),
            resume,
            init_from: None,
            device: project.device,
            betas,
            split: project.split.clone(),
            mapper: train_mapper.clone(),
        })
    }

    /// Where the targets come from, and their form.
    pub(crate) fn target_source(&self) -> TargetSource {
        TargetSource {
            stimuli: self.stimuli.clone(),
            captions: self.captions.clone(),
            network: self.target_network.clone(),
            form: self.mapper.for_target(self.target).target_form(self.target),
        }
    }
}
