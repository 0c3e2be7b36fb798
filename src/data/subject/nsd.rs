//! Subjects of NSD: ids, session counts, grids, voxel counts, each with its source.
//!
//! Sources: NSD Data Manual (*Technical notes*, *General Information*), `nsdsetup.m` and `export_noiseceiling.m`
//! of cvnlab/nsddatapaper; voxel counts of `nsdgeneral` as published by MedARC-AI/MindEyeV2.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::data::error::DataError;

/// Number of subjects in NSD.
pub const NUM_SUBJECTS: usize = 8;

const NUM_SESSIONS: [usize; NUM_SUBJECTS] = [40, 40, 32, 30, 40, 32, 40, 30];
/// Sessions of subject 1 that the paper used.
const PAPER_SESSIONS_SUBJECT_1: u16 = 37;
const NSDGENERAL_1PT8MM: [usize; NUM_SUBJECTS] = [15724, 14278, 15226, 13153, 13039, 17907, 12682, 14386];
const GRID_1PT8MM: [[usize; 3]; NUM_SUBJECTS] = [
    [81, 104, 83],
    [82, 106, 84],
    [81, 106, 82],
    [85, 99, 80],
    [79, 97, 78],
    [85, 113, 83],
    [78, 95, 81],
    [80, 103, 78],
];
const GRID_1MM: [[usize; 3]; NUM_SUBJECTS] = [
    [145, 186, 148],
    [146, 190, 150],
    [145, 190, 146],
    [152, 177, 143],
    [141, 173, 139],
    [152, 202, 148],
    [139, 170, 145],
    [143, 184, 139],
];

/// One of NSD's eight subjects; printed as in file names, `subj01`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "u32")]
pub struct NsdSubject(u8);

/// Subject 1, the paper's.
impl Default for NsdSubject {
    fn default() -> Self {
        Self(1)
    }
}

impl NsdSubject {
    /// The subject with this 1-based number.
    ///
    /// # Errors
    /// [`DataError::Unknown`] unless `1 <= number <= 8`.
    pub fn new(number: u32) -> Result<Self, DataError> {
        match u8::try_from(number) {
            Ok(small) if (1..=NUM_SUBJECTS as u8).contains(&small) => Ok(Self(small)),
            _ => Err(DataError::unknown("subject", number, 1..=NUM_SUBJECTS)),
        }
    }

    /// All eight, in order.
    pub fn all() -> impl Iterator<Item = Self> {
        (1..=NUM_SUBJECTS as u8).map(Self)
    }

    /// 1-based number.
    pub fn number(self) -> u32 {
        u32::from(self.0)
    }

    /// 0-based row in tables that have one row per subject.
    pub fn row(self) -> usize {
        usize::from(self.0) - 1
    }

    /// Sessions in the full release (since August 2023; before, three fewer).
    pub fn num_sessions(self) -> usize {
        NUM_SESSIONS[self.row()]
    }

    /// The last session that is used unless another is asked for: 37 of subject 1, as in the paper; else all that are there.
    pub fn usual_sessions(self) -> Option<u16> {
        (self.0 == 1).then_some(PAPER_SESSIONS_SUBJECT_1)
    }

    /// Voxels `[X, Y, Z]` of the functional volumes.
    pub fn grid(self, resolution: Resolution) -> [usize; 3] {
        match resolution {
            Resolution::Func1pt8mm => GRID_1PT8MM[self.row()],
            Resolution::Func1mm => GRID_1MM[self.row()],
        }
    }

    /// Voxels of `nsdgeneral` at 1.8 mm; unknown at 1 mm.
    pub fn expected_nsdgeneral_voxels(self, resolution: Resolution) -> Option<usize> {
        match resolution {
            Resolution::Func1pt8mm => Some(NSDGENERAL_1PT8MM[self.row()]),
            Resolution::Func1mm => None,
        }
    }
}

impl fmt::Display for NsdSubject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "subj{:02}", self.0)
    }
}

