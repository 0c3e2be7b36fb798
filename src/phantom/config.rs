//! What a phantom is made from; everything else follows from the seed.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::scenes::things::Thing;
use crate::data::subject::{NsdSubject, Resolution};
use crate::error::{SettingError, in_range};
use crate::files::path_from_home;

/// Grid, sessions and images of a phantom, together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PhantomSize {
    /// Some 300 visual voxels, one session: tests.
    Tiny,
    /// Some 1200 visual voxels, two sessions: the demo.
    #[default]
    Small,
    /// The subject's real grid, voxel count and image list: benchmarks.
    Full,
}

/// Drawn scenes, or photographs with COCO annotations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StimulusSource {
    /// Procedural scenes.
    #[default]
    Scenes,
    /// Square crops of photographs with COCO annotations.
    Photographs,
    /// Photographs for a share of the images, scenes for the others.
    Both,
}

/// In which formats betas are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BetaFiles {
    /// `betas_sessionNN.hdf5`.
    #[default]
    Hdf5,
    /// That, and the same numbers as `betas_sessionNN.nii.gz`.
    Both,
}

/// Settings of a phantom.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PhantomConfig {
    /// Grid, number of voxels and sessions.
    pub size: PhantomSize,
    /// Which of NSD's eight subjects it stands for.
    pub subject: NsdSubject,
    /// Sessions to write; by default 1 (tiny), 2 (small), or what NSD offered until August 2023 (full).
    pub sessions: Option<usize>,
    /// Drawn scenes, or photographs with COCO annotations.
    pub source: StimulusSource,
    /// Folder with `train2017/*.jpg` and `annotations/{captions,instances}_train2017.json` (also `val2017`).
    #[serde(deserialize_with = "path_from_home")]
    pub photographs: Option<PathBuf>,
    /// Share of photographs among the images when the source is `both`, 0..1.
    pub photograph_fraction: f64,
    /// Factor on every voxel's signal-to-noise ratio, 0 to 1000: 1 is like NSD, 0 is pure noise.
    pub signal: f64,
    /// Share by which the second (and again the third) presentation of an image drives a voxel less, 0..1.
    pub repetition_suppression: f64,
    /// COCO names of things that scenes show only in the last 15 % of the images, by first appearance: the paper's
    /// validation images. Decoders then meet them untrained.
    pub novel_categories: Vec<String>,
    /// Share of the images that are, in pairs, two views of one scene, 0..1. Pairs are drawn without regard to any split.
    pub near_duplicates: f64,
    /// Formats of the betas.
    pub beta_files: BetaFiles,
    /// Decides everything that chance decides.
    pub seed: u64,
}

impl Default for PhantomConfig {
    fn default() -> Self {
        Self {
            size: PhantomSize::default(),
            subject: NsdSubject::default(),
            sessions: None,
            source: StimulusSource::default(),
            photographs: None,
            photograph_fraction: 0.5,
            signal: 1.0,
            repetition_suppression: 0.0,
            novel_categories: Vec::new(),
            near_duplicates: 0.0,
            beta_files: BetaFiles::default(),
            seed: 0,
        }
    }
}

/// Most sessions of any subject of NSD.
const MOST_SESSIONS: usize = 40;
/// Largest factor on the signal: nothing of the noise is left.
const MOST_SIGNAL: f64 = 1000.0;
/// More could forbid everything that a place has.
const MOST_NOVEL: usize = 4;

/// Sessions of each subject that were withheld until August 2023.
const WITHHELD_SESSIONS: usize = 3;

impl PhantomConfig {
    /// Number of sessions to write.
    pub fn num_sessions(&self) -> usize {
        self.sessions.unwrap_or(match self.size {
            PhantomSize::Tiny => 1,
            PhantomSize::Small => 2,
            PhantomSize::Full => self.subject.num_sessions() - WITHHELD_SESSIONS,
        })
    }

    /// Voxels `[X, Y, Z]` of the functional volumes.
    pub fn grid(&self) -> [usize; 3] {
        match self.size {
            PhantomSize::Tiny => [14, 16, 14],
            PhantomSize::Small => [22, 26, 22],
            PhantomSize::Full => self.subject.grid(Resolution::Func1pt8mm),
        }
    }

