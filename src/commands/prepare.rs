//! `mindreader prepare`: NSD tree -> one file with the betas of the selected voxels, scaled, with all labels.
//!
//! Every file is opened and its sizes are checked before the first value is read; sessions then pass one by one, so that
//! memory holds one session of the selected voxels and no more.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};

use crate::data::error::DataError;
use crate::data::nsd::betas::{SessionFile, check_session, find_sessions, read_session};
use crate::data::nsd::constant_voxels::{constant_voxels, refuse_dead_session};
use crate::data::nsd::design::ExperimentDesign;
use crate::data::nsd::responses;
use crate::data::nsd::space::VolumeSpace;
use crate::data::nsd::stim_info::StimInfo;
use crate::data::nsd::tree::{DEFAULT_BETAS_VERSION, NsdTree};
use crate::data::nsd::voxel_selection::{VoxelSelection, select_voxels};
use crate::data::prepared::{
    PreparedChoice, PreparedWriter, Provenance, SourceFile, TrialTable, VoxelPosition, VoxelTable,
};
use crate::data::standardize::{Standardization, zscore_in_place};
use crate::data::subject::{NsdSubject, Resolution};
use crate::data::trial::{TRIALS_PER_SESSION, Trial};
use crate::error::{SettingError, in_range};
use crate::files::file_is_there;
use crate::interrupt;
use crate::pipelines::project::Project;
use crate::run::existing_output::ExistingOutput;
use crate::run::progress::Progress;

/// What varies between prepared files of one subject.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PrepareConfig {
    /// Regions whose union is taken: an ROI file, `file:region`, a region, each with `lh.` or `rh.` in front if wanted.
    pub roi: Vec<String>,
    /// Sessions numbered up to this one, 1 to 40, are used. Default: 37 for subject 1 (the paper), else all that are there.
    pub sessions: Option<u16>,
    /// Folder of the betas; the paper's is GLMdenoise with ridge regression ("b3").
    pub betas_version: String,
    /// Scaling of the betas.
    pub standardization: Standardization,
    /// Whether a session may be constant throughout, or in more than half of a region.
    #[serde(skip_serializing_if = "is_false")]
    pub allow_constant: bool,
}

/// Left out of written settings where it says nothing.
fn is_false(value: &bool) -> bool {
    !*value
}

impl Default for PrepareConfig {
    fn default() -> Self {
        Self {
            roi: vec!["nsdgeneral".to_string()],
            sessions: None,
            betas_version: DEFAULT_BETAS_VERSION.to_string(),
            standardization: Standardization::ZscorePerSession,
            allow_constant: false,
        }
    }
}

/// Most sessions of any subject of NSD.
const MOST_SESSIONS: u16 = 40;

impl PrepareConfig {
    /// Checks the number of sessions and the scaling.
    ///
    /// # Errors
    /// [`SettingError`] that names the key.
    pub fn validate(&self) -> Result<(), SettingError> {
        let check = || {
            if let Some(sessions) = self.sessions {
                in_range("sessions", sessions, 1..=MOST_SESSIONS)?;
            }
            match self.standardization {
                Standardization::ZscorePerSession | Standardization::None => Ok(()),
                Standardization::ZscorePerRun | Standardization::ZscoreByTraining => {
                    let expected = "`zscore-per-session` or `none`; the others are for imported data";
                    Err(SettingError::new("standardization", expected, self.standardization.name()))
                }
            }
        };
        check().map_err(|error: SettingError| error.within("prepare"))
    }

    /// What decides the content of the prepared file, and so its name.
    pub fn choice(&self) -> PreparedChoice {
        PreparedChoice {
            roi: self.roi.clone(),
            sessions: self.sessions,
            betas_version: Some(self.betas_version.clone()),
            standardization: self.standardization,
        }
    }
}

/// Everything that a run needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PrepareSettings {
    /// Folder that holds `nsddata`, `nsddata_betas`, `nsddata_stimuli`.
    pub nsd_root: PathBuf,
    /// NSD subject, 1 to 8.
    pub subject: NsdSubject,
    /// Functional volumes: voxels of 1.8 mm or 1 mm.
    pub resolution: Resolution,
    /// Which voxels and sessions, and how betas are scaled.
    pub prepare: PrepareConfig,
    /// The file to write.
    pub out: PathBuf,
    /// What to do if `out` is there.
    pub existing: ExistingOutput,
}

