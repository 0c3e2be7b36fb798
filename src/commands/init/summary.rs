//! What `init` found, as it says and writes it.

use std::path::PathBuf;

use serde::Serialize;

/// One key of the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InitEntry {
    /// As it is written in the file.
    pub key: &'static str,
    /// Its value; none where nothing was found.
    pub value: Option<PathBuf>,
    /// What it is.
    #[serde(skip)]
    pub(super) what: &'static str,
    /// Where it is missing, the command that makes it; else where it comes from, if it needs no key.
    pub note: Option<String>,
}

/// What was written.
#[derive(Clone, Debug, Serialize)]
pub struct InitSummary {
    /// The file.
    pub file: PathBuf,
    /// Whose brain.
    pub subject: String,
    /// The paths, found and missing.
    pub paths: Vec<InitEntry>,
    /// What stands in the way of which task, as `doctor` says it.
    pub obstacles: Vec<String>,
    /// The command that comes next.
    pub next: String,
}

impl InitEntry {
    /// Whether a run of the project stands in for the key.
    pub(super) fn is_found_elsewhere(&self) -> bool {
        self.note.as_ref().is_some_and(|note| note.starts_with("not needed"))
    }
}
