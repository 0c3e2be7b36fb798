//! Arguments of `run`.

use std::path::PathBuf;

use clap::Args;

use crate::cli::layers::Layers;
use crate::cli::usage_error::UsageError;
use crate::commands::run::Selection;

/// Arguments of `run`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: mindreader run --nsd /data/nsd --subject 1 --clip weights/clip.safetensors --gan weights/lafite\n         \
    mindreader run --subject 1 --from finetune-gan\n\n\
    Steps: prepare, pretrain-clip, screen-captions, image-mapper, caption-mapper, control-mapper, control-caption-mapper (these four: mappers), \
    pretrain-gan, finetune-gan, reconstruct, reconstruct-control, reconstruct-truth, reconstruct-nearest, evaluate, evaluate-images, \
    evaluate-images-control, evaluate-images-truth, evaluate-images-nearest, microstim, \
    encode, score, report"
)]
pub struct RunArgs {
    /// Do this step and every one behind it again
    #[arg(long, value_name = "STEP")]
    pub from: Option<String>,
    /// Stop behind this step
    #[arg(long, value_name = "STEP")]
    pub until: Option<String>,
    /// Do this step again and no other
    #[arg(long, value_name = "STEP", conflicts_with_all = ["from", "until"])]
    pub only: Option<String>,
    /// Say which steps are done and what would be done, from what, in what time and memory; do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Begin even what takes more than a day by estimate
    #[arg(long)]
    pub yes: bool,
    /// CLIP snapshot; by default one is trained on the subject's stimuli and captions
    #[arg(long, value_name = "FILE")]
    pub clip: Option<PathBuf>,
    /// Folder of the GAN that finetuning starts from; by default one is pretrained
    #[arg(long, value_name = "DIR")]
    pub gan: Option<PathBuf>,
    /// Inception snapshot, with which pictures are measured
    #[arg(long, value_name = "FILE")]
    pub inception: Option<PathBuf>,
    /// Snapshot of `pretrain-classifier`, which names what pictures show
    #[arg(long, value_name = "FILE")]
    pub classifier: Option<PathBuf>,
}

impl RunArgs {
    /// Adds the flags to the settings.
    ///
    /// # Errors
    /// As [`Layers::value`].
    pub fn layers(&self, mut layers: Layers) -> Result<Layers, UsageError> {
        if self.yes {
            layers = layers.value("run.accept_long", true)?;
        }
        layers = layers.optional_path("paths.clip", self.clip.as_ref())?;
        layers = layers.optional_path("paths.pretrained_gan", self.gan.as_ref())?;
        layers = layers.optional_path("paths.inception", self.inception.as_ref())?;
        layers.optional_path("paths.classifier", self.classifier.as_ref())
    }

    /// Which steps are wanted.
    ///
    /// # Errors
    /// As [`Selection::parse`].
    pub fn selection(&self) -> crate::error::Result<Selection> {
        Selection::parse(self.from.as_deref(), self.until.as_deref(), self.only.as_deref())
    }
}
