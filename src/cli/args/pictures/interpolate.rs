//! Arguments of `interpolate`.

use std::path::PathBuf;

use clap::Args;

use crate::cli::args::flag_groups::NetworkArgs;
use crate::cli::layers::Layers;
use crate::cli::usage_error::UsageError;

/// Arguments of `interpolate`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: mindreader interpolate --subject 1 --trials 120,4711\n         mindreader interpolate --subject 1 --trials 120,4711,88 --loop --path embedding --frames 24\n         mindreader interpolate --subject 1 --sequence --limit 100"
)]
pub struct InterpolateArgs {
    /// Snapshots to decode with.
    #[command(flatten)]
    pub networks: NetworkArgs,
    /// CLIP that the mappers were trained with: frames are held against its embeddings of what was seen
    #[arg(long, value_name = "FILE")]
    pub clip: Option<PathBuf>,
    /// Trials to go through, counted from 0 over the whole experiment; by default two that are held out
    #[arg(long, value_name = "T,T,…", value_delimiter = ',', allow_negative_numbers = true)]
    pub trials: Vec<i64>,
    /// Go back from the last trial to the first
    #[arg(long = "loop")]
    pub is_loop: bool,
    /// What is interpolated: betas (straight, then decoded), embedding (decoded, then along the sphere), or both
    #[arg(long)]
    pub path: Option<String>,
    /// Frames from one trial to the next, both included
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub frames: Option<i64>,
    /// The noise z: fixed (the first trial's throughout), or slerp (from the z of each trial to that of the next)
    #[arg(long)]
    pub z: Option<String>,
    /// Draw scans in time order instead, a frame each: those of `--trials`, or the first held-out ones; embeddings are smoothed in time
    #[arg(long, conflicts_with_all = ["is_loop", "path", "frames", "z"])]
    pub sequence: bool,
    /// Strength a of the smoothing (1 - a) before + a now: above 0, 1 is none; by default chosen on training trials
    #[arg(long, value_name = "A", allow_negative_numbers = true, requires = "sequence")]
    pub smoothing: Option<f64>,
    /// Scans of a sequence where no trials are named
    #[arg(long, value_name = "N", allow_negative_numbers = true, requires = "sequence")]
    pub limit: Option<i64>,
    /// Embeddings that steer the generator, as in reconstruct; by default those that it was trained on
    #[arg(long)]
    pub condition: Option<String>,
    /// Pull of the style vector towards its mean: 1 is none, 0 the mean itself
    #[arg(long, value_name = "PSI", allow_negative_numbers = true)]
    pub truncation: Option<f64>,
    /// Refuse mappers that the generator was not finetuned with instead of warning
    #[arg(long)]
    pub strict: bool,
}

impl InterpolateArgs {
    /// Adds the flags to the settings.
    ///
    /// # Errors
    /// As [`Layers::value`].
    pub fn layers(&self, layers: Layers) -> Result<Layers, UsageError> {
        let mut layers = self.networks.layers(layers)?;
        layers = layers.optional_path("paths.clip", self.clip.as_ref())?;
        if !self.trials.is_empty() {
            layers = layers.value("interpolate.trials", self.trials.clone())?;
        }
        if self.is_loop {
            layers = layers.value("interpolate.loop", true)?;
        }
        if self.sequence {
            layers = layers.value("interpolate.sequence", true)?;
        }
        layers = layers.optional("interpolate.smoothing", self.smoothing.as_ref())?;
        layers = layers.optional("interpolate.limit", self.limit.as_ref())?;
        if self.strict {
            layers = layers.value("interpolate.strict", true)?;
        }
        layers = layers.optional("interpolate.path", self.path.as_ref())?;
        layers = layers.optional("interpolate.frames", self.frames.as_ref())?;
        layers = layers.optional("interpolate.z", self.z.as_ref())?;
        layers = layers.optional("interpolate.condition", self.condition.as_ref())?;
        layers.optional("interpolate.truncation_psi", self.truncation.as_ref())
    }
}
