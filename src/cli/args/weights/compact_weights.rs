//! Arguments of `compact-weights`.

use std::path::PathBuf;

use clap::Args;

use crate::commands::compact_weights::CompactWeightsSettings;
use crate::run::existing_output::ExistingOutput;

/// Arguments of `compact-weights`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: mindreader compact-weights --from work/runs/00000-pretrain-clip-subj01/best.safetensors --out clip.safetensors\n\
    The snapshot is half as large and read like any other; numbers are rounded once, to 11 bits."
)]
pub struct CompactWeightsArgs {
    /// Snapshot of any kind of network
    #[arg(long, value_name = "FILE.safetensors")]
    pub from: PathBuf,
    /// Snapshot to write
    #[arg(long, value_name = "FILE.safetensors")]
    pub out: PathBuf,
    /// Replace a snapshot that is already there
    #[arg(long)]
    pub overwrite: bool,
}

impl CompactWeightsArgs {
    /// Settings of the command.
    pub fn settings(&self) -> CompactWeightsSettings {
        let existing = ExistingOutput::of_overwrite_flag(self.overwrite);
        CompactWeightsSettings { from: self.from.clone(), out: self.out.clone(), existing }
    }
}
