//! Arguments of `report`.

use std::path::PathBuf;

use clap::Args;

/// Arguments of `report`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: mindreader report --subject 1 --work work\n         mindreader report --runs work/runs/*-subj01* --out report.html"
)]
pub struct ReportArgs {
    /// Folders of finished runs to show; by default the newest finished ones of the subject
    #[arg(long, value_name = "DIR", num_args = 1..)]
    pub runs: Vec<PathBuf>,
    /// A folder for human raters beside the page: pictures between two seen images, in random order; the key lies beside it, in
    /// DIR-key.csv
    #[arg(long, value_name = "DIR")]
    pub rater_pack: Option<PathBuf>,
    /// The page; by default `report-SUBJECT.html` in the work folder
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}
