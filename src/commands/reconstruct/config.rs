//! What `reconstruct` takes: which trials, how drawn, from which files.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::grid::GridLayout;
use super::source::PictureSource;
use crate::commands::train_mapper::{TargetFiles, TrainMapperConfig};
use crate::data::nsd::tree::NsdTree;
use crate::data::split::SplitConfig;
use crate::error::{SettingError, in_range, limits};
use crate::models::condition_source::ConditionSource;
use crate::pipelines::brain_decoder::{DecoderPaths, PixelNoise};
use crate::pipelines::project::Project;
use crate::pipelines::trial_choice::{Repeats, TrialChoice};
use crate::run::device::DeviceChoice;
use crate::run::error::RunError;
use crate::run::precision::Precision;

/// Most pictures of a trial; all of a batch are in memory together.
const MOST_SAMPLES: usize = 10_000;
/// Farthest from the mean of w.
const MOST_TRUNCATION: f64 = 10.0;

/// Which trials, how many pictures, how drawn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReconstructConfig {
    /// Trials of which part of the split, or a single one.
    pub trials: TrialChoice,
    /// One picture per presentation, or one per image from the mean of its presentations.
    pub repeats: Repeats,
    /// At most this many trials or images, evenly spread, up to 1e6; 0 means all.
    pub limit: usize,
    /// Pictures per trial, each from another z; 1 to 10,000.
    pub samples: usize,
    /// What the pictures are made from: decoded betas, or what they are held against.
    #[serde(skip_serializing_if = "PictureSource::is_betas")]
    pub source: PictureSource,
    /// Which embeddings steer the generator; those that it was trained on where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub condition: Option<ConditionSource>,
    /// Several of them, one after the other with the same z, in place of `condition`.
    pub conditions: Vec<ConditionSource>,
    /// Pull of w towards its mean, 0 to 10; 1 is none.
    pub truncation_psi: f64,
    /// Per-pixel noise: the stored maps, new ones, or none.
    pub noise: PixelNoise,
    /// Trials decoded and drawn together, 1 to 1e6; bounds the memory.
    pub batch: usize,
    /// What the columns of the grid are.
    pub grid: GridLayout,
    /// Side of the pictures in the grid, in pixels up to 4096; 0 means the generator's.
    pub grid_side: u32,
    /// Whether mappers that the generator was not finetuned with, and networks trained under another split, are refused (off:
    /// they are named in a warning).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub strict: bool,
}

impl Default for ReconstructConfig {
    fn default() -> Self {
        Self {
            trials: TrialChoice::Validation,
            repeats: Repeats::Single,
            limit: 0,
            samples: 1,
            source: PictureSource::Betas,
            condition: None,
            conditions: vec![],
            truncation_psi: 1.0,
            noise: PixelNoise::Constant,
            batch: 16,
            grid: GridLayout::Trials,
            grid_side: 0,
            strict: false,
        }
    }
}

impl ReconstructConfig {
    /// The conditions that pictures are drawn with, in their order; none where the generator's own is meant.
    pub fn all_conditions(&self) -> Vec<ConditionSource> {
        if self.conditions.is_empty() {
            self.condition.into_iter().collect()
        } else {
            self.conditions.clone()
        }
    }

    /// The same with `condition` where nothing is said.
    pub(super) fn or_condition(&self, condition: ConditionSource) -> Self {
        Self { condition: self.condition.or(Some(condition)), ..self.clone() }
    }

    /// The condition that decides which mapper is the second one.
    fn leading_condition(&self) -> Option<ConditionSource> {
        let resnet = self.conditions.iter().find(|condition| **condition == ConditionSource::ImageResnet);
        resnet.or(self.conditions.first()).copied().or(self.condition)
    }

    /// Refuses settings that contradict each other or are out of range.
    ///
    /// # Errors
    /// [`SettingError`] that names the key.
    pub fn validate(&self) -> Result<(), SettingError> {
        let wrong = |field, expected, found: String| {
            Err(SettingError::new(field, expected, found).within("reconstruct"))
        };
        let conditions = self.all_conditions();
        if let Some(twice) = (1..conditions.len()).find(|at| conditions[..*at].contains(&conditions[*at])) {
            return wrong("conditions", "each once", format!("{:?} twice", conditions[twice]));
        }
        if !self.source.is_drawn() && conditions.len() > 1 {
            let expected = format!("one, by which the source `{}` compares", self.source);
            return wrong("conditions", &expected, format!("{} of them", conditions.len()));
        }
        if self.grid == GridLayout::Repeats && self.repeats != Repeats::Single {
            let expected = "`single` for a grid of repeats, whose columns are single presentations";
            return wrong("repeats", expected, format!("{:?}", self.repeats));
        }
        self.check_ranges().map_err(|error| error.within("reconstruct"))
    }

