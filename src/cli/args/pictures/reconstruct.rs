//! Arguments of `reconstruct`.

use std::path::PathBuf;

use clap::Args;

use crate::cli::args::flag_groups::NetworkArgs;
use crate::cli::layers::Layers;
use crate::cli::usage_error::UsageError;

/// Arguments of `reconstruct`.
#[derive(Debug, Args)]
#[command(after_help = "Example: mindreader reconstruct --subject 1 --average --samples 4")]
pub struct ReconstructArgs {
    /// Snapshots to decode with.
    #[command(flatten)]
    pub networks: NetworkArgs,
    /// CLIP that the mappers were trained with, for sources that need their targets
    #[arg(long, value_name = "FILE")]
    pub clip: Option<PathBuf>,
    /// Decode one trial, counted from 0 over the whole experiment
    #[arg(long, value_name = "T", allow_negative_numbers = true)]
    pub trial: Option<i64>,
    /// Decode the mean of an image's presentations
    #[arg(long)]
    pub average: bool,
    /// At most so many trials or images, evenly spread
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub limit: Option<i64>,
    /// Pictures per trial, each from another z
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub samples: Option<i64>,
    /// What pictures are made from: betas; truth (the true embeddings through the same generator: the ceiling), training-mean (a
    /// floor), nearest-training (the training image nearest to what is decoded), random-training
    #[arg(long)]
    pub source: Option<String>,
    /// Steer by both embeddings, by image or caption alone, or by one vector made of both: mean, signed-max, mix; by default as
    /// the generator was trained
    #[arg(long)]
    pub condition: Option<String>,
    /// Several conditions with the same z, a row of the grid each, for example image,caption,both
    #[arg(long, value_delimiter = ',', conflicts_with = "condition")]
    pub conditions: Vec<String>,
    /// Presentations of an image: each by itself, only the first, or their average
    #[arg(long, conflicts_with = "average")]
    pub repeats: Option<String>,
    /// Columns of the grid: trials, or the repeats of an image
    #[arg(long)]
    pub grid: Option<String>,
    /// Pull of the style vector towards its mean: 1 is none, 0 the mean itself
    #[arg(long, value_name = "PSI", allow_negative_numbers = true)]
    pub truncation: Option<f64>,
    /// Refuse mappers that the generator was not finetuned with instead of warning
    #[arg(long)]
    pub strict: bool,
}

impl ReconstructArgs {
    /// Adds the flags to the settings.
    ///
    /// # Errors
    /// As [`Layers::value`].
    pub fn layers(&self, layers: Layers) -> Result<Layers, UsageError> {
        let mut layers = self.networks.layers(layers)?;
        layers = layers.optional_path("paths.clip", self.clip.as_ref())?;
        layers = layers.optional("reconstruct.trials.trial", self.trial.as_ref())?;
        if self.average {
            layers = layers.value("reconstruct.repeats", "average")?;
        }
        if self.strict {
            layers = layers.value("reconstruct.strict", true)?;
        }
        layers = layers.optional("reconstruct.limit", self.limit.as_ref())?;
        layers = layers.optional("reconstruct.samples", self.samples.as_ref())?;
        layers = layers.optional("reconstruct.source", self.source.as_ref())?;
        if !self.conditions.is_empty() {
            layers = layers.value("reconstruct.conditions", self.conditions.clone())?;
        }
        layers = layers.optional("reconstruct.repeats", self.repeats.as_ref())?;
        layers = layers.optional("reconstruct.grid", self.grid.as_ref())?;
        layers = layers.optional("reconstruct.truncation_psi", self.truncation.as_ref())?;
        layers.optional("reconstruct.condition", self.condition.as_ref())
    }
}