impl PrepareSettings {
    /// Settings of the command in a project.
    ///
    /// # Errors
    /// When the NSD root is not set; a subject that was imported.
    pub fn resolve(
        project: &Project,
        prepare: &PrepareConfig,
        existing: ExistingOutput,
    ) -> crate::error::Result<Self> {
        Ok(Self {
            subject: project.subject.nsd()?,
            nsd_root: project.nsd()?,
            resolution: project.resolution,
            prepare: prepare.clone(),
            out: project.prepared(),
            existing,
        })
    }
}

/// Voxels of one ROI file among the prepared ones.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoiCount {
    /// Voxels with a positive label.
    pub voxels: usize,
    /// Voxels by name of the label, empty regions left out.
    pub regions: BTreeMap<String, usize>,
}

/// What the prepared file holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrepareSummary {
    /// The prepared file (HDF5).
    pub out: PathBuf,
    /// Size of the file in bytes.
    pub out_bytes: u64,
    /// NSD subject, 1 to 8.
    pub subject: NsdSubject,
    /// Functional volumes: voxels of 1.8 mm or 1 mm.
    pub resolution: Resolution,
    /// Numbers of the sessions used, from 1.
    pub sessions: Vec<u16>,
    /// Numbers of the sessions that were wanted, or lie between those used, and that are not there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing_sessions: Vec<u16>,
    /// Trials: rows of the betas.
    pub num_trials: usize,
    /// Distinct images among the trials.
    pub num_images: usize,
    /// Voxels: columns of the betas.
    pub num_voxels: usize,
    /// Published number of `nsdgeneral` voxels, when that is the selection and the grid is the real subject's.
    pub expected_voxels: Option<usize>,
    /// Voxels that are constant in at least one session (invalid there, or saturated).
    pub num_constant_voxels: usize,
    /// Whether the photographs behind the images are known.
    pub has_coco_ids: bool,
    /// Counts per ROI file.
    pub rois: BTreeMap<String, RoiCount>,
}

/// What a run would read, each file opened and held against the others.
pub(super) struct Plan {
    sessions: Vec<SessionFile>,
    voxels: VoxelSelection,
    trials: TrialTable,
}

/// Everything that can be found out before the first beta is read.
///
/// # Errors
/// What [`run`] would refuse.
pub(super) fn plan(tree: &NsdTree, settings: &PrepareSettings) -> Result<Plan, DataError> {
    let PrepareSettings { subject, resolution, prepare, .. } = settings;
    let sessions = sessions_to_use(tree, settings)?;
    let space = VolumeSpace::of_betas(tree, *subject, *resolution, &prepare.betas_version, &sessions)?;
    let voxels = select_voxels(tree, *subject, *resolution, &prepare.roi, space)?;
    for session in &sessions {
        check_session(session, voxels.space.grid, voxels.table.flat_index.len())?;
    }
    let trials = trial_table(tree, *subject, &sessions)?;
    Ok(Plan { sessions, voxels, trials })
}

