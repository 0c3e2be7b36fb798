//! `mindreader doctor` and `prepare --check`: what of NSD is there for a subject and whole, what is missing, what each missing file is
//! needed for, and whether `prepare` can run with the settings at hand.

mod checks;
mod report;
mod search;

use std::path::PathBuf;

use serde::Serialize;

pub use self::report::{Capability, DoctorReport, Finding, Need};
use self::search::{Experiment, Search};
use super::prepare::{self, PrepareConfig, PrepareSettings};
use crate::data::error::DataError;
use crate::data::nsd::roi::roi_names;
use crate::data::nsd::tree::NsdTree;
use crate::data::subject::{NsdSubject, Resolution};
use crate::files::folder_is_there;
use crate::pipelines::project::Project;
use crate::run::existing_output::ExistingOutput;

/// Which download is examined.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DoctorSettings {
    /// Folder that holds `nsddata`, `nsddata_betas`, `nsddata_stimuli`.
    pub nsd_root: PathBuf,
    /// NSD subject, 1 to 8.
    pub subject: NsdSubject,
    /// Functional volumes: voxels of 1.8 mm or 1 mm.
    pub resolution: Resolution,
    /// What `prepare` would be asked for.
    pub prepare: PrepareConfig,
}

impl DoctorSettings {
    /// Settings of the command in a project.
    ///
    /// # Errors
    /// When the NSD root is not set; a subject that was imported.
    pub fn resolve(project: &Project, prepare: &PrepareConfig) -> crate::error::Result<Self> {
        Ok(Self {
            subject: project.subject.nsd()?,
            nsd_root: project.nsd()?,
            resolution: project.resolution,
            prepare: prepare.clone(),
        })
    }

    /// Those of `prepare`, which is asked whether it could run and writes nothing.
    fn of_prepare(&self) -> PrepareSettings {
        PrepareSettings {
            nsd_root: self.nsd_root.clone(),
            subject: self.subject,
            resolution: self.resolution,
            prepare: self.prepare.clone(),
            out: PathBuf::new(),
            existing: ExistingOutput::Refuse,
        }
    }
}

/// Looks at every file of a subject, opens it, and asks `prepare` whether it could run.
///
/// # Errors
/// When there is no folder at the NSD root.
pub fn run(settings: &DoctorSettings) -> Result<DoctorReport, DataError> {
    let DoctorSettings { nsd_root, subject, resolution, prepare } = settings;
    if !folder_is_there(nsd_root)? {
        return Err(DataError::missing(nsd_root, "everything: it is the root of the NSD tree"));
    }
    let tree = NsdTree::new(nsd_root);
    let (subject, resolution) = (*subject, *resolution);
    let mut search = Search { tree: &tree, subject, resolution, prepare, findings: Vec::new() };
    let Experiment { design, stim_info, stimuli } = search.experiment();
    let (sessions, betas) = search.betas();
    let rois = roi_names(&tree, subject, resolution).unwrap_or_default();
    let mask = search.regions(&rois);
    let captions = search.annotations();
    let images = "image embeddings and reconstruction beside ground truth";
    let mut capabilities = vec![
        Capability::new("prepare", [design, betas, mask]),
        Capability::new(images, [stimuli.clone()]),
        Capability::new("captions and caption mapper", [stim_info, stimuli].into_iter().chain(captions)),
    ];
    if let Some(first) = capabilities.first_mut().filter(|first| first.can_run()) {
        let refusal = prepare::plan(&tree, &settings.of_prepare()).err();
        first.problems.extend(refusal.map(|error| error.to_string()));
    }
    Ok(DoctorReport {
        nsd_root: nsd_root.clone(),
        subject,
        resolution,
        findings: search.findings,
        sessions,
        num_sessions_released: subject.num_sessions(),
        rois,
        capabilities,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(root: &std::path::Path) -> DoctorReport {
        let subject = NsdSubject::new(4).unwrap();
        let (nsd_root, resolution) = (root.to_path_buf(), Resolution::Func1pt8mm);
        run(&DoctorSettings { nsd_root, subject, resolution, prepare: PrepareConfig::default() }).unwrap()
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
        // Thirty missing sessions are one line.
        let of_betas: Vec<_> =
            report.findings.iter().filter(|finding| finding.path.contains("betas_session")).collect();
        assert_eq!(of_betas.len(), 1);
        assert_eq!(of_betas[0].needed_for, "the responses of sessions 1 to 30");
    }

    #[test]
    fn no_folder_is_no_empty_tree() {
        let folder = tempfile::tempdir().unwrap();
        let subject = NsdSubject::new(4).unwrap();
        let (nsd_root, resolution) = (folder.path().join("nowhere"), Resolution::Func1pt8mm);
        let settings = DoctorSettings { nsd_root, subject, resolution, prepare: PrepareConfig::default() };
        let error = run(&settings).unwrap_err().to_string();
        assert!(error.contains("nowhere` is missing"), "{error}");
    }

    #[test]
    fn files_that_are_there_and_hold_something_else_are_no_files_to_prepare_from() {
        let folder = tempfile::tempdir().unwrap();
        let tree = NsdTree::new(folder.path());
        let (subject, fine) = (NsdSubject::new(4).unwrap(), Resolution::Func1pt8mm);
        let version = crate::data::nsd::tree::DEFAULT_BETAS_VERSION;
        for path in [
            tree.experiment_design(),
            tree.betas_nifti(subject, fine, version, 3),
            tree.roi(subject, fine, "nsdgeneral", None),
            tree.roi(subject, fine, "HCP_MMP1", None),
        ] {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, b"12345").unwrap();
        }
        let report = report(folder.path());
        assert_eq!((report.can_prepare(), report.sessions.len()), (false, 0));
        assert_eq!(report.capabilities[0].problems.len(), 3);
        assert_eq!(report.rois, ["HCP_MMP1", "nsdgeneral"]);
        assert_eq!(report.findings[0].bytes, Some(5));
        let problem = report.findings[0].problem.as_deref().unwrap_or_default();
        assert!(problem.contains("nsd_expdesign.mat` cannot be read"), "{problem}");
        let error = report.verdict().unwrap_err().to_string();
        assert!(error.starts_with("`prepare` cannot run: ") && error.contains("session03.nii.gz"), "{error}");
        let names = "nsddata/freesurfer/subj04/label/HCP_MMP1.mgz.ctab";
        assert!(report.findings.iter().any(|finding| finding.path == names && finding.bytes.is_none()));
    }
}
