//! Arguments of `classify`.

use std::path::PathBuf;

use clap::Args;

use crate::cli::layers::Layers;
use crate::cli::usage_error::UsageError;

/// Arguments of `classify`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples: mindreader classify --subject 1\n          mindreader classify --subject 1 --masking --masks 10"
)]
pub struct ClassifyArgs {
    /// Image mapper whose decoded embeddings are classified; by default the newest of the subject
    #[arg(long, value_name = "FILE")]
    pub image_mapper: Option<PathBuf>,
    /// CLIP snapshot; by default that of the newest `pretrain-clip`
    #[arg(long, value_name = "FILE")]
    pub clip: Option<PathBuf>,
    /// ResNet-50 snapshot, for ResNet vectors of the images and decoded ones
    #[arg(long, value_name = "FILE")]
    pub resnet: Option<PathBuf>,
    /// Set growing shares of the voxels to 0, at random, and see what can still be told
    #[arg(long)]
    pub masking: bool,
    /// Draws of the voxels at every share; adds `--masking`
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub masks: Option<i64>,
    /// Train classifiers anew on masked trials at every share, beside those that saw all voxels; adds `--masking`
    #[arg(long)]
    pub retrain: bool,
}

impl ClassifyArgs {
    /// Adds the flags to the settings.
    ///
    /// # Errors
    /// As [`Layers::value`].
    pub fn layers(&self, layers: Layers) -> Result<Layers, UsageError> {
        let layers = layers.optional_path("paths.image_mapper", self.image_mapper.as_ref())?;
        let layers = layers.optional_path("paths.clip", self.clip.as_ref())?;
        let layers = layers.optional_path("paths.resnet", self.resnet.as_ref())?;
        let layers = layers.optional("classify.mask.masks", self.masks.as_ref())?;
        let layers = if self.retrain { layers.value("classify.mask.retrain", true)? } else { layers };
        let is_masking = self.masking || self.masks.is_some() || self.retrain;
        if is_masking { layers.value("classify.masking", true) } else { Ok(layers) }
    }
}
