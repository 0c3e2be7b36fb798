//! Arguments of `init`.

use std::path::PathBuf;

use clap::Args;

use crate::cli::layers::Layers;
use crate::cli::usage_error::UsageError;

/// Arguments of `init`.
#[derive(Debug, Args)]
#[command(after_help = "Example: mindreader init --nsd /data/nsd --look weights")]
pub struct InitArgs {
    /// Folders to look in, beside the working directory, for the NSD tree, a CLIP and a GAN
    #[arg(long, value_name = "DIR", num_args = 1..)]
    pub look: Vec<PathBuf>,
    /// CLIP snapshot
    #[arg(long, value_name = "FILE")]
    pub clip: Option<PathBuf>,
    /// Run folder of the GAN that finetuning starts from
    #[arg(long, value_name = "DIR")]
    pub gan: Option<PathBuf>,
    /// Replace a `mindreader.toml` that is already there
    #[arg(long)]
    pub overwrite: bool,
}

impl InitArgs {
    /// Adds the flags to the settings.
    ///
    /// # Errors
    /// As [`Layers::value`].
    pub fn layers(&self, layers: Layers) -> Result<Layers, UsageError> {
        let layers = layers.optional_path("paths.clip", self.clip.as_ref())?;
        layers.optional_path("paths.pretrained_gan", self.gan.as_ref())
    }
}
