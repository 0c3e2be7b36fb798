//! What a report is made of: which runs, and what is said beside them.

use std::path::PathBuf;

use crate::pipelines::project::Project;

/// Everything that a report needs.
#[derive(Clone, Debug, Default)]
pub struct ReportSettings {
    /// Subject, work folder, captions and prepared file; the runs are those of its work folder unless some are named.
    pub project: Project,
    /// Folders of finished runs; empty: the newest finished ones of the subject.
    pub runs: Vec<PathBuf>,
    /// Where to write the page.
    pub out: PathBuf,
    /// Folder for a pack of pictures for human raters; its key lies beside it.
    pub rater_pack: Option<PathBuf>,
    /// Further flags of the commands that make what is missing, such as `--config FILE`.
    pub flags: Vec<String>,
    /// What is said beside what the runs say.
    pub preface: Preface,
}

/// What a page says beside what its runs say; what is empty is left out.
#[derive(Clone, Debug, Default)]
pub struct Preface {
    /// Heading; by default the subject's name.
    pub title: String,
    /// One sentence below it.
    pub lead: String,
    /// Paragraphs about the subject and how to read the page.
    pub introduction: Vec<String>,
    /// Facts: name and value.
    pub facts: Vec<(String, String)>,
    /// The commands that lead here, one per line.
    pub commands: Vec<String>,
    /// A configuration as TOML, beside those of the runs.
    pub configuration: String,
}

impl ReportSettings {
    /// Settings of the command in a project; `report-SUBJECT.html` in the work folder unless `out` is given.
    pub fn resolve(project: &Project, runs: Vec<PathBuf>, out: Option<PathBuf>) -> Self {
        let out = out.unwrap_or_else(|| project.work().join(format!("report-{}.html", project.subject)));
        Self { project: project.clone(), runs, out, ..Self::default() }
    }
}
