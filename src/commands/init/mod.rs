//! `mindreader init`: looks around and writes `mindreader.toml`, which every command in that folder reads.

mod places;
mod summary;
#[cfg(test)]
mod tests;
mod text;

use std::path::{Path, PathBuf};

use serde::Serialize;

use self::places::{find_clip, find_gan, find_nsd, require_named};
pub use self::summary::{InitEntry, InitSummary};
use super::doctor::{self, Capability, DoctorReport, DoctorSettings};
use super::prepare::PrepareConfig;
use crate::data::nsd::tree::{DEFAULT_BETAS_VERSION, NsdTree};
use crate::data::subject::{NsdSubject, Resolution, SubjectId};
use crate::files::{file_is_there, write_atomic};
use crate::pipelines::project::Project;
use crate::run::error::RunError;
use crate::run::existing_output::ExistingOutput;

/// Where to look, and what was named.
#[derive(Clone, Debug, Serialize)]
pub struct InitSettings {
    /// The file to write.
    pub file: PathBuf,
    /// Folders to look in.
    pub look: Vec<PathBuf>,
    /// What flags and `--set` named: it is taken as it is.
    #[serde(skip)]
    pub project: Project,
    /// The subject that was named; else the first in the tree.
    pub subject: Option<SubjectId>,
    /// What `prepare` would be asked for.
    pub prepare: PrepareConfig,
    /// Whether a file that is there gives way.
    pub existing: ExistingOutput,
}

/// Looks around and writes the file.
///
/// # Errors
/// A file that is there already; something named that is not what it should be; a folder that cannot be written.
pub fn run(settings: &InitSettings) -> crate::error::Result<InitSummary> {
    let InitSettings { file, look, project, existing, .. } = settings;
    if existing.refuses(file) {
        let message = format!("`{}` is there already; replace it with `--overwrite`", file.display());
        return Err(crate::error::Error::bad_input(message));
    }
    require_folders(look)?;
    require_named(&project.paths)?;
    let nsd = match &project.paths.nsd {
        Some(nsd) => Some(nsd.clone()),
        None => find_nsd(look),
    };
    let subject = settings.subject.or_else(|| first_subject(nsd.as_deref()?));
    let subject = subject.or_else(|| first_prepared(project)).unwrap_or_default();
    let project = Project { subject, ..project.clone() };
    let report = nsd.as_deref().and_then(|nsd| examine(settings, nsd, subject));
    let paths = entries(&project, nsd, look)?;
    let capabilities = report.map_or(Vec::new(), |report| report.capabilities);
    let summary = InitSummary {
        file: file.clone(),
        subject: subject.to_string(),
        next: next_command(&project, &paths, &capabilities)?,
        obstacles: obstacles(&capabilities),
        paths,
    };
    write_atomic(file, text::settings_text(&summary, subject, project.resolution)?.as_bytes())?;
    Ok(summary)
}

/// Refuses folders to look in that are not there.
fn require_folders(look: &[PathBuf]) -> Result<(), RunError> {
    match look.iter().find(|folder| !folder.is_dir()) {
        Some(folder) => Err(RunError::missing(folder, "`--look`, which names folders to look in")),
        None => Ok(()),
    }
}

/// The first subject with betas in the tree.
fn first_subject(nsd: &Path) -> Option<SubjectId> {
    let tree = NsdTree::new(nsd);
    let fine = Resolution::default();
    let has_betas = |subject: &NsdSubject| tree.betas_dir(*subject, fine, DEFAULT_BETAS_VERSION).is_dir();
    NsdSubject::all().find(has_betas).map(SubjectId::Nsd)
}

/// The first subject that is prepared, of which imported ones need no tree.
fn first_prepared(project: &Project) -> Option<SubjectId> {
    project.of_prepared_subjects().ok()?.first().map(|project| project.subject)
}

