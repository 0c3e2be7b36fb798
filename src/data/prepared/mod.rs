//! The prepared subject: one HDF5 file with the betas of the selected voxels and all that later steps must know.
//!
//! | dataset | type | content |
//! |---|---|---|
//! | `betas` | f32 `[trials, voxels]`, one trial per chunk | responses, scaled as attribute `standardization` says |
//! | `nsd_id` | u32 `[trials]` | image, 0-based |
//! | `session` | u16 `[trials]` | 1-based |
//! | `repeat` | u8 `[trials]` | earlier presentations of the image |
//! | `shared1000` | u8 `[trials]` | 1 where all subjects saw the image |
//! | `coco_id` | u64 `[trials]` | photograph; only when the stimulus table was there |
//! | `flat_index` | u64 `[voxels]` | position in the volume, `x + X·(y + Y·z)`, ascending |
//! | `hemisphere` | u8 `[voxels]` | 1 left, 2 right, 0 unknown |
//! | `rois/<name>` | i32 `[voxels]` | label in that ROI file; attribute `names` is JSON, label to name |
//!
//! Attributes of the file are text: `format`, `program_version`, `subject`, `resolution`, `betas_version`, `selection`,
//! `standardization`, `voxel_order`, `grid`, and `sources` (JSON: path below the NSD root, bytes, time of change).

mod read;
mod write;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::nsd::tree::Hemisphere;
use super::standardize::Standardization;
use super::subject::{Resolution, SubjectId};
use super::trial::{CocoId, Trial};

pub use read::PreparedSubject;
pub use write::PreparedWriter;

const FORMAT: &str = "mindreader prepared subject 1";
const VOXEL_ORDER: &str = "x fastest, then y, then z";

/// `subj01-nsdgeneral-func1pt8mm.h5`: the name under which commands look for the prepared regions `roi` of a subject.
pub fn file_name(subject: SubjectId, resolution: Resolution, roi: &[String]) -> String {
    let roi =
        roi.join("+").replace(|letter: char| !letter.is_ascii_alphanumeric() && !"-+.".contains(letter), "_");
    format!("{subject}-{roi}-{resolution}.h5")
}

/// Where the data came from and how they were treated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// Whose brain.
    pub subject: SubjectId,
    /// Which functional volumes.
    pub resolution: Resolution,
    /// Folder of the betas.
    pub betas_version: String,
    /// The voxels that were asked for.
    pub selection: Vec<String>,
    /// How the betas were scaled.
    pub standardization: Standardization,
    /// `[X, Y, Z]` of the volumes.
    pub grid: [usize; 3],
    /// Files that were read.
    pub sources: Vec<SourceFile>,
    /// Version of this program.
    pub program_version: String,
}

/// A file that was read, to recognise it again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceFile {
    /// Relative to the NSD root.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// When it last changed, in seconds since 1970.
    pub modified_unix_secs: u64,
}

/// What is known of every trial.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrialTable {
    /// In the order of the rows.
    pub trials: Vec<Trial>,
    /// Whether all subjects saw the image.
    pub is_shared: Vec<bool>,
    /// The photographs, when the stimulus table was there.
    pub coco_ids: Option<Vec<CocoId>>,
}

/// What is known of every voxel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VoxelTable {
    /// Position in the volume, ascending.
    pub flat_index: Vec<usize>,
    /// Half of the brain, where a file says so.
    pub hemisphere: Vec<Option<Hemisphere>>,
    /// Labels by ROI file.
    pub rois: BTreeMap<String, RoiLabels>,
}

/// The labels of the voxels in one ROI file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoiLabels {
    /// One per voxel; positive means inside.
    pub labels: Vec<i32>,
    /// Name of each positive label.
    pub names: BTreeMap<i32, String>,
}

#[cfg(test)]
mod tests;
