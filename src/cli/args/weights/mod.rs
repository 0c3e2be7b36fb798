//! Arguments of `weights`, and of the commands that make files of weights.

mod compact_weights;
mod import_weights;

use std::path::PathBuf;

use clap::Args;

pub use self::compact_weights::CompactWeightsArgs;
pub use self::import_weights::ImportWeightsArgs;
use crate::commands::weights::{TensorList, WeightsSettings};

/// Arguments of `weights`.
#[derive(Debug, Args)]
#[command(after_help = "Example: mindreader weights ViT-B-32.pt weights/clip.safetensors --tensors")]
pub struct WeightsArgs {
    /// Snapshots or checkpoints of other programs
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// List name, type and shape of every tensor
    #[arg(long)]
    pub tensors: bool,
}

impl WeightsArgs {
    /// Settings of the command.
    pub fn settings(&self) -> WeightsSettings {
        let tensors = if self.tensors { TensorList::Listed } else { TensorList::Counted };
        WeightsSettings { files: self.files.clone(), tensors }
    }
}