impl TryFrom<u32> for NsdSubject {
    type Error = DataError;

    fn try_from(number: u32) -> Result<Self, DataError> {
        Self::new(number)
    }
}

impl TryFrom<i64> for NsdSubject {
    type Error = String;

    /// For files and settings, whose integers have signs.
    fn try_from(number: i64) -> Result<Self, String> {
        let known = u32::try_from(number).ok().and_then(|number| Self::new(number).ok());
        known.ok_or_else(|| format!("found {number}, expected 1 to {NUM_SUBJECTS}"))
    }
}

impl From<NsdSubject> for u32 {
    fn from(subject: NsdSubject) -> Self {
        subject.number()
    }
}

impl FromStr for NsdSubject {
    type Err = DataError;

    /// Reads `1`, `01` or `subj01`.
    fn from_str(text: &str) -> Result<Self, DataError> {
        text.strip_prefix("subj")
            .unwrap_or(text)
            .parse::<u32>()
            .map_err(|_| DataError::unknown("subject", text, 1..=NUM_SUBJECTS))
            .and_then(Self::new)
    }
}

/// Preparation of the functional data, spelt as in the paths of NSD.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Resolution {
    /// 1.8 mm voxels, the paper's choice.
    #[default]
    Func1pt8mm,
    /// 1 mm voxels (upsampled).
    Func1mm,
}

impl Resolution {
    /// Edge of a voxel in millimetres.
    pub fn voxel_size_mm(self) -> f64 {
        match self {
            Self::Func1pt8mm => 1.8,
            Self::Func1mm => 1.0,
        }
    }

    /// Sampling interval that the headers of time-like volumes state, in seconds.
    pub fn repetition_time_secs(self) -> f64 {
        match self {
            Self::Func1pt8mm => 4.0 / 3.0,
            Self::Func1mm => 1.0,
        }
    }
}

impl fmt::Display for Resolution {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Func1pt8mm => "func1pt8mm",
            Self::Func1mm => "func1mm",
        })
    }
}

impl FromStr for Resolution {
    type Err = DataError;

    fn from_str(text: &str) -> Result<Self, DataError> {
        match text {
            "func1pt8mm" => Ok(Self::Func1pt8mm),
            "func1mm" => Ok(Self::Func1mm),
            _ => Err(DataError::unknown("resolution", text, [Self::Func1pt8mm, Self::Func1mm])),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subject_nine_and_zero_are_refused() {
        for number in [0, 9, 257, u32::MAX] {
            let error = NsdSubject::new(number).unwrap_err();
            assert!(error.to_string().contains(&format!("unknown subject `{number}`")), "{error}");
        }
        assert!("subj9".parse::<NsdSubject>().is_err());
        assert!(serde_json::from_str::<NsdSubject>("9").is_err());
    }

    #[test]
    fn tables_hold_the_published_numbers() {
        let first = NsdSubject::new(1).unwrap();
        assert_eq!(first.to_string(), "subj01");
        assert_eq!(first.grid(Resolution::Func1pt8mm), [81, 104, 83]);
        assert_eq!(first.expected_nsdgeneral_voxels(Resolution::Func1pt8mm), Some(15724));
        // 213,000 trials in all (Allen et al. 2022).
        assert_eq!(NsdSubject::all().map(NsdSubject::num_sessions).sum::<usize>() * 750, 213_000);
        assert_eq!("subj08".parse::<NsdSubject>().unwrap().grid(Resolution::Func1mm), [143, 184, 139]);
    }

    #[test]
    fn resolution_is_spelt_like_the_folders() {
        for resolution in [Resolution::Func1pt8mm, Resolution::Func1mm] {
            let json = serde_json::to_string(&resolution).unwrap();
            assert_eq!(json, format!("\"{resolution}\""));
            assert_eq!(resolution.to_string().parse::<Resolution>().unwrap(), resolution);
        }
        assert!("func2mm".parse::<Resolution>().is_err());
    }
}
