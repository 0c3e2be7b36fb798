//! Every path below the NSD root, built in one place.
//!
//! The layout is that of the public bucket `natural-scenes-dataset`; COCO's annotation files lie where `nsd_access`
//! put them, in `nsddata_stimuli/stimuli/nsd/annotations`.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::data::subject::{NsdSubject, Resolution};
use crate::error::FileError;
use crate::files::file_is_there;

/// The beta version that decoding papers use: HRF fitted per voxel, GLMdenoise, ridge regression ("b3").
pub const DEFAULT_BETAS_VERSION: &str = "betas_fithrf_GLMdenoise_RR";

/// Half of the brain; printed `lh`, `rh` as in file names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Hemisphere {
    /// `lh`
    #[serde(rename = "lh")]
    Left,
    /// `rh`
    #[serde(rename = "rh")]
    Right,
}

impl fmt::Display for Hemisphere {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Left => "lh",
            Self::Right => "rh",
        })
    }
}

/// Which of COCO's annotation files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnnotationKind {
    /// About five sentences per image.
    Captions,
    /// The 80 things.
    Instances,
    /// The 91 stuffs.
    Stuff,
}

impl AnnotationKind {
    fn prefix(self) -> &'static str {
        match self {
            Self::Captions => "captions",
            Self::Instances => "instances",
            Self::Stuff => "stuff",
        }
    }
}

/// The two parts of COCO 2017, spelt as in the stimulus table.
pub const COCO_SPLITS: [&str; 2] = ["train2017", "val2017"];

/// An NSD download, or a phantom of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NsdTree {
    root: PathBuf,
}

impl NsdTree {
    /// The tree below `root`; nothing is looked at yet.
    pub fn new(root: impl AsRef<Path>) -> Self {
        Self { root: root.as_ref().to_path_buf() }
    }

    /// The tree whose images are `stimuli`; none for a path that is too short.
    pub fn of_stimuli(stimuli: &Path) -> Option<Self> {
        // Four steps up from the file to the root; see [`NsdTree::stimuli`].
        stimuli.ancestors().nth(4).map(Self::new)
    }

    /// The folder that holds `nsddata`, `nsddata_betas` and `nsddata_stimuli`.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Order of trials and image lists, MATLAB v5.
    pub fn experiment_design(&self) -> PathBuf {
        self.root.join("nsddata/experiments/nsd/nsd_expdesign.mat")
    }

    /// One row per image: COCO id, crop, flags.
    pub fn stim_info(&self) -> PathBuf {
        self.root.join("nsddata/experiments/nsd/nsd_stim_info_merged.csv")
    }

    /// The 73 000 images.
    pub fn stimuli(&self) -> PathBuf {
        self.root.join("nsddata_stimuli/stimuli/nsd/nsd_stimuli.hdf5")
    }

    /// Folder of COCO's annotation files.
    pub fn annotations_dir(&self) -> PathBuf {
        self.root.join("nsddata_stimuli/stimuli/nsd/annotations")
    }

    /// One annotation file; `coco_split` is one of [`COCO_SPLITS`].
    pub fn annotations(&self, kind: AnnotationKind, coco_split: &str) -> PathBuf {
        self.annotations_dir().join(format!("{}_{coco_split}.json", kind.prefix()))
    }

    /// The annotation files of both splits that exist.
    ///
    /// # Errors
    /// [`FileError::Unreadable`] for one that is there and cannot be looked at.
    pub fn annotations_present(&self, kind: AnnotationKind) -> Result<Vec<PathBuf>, FileError> {
        let mut present = Vec::new();
        for path in COCO_SPLITS.iter().map(|split| self.annotations(kind, split)) {
            if file_is_there(&path)? {
                present.push(path);
            }
        }
        Ok(present)
    }

    /// Button presses, one row per trial.
    pub fn responses(&self, subject: NsdSubject) -> PathBuf {
        self.root.join(format!("nsddata/ppdata/{subject}/behav/responses.tsv"))
    }

    /// Folder of volumes that are not betas.
    pub fn functional_dir(&self, subject: NsdSubject, resolution: Resolution) -> PathBuf {
        self.root.join(format!("nsddata/ppdata/{subject}/{resolution}"))
    }

    /// 1 inside the brain, 0 outside.
    pub fn brainmask(&self, subject: NsdSubject, resolution: Resolution) -> PathBuf {
        self.functional_dir(subject, resolution).join("brainmask.nii.gz")
    }

