//! Arguments of `pretrain-gan`.

use std::path::PathBuf;

use clap::Args;

use super::flag_groups::SnapshotFeatureArgs;
use crate::cli::layers::Layers;
use crate::cli::usage_error::UsageError;

/// Arguments of `pretrain-gan`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: mindreader pretrain-gan --images photographs --clip weights/clip.safetensors --set pretrain_gan.network.heads=one"
)]
pub struct PretrainGanArgs {
    /// Folder or zip archive of images (.png, .jpg), with captions beside them (.txt, one a line) or CLIP's features in
    /// Lafite's dataset.json; by default the subject's stimuli
    #[arg(long, value_name = "DIR|ZIP")]
    pub images: Option<PathBuf>,
    /// COCO's captions_*.json: which of the images, and their captions
    #[arg(long, value_name = "FILE")]
    pub annotations: Option<PathBuf>,
    /// CLIP snapshot; by default that of the newest `pretrain-clip`
    #[arg(long, value_name = "FILE")]
    pub clip: Option<PathBuf>,
    /// How snapshots are measured.
    #[command(flatten)]
    pub features: SnapshotFeatureArgs,
    /// Start from the generator.safetensors and discriminator.safetensors of this folder, trained or imported; their sizes must be
    /// those of the settings
    #[arg(long, value_name = "DIR", conflicts_with = "resume")]
    pub init_from: Option<PathBuf>,
    /// Continue a run from its checkpoint
    #[arg(long, value_name = "CHECKPOINT")]
    pub resume: Option<PathBuf>,
}

impl PretrainGanArgs {
    /// Adds the flags to the settings.
    ///
    /// # Errors
    /// As [`Layers::value`].
    pub fn layers(&self, mut layers: Layers) -> Result<Layers, UsageError> {
        layers = layers.optional_path("paths.images", self.images.as_ref())?;
        layers = layers.optional_path("paths.annotations", self.annotations.as_ref())?;
        layers = self.features.layers(layers, "pretrain_gan")?;
        layers.optional_path("paths.clip", self.clip.as_ref())
    }
}
