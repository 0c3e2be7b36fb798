//! Arguments of `phantom` and `prepare`.

use std::path::PathBuf;

use clap::Args;

use super::{path_setting, setting};
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
    #[arg(long)]
    pub signal: Option<f64>,
    /// Sessions to write
    #[arg(long, value_name = "N")]
    pub sessions: Option<u32>,
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
        layers = setting(layers, "phantom.size", self.size.as_ref())?;
        layers = setting(layers, "phantom.source", self.source.as_ref())?;
        layers = path_setting(layers, "phantom.photographs", self.photographs.as_ref())?;
        layers = setting(layers, "phantom.signal", self.signal.as_ref())?;
        setting(layers, "phantom.sessions", self.sessions.map(i64::from).as_ref())
    }
}

/// Arguments of `prepare`.
#[derive(Debug, Args)]
#[command(after_help = "Example: mindreader prepare --nsd /data/nsd --subject 1 --roi nsdgeneral")]
pub struct PrepareArgs {
    /// Region: nsdgeneral, floc-faces, V1, …; give it several times for their union
    #[arg(long)]
    pub roi: Vec<String>,
    /// Use at most so many sessions
    #[arg(long, value_name = "N")]
    pub sessions: Option<u32>,
    /// Only say what is there and what is missing, as `doctor` does
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
        setting(layers, "prepare.sessions", self.sessions.map(i64::from).as_ref())
    }
}