    /// 1 where every volume of a session is present; `session` is 1-based.
    pub fn valid_session(&self, subject: NsdSubject, resolution: Resolution, session: u16) -> PathBuf {
        self.functional_dir(subject, resolution).join(format!("valid_session{session:02}.nii.gz"))
    }

    /// Folder of label volumes.
    pub fn roi_dir(&self, subject: NsdSubject, resolution: Resolution) -> PathBuf {
        self.functional_dir(subject, resolution).join("roi")
    }

    /// A label volume of one hemisphere, or of both.
    pub fn roi(
        &self,
        subject: NsdSubject,
        resolution: Resolution,
        name: &str,
        hemisphere: Option<Hemisphere>,
    ) -> PathBuf {
        let prefix = hemisphere.map_or(String::new(), |side| format!("{side}."));
        self.roi_dir(subject, resolution).join(format!("{prefix}{name}.nii.gz"))
    }

    /// Where the label names of an ROI may be, most specific first.
    pub fn label_tables(&self, subject: NsdSubject, roi: &str) -> [PathBuf; 3] {
        [
            self.root.join(format!("nsddata/freesurfer/{subject}/label/{roi}.mgz.ctab")),
            self.root.join(format!("nsddata/freesurfer/fsaverage/label/{roi}.mgz.ctab")),
            self.root.join(format!("nsddata/templates/{roi}.ctab")),
        ]
    }

    /// Folder of one version of the betas.
    pub fn betas_dir(&self, subject: NsdSubject, resolution: Resolution, version: &str) -> PathBuf {
        self.root.join(format!("nsddata_betas/ppdata/{subject}/{resolution}/{version}"))
    }

    /// Betas of one session (1-based) as HDF5.
    pub fn betas_hdf5(
        &self,
        subject: NsdSubject,
        resolution: Resolution,
        version: &str,
        session: u16,
    ) -> PathBuf {
        self.betas_dir(subject, resolution, version).join(format!("betas_session{session:02}.hdf5"))
    }

    /// Betas of one session (1-based) as NIfTI.
    pub fn betas_nifti(
        &self,
        subject: NsdSubject,
        resolution: Resolution,
        version: &str,
        session: u16,
    ) -> PathBuf {
        self.betas_dir(subject, resolution, version).join(format!("betas_session{session:02}.nii.gz"))
    }

    /// Mean of a session's betas (1-based), still times 300.
    pub fn mean_beta_session(
        &self,
        subject: NsdSubject,
        resolution: Resolution,
        version: &str,
        session: u16,
    ) -> PathBuf {
        self.betas_dir(subject, resolution, version).join(format!("meanbeta_session{session:02}.nii.gz"))
    }

    /// Noise-ceiling signal-to-noise ratio per voxel.
    pub fn ncsnr(&self, subject: NsdSubject, resolution: Resolution, version: &str) -> PathBuf {
        self.betas_dir(subject, resolution, version).join("ncsnr.nii.gz")
    }

    /// A path relative to the root where it lies below it, for records that must not depend on where NSD is kept.
    pub fn relative(&self, path: &Path) -> String {
        path.strip_prefix(&self.root).unwrap_or(path).to_string_lossy().replace('\\', "/")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_bucket() {
        let tree = NsdTree::new("nsd");
        let subject = NsdSubject::new(5).unwrap();
        let fine = Resolution::Func1pt8mm;
        assert_eq!(
            tree.betas_hdf5(subject, fine, DEFAULT_BETAS_VERSION, 7),
            Path::new(
                "nsd/nsddata_betas/ppdata/subj05/func1pt8mm/betas_fithrf_GLMdenoise_RR/betas_session07.hdf5"
            )
        );
        assert_eq!(
            tree.roi(subject, Resolution::Func1mm, "floc-faces", Some(Hemisphere::Left)),
            Path::new("nsd/nsddata/ppdata/subj05/func1mm/roi/lh.floc-faces.nii.gz")
        );
        assert_eq!(
            tree.annotations(AnnotationKind::Stuff, "val2017"),
            Path::new("nsd/nsddata_stimuli/stimuli/nsd/annotations/stuff_val2017.json")
        );
        assert_eq!(NsdTree::of_stimuli(&tree.stimuli()), Some(tree.clone()));
        assert_eq!(NsdTree::of_stimuli(Path::new("nsd_stimuli.hdf5")), None);
        assert_eq!(
            tree.relative(&tree.ncsnr(subject, fine, "b")),
            "nsddata_betas/ppdata/subj05/func1pt8mm/b/ncsnr.nii.gz"
        );
    }
}
