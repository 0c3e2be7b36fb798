//! Groups of flags that several subcommands take.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::cli::layers::Layers;
use crate::cli::usage_error::UsageError;
use crate::models::mapper::MapperTarget;

/// The CLIP in use.
#[derive(Debug, Args)]
pub struct ClipArg {
    /// CLIP snapshot; by default that of the newest `pretrain-clip`
    #[arg(long, value_name = "FILE")]
    pub clip: Option<PathBuf>,
}

impl ClipArg {
    /// Adds the flags to the settings.
    ///
    /// # Errors
    /// As [`Layers::value`].
    pub fn layers(&self, layers: Layers) -> Result<Layers, UsageError> {
        layers.optional_path("paths.clip", self.clip.as_ref())
    }
}

/// Continuing where a run ended.
#[derive(Debug, Args)]
pub struct ResumeArg {
    /// Continue a run from its checkpoint
    #[arg(long, value_name = "CHECKPOINT")]
    pub resume: Option<PathBuf>,
}

/// Snapshots to decode with; by default those of the newest runs of the subject.
#[derive(Debug, Args)]
pub struct NetworkArgs {
    /// Image mapper
    #[arg(long, value_name = "FILE")]
    pub image_mapper: Option<PathBuf>,
    /// Caption mapper
    #[arg(long, value_name = "FILE")]
    pub caption_mapper: Option<PathBuf>,
    /// Generator
    #[arg(long, value_name = "FILE")]
    pub generator: Option<PathBuf>,
}

impl NetworkArgs {
    /// Adds the flags to the settings.
    ///
    /// # Errors
    /// As [`Layers::value`].
    pub fn layers(&self, mut layers: Layers) -> Result<Layers, UsageError> {
        layers = layers.optional_path("paths.image_mapper", self.image_mapper.as_ref())?;
        layers = layers.optional_path("paths.caption_mapper", self.caption_mapper.as_ref())?;
        layers.optional_path("paths.generator", self.generator.as_ref())
    }
}

/// Networks that measure the snapshots of a GAN in training; by default none does.
#[derive(Debug, Args)]
pub struct SnapshotFeatureArgs {
    /// Inception snapshot of `import-weights`: the FID of generated samples is measured on the way
    #[arg(long, value_name = "FILE")]
    pub inception: Option<PathBuf>,
    /// Snapshot of `pretrain-classifier`: measure in its features; the distance is then no FID and says so
    #[arg(long, value_name = "FILE", conflicts_with = "inception")]
    pub classifier: Option<PathBuf>,
    /// Measure in the features of the CLIP in use; the distance is then no FID and says so
    #[arg(long, conflicts_with_all = ["inception", "classifier"])]
    pub clip_features: bool,
}

impl SnapshotFeatureArgs {
    /// Adds the flags to the settings; whether CLIP's features are used belongs to the `section` of the training.
    ///
    /// # Errors
    /// As [`Layers::value`].
    pub fn layers(&self, layers: Layers, section: &str) -> Result<Layers, UsageError> {
        let layers = layers.optional_path("paths.inception", self.inception.as_ref())?;
        let layers = layers.optional_path("paths.classifier", self.classifier.as_ref())?;
        let is_file = self.inception.is_some() || self.classifier.is_some();
        if self.clip_features || is_file {
            return layers.value(&format!("{section}.snapshots.clip_features"), self.clip_features);
        }
        Ok(layers)
    }
}

/// The space that a mapper predicts.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum TargetArg {
    /// CLIP embedding of the stimulus
    Image,
    /// CLIP embedding of its caption
    Caption,
    /// ResNet-50 vector of the stimulus
    Resnet,
}

impl From<TargetArg> for MapperTarget {
    fn from(target: TargetArg) -> Self {
        match target {
            TargetArg::Image => Self::Image,
            TargetArg::Caption => Self::Caption,
            TargetArg::Resnet => Self::Resnet,
        }
    }
}
