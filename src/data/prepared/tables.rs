//! What a prepared subject tells of its trials, its voxels and its origin.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::data::nsd::tree::Hemisphere;
use crate::data::standardize::Standardization;
use crate::data::subject::{Resolution, SubjectId};
use crate::data::trial::{CocoId, Trial};

pub(super) const FORMAT: &str = "mindreader prepared subject 1";
pub(super) const VOXEL_ORDER: &str = "x fastest, then y, then z";

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
    /// Grid of the functional volumes: 1.8 mm, or 1 mm upsampled.
    pub resolution: Resolution,
    /// Folder of the betas.
    pub betas_version: String,
    /// The voxels that were asked for.
    pub selection: Vec<String>,
    /// z-scores per session, or percent signal change as it is.
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
    /// Size of the file in bytes.
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
