//! Arguments of `microstim`.

use clap::Args;

use crate::cli::args::flag_groups::NetworkArgs;
use crate::cli::layers::Layers;
use crate::cli::usage_error::UsageError;

/// Arguments of `microstim`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: mindreader microstim --subject 1 --roi floc-faces\n         mindreader microstim --subject 1 --roi streams:early --silence"
)]
pub struct MicrostimArgs {
    /// Snapshots to decode with.
    #[command(flatten)]
    pub networks: NetworkArgs,
    /// Region: a file (floc-faces), a label (FFA-1, V1), a hemisphere (lh.floc-faces), or file:label; several joined by +
    #[arg(long)]
    pub roi: Option<String>,
    /// Set the region's betas to 0 instead of driving them
    #[arg(long)]
    pub silence: bool,
    /// Value of driven betas in standard deviations
    #[arg(long, value_name = "Z", allow_negative_numbers = true)]
    pub level: Option<f64>,
    /// At most so many images, evenly spread
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub limit: Option<i64>,
    /// Embeddings that steer the generator, as in reconstruct; by default those that it was trained on
    #[arg(long)]
    pub condition: Option<String>,
    /// Refuse mappers that the generator was not finetuned with, and another CLIP than theirs, instead of warning
    #[arg(long)]
    pub strict: bool,
}

impl MicrostimArgs {
    /// Adds the flags to the settings.
    ///
    /// # Errors
    /// As [`Layers::value`].
    pub fn layers(&self, layers: Layers) -> Result<Layers, UsageError> {
        let mut layers = self.networks.layers(layers)?;
        layers = layers.optional("microstim.roi", self.roi.as_ref())?;
        if self.silence {
            layers = layers.value("microstim.action", "silence")?;
        }
        if self.strict {
            layers = layers.value("microstim.strict", true)?;
        }
        layers = layers.optional("microstim.condition", self.condition.as_ref())?;
        layers = layers.optional("microstim.excited_beta", self.level.as_ref())?;
        layers.optional("microstim.limit", self.limit.as_ref())
    }
}