/// Writes the prepared file of a subject, whole or not at all.
///
/// # Errors
/// [`DataError`] for everything the user can put right; nothing is left half written.
pub fn run(settings: &PrepareSettings, progress: &mut dyn Progress) -> crate::error::Result<PrepareSummary> {
    let PrepareSettings { subject, resolution, prepare, out, .. } = settings;
    if settings.existing.refuses(out) {
        return Err(DataError::unwritable(out, "it is there already; allow it with `--overwrite`").into());
    }
    let tree = NsdTree::new(&settings.nsd_root);
    let Plan { sessions, voxels, trials } = plan(&tree, settings)?;
    let grid = voxels.space.grid;
    let provenance = provenance(&tree, settings, &sessions, &voxels, &trials)?;
    let mut writer = PreparedWriter::create(out, &provenance, &trials, &voxels.table)?;
    let mut is_constant = vec![false; voxels.table.flat_index.len()];
    progress.start(&format!("preparing {subject}"), sessions.len() as u64);
    for (done, session) in (1..).zip(&sessions) {
        interrupt::check()?;
        let mut betas = read_session(session, grid, &voxels.table.flat_index)?;
        let constant_here = constant_voxels(&betas);
        if !prepare.allow_constant {
            refuse_dead_session(
                &session.path,
                "all trials",
                "prepare.allow_constant",
                &constant_here,
                &voxels.table,
            )?;
        }
        for (is_constant, here) in is_constant.iter_mut().zip(constant_here) {
            *is_constant |= here;
        }
        if prepare.standardization == Standardization::ZscorePerSession {
            zscore_in_place(&mut betas);
        }
        writer.append(&betas)?;
        progress.advance(done, &format!("session {:02}", session.session));
    }
    writer.finish()?;
    progress.finish(&format!("{} trials of {} voxels", trials.trials.len(), is_constant.len()));

    let is_nsdgeneral = prepare.roi == ["nsdgeneral"] && grid == subject.grid(*resolution);
    let images: BTreeSet<_> = trials.trials.iter().map(|trial| trial.nsd_id).collect();
    Ok(PrepareSummary {
        out: out.clone(),
        out_bytes: file_size(out),
        subject: *subject,
        resolution: *resolution,
        sessions: sessions.iter().map(|session| session.session).collect(),
        missing_sessions: missing_sessions(&sessions, last_session(*subject, prepare)),
        num_trials: trials.trials.len(),
        num_images: images.len(),
        num_voxels: is_constant.len(),
        expected_voxels: subject.expected_nsdgeneral_voxels(*resolution).filter(|_| is_nsdgeneral),
        num_constant_voxels: is_constant.iter().filter(|flag| **flag).count(),
        has_coco_ids: trials.coco_ids.is_some(),
        rois: roi_counts(&voxels.table),
    })
}

fn sessions_to_use(tree: &NsdTree, settings: &PrepareSettings) -> Result<Vec<SessionFile>, DataError> {
    let PrepareSettings { subject, resolution, prepare, .. } = settings;
    let last = last_session(*subject, prepare).unwrap_or(u16::MAX);
    let mut sessions = find_sessions(tree, *subject, *resolution, &prepare.betas_version)?;
    let first = sessions.first().map_or(1, |session| session.session);
    sessions.retain(|session| session.session <= last);
    if sessions.is_empty() {
        let what = format!("the list of sessions of {subject} up to {last}");
        return Err(DataError::empty(what, format!("the first that is there is {first}")));
    }
    Ok(sessions)
}

/// The number of the last session that is wanted; none for all that are there.
pub(super) fn last_session(subject: NsdSubject, prepare: &PrepareConfig) -> Option<u16> {
    prepare.sessions.or_else(|| subject.usual_sessions())
}

/// Numbers up to the last session wanted, or the last one found, that no file has.
fn missing_sessions(found: &[SessionFile], wanted: Option<u16>) -> Vec<u16> {
    let last = found.last().map_or(0, |session| session.session);
    let is_there = |number: &u16| found.iter().any(|session| session.session == *number);
    (1..=wanted.unwrap_or(last)).filter(|number| !is_there(number)).collect()
}

/// Images, repetitions and photographs of the trials, checked against the behavioural record where there is one.
fn trial_table(
    tree: &NsdTree,
    subject: NsdSubject,
    sessions: &[SessionFile],
) -> Result<TrialTable, DataError> {
    let design = ExperimentDesign::read(&tree.experiment_design())?;
    let numbers: Vec<u16> = sessions.iter().map(|session| session.session).collect();
    let trials = design.trials_of(subject, &numbers)?;
    let responses = tree.responses(subject);
    if file_is_there(&responses)? {
        check_against_responses(&responses, &numbers, &trials)?;
    }
    let shared: BTreeSet<u32> = design.shared_images.iter().map(|id| id - 1).collect();
    let is_shared = trials.iter().map(|trial| shared.contains(&trial.nsd_id.0)).collect();
    let stim_info = tree.stim_info();
    let coco_ids = if file_is_there(&stim_info)? {
        let info = StimInfo::read(&stim_info)?;
        let ids = trials.iter().map(|trial| info.row(trial.nsd_id).map(|row| row.coco_id));
        Some(ids.collect::<Result<_, _>>()?)
    } else {
        None
    };
    Ok(TrialTable { trials, is_shared, coco_ids, ..TrialTable::default() })
}

