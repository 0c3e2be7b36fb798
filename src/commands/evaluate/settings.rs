//! Everything that a run of `evaluate` needs.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::config::EvaluateConfig;
use crate::commands::train_mapper::{TargetFiles, TrainMapperConfig, TrainMapperSettings};
use crate::data::nsd::tree::NsdTree;
use crate::data::split::SplitConfig;
use crate::error::SettingError;
use crate::files::{file_is_there, warn_once};
use crate::models::mapper::MapperTarget;
use crate::pipelines::brain_decoder::LoadedMapper;
use crate::pipelines::project::Project;
use crate::pipelines::targets::source::TargetSource;
use crate::run::device::DeviceChoice;
use crate::run::error::RunError;

/// More mappers would make a grid search of hours.
const MOST_MAPPERS: usize = 4;

/// Everything that a run needs.
#[derive(Clone, Debug, Serialize)]
pub struct EvaluateSettings {
    /// Snapshots of the mappers; none where ridge regression alone is evaluated.
    pub mappers: Vec<PathBuf>,
    /// Mappers that learned from exchanged betas: their counts stand beside those of the others, and they are not combined.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub controls: Vec<PathBuf>,
    /// CLIP of the targets; may be missing where ridge regression alone is evaluated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip: Option<PathBuf>,
    /// Embeddings that were imported with the pictures, which image mappers then aim at in place of CLIP's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub own_targets: Option<PathBuf>,
    /// ResNet-50 of the targets of ResNet mappers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resnet: Option<PathBuf>,
    /// What is compared, and how.
    pub evaluate: EvaluateConfig,
    /// What is decoded.
    pub data: EvaluationData,
}

/// Subject, stimuli, captions, split and, where a snapshot does not say it, the form of the targets.
#[derive(Clone, Debug, Serialize)]
pub struct EvaluationData {
    /// Prepared subject.
    pub prepared: PathBuf,
    /// `nsd_stimuli.hdf5`; read for images only.
    pub stimuli: PathBuf,
    /// Vetted captions of `screen-captions`; read for captions only.
    pub captions: PathBuf,
    /// Folder of cached embeddings.
    pub cache: PathBuf,
    /// Folder of the runs.
    pub runs: PathBuf,
    /// Where to compute.
    pub device: DeviceChoice,
    /// Which trials belong to training and validation.
    pub split: SplitConfig,
    /// Stored splits that are compared with random ones.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub compared_splits: Vec<PathBuf>,
    /// Form of the targets, protocol of the counts, seed.
    pub mapper: TrainMapperConfig,
}

impl EvaluationData {
    /// Those of a project.
    ///
    /// # Errors
    /// When the NSD root is not set.
    fn resolve(
        project: &Project,
        train_mapper: &TrainMapperConfig,
        compared: &[String],
    ) -> Result<Self, RunError> {
        Ok(Self {
            prepared: project.prepared(),
            stimuli: NsdTree::new(project.nsd()?).stimuli(),
            captions: project.captions(),
            cache: project.cache(),
            runs: project.runs(),
            device: project.device,
            split: project.split.clone(),
            compared_splits: compared.iter().map(|name| project.split_file(name)).collect(),
            mapper: train_mapper.clone(),
        })
    }
}

impl From<&TrainMapperSettings> for EvaluationData {
    /// The data that a mapper is trained on.
    fn from(training: &TrainMapperSettings) -> Self {
        Self {
            prepared: training.prepared.clone(),
            stimuli: training.stimuli.clone(),
            captions: training.captions.clone(),
            cache: training.cache.clone(),
            runs: training.runs.clone(),
            device: training.device,
            split: training.split.clone(),
            compared_splits: Vec::new(),
            mapper: training.mapper.clone(),
        }
    }
}

