//! `mindreader doctor`: what of NSD is there for a subject, what is missing, and what each missing file is needed for.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::data::nsd::ctab::LabelTable;
use crate::data::nsd::region_atlas::REGION_ATLASES;
use crate::data::nsd::roi::roi_names;
use crate::data::nsd::tree::{AnnotationKind, COCO_SPLITS, DEFAULT_BETAS_VERSION, NsdTree};
use crate::data::subject::{Resolution, SubjectId};
use crate::pipelines::project::Project;
use crate::run::error::RunError;

/// Which download is examined.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DoctorSettings {
    /// Folder that holds `nsddata`, `nsddata_betas`, `nsddata_stimuli`.
    pub nsd_root: PathBuf,
    /// NSD subject, 1 to 8.
    pub subject: SubjectId,
    /// Functional volumes: voxels of 1.8 mm or 1 mm.
    pub resolution: Resolution,
}

impl DoctorSettings {
    /// Settings of the command in a project.
    ///
    /// # Errors
    /// When the NSD root is not set.
    pub fn resolve(project: &Project) -> Result<Self, RunError> {
        Ok(Self { nsd_root: project.nsd()?, subject: project.subject, resolution: project.resolution })
    }
}

/// How much depends on a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Need {
    /// `prepare` cannot run without it.
    Required,
    /// Only some commands need it.
    Optional,
}

/// One file, or one group of files of which one is enough.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Path below the NSD root.
    pub path: String,
    /// Its size in bytes; none when it is missing.
    pub bytes: Option<u64>,
    /// What it is for.
    pub needed_for: String,
    /// How much depends on it.
    pub need: Need,
}

/// What can be run with the files at hand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capability {
    /// What could be run.
    pub task: String,
    /// Files that stand in its way; empty when it can be run.
    pub missing: Vec<String>,
}

/// The state of one subject's download.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DoctorReport {
    /// NSD root that was examined.
    pub nsd_root: PathBuf,
    /// NSD subject, 1 to 8.
    pub subject: SubjectId,
    /// Functional volumes: voxels of 1.8 mm or 1 mm.
    pub resolution: Resolution,
    /// Every file, in the order of the tree.
    pub findings: Vec<Finding>,
    /// Sessions with betas, 1-based.
    pub sessions: Vec<u16>,
    /// Sessions in the full release.
    pub num_sessions_released: usize,
    /// ROI files, without hemisphere.
    pub rois: Vec<String>,
    /// What can be run.
    pub capabilities: Vec<Capability>,
}

impl DoctorReport {
    /// Whether `prepare` can run.
    pub fn can_prepare(&self) -> bool {
        self.capabilities.first().is_some_and(|capability| capability.missing.is_empty())
    }
}

/// Looks at every file of a subject; reads no values.
pub fn run(settings: &DoctorSettings) -> DoctorReport {
    let DoctorSettings { nsd_root, subject, resolution } = settings;
    let tree = NsdTree::new(nsd_root);
    let mut search = Search { tree: &tree, subject: *subject, resolution: *resolution, findings: Vec::new() };
    let experiment = search.experiment();
    let (sessions, betas) = search.betas();
    let rois = roi_names(&tree, *subject, *resolution).unwrap_or_default();
    let mask = search.regions(&rois);
    let captions = search.annotations();

    let Experiment { design, stim_info, stimuli } = experiment;
    let capabilities = vec![
        capability("prepare", [design, betas, mask]),
        capability("image embeddings and reconstruction beside ground truth", [stimuli.clone()]),
        capability("captions and caption mapper", [stim_info, stimuli].into_iter().chain(captions)),
    ];
    DoctorReport {
        nsd_root: nsd_root.clone(),
        subject: *subject,
        resolution: *resolution,
        findings: search.findings,
        sessions,
        num_sessions_released: subject.num_sessions(),
        rois,
        capabilities,
    }
}

/// What a task needs that was not found.
fn capability(task: &str, missing: impl IntoIterator<Item = Option<String>>) -> Capability {
    Capability { task: task.to_string(), missing: missing.into_iter().flatten().collect() }
}

/// Files of the experiment that are missing.
struct Experiment {
    design: Option<String>,
    stim_info: Option<String>,
    stimuli: Option<String>,
}

/// A walk through a subject's files, which notes each.
struct Search<'a> {
    tree: &'a NsdTree,
    subject: SubjectId,
    resolution: Resolution,
    findings: Vec<Finding>,
}

