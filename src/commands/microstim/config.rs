//! What `microstim` takes: which regions, how strongly, on which trials, from which files.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::paper_regions::PAPER_REGIONS;
use crate::data::nsd::tree::NsdTree;
use crate::data::split::SplitConfig;
use crate::error::{SettingError, all_in_range, count_in_range, in_range, limits};
use crate::models::condition_source::ConditionSource;
use crate::pipelines::brain_decoder::DecoderPaths;
use crate::pipelines::project::Project;
use crate::pipelines::stimulation::{EXCITED_BETA, Stimulation};
use crate::run::device::DeviceChoice;
use crate::run::error::RunError;
use crate::run::precision::Precision;

/// Most regions of a call, and most levels of a dose.
const MOST_ENTRIES: usize = 100;
/// Most random regions that a region is held against.
const MOST_CONTROLS: usize = 100;

/// What is stimulated, how, and on which trials.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MicrostimConfig {
    /// Region: a file (`floc-faces`), a label (`FFA-1`, `V1`), one hemisphere (`lh.floc-faces`), or `streams:early`;
    /// several joined by `+`.
    pub roi: String,
    /// Several regions in place of `roi`, one run after the other; at most 100.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rois: Vec<String>,
    /// Whether the paper's regions are taken in place of `roi` and `action`: localisers and face areas driven, stages of the visual
    /// hierarchy silenced (paper section 3.3, A.5).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub paper: bool,
    /// Whether the region is driven or silenced.
    pub action: Stimulation,
    /// Value of driven voxels in standard deviations, 0 to 1000 (the paper: 10).
    pub excited_beta: f32,
    /// Values of driven voxels whose effects are counted beside that of `excited_beta`, at most 100, each 0 to 1000; pictures are drawn of
    /// `excited_beta` alone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub levels: Vec<f32>,
    /// Random regions of as many voxels, outside the region, whose effect stands beside its own as the floor: 0 to 100.
    pub controls: usize,
    /// Trials: validation images, presentations averaged; at most this many, up to 1e6; 0 means all.
    pub limit: usize,
    /// Sentences whose similarity to the decoded embeddings is compared before and after.
    pub probes: Vec<String>,
    /// Which embeddings steer the generator; those that it was trained on where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub condition: Option<ConditionSource>,
    /// Whether networks that do not belong together are refused (off: they are named in a warning).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub strict: bool,
}

impl Default for MicrostimConfig {
    fn default() -> Self {
        Self {
            roi: "floc-faces".into(),
            rois: vec![],
            paper: false,
            action: Stimulation::Excite,
            excited_beta: EXCITED_BETA,
            levels: vec![],
            controls: 5,
            limit: 8,
            probes: ["a person", "a dog", "a car on a road", "a sign with letters", "green grass", "the sea"]
                .map(String::from)
                .to_vec(),
            condition: None,
            strict: false,
        }
    }
}

/// Farthest that a region is driven, in standard deviations.
const MOST_EXCITED: f64 = 1000.0;

impl MicrostimConfig {
    /// The same with `condition` where nothing is said.
    pub(super) fn or_condition(&self, condition: ConditionSource) -> Self {
        Self { condition: self.condition.or(Some(condition)), ..self.clone() }
    }

    /// Checks every range.
    ///
    /// # Errors
    /// [`SettingError`] that names the first key out of range.
    pub fn validate(&self) -> Result<(), SettingError> {
        let check = || {
            in_range("excited_beta", f64::from(self.excited_beta), 0.0..=MOST_EXCITED)?;
            if !self.levels.is_empty() {
                let levels: Vec<f64> = self.levels.iter().copied().map(f64::from).collect();
                all_in_range("levels", &levels, 1..=MOST_ENTRIES, 0.0..=MOST_EXCITED)?;
            }
            count_in_range("rois", self.rois.len(), 0..=MOST_ENTRIES)?;
            in_range("controls", self.controls, 0..=MOST_CONTROLS)?;
            in_range("limit", self.limit, 0..=limits::ITEMS)?;
            self.check_dose()
        };
        check().map_err(|error: SettingError| error.within("microstim"))
    }

