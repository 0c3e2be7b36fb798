//! `mindreader phantom`: writes a synthetic NSD subject whose brain is known.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::phantom::{Existing, Phantom, PhantomConfig, Stage};
use crate::pipelines::project::Project;
use crate::run::existing_output::ExistingOutput;
use crate::run::progress::Progress;

/// What to write and where.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PhantomSettings {
    /// Size, signal, tuning and stimuli of the phantom.
    pub config: PhantomConfig,
    /// The folder that becomes the NSD root.
    pub out: PathBuf,
    /// Whether a phantom that is already there gives way to the new one.
    pub overwrite: bool,
}

impl PhantomSettings {
    /// Settings of the command in a project: the NSD root is where the phantom goes.
    ///
    /// # Errors
    /// When the NSD root is not set; a subject that was imported.
    pub fn resolve(
        project: &Project,
        phantom: &PhantomConfig,
        existing: ExistingOutput,
    ) -> crate::error::Result<Self> {
        // An imported subject has a folder where NSD's have their tree: no place for a phantom.
        project.subject.nsd()?;
        Ok(Self {
            config: phantom.clone(),
            out: project.nsd()?,
            overwrite: existing == ExistingOutput::Replace,
        })
    }
}

impl Default for PhantomSettings {
    fn default() -> Self {
        Self { config: PhantomConfig::default(), out: PathBuf::from("phantom"), overwrite: false }
    }
}

/// What was written, in numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PhantomSummary {
    /// The NSD root.
    pub root: PathBuf,
    /// Subject as file names print it: `subj01`.
    pub subject: String,
    /// Sessions of 750 trials.
    pub sessions: usize,
    /// Distinct images.
    pub images: usize,
    /// Photographs that images were cut from.
    pub photographs: usize,
    /// Voxels in the brain mask.
    pub brain_voxels: usize,
    /// Voxels in nsdgeneral.
    pub nsdgeneral_voxels: usize,
    /// Voxels that images drive.
    pub responsive_voxels: usize,
    /// Median over nsdgeneral of the estimated noise ceiling for means of three trials.
    pub median_noise_ceiling_percent: f64,
}

/// Writes the phantom.
///
/// # Errors
/// Wrong settings, wrong photographs, or an output folder that may not or cannot be written.
pub fn run(settings: &PhantomSettings, progress: &mut dyn Progress) -> crate::error::Result<PhantomSummary> {
    let phantom = Phantom::plan(&settings.config)?;
    let existing = if settings.overwrite { Existing::Replace } else { Existing::Keep };
    let mut current = None;
    let counts = phantom.write(&settings.out, existing, &mut |stage, done, total| {
        if current != Some(stage) {
            if current.is_some() {
                progress.finish("");
            }
            progress.start(title(stage), total);
            current = Some(stage);
        }
        progress.advance(done, "");
    })?;
    if current.is_some() {
        progress.finish("");
    }
    Ok(PhantomSummary {
        root: settings.out.clone(),
        subject: settings.config.subject.to_string(),
        sessions: counts.sessions,
        images: counts.images,
        photographs: counts.photographs,
        brain_voxels: counts.brain_voxels,
        nsdgeneral_voxels: counts.nsdgeneral_voxels,
        responsive_voxels: counts.responsive_voxels,
        median_noise_ceiling_percent: counts.median_noise_ceiling_percent,
    })
}

fn title(stage: Stage) -> &'static str {
    match stage {
        Stage::Stimuli => "images",
        Stage::Betas => "sessions of betas",
        Stage::NoiseCeiling => "noise ceiling of voxels",
    }
}
