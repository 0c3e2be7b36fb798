//! Where the targets of a mapper that is there come from, as the settings and its own training say.

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;

use super::config::TrainMapperConfig;
use crate::data::nsd::tree::NsdTree;
use crate::data::prepared::PreparedSubject;
use crate::data::split::SplitConfig;
use crate::models::condition_source::ConditionSource;
use crate::models::mapper::MapperTarget;
use crate::pipelines::brain_decoder::{BrainDecoder, LoadedMapper};
use crate::pipelines::mapper_provenance::MapperProvenance;
use crate::pipelines::project::Project;
use crate::pipelines::targets::source::TargetSource;
use crate::pipelines::targets::trial_targets::TrialTargets;
use crate::pipelines::workbench::Workbench;
use crate::run::error::RunError;

/// Files that the targets of mappers are computed from, and their configured form.
#[derive(Clone, Debug, Serialize)]
pub struct TargetFiles {
    /// `nsd_stimuli.hdf5`; read for images only.
    pub stimuli: PathBuf,
    /// Vetted captions of `screen-captions`; read for captions only.
    pub captions: PathBuf,
    /// CLIP of the targets; may be missing where nothing is aimed at in its spaces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip: Option<PathBuf>,
    /// Embeddings that were imported with the pictures, which image mappers then aim at in place of CLIP's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub own_targets: Option<PathBuf>,
    /// ResNet-50 of the targets of ResNet mappers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resnet: Option<PathBuf>,
    /// Form of the targets of mappers that do not say it.
    pub mapper: TrainMapperConfig,
}

impl TargetFiles {
    /// Those of a project.
    ///
    /// # Errors
    /// When the NSD root is not set, or imported embeddings are wanted and not there.
    pub fn resolve(project: &Project, train_mapper: &TrainMapperConfig) -> Result<Self, RunError> {
        let own_targets = train_mapper.own_targets.then(|| project.imported_targets()).transpose()?;
        let clip = match project.clip() {
            Ok(clip) => Some(clip),
            Err(_) if own_targets.is_some() => None,
            Err(error) => return Err(error),
        };
        Ok(Self {
            stimuli: NsdTree::new(project.nsd()?).stimuli(),
            captions: project.captions(),
            clip,
            own_targets,
            resnet: project.paths.resnet.clone(),
            mapper: train_mapper.clone(),
        })
    }

    /// Where a mapper's targets come from, and their form: as it was trained, or as configured for one that was imported.
    ///
    /// # Errors
    /// A mapper that was fitted to images which `split` holds out for `purpose`; a network that is not named.
    pub(crate) fn source_of_mapper(
        &self,
        path: &Path,
        mapper: &LoadedMapper,
        (split, purpose): (&SplitConfig, &str),
    ) -> crate::error::Result<TargetSource> {
        let target = mapper.snapshot.target;
        let config = match MapperProvenance::<Value>::of_provenance(path, &mapper.provenance)? {
            Some(trained) => {
                trained.require_split(path, split, purpose)?;
                TrainMapperConfig::of_training(trained.mapper).map_err(|error| {
                    RunError::invalid(path, "settings.mapper", "settings of a training", error)
                })?
            }
            None => self.mapper.for_target(target),
        };
        let network = match target {
            MapperTarget::Image | MapperTarget::Caption => self.image_or_clip(target).ok_or_else(|| {
                RunError::missing("paths.clip", "the targets of the mappers: set it with `--clip FILE`")
            })?,
            MapperTarget::Resnet => self.resnet.clone().ok_or_else(|| {
                RunError::missing("paths.resnet", "a ResNet mapper's targets: set it with `--resnet FILE`")
            })?,
        };
        Ok(self.source(target, network, &config))
    }

    /// The targets of both mappers of a decoder for all trials; where no condition asks for one of them, those of the other twice.
    ///
    /// # Errors
    /// As [`TargetFiles::source_of_mapper`]; targets that are missing or not those of the mappers.
    pub(crate) fn of_decoder(
        &self,
        conditions: &[ConditionSource],
        purpose: (&SplitConfig, &str),
        subject: &PreparedSubject,
        decoder: &BrainDecoder,
        bench: &mut Workbench<'_>,
    ) -> crate::error::Result<[TrialTargets; 2]> {
        let is_used = |part: usize| conditions.iter().any(|condition| condition.uses()[part]);
        let mut load = |(path, mapper): (&Path, &LoadedMapper)| -> crate::error::Result<TrialTargets> {
            let targets = TrialTargets::load(self.source_of_mapper(path, mapper, purpose)?, subject, bench)?;
            targets.require(path, mapper)?;
            Ok(targets)
        };
        let (first, second) = (decoder.image_mapper(), decoder.second_mapper());
        let pair = match (is_used(0), is_used(1)) {
            (true, true) => [first, second],
            (false, true) => [second; 2],
            _ => [first; 2],
        };
        Ok([load(pair[0])?, load(pair[1])?])
    }

    /// What the targets of a mapper into one of CLIP's spaces are computed by, or read from.
    pub(crate) fn image_or_clip(&self, target: MapperTarget) -> Option<PathBuf> {
        let own = self.own_targets.as_ref().filter(|_| target == MapperTarget::Image);
        own.or(self.clip.as_ref()).cloned()
    }

    /// Targets by `network` in the form that `config` wants.
    pub(crate) fn source(
        &self,
        target: MapperTarget,
        network: PathBuf,
        config: &TrainMapperConfig,
    ) -> TargetSource {
        let form = config.target_form(target);
        TargetSource { stimuli: self.stimuli.clone(), captions: self.captions.clone(), network, form }
    }
}