    /// A region that is silenced has one level.
    fn check_dose(&self) -> Result<(), SettingError> {
        if self.levels.is_empty() || self.action == Stimulation::Excite || self.paper {
            return Ok(());
        }
        let expected = "none beside regions that are silenced, whose betas are 0";
        Err(SettingError::new("levels", expected, format!("{} of them", self.levels.len())))
    }

    /// The same of one region.
    pub fn for_region(&self, roi: &str, action: Stimulation) -> Self {
        // What is silenced has one level.
        let levels = if action == Stimulation::Excite { self.levels.clone() } else { vec![] };
        Self { roi: roi.into(), rois: vec![], paper: false, action, levels, ..self.clone() }
    }

    /// Several regions with what is done to them; none where there is one.
    pub(super) fn regions(&self) -> Vec<(String, Stimulation)> {
        if self.paper {
            return PAPER_REGIONS.iter().map(|(roi, action)| (roi.to_string(), *action)).collect();
        }
        self.rois.iter().map(|roi| (roi.clone(), self.action)).collect()
    }

    /// Whether several regions are wanted.
    pub fn has_several(&self) -> bool {
        self.paper || !self.rois.is_empty()
    }

    /// The levels whose effects are counted, ascending, each once: that of the pictures among them.
    pub(super) fn doses(&self) -> Vec<f32> {
        let mut levels = match self.action {
            Stimulation::Excite => self.levels.clone(),
            Stimulation::Silence => vec![],
        };
        levels.push(self.action.value(self.excited_beta));
        levels.sort_by(f32::total_cmp);
        levels.dedup();
        levels
    }
}

/// Everything that a run needs.
#[derive(Clone, Debug, Serialize)]
pub struct MicrostimSettings {
    /// Prepared subject whose betas are changed.
    pub prepared: PathBuf,
    /// `nsd_stimuli.hdf5`, for the ground truth.
    pub stimuli: PathBuf,
    /// Snapshots of both mappers and the generator.
    pub networks: DecoderPaths,
    /// CLIP, for the probe sentences.
    pub clip: PathBuf,
    /// Which trials belong to training and validation.
    pub split: SplitConfig,
    /// Region, action, trials and sentences.
    pub microstim: MicrostimConfig,
    /// Decides z, the same before and after.
    pub seed: u64,
    /// Device of the networks.
    pub device: DeviceChoice,
    /// Number format of the networks.
    pub precision: Precision,
    /// Folder of the runs.
    pub runs: PathBuf,
}

impl MicrostimSettings {
    /// Settings of the command in a project.
    ///
    /// # Errors
    /// When the NSD root is not set or a network is missing.
    pub fn resolve(project: &Project, microstim: &MicrostimConfig) -> Result<Self, RunError> {
        let stimuli = NsdTree::new(project.nsd()?).stimuli();
        let (networks, condition) = project.networks(microstim.condition)?;
        Ok(Self {
            prepared: project.prepared(),
            stimuli,
            networks,
            clip: project.clip()?,
            split: project.split.clone(),
            microstim: microstim.or_condition(condition),
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
    fn a_dose_holds_the_level_of_the_pictures_once() {
        let of = |levels: &[f32], action| MicrostimConfig {
            levels: levels.to_vec(),
            action,
            ..MicrostimConfig::default()
        };
        assert_eq!(of(&[4.0, 2.0, 10.0], Stimulation::Excite).doses(), [2.0, 4.0, 10.0]);
        assert_eq!(of(&[], Stimulation::Excite).doses(), [10.0]);
        assert_eq!(of(&[], Stimulation::Silence).doses(), [0.0]);
        let silenced = of(&[4.0], Stimulation::Excite).for_region("V1", Stimulation::Silence);
        assert_eq!((silenced.doses(), silenced.roi.as_str(), silenced.validate()), (vec![0.0], "V1", Ok(())));
        let error = of(&[2.0], Stimulation::Silence).validate().unwrap_err().to_string();
        assert!(error.starts_with("`microstim.levels`: found 1 of them, expected none beside"), "{error}");
        let error = of(&[2.0, f32::NAN], Stimulation::Excite).validate().unwrap_err().to_string();
        assert!(error.contains("`microstim.levels`") && error.contains("0 to 1000"), "{error}");
    }
}
