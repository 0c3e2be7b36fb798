//! Arguments of `split`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::cli::layers::Layers;
use crate::cli::usage_error::UsageError;
use crate::commands::split::{ClusterRule, SplitMaking, SplitSpace, TauRule};

/// Which images are held out together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RuleArg {
    /// Those of one k-means cluster
    Cluster,
    /// About a fifth; near-duplicates stay on one side
    Tau,
}

/// What says how near two images are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SpaceArg {
    /// CLIP's image embeddings
    Image,
    /// The pictures themselves, small and in grey: needs no CLIP
    Pixels,
}

/// Arguments of `split`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples: mindreader split --rule cluster --cluster 0\n          mindreader split --rule tau --threshold 0.9"
)]
pub struct SplitArgs {
    /// The rule
    #[arg(long, value_enum)]
    pub rule: RuleArg,
    /// Number of clusters
    #[arg(long, value_name = "K", default_value_t = 5)]
    pub clusters: usize,
    /// The cluster that is held out, from 0; by default a split is made for each
    #[arg(long, value_name = "I")]
    pub cluster: Option<usize>,
    /// Cosine above which two images are near-duplicates
    #[arg(long, value_name = "COSINE", default_value_t = 0.9, allow_negative_numbers = true)]
    pub threshold: f64,
    /// Share of the images that is held out under `tau`
    #[arg(long, value_name = "SHARE", default_value_t = 0.2, allow_negative_numbers = true)]
    pub test_fraction: f64,
    /// What says how near two images are
    #[arg(long, value_enum, default_value = "image")]
    pub space: SpaceArg,
    /// CLIP snapshot; by default that of the newest `pretrain-clip`
    #[arg(long, value_name = "FILE")]
    pub clip: Option<PathBuf>,
    /// Replace a split that is already there
    #[arg(long)]
    pub overwrite: bool,
}

impl SplitArgs {
    /// Adds the flags to the settings.
    ///
    /// # Errors
    /// As [`Layers::value`].
    pub fn layers(&self, layers: Layers) -> Result<Layers, UsageError> {
        layers.optional_path("paths.clip", self.clip.as_ref())
    }

    /// The rule with its numbers.
    pub fn making(&self) -> SplitMaking {
        let Self { clusters, cluster, threshold, test_fraction, .. } = *self;
        match self.rule {
            RuleArg::Cluster => SplitMaking::Cluster(ClusterRule { clusters, cluster }),
            RuleArg::Tau => SplitMaking::Tau(TauRule { threshold, test_fraction }),
        }
    }

    /// The space.
    pub fn space(&self) -> SplitSpace {
        match self.space {
            SpaceArg::Image => SplitSpace::Image,
            SpaceArg::Pixels => SplitSpace::Pixels,
        }
    }
}
