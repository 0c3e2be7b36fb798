//! What a prepared subject tells of its trials, its voxels and its origin.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::data::formats::nifti::Affine;
use crate::data::nsd::tree::{DEFAULT_BETAS_VERSION, Hemisphere};
use crate::data::standardize::Standardization;
use crate::data::subject::{Resolution, SubjectId};
use crate::data::trial::{CocoId, Trial};

pub(super) const FORMAT: &str = "mindreader prepared subject 1";
/// Letters of the regions, and of the betas' folder, in a file's name; more are cut.
const LONGEST_SELECTION: usize = 90;
pub(super) const VOXEL_ORDER: &str = "x fastest, then y, then z";

/// What decides a prepared file of a subject, and its name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PreparedChoice {
    /// Regions whose union is taken.
    pub roi: Vec<String>,
    /// Last session; the subject's own where none is set.
    pub sessions: Option<u16>,
    /// Folder of the betas; NSD's "b3" where none is set.
    pub betas_version: Option<String>,
    /// Scaling of the betas.
    pub standardization: Standardization,
}

/// `subj01-nsdgeneral-func1pt8mm.h5`: the name under which commands look for what `choice` says of a subject. What is as
/// usual is left out; else it follows, as in `subj01-V1-func1pt8mm-sessions02.h5`. Of an imported subject there is one file, which
/// its name alone tells: `digits.h5`.
pub fn file_name(subject: SubjectId, resolution: Resolution, choice: &PreparedChoice) -> String {
    let SubjectId::Nsd(subject) = subject else { return format!("{subject}.h5") };
    let plain = |text: &str| {
        text.replace(|letter: char| !letter.is_ascii_alphanumeric() && !"-+.".contains(letter), "_")
    };
    let mut name = format!("{subject}-{}-{resolution}", shortened(&plain(&choice.roi.join("+"))));
    if let Some(last) = choice.sessions.filter(|last| Some(*last) != subject.usual_sessions()) {
        name.push_str(&format!("-sessions{last:02}"));
    }
    if let Some(version) = choice.betas_version.as_deref().filter(|version| *version != DEFAULT_BETAS_VERSION)
    {
        name.push_str(&format!("-{}", shortened(&plain(version))));
    }
    if choice.standardization != Standardization::default() {
        name.push_str(&format!("-{}", choice.standardization.name()));
    }
    name + ".h5"
}

/// A name that leaves file systems (255 bytes) room for what is written around it; what is cut off lives on in a hash.
fn shortened(name: &str) -> String {
    if name.len() <= LONGEST_SELECTION {
        return name.to_string();
    }
    let digest: String = Sha256::digest(name).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    // Letters of the name are ASCII by now.
    format!("{}-{digest}", &name[..LONGEST_SELECTION - digest.len() - 1])
}

/// Where the data came from and how they were treated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
    /// Where the voxels lie in space; nothing where no file told it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<VoxelPosition>,
    /// Files that were read.
    pub sources: Vec<SourceFile>,
    /// Version of this program.
    pub program_version: String,
}

/// Where the voxels of the volumes lie in space.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VoxelPosition {
    /// Millimetres of every voxel.
    pub affine: Affine,
    /// The file that says so, relative to the NSD root.
    pub source: String,
    /// Whether that file lies as the betas do; the region volumes, which tell the position where nothing else does, are only taken
    /// to.
    pub is_of_betas: bool,
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
    /// Whether the split that came with the data holds the trial out; of imported subjects that have one.
    pub is_test: Option<Vec<bool>>,
    /// Names of the images by number, of imported subjects.
    pub image_names: Option<Vec<String>>,
}

/// What is known of every voxel.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct VoxelTable {
    /// Position in the volume, ascending.
    pub flat_index: Vec<usize>,
    /// Half of the brain, where a file says so.
    pub hemisphere: Vec<Option<Hemisphere>>,
    /// Labels by ROI file.
    pub rois: BTreeMap<String, RoiLabels>,
    /// Percent of a single trial's variance that a model of the image could explain at best, NaN where it is not known; of
    /// imported subjects that came with it.
    pub noise_ceiling: Option<Vec<f32>>,
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
mod tests {
    use super::*;

    #[test]
    fn a_name_says_what_decides_the_content_and_leaves_out_what_is_usual() {
        let usual = PreparedChoice { roi: vec!["nsdgeneral".into()], ..PreparedChoice::default() };
        let of = |number: u32, choice: &PreparedChoice| {
            file_name(SubjectId::new(number).unwrap(), Resolution::Func1pt8mm, choice)
        };
        assert_eq!(of(1, &usual), "subj01-nsdgeneral-func1pt8mm.h5");
        let spelt_out = PreparedChoice {
            sessions: Some(37),
            betas_version: Some("betas_fithrf_GLMdenoise_RR".into()),
            ..usual.clone()
        };
        assert_eq!(of(1, &spelt_out), of(1, &usual));
        assert_eq!(of(2, &spelt_out), "subj02-nsdgeneral-func1pt8mm-sessions37.h5");
        let other = PreparedChoice {
            roi: vec!["V1".into(), "lh.floc-faces".into()],
            sessions: Some(2),
            betas_version: Some("betas_assumehrf".into()),
            standardization: Standardization::None,
        };
        assert_eq!(
            of(1, &other),
            "subj01-V1+lh.floc-faces-func1pt8mm-sessions02-betas_assumehrf-unscaled.h5"
        );
    }
}
