//! Arguments of `cycle`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::cli::args::flag_groups::NetworkArgs;
use crate::cli::layers::Layers;
use crate::cli::usage_error::UsageError;
use crate::models::encoder::EncoderKind;

/// Arguments of `cycle`.
#[derive(Debug, Args)]
#[command(after_help = "Examples: mindreader cycle --subject 1\n          \
    mindreader cycle --subject 1 --kind paper --images pictures/")]
pub struct CycleArgs {
    /// Snapshots to decode with.
    #[command(flatten)]
    pub networks: NetworkArgs,
    /// Which encoder of the newest run of `encode`; by default `cycle.kind`, which is `ridge` where no file says otherwise
    #[arg(long, value_enum, conflicts_with = "encoder")]
    pub kind: Option<EncoderKindArg>,
    /// Encoder snapshot of `encode`; by default that of the newest run
    #[arg(long, value_name = "FILE")]
    pub encoder: Option<PathBuf>,
    /// Folder or zip archive of pictures in place of the held-out images
    #[arg(long, value_name = "DIR")]
    pub images: Option<PathBuf>,
    /// CLIP snapshot that the encoder reads; by default that of the newest `pretrain-clip`
    #[arg(long, value_name = "FILE")]
    pub clip: Option<PathBuf>,
    /// At most so many pictures, evenly spread; 0: all
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub limit: Option<i64>,
    /// Embeddings that steer the generator, as in reconstruct; by default those that it was trained on
    #[arg(long)]
    pub condition: Option<String>,
    /// Refuse networks that do not belong together, instead of warning
    #[arg(long)]
    pub strict: bool,
}

/// [`EncoderKind`] as a flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum EncoderKindArg {
    /// Ridge regression
    Ridge,
    /// The encoding network of Mind Reader
    Paper,
}

impl From<EncoderKindArg> for EncoderKind {
    fn from(kind: EncoderKindArg) -> Self {
        match kind {
            EncoderKindArg::Ridge => Self::Ridge,
            EncoderKindArg::Paper => Self::Paper,
        }
    }
}

impl CycleArgs {
    /// Adds the flags to the settings.
    ///
    /// # Errors
    /// As [`Layers::value`].
    pub fn layers(&self, layers: Layers) -> Result<Layers, UsageError> {
        let mut layers = self.networks.layers(layers)?;
        if let Some(kind) = self.kind {
            layers = layers.value("cycle.kind", EncoderKind::from(kind).to_string())?;
        }
        if self.strict {
            layers = layers.value("cycle.strict", true)?;
        }
        layers = layers.optional_path("paths.clip", self.clip.as_ref())?;
        layers = layers.optional("cycle.condition", self.condition.as_ref())?;
        layers.optional("cycle.limit", self.limit.as_ref())
    }
}
