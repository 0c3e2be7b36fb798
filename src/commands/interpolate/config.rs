//! What `interpolate` takes: which trials, which way between them, how drawn, from which files.

use std::fmt::{self, Display, Formatter};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::commands::train_mapper::{TargetFiles, TrainMapperConfig};
use crate::data::nsd::tree::NsdTree;
use crate::data::split::SplitConfig;
use crate::error::{SettingError, above_to, all_in_range, in_range, limits};
use crate::models::condition_source::ConditionSource;
use crate::pipelines::brain_decoder::{DecoderPaths, PixelNoise};
use crate::pipelines::project::Project;
use crate::run::device::DeviceChoice;
use crate::run::error::RunError;
use crate::run::precision::Precision;

/// Fewest and most trials of a way.
const TRIALS: std::ops::RangeInclusive<usize> = 2..=100;
/// Most frames between two trials: 40 seconds of animation.
const MOST_FRAMES: usize = 500;
/// Most scans of a sequence.
const MOST_SCANS: usize = 10_000;
/// Farthest from the mean of w.
const MOST_TRUNCATION: f64 = 10.0;

/// A way between two trials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PathKind {
    /// A straight line between the betas, every point of it decoded.
    Betas,
    /// An arc of the sphere between the embeddings that the two trials are decoded into.
    Embedding,
}

impl PathKind {
    /// As settings and files write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Betas => "betas",
            Self::Embedding => "embedding",
        }
    }
}

impl Display for PathKind {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

/// Which ways are drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PathChoice {
    /// [`PathKind::Betas`] alone.
    Betas,
    /// [`PathKind::Embedding`] alone.
    Embedding,
    /// One after the other, with the same z.
    #[default]
    Both,
}

impl PathChoice {
    /// The ways in the order in which they are drawn.
    pub fn kinds(self) -> &'static [PathKind] {
        match self {
            Self::Betas => &[PathKind::Betas],
            Self::Embedding => &[PathKind::Embedding],
            Self::Both => &[PathKind::Betas, PathKind::Embedding],
        }
    }
}

/// Where the noise z of a frame comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LatentPath {
    /// The z of the first trial, for every frame: what changes is decoded.
    #[default]
    Fixed,
    /// From the z of each trial to that of the next, on the sphere: the first frame and the last are those of `reconstruct`.
    Slerp,
}

/// Which trials, which way, how drawn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct InterpolateConfig {
    /// Trials to go through, 2 to 100, each 0-based over the whole experiment and another than the one before; where none is named, two
    /// that are held out.
    pub trials: Vec<usize>,
    /// Whether the way goes back from the last trial to the first.
    #[serde(rename = "loop")]
    pub is_loop: bool,
    /// What is interpolated.
    pub path: PathChoice,
    /// Frames from one trial to the next, both included: 2 to 500.
    pub frames: usize,
    /// The noise z of the frames.
    pub z: LatentPath,
    /// Whether scans are drawn in time order instead, a frame each, their embeddings smoothed in time; `trials` are then those scans.
    pub sequence: bool,
    /// Strength a of the smoothing `e_t = (1 − a) e_{t−1} + a x_t`, above 0 and at most 1, which is none; chosen on training trials where
    /// nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub smoothing: Option<f64>,
    /// Scans of a sequence whose trials are not named: the first held-out ones, 2 to 10,000.
    pub limit: usize,
    /// Which embeddings steer the generator; those that it was trained on where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub condition: Option<ConditionSource>,
    /// Pull of w towards its mean, 0 to 10; 1 is none.
    pub truncation_psi: f64,
    /// Per-pixel noise, the same for every frame: the stored maps, new ones, or none.
    pub noise: PixelNoise,
    /// Frames decoded and drawn together, 1 to 1e6; bounds the memory.
    pub batch: usize,
    /// Whether mappers that the generator was not finetuned with, and networks trained under another split, are refused (off:
    /// they are named in a warning).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub strict: bool,
}

impl Default for InterpolateConfig {
    fn default() -> Self {
        Self {
            trials: vec![],
            is_loop: false,
            path: PathChoice::Both,
            frames: 16,
            z: LatentPath::Fixed,
            sequence: false,
            smoothing: None,
            limit: 60,
            condition: None,
            truncation_psi: 1.0,
            noise: PixelNoise::Constant,
            batch: 16,
            strict: false,
        }
    }
}

impl InterpolateConfig {
    /// The same with `condition` where nothing is said.
    pub(super) fn or_condition(&self, condition: ConditionSource) -> Self {
        Self { condition: self.condition.or(Some(condition)), ..self.clone() }
    }

    /// Refuses settings that contradict each other or are out of range.
    ///
    /// # Errors
    /// [`SettingError`] that names the key.
    pub fn validate(&self) -> Result<(), SettingError> {
        self.check().map_err(|error| error.within("interpolate"))
    }

    fn check(&self) -> Result<(), SettingError> {
        if self.sequence {
            self.check_scans()?;
        } else {
            self.check_trials()?;
        }
        if let Some(strength) = self.smoothing {
            in_range("smoothing", strength, above_to(0.0, 1.0))?;
        }
        in_range("limit", self.limit, 2..=MOST_SCANS)?;
        in_range("frames", self.frames, 2..=MOST_FRAMES)?;
        in_range("batch", self.batch, 1..=limits::BATCH)?;
        in_range("truncation_psi", self.truncation_psi, 0.0..=MOST_TRUNCATION)
    }

