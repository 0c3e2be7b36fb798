//! What was found of a subject's files, and what can be run with them.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::data::subject::{NsdSubject, Resolution};
use crate::error::Error;

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
    /// What is wrong with a file that is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// Why a file cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Lack {
    /// It is not there; its path below the root.
    Missing(String),
    /// It is there; what is wrong with it.
    Broken(String),
}

/// What can be run with the files at hand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capability {
    /// What could be run.
    pub task: String,
    /// Files that are missing for it.
    pub missing: Vec<String>,
    /// What else stands in its way: files that are not whole, settings that do not go with the files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
}

impl Capability {
    /// What a task needs and lacks.
    pub(super) fn new(task: &str, lacks: impl IntoIterator<Item = Option<Lack>>) -> Self {
        let mut capability = Self { task: task.to_string(), missing: Vec::new(), problems: Vec::new() };
        for lack in lacks.into_iter().flatten() {
            match lack {
                Lack::Missing(path) => capability.missing.push(path),
                Lack::Broken(problem) => capability.problems.push(problem),
            }
        }
        capability
    }

    /// Whether nothing stands in its way.
    pub fn can_run(&self) -> bool {
        self.missing.is_empty() && self.problems.is_empty()
    }

    /// What stands in its way, in one line.
    pub fn obstacles(&self) -> String {
        let missing = (!self.missing.is_empty()).then(|| format!("missing {}", self.missing.join(", ")));
        missing.into_iter().chain(self.problems.iter().cloned()).collect::<Vec<_>>().join("; ")
    }
}

/// The state of one subject's download.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DoctorReport {
    /// NSD root that was examined.
    pub nsd_root: PathBuf,
    /// NSD subject, 1 to 8.
    pub subject: NsdSubject,
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
        self.capabilities.first().is_some_and(Capability::can_run)
    }

    /// Nothing when `prepare` can run.
    ///
    /// # Errors
    /// What stands in its way: the command ends with the exit code of bad input.
    pub fn verdict(&self) -> crate::error::Result<()> {
        match self.capabilities.first() {
            Some(prepare) if !prepare.can_run() => {
                Err(Error::bad_input(format!("`prepare` cannot run: {}", prepare.obstacles())))
            }
            _ => Ok(()),
        }
    }
}