    /// Voxels in `nsdgeneral`.
    pub fn num_nsdgeneral_voxels(&self) -> usize {
        match self.size {
            PhantomSize::Tiny => 300,
            PhantomSize::Small => 1200,
            PhantomSize::Full => {
                self.subject.expected_nsdgeneral_voxels(Resolution::Func1pt8mm).unwrap_or(15_000)
            }
        }
    }

    /// Refuses numbers out of range, whatever the other settings are.
    ///
    /// # Errors
    /// [`SettingError`] that names the first setting out of range.
    pub fn check_ranges(&self) -> Result<(), SettingError> {
        if let Some(sessions) = self.sessions {
            in_range("sessions", sessions, 1..=MOST_SESSIONS)?;
        }
        in_range("signal", self.signal, 0.0..=MOST_SIGNAL)?;
        for (name, share) in [
            ("photograph_fraction", self.photograph_fraction),
            ("repetition_suppression", self.repetition_suppression),
            ("near_duplicates", self.near_duplicates),
        ] {
            in_range(name, share, 0.0..=1.0)?;
        }
        Ok(())
    }

    /// Refuses settings that cannot be written.
    ///
    /// # Errors
    /// [`SettingError`] that names the first setting out of range.
    pub fn validate(&self) -> Result<(), SettingError> {
        self.check_ranges()?;
        let wrong =
            |field: &str, expected: String, found: String| Err(SettingError::new(field, expected, found));
        let sessions = self.num_sessions();
        if sessions == 0 || sessions > self.subject.num_sessions() {
            let expected = format!("1 to {} for {}", self.subject.num_sessions(), self.subject);
            return wrong("sessions", expected, sessions.to_string());
        }
        let known: BTreeSet<&str> = Thing::ALL.iter().map(|thing| thing.category().1).collect();
        if let Some(name) = self.novel_categories.iter().find(|name| !known.contains(name.as_str())) {
            let known: Vec<&str> = known.into_iter().collect();
            return wrong("novel_categories", known.join(", "), name.clone());
        }
        if self.novel_categories.len() > MOST_NOVEL {
            let expected = format!("at most {MOST_NOVEL}, so that every place has other things to show");
            return wrong("novel_categories", expected, format!("{} names", self.novel_categories.len()));
        }
        if self.source != StimulusSource::Scenes && self.photographs.is_none() {
            return wrong(
                "photographs",
                "a folder, since `source` asks for photographs".to_string(),
                "not set".to_string(),
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_settings_are_named() {
        let cases = [
            (
                PhantomConfig { sessions: Some(41), ..Default::default() },
                "`sessions`: found 41, expected 1 to 40",
            ),
            (PhantomConfig { sessions: Some(0), ..Default::default() }, "`sessions`: found 0"),
            (PhantomConfig { signal: -1.0, ..Default::default() }, "`signal`: found -1"),
            (PhantomConfig { signal: f64::NAN, ..Default::default() }, "`signal`: found NaN"),
            (PhantomConfig { near_duplicates: -0.1, ..Default::default() }, "`near_duplicates`: found -0.1"),
            (
                PhantomConfig { novel_categories: vec!["unicorn".into()], ..Default::default() },
                "`novel_categories`: found unicorn, expected airplane, apple",
            ),
            (
                PhantomConfig { photograph_fraction: 1.5, ..Default::default() },
                "`photograph_fraction`: found 1.5",
            ),
            (
                PhantomConfig { source: StimulusSource::Both, ..Default::default() },
                "`photographs`: found not set",
            ),
        ];
        for (config, message) in cases {
            let error = config.validate().unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
        PhantomConfig::default().validate().unwrap();
    }

    #[test]
    fn sizes_follow_the_subject() {
        let full = PhantomConfig { size: PhantomSize::Full, ..Default::default() };
        assert_eq!(
            (full.num_sessions(), full.grid(), full.num_nsdgeneral_voxels()),
            (37, [81, 104, 83], 15724)
        );
    }

    #[test]
    fn unknown_keys_are_refused() {
        assert!(serde_json::from_str::<PhantomConfig>("{\"sizes\": \"tiny\"}").is_err());
        let config: PhantomConfig = serde_json::from_str("{\"size\": \"tiny\", \"subject\": 3}").unwrap();
        assert_eq!((config.size, config.subject.number()), (PhantomSize::Tiny, 3));
    }
}
