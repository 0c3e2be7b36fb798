//! Arguments of `demo`.

use std::path::PathBuf;

use clap::Args;

use crate::cli::layers::Layers;
use crate::cli::usage_error::UsageError;
use crate::commands::demo::DemoNetworks;

/// Arguments of `demo`.
#[derive(Debug, Args)]
#[command(after_help = "Example: mindreader demo --out demo")]
pub struct DemoArgs {
    /// Folder of the demo: phantom, runs and report
    #[arg(long, value_name = "DIR", default_value = "demo")]
    pub out: PathBuf,
    /// Folder of photographs with COCO annotations, used beside the synthetic scenes
    #[arg(long, value_name = "DIR")]
    pub photographs: Option<PathBuf>,
    /// Train CLIP and the GAN on the spot too, instead of starting from those that ship with the program
    #[arg(long)]
    pub train_all: bool,
}

impl DemoArgs {
    /// Where CLIP and the pretrained GAN come from. The shipped ones know scenes, not photographs.
    pub fn networks(&self) -> DemoNetworks {
        let trains = self.train_all || self.photographs.is_some();
        if trains { DemoNetworks::Trained } else { DemoNetworks::Shipped }
    }

    /// Adds the flags to the settings.
    ///
    /// # Errors
    /// As [`Layers::value`].
    pub fn layers(&self, layers: Layers) -> Result<Layers, UsageError> {
        layers.optional_path("phantom.photographs", self.photographs.as_ref())
    }
}
