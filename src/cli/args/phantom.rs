//! Arguments of `phantom`.

use std::path::PathBuf;

use clap::Args;

use crate::cli::layers::Layers;
use crate::cli::usage_error::UsageError;

/// Arguments of `phantom`.
#[derive(Debug, Args)]
#[command(after_help = "Example: mindreader phantom --nsd phantom --size tiny --signal 3")]
pub struct PhantomArgs {
    /// tiny (tests), small (demo) or full (the subject's real size)
    #[arg(long)]
    pub size: Option<String>,
    /// Stimuli: scenes, photographs or both
    #[arg(long)]
    pub source: Option<String>,
    /// Folder of photographs with COCO annotations
    #[arg(long, value_name = "DIR")]
    pub photographs: Option<PathBuf>,
    /// Factor on the signal-to-noise ratio: 1 is like NSD, 0 is pure noise
    #[arg(long, allow_negative_numbers = true)]
    pub signal: Option<f64>,
    /// Sessions to write
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub sessions: Option<i64>,
    /// Replace a phantom that is already there
    #[arg(long)]
    pub overwrite: bool,
}

impl PhantomArgs {
    /// Adds the flags to the settings.
    ///
    /// # Errors
    /// As [`Layers::value`].
    pub fn layers(&self, mut layers: Layers) -> Result<Layers, UsageError> {
        layers = layers.optional("phantom.size", self.size.as_ref())?;
        layers = layers.optional("phantom.source", self.source.as_ref())?;
        layers = layers.optional_path("phantom.photographs", self.photographs.as_ref())?;
        layers = layers.optional("phantom.signal", self.signal.as_ref())?;
        layers.optional("phantom.sessions", self.sessions.as_ref())
    }
}