impl Search<'_> {
    /// Notes a file; its path below the root when it is missing.
    fn look(&mut self, path: &Path, need: Need, needed_for: &str) -> Option<String> {
        let metadata = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file);
        let bytes = metadata.map(|metadata| metadata.len());
        let path = self.tree.relative(path);
        let needed_for = needed_for.to_string();
        self.findings.push(Finding { path: path.clone(), bytes, needed_for, need });
        bytes.is_none().then_some(path)
    }

    /// What was shown when, and what it shows.
    fn experiment(&mut self) -> Experiment {
        let tree = self.tree;
        let stim_info_for = "captions, categories, keeping crops of a photograph together";
        let stimuli_for = "image embeddings, ground truth beside reconstructions";
        let found = Experiment {
            design: self.look(&tree.experiment_design(), Need::Required, "the image shown in every trial"),
            stim_info: self.look(&tree.stim_info(), Need::Optional, stim_info_for),
            stimuli: self.look(&tree.stimuli(), Need::Optional, stimuli_for),
        };
        self.look(&tree.responses(self.subject), Need::Optional, "a check of the order of trials");
        found
    }

    /// Every session in either format, and the noise ceiling: the sessions found, and the first file when none is.
    fn betas(&mut self) -> (Vec<u16>, Option<String>) {
        let (tree, subject, resolution) = (self.tree, self.subject, self.resolution);
        let version = DEFAULT_BETAS_VERSION;
        let mut found = Vec::new();
        for session in 1..=subject.num_sessions() as u16 {
            let hdf5 = tree.betas_hdf5(subject, resolution, version, session);
            let nifti = tree.betas_nifti(subject, resolution, version, session);
            let path = if hdf5.is_file() || !nifti.is_file() { hdf5 } else { nifti };
            let needed_for = format!("the responses of session {session}");
            if self.look(&path, Need::Optional, &needed_for).is_none() {
                found.push(session);
            }
        }
        self.look(&tree.ncsnr(subject, resolution, version), Need::Optional, "the noise ceiling");
        let first = || tree.relative(&tree.betas_hdf5(subject, resolution, version, 1));
        let missing = found.is_empty().then(first);
        (found, missing)
    }

    /// Masks and names of the regions; the default mask when that is missing.
    fn regions(&mut self, rois: &[String]) -> Option<String> {
        let (tree, subject, resolution) = (self.tree, self.subject, self.resolution);
        let general = tree.roi(subject, resolution, "nsdgeneral", None);
        let missing = self.look(&general, Need::Required, "the default choice of voxels");
        for atlas in &REGION_ATLASES {
            if let Some(needed_for) = atlas.needed_for {
                self.look(&tree.roi(subject, resolution, atlas.name, None), Need::Optional, needed_for);
            }
        }
        for name in rois {
            let tables = tree.label_tables(subject, name);
            let has_names = tables.iter().any(|path| path.is_file()) || LabelTable::built_in(name).is_some();
            if !has_names {
                let needed_for = format!("the names of the regions in `{name}`");
                self.look(&tables[0], Need::Optional, &needed_for);
            }
        }
        missing
    }

    /// COCO's annotations of every kind; the files of captions that are missing.
    fn annotations(&mut self) -> Vec<Option<String>> {
        let tree = self.tree;
        let mut captions = Vec::new();
        for (kind, needed_for) in [
            (AnnotationKind::Captions, "captions (`screen-captions`, caption mapper, `pretrain-clip`)"),
            (AnnotationKind::Instances, "categories: things"),
            (AnnotationKind::Stuff, "categories: stuff"),
        ] {
            for split in COCO_SPLITS {
                let missing = self.look(&tree.annotations(kind, split), Need::Optional, needed_for);
                if kind == AnnotationKind::Captions {
                    captions.push(missing);
                }
            }
        }
        captions
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(root: &Path) -> DoctorReport {
        let subject = SubjectId::new(4).unwrap();
        run(&DoctorSettings { nsd_root: root.to_path_buf(), subject, resolution: Resolution::Func1pt8mm })
    }

    #[test]
    fn an_empty_folder_lacks_everything_and_says_what_for() {
        let folder = tempfile::tempdir().unwrap();
        let report = report(folder.path());
        assert!(
            report.findings.iter().all(|finding| finding.bytes.is_none() && !finding.needed_for.is_empty())
        );
        assert!(!report.can_prepare());
        assert_eq!(
            report.capabilities[0].missing,
            [
                "nsddata/experiments/nsd/nsd_expdesign.mat",
                "nsddata_betas/ppdata/subj04/func1pt8mm/betas_fithrf_GLMdenoise_RR/betas_session01.hdf5",
                "nsddata/ppdata/subj04/func1pt8mm/roi/nsdgeneral.nii.gz",
            ]
        );
        assert_eq!((report.sessions.len(), report.num_sessions_released), (0, 30));
    }

    #[test]
    fn files_that_are_there_have_sizes_and_sessions_may_be_nifti() {
        let folder = tempfile::tempdir().unwrap();
        let tree = NsdTree::new(folder.path());
        let (subject, fine) = (SubjectId::new(4).unwrap(), Resolution::Func1pt8mm);
        for path in [
            tree.experiment_design(),
            tree.betas_nifti(subject, fine, DEFAULT_BETAS_VERSION, 3),
            tree.roi(subject, fine, "nsdgeneral", None),
            tree.roi(subject, fine, "HCP_MMP1", None),
        ] {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, b"12345").unwrap();
        }
        let report = report(folder.path());
        assert!(report.can_prepare());
        assert_eq!(report.sessions, [3]);
        assert_eq!(report.rois, ["HCP_MMP1", "nsdgeneral"]);
        assert_eq!(report.findings[0].bytes, Some(5));
        let names = "nsddata/freesurfer/subj04/label/HCP_MMP1.mgz.ctab";
        assert!(report.findings.iter().any(|finding| finding.path == names && finding.bytes.is_none()));
    }
}