impl EvaluateSettings {
    /// Settings of the command in a project; without `mappers` the newest image and caption mappers. Where ridge regression is
    /// wanted and there is no mapper, it is evaluated alone, and that is said.
    ///
    /// # Errors
    /// When the NSD root is not set or a network is missing.
    pub fn resolve(
        project: &Project,
        evaluate: &EvaluateConfig,
        train_mapper: &TrainMapperConfig,
        mappers: Vec<PathBuf>,
    ) -> Result<Self, RunError> {
        let is_ridge_alone = evaluate.ridge_only || evaluate.folds > 0;
        let mappers = match mappers.is_empty() {
            true if is_ridge_alone => Vec::new(),
            true => newest_mappers(project, evaluate.ridge)?,
            false => mappers,
        };
        let own_targets = train_mapper.own_targets.then(|| project.imported_targets()).transpose()?;
        let clip = match project.clip() {
            Ok(clip) => Some(clip),
            Err(_) if own_targets.is_some() => None,
            Err(error) if !mappers.is_empty() => return Err(error),
            Err(error) => {
                warn_once(&format!("ridge regression goes without CLIP's targets: {error}"));
                None
            }
        };
        let resnet = project.paths.resnet.clone();
        let data = EvaluationData::resolve(project, train_mapper, &evaluate.compare_splits)?;
        Ok(Self { mappers, controls: vec![], clip, own_targets, resnet, evaluate: evaluate.clone(), data })
    }

    /// Refuses numbers out of range, too many mappers, and too few.
    ///
    /// # Errors
    /// The key or the flag.
    pub(super) fn check(&self) -> crate::error::Result<()> {
        self.evaluate.validate()?;
        let EvaluateConfig { ridge, ridge_only, folds, .. } = self.evaluate;
        if !ridge && (folds > 0 || ridge_only) {
            let key = if folds > 0 { "folds" } else { "ridge_only" };
            let expected = "nothing without ridge regression, which it is about: add `--ridge`";
            return Err(SettingError::new(key, expected, "one that is set").within("evaluate").into());
        }
        let count = self.mappers.len();
        let fewest = usize::from(!ridge);
        if !(fewest..=MOST_MAPPERS).contains(&count) {
            let expected = format!("1 to {MOST_MAPPERS} mappers");
            return Err(RunError::invalid("--mappers", "number of mappers", expected, count).into());
        }
        if folds > 0 && count > 0 {
            let expected = "0 where mappers are evaluated: they were trained on one split, and only ridge regression is fitted anew";
            return Err(SettingError::new("folds", expected, folds).within("evaluate").into());
        }
        Ok(())
    }

    /// Where a mapper's targets come from, and their form: as it was trained, or as configured for one that was imported.
    pub(super) fn source_of_mapper(
        &self,
        path: &Path,
        mapper: &LoadedMapper,
    ) -> crate::error::Result<TargetSource> {
        self.target_files().source_of_mapper(path, mapper, (&self.data.split, "evaluation"))
    }

    fn target_files(&self) -> TargetFiles {
        TargetFiles {
            stimuli: self.data.stimuli.clone(),
            captions: self.data.captions.clone(),
            clip: self.clip.clone(),
            own_targets: self.own_targets.clone(),
            resnet: self.resnet.clone(),
            mapper: self.data.mapper.clone(),
        }
    }

    /// Where configured targets come from; none where a file that they need is not there.
    ///
    /// # Errors
    /// Captions that are there and cannot be looked at.
    pub(super) fn source_of_target(
        &self,
        target: MapperTarget,
    ) -> crate::error::Result<Option<TargetSource>> {
        let files = self.target_files();
        let network = match target {
            MapperTarget::Image => files.image_or_clip(target),
            MapperTarget::Caption => match file_is_there(&self.data.captions)? {
                true => self.clip.clone(),
                false => None,
            },
            MapperTarget::Resnet => self.resnet.clone(),
        };
        Ok(network.map(|network| files.source(target, network, &self.data.mapper.for_target(target))))
    }
}

/// The newest image and caption mappers. An image mapper goes alone where the subject has no captions; where there is none at all and
/// ridge regression is wanted, there are no mappers.
fn newest_mappers(project: &Project, is_ridge_wanted: bool) -> Result<Vec<PathBuf>, RunError> {
    let found = [MapperTarget::Image, MapperTarget::Caption].map(|target| project.mapper(target));
    match found {
        [Ok(image), Ok(caption)] => Ok(vec![image, caption]),
        [Ok(image), Err(_)] if !file_is_there(&project.captions())? => {
            warn_once("the image mapper is evaluated alone: the subject has no captions");
            Ok(vec![image])
        }
        [Err(image), Err(_)] if is_ridge_wanted => {
            warn_once(&format!("ridge regression is evaluated alone: {image}"));
            Ok(Vec::new())
        }
        [Err(error), _] | [_, Err(error)] => Err(error),
    }
}
