//! Arguments of `evaluate`.

use std::path::PathBuf;

use clap::Args;

use super::train_mapper::KindArg;
use crate::cli::layers::Layers;
use crate::cli::usage_error::UsageError;
use crate::models::mapper::MapperKind;

/// Arguments of `evaluate`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples: mindreader evaluate --subject 1 --mappers image.safetensors caption.safetensors\n          \
    mindreader evaluate --subject 1 --ridge --folds 5\n          \
    mindreader evaluate --subject 1 --folds 5 --kinds ridge,residual,kernel-ridge,paper"
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
    /// Cross-validate mappers of these kinds, too: one of each is trained in every fold; adds `--ridge`
    #[arg(long, value_name = "KINDS", value_enum, value_delimiter = ',', num_args = 1.., conflicts_with = "mappers")]
    pub kinds: Vec<KindArg>,
    /// What is taken from predictions and targets before they are compared: `none`, `training-mean`, or `rescaled-by-test`,
    /// which gives predictions the mean and deviation of the training targets (transductive)
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
        let kinds: Vec<String> = self.kinds.iter().map(|kind| MapperKind::from(*kind).to_string()).collect();
        let is_ridge = self.ridge || self.ridge_only || !kinds.is_empty();
        let layers = if kinds.is_empty() { layers } else { layers.value("evaluate.fold_kinds", kinds)? };
        if is_ridge { layers.value("evaluate.ridge", true) } else { Ok(layers) }
    }
}