    fn check_ranges(&self) -> Result<(), SettingError> {
        if let TrialChoice::Trial(trial) = self.trials {
            in_range("trials.trial", trial, 0..=limits::ITEMS)?;
        }
        in_range("limit", self.limit, 0..=limits::ITEMS)?;
        in_range("samples", self.samples, 1..=MOST_SAMPLES)?;
        in_range("batch", self.batch, 1..=limits::BATCH)?;
        in_range("grid_side", self.grid_side, 0..=limits::SIDE as u32)?;
        in_range("truncation_psi", self.truncation_psi, 0.0..=MOST_TRUNCATION)
    }
}

/// Everything that a run needs.
#[derive(Clone, Debug, Serialize)]
pub struct ReconstructSettings {
    /// Prepared subject whose betas are decoded.
    pub prepared: PathBuf,
    /// `nsd_stimuli.hdf5`, for the ground truth.
    pub stimuli: PathBuf,
    /// Snapshots of both mappers and the generator.
    pub networks: DecoderPaths,
    /// Which trials belong to training and validation.
    pub split: SplitConfig,
    /// Which trials, how many pictures, how drawn.
    pub reconstruct: ReconstructConfig,
    /// What the mappers aim at; there where the source of the pictures asks for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub targets: Option<TargetFiles>,
    /// Folder of cached embeddings.
    pub cache: PathBuf,
    /// Decides z and noise.
    pub seed: u64,
    /// Device of the networks.
    pub device: DeviceChoice,
    /// Number format of the networks.
    pub precision: Precision,
    /// Whether networks that do not belong together are meant, as in a control: nothing is said of them.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_control: bool,
    /// Folder of the runs.
    pub runs: PathBuf,
}

impl ReconstructSettings {
    /// Settings of the command in a project.
    ///
    /// # Errors
    /// When the NSD root is not set or a network is missing.
    pub fn resolve(
        project: &Project,
        reconstruct: &ReconstructConfig,
        train_mapper: &TrainMapperConfig,
    ) -> Result<Self, RunError> {
        let stimuli = NsdTree::new(project.nsd()?).stimuli();
        let (networks, condition) = project.networks(reconstruct.leading_condition())?;
        Ok(Self {
            prepared: project.prepared(),
            stimuli,
            networks,
            split: project.split.clone(),
            reconstruct: reconstruct.or_condition(condition),
            targets: targets_of(reconstruct.source, project, train_mapper)?,
            cache: project.cache(),
            seed: project.seed,
            device: project.device,
            precision: project.precision,
            is_control: false,
            runs: project.runs(),
        })
    }
}

/// The files of the true embeddings, where pictures are made from them.
fn targets_of(
    source: PictureSource,
    project: &Project,
    train_mapper: &TrainMapperConfig,
) -> Result<Option<TargetFiles>, RunError> {
    source.needs_targets().then(|| TargetFiles::resolve(project, train_mapper)).transpose()
}

impl ReconstructSettings {
    /// The same pictures made from something else.
    ///
    /// # Errors
    /// A file of the true embeddings that is not there.
    pub fn from_source(
        self,
        source: PictureSource,
        project: &Project,
        train_mapper: &TrainMapperConfig,
    ) -> Result<Self, RunError> {
        let targets = targets_of(source, project, train_mapper)?;
        Ok(Self { reconstruct: ReconstructConfig { source, ..self.reconstruct }, targets, ..self })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_contradict_each_other_are_named() {
        let error = |config: ReconstructConfig| config.validate().unwrap_err().to_string();
        let (image, both) = (ConditionSource::Image, ConditionSource::Both);
        let twice = ReconstructConfig { conditions: vec![image, both, image], ..Default::default() };
        assert!(error(twice).contains("conditions`: "));
        let averaged =
            ReconstructConfig { grid: GridLayout::Repeats, repeats: Repeats::Average, ..Default::default() };
        assert!(error(averaged).contains("repeats`: "));
        let psi = ReconstructConfig { truncation_psi: f64::NAN, ..Default::default() };
        assert!(error(psi).contains("truncation_psi`: "));
    }

    #[test]
    fn several_conditions_take_the_place_of_the_one() {
        let (image, both) = (ConditionSource::Image, ConditionSource::Both);
        assert_eq!(ReconstructConfig::default().or_condition(image).all_conditions(), [image]);
        let config = ReconstructConfig { condition: Some(image), ..Default::default() };
        assert_eq!(config.or_condition(both).all_conditions(), [image]);
        let config = ReconstructConfig { conditions: vec![both, image], ..config };
        assert_eq!(config.all_conditions(), [both, image]);
    }
}
