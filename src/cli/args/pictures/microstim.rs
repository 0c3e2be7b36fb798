//! Arguments of `microstim`.

use clap::Args;

use crate::cli::args::flag_groups::NetworkArgs;
use crate::cli::layers::Layers;
use crate::cli::usage_error::UsageError;

/// Arguments of `microstim`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: mindreader microstim --subject 1 --roi floc-faces\n         mindreader microstim --subject 1 --roi floc-faces --roi floc-words --level 2,4,6,8,10\n         mindreader microstim --subject 1 --roi streams:early --silence\n         mindreader microstim --subject 1 --paper"
)]
pub struct MicrostimArgs {
    /// Snapshots to decode with.
    #[command(flatten)]
    pub networks: NetworkArgs,
    /// Region: a file (floc-faces), a label (FFA-1, V1), a hemisphere (lh.floc-faces), or file:label; several joined by + are one;
    /// given several times, one run after the other
    #[arg(long)]
    pub roi: Vec<String>,
    /// The paper's regions by its names: localisers and face areas driven, stages of the visual hierarchy silenced
    #[arg(long, conflicts_with_all = ["roi", "silence"])]
    pub paper: bool,
    /// Set the region's betas to 0 instead of driving them
    #[arg(long)]
    pub silence: bool,
    /// Value of driven betas in standard deviations; of several, for example 2,4,6,8,10, the effect of each, and pictures of the largest
    #[arg(long, value_name = "Z", value_delimiter = ',', allow_negative_numbers = true)]
    pub level: Vec<f64>,
    /// Random regions of as many voxels whose effect stands beside the region's
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub controls: Option<i64>,
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
        match self.roi.as_slice() {
            [] => {}
            // One region goes before several of a file.
            [roi] => {
                layers = layers
                    .value("microstim.rois", Vec::<String>::new())?
                    .value("microstim.roi", roi.clone())?;
            }
            several => layers = layers.value("microstim.rois", several.to_vec())?,
        }
        if self.paper {
            layers = layers.value("microstim.paper", true)?;
        }
        if self.silence {
            layers = layers.value("microstim.action", "silence")?;
        }
        if self.strict {
            layers = layers.value("microstim.strict", true)?;
        }
        layers = layers.optional("microstim.condition", self.condition.as_ref())?;
        if self.level.len() > 1 {
            layers = layers.value("microstim.levels", self.level.clone())?;
        }
        // NaN is the largest of none: it is refused where it stands in the list.
        let largest = self.level.iter().copied().reduce(f64::max);
        layers = layers.optional("microstim.excited_beta", largest.as_ref())?;
        layers = layers.optional("microstim.controls", self.controls.as_ref())?;
        layers.optional("microstim.limit", self.limit.as_ref())
    }
}
