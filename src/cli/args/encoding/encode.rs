//! Arguments of `encode`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::cli::layers::Layers;
use crate::cli::usage_error::UsageError;
use crate::commands::encode::EncodeKind;
use crate::models::encoder::EncodingSpace;

/// Arguments of `encode`.
#[derive(Debug, Args)]
#[command(after_help = "Examples: mindreader encode --subject 1\n          \
    mindreader encode --subject 1 --kind both --space image")]
pub struct EncodeArgs {
    /// Which encoder; by default `encode.kind`, which is `ridge` where no file says otherwise
    #[arg(long, value_enum)]
    pub kind: Option<EncodeKindArg>,
    /// What betas are predicted from; by default `encode.space`, which is `image` where no file says otherwise
    #[arg(long, value_enum)]
    pub space: Option<SpaceArg>,
    /// CLIP snapshot; by default that of the newest `pretrain-clip`
    #[arg(long, value_name = "FILE")]
    pub clip: Option<PathBuf>,
    /// ResNet-50 snapshot of `import-weights`; needed for `--space resnet`
    #[arg(long, value_name = "FILE")]
    pub resnet: Option<PathBuf>,
    /// Continue the training of the network from its checkpoint
    #[arg(long, value_name = "CHECKPOINT")]
    pub resume: Option<PathBuf>,
}

/// [`EncodeKind`] as a flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum EncodeKindArg {
    /// Ridge regression
    Ridge,
    /// The encoding network of Mind Reader
    Paper,
    /// Ridge regression, and the network beside it
    Both,
}

/// [`EncodingSpace`] as a flag.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum SpaceArg {
    /// CLIP embedding of the image
    Image,
    /// CLIP embedding of its captions
    Caption,
    /// Both, one behind the other
    Both,
    /// ResNet-50 vector of the image
    Resnet,
}

impl From<EncodeKindArg> for EncodeKind {
    fn from(kind: EncodeKindArg) -> Self {
        match kind {
            EncodeKindArg::Ridge => Self::Ridge,
            EncodeKindArg::Paper => Self::Paper,
            EncodeKindArg::Both => Self::Both,
        }
    }
}

impl From<SpaceArg> for EncodingSpace {
    fn from(space: SpaceArg) -> Self {
        match space {
            SpaceArg::Image => Self::Image,
            SpaceArg::Caption => Self::Caption,
            SpaceArg::Both => Self::Both,
            SpaceArg::Resnet => Self::Resnet,
        }
    }
}

impl EncodeArgs {
    /// Whether the flags ask for a training in steps.
    pub fn is_training(&self) -> bool {
        let is_network = |kind| EncodeKind::from(kind).has_network();
        self.resume.is_some() || self.kind.is_some_and(is_network)
    }

    /// Adds the flags to the settings.
    ///
    /// # Errors
    /// As [`Layers::value`].
    pub fn layers(&self, mut layers: Layers) -> Result<Layers, UsageError> {
        if let Some(kind) = self.kind {
            layers = layers.value("encode.kind", EncodeKind::from(kind).to_string())?;
        }
        if let Some(space) = self.space {
            layers = layers.value("encode.space", EncodingSpace::from(space).to_string())?;
        }
        layers = layers.optional_path("paths.clip", self.clip.as_ref())?;
        layers.optional_path("paths.resnet", self.resnet.as_ref())
    }
}
