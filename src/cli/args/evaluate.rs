//! Arguments of `evaluate`.

use std::path::PathBuf;

use clap::Args;

use crate::cli::layers::Layers;
use crate::cli::usage_error::UsageError;

/// Arguments of `evaluate`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples: mindreader evaluate --subject 1 --mappers image.safetensors caption.safetensors\n          \
    mindreader evaluate --subject 1 --ridge --folds 5"
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
    /// Fit ridge regression to the same targets, as the linear baseline, and to pixels; without any mapper it goes alone
    #[arg(long)]
    pub ridge: bool,
    /// Leave the mappers out
    #[arg(long, conflicts_with = "mappers")]
    pub ridge_only: bool,
    /// Cross-validate ridge regression over so many folds of the images, in place of the split
    #[arg(long, value_name = "K", allow_negative_numbers = true, conflicts_with = "mappers")]
    pub folds: Option<i64>,
    /// What is taken from predictions and targets before they are compared: `none`, or `training-mean`
    #[arg(long, value_name = "WHAT")]
    pub centre: Option<String>,
}

impl EvaluateArgs {
    /// Adds the flags to the settings.
    ///
    /// # Errors
    /// As [`Layers::value`].
    pub fn layers(&self, layers: Layers) -> Result<Layers, UsageError> {
        let layers = layers.optional_path("paths.clip", self.clip.as_ref())?;
        let layers = layers.optional_path("paths.resnet", self.resnet.as_ref())?;
        let layers = layers.optional("evaluate.folds", self.folds.as_ref())?;
        let layers = layers.optional("evaluate.centre", self.centre.as_ref())?;
        let layers = if self.ridge_only { layers.value("evaluate.ridge_only", true)? } else { layers };
        let is_ridge = self.ridge || self.ridge_only;
        if is_ridge { layers.value("evaluate.ridge", true) } else { Ok(layers) }
    }
}