fn check_against_responses(path: &Path, sessions: &[u16], trials: &[Trial]) -> Result<(), DataError> {
    let responses = responses::read(path)?;
    for (session, trials) in sessions.iter().zip(trials.chunks_exact(TRIALS_PER_SESSION)) {
        let recorded = responses.iter().filter(|response| response.session == *session);
        for (trial, response) in trials.iter().zip(recorded) {
            if trial.nsd_id != response.nsd_id {
                let field = format!(
                    "`73KID` in run {}, trial {} of session {session}",
                    response.run, response.trial_in_run
                );
                let expected = format!("{} as in `nsd_expdesign.mat`", trial.nsd_id.0 + 1);
                return Err(DataError::invalid(path, field, expected, response.nsd_id.0 + 1));
            }
        }
    }
    Ok(())
}

/// Trials that would be prepared, and the number of voxels.
///
/// # Errors
/// What [`run`] would refuse.
pub(super) fn sizes(settings: &PrepareSettings) -> Result<(Vec<Trial>, usize), DataError> {
    let Plan { voxels, trials, .. } = plan(&NsdTree::new(&settings.nsd_root), settings)?;
    Ok((trials.trials, voxels.table.flat_index.len()))
}

/// The files that the prepared file would be made of, or is: betas, volumes, tables.
///
/// # Errors
/// What [`run`] would refuse.
pub(super) fn source_files(settings: &PrepareSettings) -> Result<Vec<PathBuf>, DataError> {
    let tree = NsdTree::new(&settings.nsd_root);
    let Plan { sessions, voxels, trials } = plan(&tree, settings)?;
    Ok(sources(&tree, &sessions, &voxels, &trials))
}

fn sources(
    tree: &NsdTree,
    sessions: &[SessionFile],
    voxels: &VoxelSelection,
    trials: &TrialTable,
) -> Vec<PathBuf> {
    let design = tree.experiment_design();
    let stim_info = trials.coco_ids.as_ref().map(|_| tree.stim_info());
    let betas = sessions.iter().map(|session| session.path.clone());
    betas.chain(voxels.files.iter().cloned()).chain([design]).chain(stim_info).collect()
}

fn provenance(
    tree: &NsdTree,
    settings: &PrepareSettings,
    sessions: &[SessionFile],
    voxels: &VoxelSelection,
    trials: &TrialTable,
) -> Result<Provenance, DataError> {
    let sources = sources(tree, sessions, voxels, trials)
        .iter()
        .map(|path| {
            let metadata =
                std::fs::metadata(path).map_err(|error| DataError::from_io(path, "its record", &error))?;
            let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
            Ok(SourceFile {
                path: tree.relative(path),
                bytes: metadata.len(),
                modified_unix_secs: modified.map_or(0, |time| time.as_secs()),
            })
        })
        .collect::<Result<_, DataError>>()?;
    Ok(Provenance {
        subject: settings.subject.into(),
        resolution: settings.resolution,
        betas_version: settings.prepare.betas_version.clone(),
        selection: settings.prepare.roi.clone(),
        standardization: settings.prepare.standardization,
        grid: voxels.space.grid,
        position: voxels.space.affine.map(|affine| VoxelPosition {
            affine,
            source: tree.relative(&voxels.space.path),
            is_of_betas: voxels.space.is_of_betas,
        }),
        sources,
        program_version: env!("CARGO_PKG_VERSION").to_string(),
    })
}

pub(super) fn roi_counts(table: &VoxelTable) -> BTreeMap<String, RoiCount> {
    table
        .rois
        .iter()
        .map(|(file, roi)| {
            let mut regions = BTreeMap::new();
            for name in roi.labels.iter().filter_map(|label| roi.names.get(label)) {
                *regions.entry(name.clone()).or_insert(0) += 1;
            }
            let voxels = roi.labels.iter().filter(|label| **label > 0).count();
            (file.clone(), RoiCount { voxels, regions })
        })
        .collect()
}

fn file_size(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |metadata| metadata.len())
}
