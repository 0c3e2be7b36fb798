//! Arguments of `prepare`.

use clap::Args;

use crate::cli::layers::Layers;
use crate::cli::usage_error::UsageError;

/// Arguments of `prepare`.
#[derive(Debug, Args)]
#[command(after_help = "Example: mindreader prepare --nsd /data/nsd --subject 1 --roi nsdgeneral")]
pub struct PrepareArgs {
    /// Region: nsdgeneral, floc-faces, V1, …; give it several times for their union
    #[arg(long)]
    pub roi: Vec<String>,
    /// Use at most so many sessions
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub sessions: Option<i64>,
    /// Only say whether this would run, what is there and what is missing, as `doctor` does
    #[arg(long)]
    pub check: bool,
    /// Replace a prepared file that is already there
    #[arg(long)]
    pub overwrite: bool,
}

impl PrepareArgs {
    /// Adds the flags to the settings.
    ///
    /// # Errors
    /// As [`Layers::value`].
    pub fn layers(&self, mut layers: Layers) -> Result<Layers, UsageError> {
        if !self.roi.is_empty() {
            layers = layers.value("prepare.roi", self.roi.clone())?;
        }
        layers.optional("prepare.sessions", self.sessions.as_ref())
    }
}