/// What `doctor` says of the tree; nothing where there is none, or the subject is not of NSD.
fn examine(settings: &InitSettings, nsd: &Path, subject: SubjectId) -> Option<DoctorReport> {
    let (nsd_root, prepare) = (nsd.to_path_buf(), settings.prepare.clone());
    let resolution = settings.project.resolution;
    let subject = subject.nsd().ok()?;
    doctor::run(&DoctorSettings { nsd_root, subject, resolution, prepare }).ok()
}

/// Every path of the file: where it was found, or how to come by it.
fn entries(project: &Project, nsd: Option<PathBuf>, look: &[PathBuf]) -> Result<Vec<InitEntry>, RunError> {
    let paths = &project.paths;
    let note = |is_found: bool, how: &str| (!is_found).then(|| how.to_string());
    let work = project.work().to_path_buf();
    let (clip, trained_clip) = match &paths.clip {
        Some(clip) => (Some(clip.clone()), None),
        None => (find_clip(look), project.clip().ok()),
    };
    let (gan, trained_gan) = match &paths.pretrained_gan {
        Some(gan) => (Some(gan.clone()), None),
        None => (find_gan(look), project.pretrained_gan().ok()),
    };
    // One of the project's own runs is found without a key, and a newer one takes its place.
    let own =
        |run: PathBuf| Some(format!("not needed: `{}` is taken, the newest finished run", run.display()));
    let clip_note = match trained_clip {
        Some(run) if clip.is_none() => own(run),
        _ => note(
            clip.is_some(),
            "missing: `scripts/fetch-weights` gets a published one, `mindreader pretrain-clip` trains a small one",
        ),
    };
    let gan_note = match trained_gan {
        Some(run) if gan.is_none() => own(run),
        _ => note(
            gan.is_some(),
            "missing: `mindreader pretrain-gan` trains one, `mindreader import-weights` imports one",
        ),
    };
    let nsd_note = match project.subject.is_own() {
        true if file_is_there(&project.prepared())? => {
            Some("not needed: the subject was imported".to_string())
        }
        true => Some("not needed: `mindreader import` brings the subject in".to_string()),
        false => note(
            nsd.is_some(),
            "missing: download NSD, or `mindreader phantom --nsd DIR` writes a synthetic one",
        ),
    };
    let entry = |key, value, what, note| InitEntry { key, value, what, note };
    Ok(vec![
        entry(
            "nsd",
            nsd,
            "Root of the NSD tree: the folder with nsddata, nsddata_betas, nsddata_stimuli.",
            nsd_note,
        ),
        entry("work", Some(work), "Prepared subjects, captions, caches and runs.", None),
        entry("clip", clip, "CLIP snapshot: the space that is decoded into.", clip_note),
        entry("pretrained_gan", gan, "Folder of the GAN that finetuning starts from.", gan_note),
    ])
}

/// What stands in the way of what, a sentence each.
fn obstacles(capabilities: &[Capability]) -> Vec<String> {
    let stopped = capabilities.iter().filter(|capability| !capability.can_run());
    stopped.map(|capability| format!("cannot run: {}; {}", capability.task, capability.obstacles())).collect()
}

/// The command that comes next.
fn next_command(
    project: &Project,
    paths: &[InitEntry],
    capabilities: &[Capability],
) -> Result<String, RunError> {
    let is_missing = |key: &str| {
        let of_key = paths.iter().find(|entry| entry.key == key);
        of_key.is_some_and(|entry| entry.value.is_none() && !entry.is_found_elsewhere())
    };
    let next = if file_is_there(&project.prepared())? {
        match (is_missing("clip"), is_missing("pretrained_gan")) {
            (true, _) => "mindreader pretrain-clip",
            (false, true) => "mindreader pretrain-gan",
            (false, false) => "mindreader train-mapper",
        }
    } else if project.subject.is_own() {
        "mindreader import"
    } else if is_missing("nsd") {
        "mindreader phantom --nsd nsd"
    } else if capabilities.first().is_some_and(Capability::can_run) {
        "mindreader prepare"
    } else {
        "mindreader doctor"
    };
    Ok(next.into())
}
