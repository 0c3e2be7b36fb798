//! Arguments of `finetune-gan`.

use std::path::PathBuf;

use clap::Args;

use super::flag_groups::SnapshotFeatureArgs;
use crate::cli::layers::Layers;
use crate::cli::usage_error::UsageError;

/// Arguments of `finetune-gan`.
#[derive(Debug, Args)]
pub struct FinetuneGanArgs {
    /// Image mapper; by default that of the newest `train-mapper --target image`
    #[arg(long, value_name = "FILE")]
    pub image_mapper: Option<PathBuf>,
    /// Mapper of the second condition: by default that of the newest `train-mapper --target caption`, or of `--target resnet`
    /// where `finetune_gan.condition` is `image-resnet`
    #[arg(long, value_name = "FILE")]
    pub caption_mapper: Option<PathBuf>,
    /// Run folder of the GAN to start from; by default the newest `pretrain-gan`
    #[arg(long, value_name = "DIR")]
    pub gan: Option<PathBuf>,
    /// Train the mappers too
    #[arg(long)]
    pub end_to_end: bool,
    /// ResNet-50 snapshot; needed where `finetune_gan.train.loss.low_level_weight` is set, and for ResNet mappers
    #[arg(long, value_name = "FILE")]
    pub resnet: Option<PathBuf>,
    /// How snapshots are measured.
    #[command(flatten)]
    pub features: SnapshotFeatureArgs,
    /// Continue a run from its checkpoint
    #[arg(long, value_name = "CHECKPOINT")]
    pub resume: Option<PathBuf>,
}

impl FinetuneGanArgs {
    /// Adds the flags to the settings.
    ///
    /// # Errors
    /// As [`Layers::value`].
    pub fn layers(&self, mut layers: Layers) -> Result<Layers, UsageError> {
        layers = layers.optional_path("paths.image_mapper", self.image_mapper.as_ref())?;
        layers = layers.optional_path("paths.caption_mapper", self.caption_mapper.as_ref())?;
        layers = layers.optional_path("paths.resnet", self.resnet.as_ref())?;
        if self.end_to_end {
            layers = layers.value("finetune_gan.mappers.mode", "end-to-end")?;
        }
        layers = self.features.layers(layers, "finetune_gan")?;
        layers.optional_path("paths.pretrained_gan", self.gan.as_ref())
    }
}
