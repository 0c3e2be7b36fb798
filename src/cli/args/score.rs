//! Arguments of `score`.

use std::path::PathBuf;

use clap::Args;

/// Arguments of `score`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: mindreader score --evaluation work/runs/00009-evaluate-subj01/evaluation.json\n         mindreader score --microstim work/runs/*-microstim-*"
)]
pub struct ScoreArgs {
    /// `evaluation.json` of an `evaluate` run: retrieval of novel and of near-duplicate images too
    #[arg(long, value_name = "FILE")]
    pub evaluation: Option<PathBuf>,
    /// Only tabulate the effects of these `microstim` runs, regions by sentences; needs no phantom
    #[arg(long, value_name = "DIR", num_args = 1.., conflicts_with = "evaluation")]
    pub microstim: Vec<PathBuf>,
}
