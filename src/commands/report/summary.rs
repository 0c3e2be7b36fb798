//! What a report says of itself.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use super::missing::MissingPart;

/// A run that is on the page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownRun {
    /// What it shows.
    pub part: String,
    /// Its folder.
    pub run: PathBuf,
}

/// What was written, and what it says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportSummary {
    /// The page.
    pub report: PathBuf,
    /// Its size.
    pub bytes: usize,
    /// The sentences of the verdict.
    pub verdict: Vec<String>,
    /// The runs on the page, in its order.
    pub shown: Vec<ShownRun>,
    /// What a reader must know of their choice.
    pub notes: Vec<String>,
    /// What is not there, with the commands that make it.
    pub missing: Vec<MissingPart>,
    /// The key of the pack for raters, where one was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rater_key: Option<PathBuf>,
}

impl ReportSummary {
    /// Verdict, page, and what is missing, as text.
    pub fn text(&self) -> String {
        let missing = self.missing.iter().map(|part| format!("missing: {}\n  {}", part.part, part.command));
        let lines = self.verdict.iter().cloned().chain(self.notes.iter().cloned()).chain(missing);
        let key = self
            .rater_key
            .iter()
            .map(|key| format!("key of the raters' pack (keep it from them): {}", key.display()));
        let lines: Vec<String> =
            lines.chain(key).chain([format!("report: {}", self.report.display())]).collect();
        lines.join("\n")
    }
}
