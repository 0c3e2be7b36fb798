//! Arguments of `evaluate`.

use std::path::PathBuf;

use clap::Args;

use crate::cli::layers::Layers;
use crate::cli::usage_error::UsageError;

/// Arguments of `evaluate`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: mindreader evaluate --subject 1 --mappers image.safetensors caption.safetensors"
)]
pub struct EvaluateArgs {
    /// Snapshots of one to four mappers; by default the newest image and caption mappers
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub mappers: Vec<PathBuf>,
    /// CLIP snapshot; by default that of the newest `pretrain-clip`
    #[arg(long, value_name = "FILE")]
    pub clip: Option<PathBuf>,
    /// ResNet-50 snapshot, for mappers of ResNet vectors
    #[arg(long, value_name = "FILE")]
    pub resnet: Option<PathBuf>,
    /// Fit ridge regression to the same targets, as the linear baseline
    #[arg(long)]
    pub ridge: bool,
}

impl EvaluateArgs {
    /// Adds the flags to the settings.
    ///
    /// # Errors
    /// As [`Layers::value`].
    pub fn layers(&self, layers: Layers) -> Result<Layers, UsageError> {
        let layers = layers.optional_path("paths.clip", self.clip.as_ref())?;
        let layers = layers.optional_path("paths.resnet", self.resnet.as_ref())?;
        if self.ridge { layers.value("evaluate.ridge", true) } else { Ok(layers) }
    }
}
