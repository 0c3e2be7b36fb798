//! Arguments of `evaluate-images`.

use std::path::PathBuf;

use clap::Args;

use crate::cli::layers::Layers;
use crate::cli::usage_error::UsageError;

/// Arguments of `evaluate-images`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: mindreader evaluate-images --run work/runs/00007-reconstruct-subj01 --inception weights/inception.safetensors"
)]
pub struct EvaluateImagesArgs {
    /// Folder of a `reconstruct` run; by default the newest of the subject
    #[arg(long, value_name = "DIR")]
    pub run: Option<PathBuf>,
    /// Inception snapshot of `import-weights`: with it the distance is a FID
    #[arg(long, value_name = "FILE")]
    pub inception: Option<PathBuf>,
    /// Snapshot of `pretrain-classifier`: says what can be named; its features are used without an Inception
    #[arg(long, value_name = "FILE")]
    pub classifier: Option<PathBuf>,
    /// CLIP snapshot whose features are used without either; by default that of the newest `pretrain-clip`
    #[arg(long, value_name = "FILE")]
    pub clip: Option<PathBuf>,
    /// Identify every decoded trial, not only the first of each image
    #[arg(long)]
    pub all_trials: bool,
}

impl EvaluateImagesArgs {
    /// Adds the flags to the settings.
    ///
    /// # Errors
    /// As [`Layers::value`].
    pub fn layers(&self, mut layers: Layers) -> Result<Layers, UsageError> {
        layers = layers.optional_path("paths.inception", self.inception.as_ref())?;
        layers = layers.optional_path("paths.classifier", self.classifier.as_ref())?;
        if self.all_trials {
            layers = layers.value("evaluate_images.trials", "all")?;
        }
        layers.optional_path("paths.clip", self.clip.as_ref())
    }
}