    /// Scans in time order know no way back.
    fn check_scans(&self) -> Result<(), SettingError> {
        if self.is_loop {
            return Err(SettingError::new("loop", "`false` beside `interpolate.sequence`", "true"));
        }
        if self.trials.is_empty() {
            return Ok(());
        }
        all_in_range("trials", &self.trials, 2..=MOST_SCANS, 0..=limits::ITEMS)
    }

    fn check_trials(&self) -> Result<(), SettingError> {
        let trials = &self.trials;
        if trials.is_empty() {
            return Ok(());
        }
        let wrong = |found: String| {
            let expected = format!(
                "{} to {} trials, each 0 to {} and another than the one before",
                TRIALS.start(),
                TRIALS.end(),
                limits::ITEMS
            );
            Err(SettingError::new("trials", expected, found))
        };
        if !TRIALS.contains(&trials.len()) {
            return wrong(format!("{} of them", trials.len()));
        }
        if let Some(beyond) = trials.iter().find(|trial| **trial > limits::ITEMS) {
            return wrong(beyond.to_string());
        }
        match trials.windows(2).find(|two| two[0] == two[1]) {
            Some(twice) => wrong(format!("{} twice in a row", twice[0])),
            // The way back would be from a trial to itself.
            None if self.is_loop && trials.len() > 2 && trials.first() == trials.last() => {
                wrong(format!("{} at both ends of a loop", trials[0]))
            }
            None => Ok(()),
        }
    }
}

/// Everything that a run needs.
#[derive(Clone, Debug, Serialize)]
pub struct InterpolateSettings {
    /// Prepared subject whose betas are decoded.
    pub prepared: PathBuf,
    /// `nsd_stimuli.hdf5`, for the ground truth.
    pub stimuli: PathBuf,
    /// Snapshots of both mappers and the generator.
    pub networks: DecoderPaths,
    /// Which trials belong to training and validation.
    pub split: SplitConfig,
    /// Which trials, which way, how drawn.
    pub interpolate: InterpolateConfig,
    /// What the mappers aim at: frames are held against it.
    pub targets: TargetFiles,
    /// Folder of cached embeddings.
    pub cache: PathBuf,
    /// Decides z and noise.
    pub seed: u64,
    /// Device of the networks.
    pub device: DeviceChoice,
    /// Number format of the networks.
    pub precision: Precision,
    /// Folder of the runs.
    pub runs: PathBuf,
}

impl InterpolateSettings {
    /// Settings of the command in a project.
    ///
    /// # Errors
    /// When the NSD root is not set, or a network or what it aims at is missing.
    pub fn resolve(
        project: &Project,
        interpolate: &InterpolateConfig,
        train_mapper: &TrainMapperConfig,
    ) -> Result<Self, RunError> {
        let stimuli = NsdTree::new(project.nsd()?).stimuli();
        let (networks, condition) = project.networks(interpolate.condition)?;
        Ok(Self {
            prepared: project.prepared(),
            stimuli,
            networks,
            split: project.split.clone(),
            interpolate: interpolate.or_condition(condition),
            targets: TargetFiles::resolve(project, train_mapper)?,
            cache: project.cache(),
            seed: project.seed,
            device: project.device,
            precision: project.precision,
            runs: project.runs(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trials_that_make_no_way_are_named() {
        let of = |trials: &[usize], is_loop| {
            let config =
                InterpolateConfig { trials: trials.to_vec(), is_loop, ..InterpolateConfig::default() };
            config.validate().map_err(|error| error.to_string())
        };
        let expected = "expected 2 to 100 trials, each 0 to 1000000 and another than the one before";
        let wrong = |found: &str| Err(format!("`interpolate.trials`: found {found}, {expected}"));
        assert_eq!(of(&[], false), Ok(()));
        assert_eq!(of(&[3, 5, 3], false), Ok(()));
        assert_eq!(of(&[3, 5], true), Ok(()));
        assert_eq!(of(&[3], false), wrong("1 of them"));
        assert_eq!(of(&[0; 101], false), wrong("101 of them"));
        assert_eq!(of(&[1, 1_000_001], false), wrong("1000001"));
        assert_eq!(of(&[3, 5, 5, 2], false), wrong("5 twice in a row"));
        assert_eq!(of(&[3, 5, 3], true), wrong("3 at both ends of a loop"));
        let sequence = |config: InterpolateConfig| {
            let config = InterpolateConfig { sequence: true, ..config };
            config.validate().map_err(|error| error.to_string())
        };
        let long = InterpolateConfig { trials: (0..200).collect(), ..InterpolateConfig::default() };
        assert_eq!(sequence(long), Ok(()));
        let closed = InterpolateConfig { is_loop: true, ..InterpolateConfig::default() };
        let expected = "`interpolate.loop`: found true, expected `false` beside `interpolate.sequence`";
        assert_eq!(sequence(closed), Err(expected.into()));
        let none = InterpolateConfig { smoothing: Some(0.0), ..InterpolateConfig::default() };
        let expected = "`interpolate.smoothing`: found 0, expected above 0 and at most 1";
        assert_eq!(sequence(none), Err(expected.into()));
    }
}
