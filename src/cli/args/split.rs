//! Arguments of `split`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::cli::layers::Layers;
use crate::cli::usage_error::UsageError;
use crate::commands::split::{ClusterRule, MOST_CLUSTERS, SplitMaking, SplitSpace, TauRule};

/// Clusters unless another number is asked for.
const USUAL_CLUSTERS: usize = 5;
/// Cosine of near-duplicates unless another is asked for.
const USUAL_THRESHOLD: f64 = 0.9;
/// Share that `tau` holds out unless another is asked for.
const USUAL_TEST_FRACTION: f64 = 0.2;

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
    /// Number of clusters [default: 5]
    #[arg(long, value_name = "K", allow_negative_numbers = true)]
    pub clusters: Option<i64>,
    /// The cluster that is held out, from 0; by default a split is made for each
    #[arg(long, value_name = "I", allow_negative_numbers = true)]
    pub cluster: Option<i64>,
    /// Cosine above which two images are near-duplicates [default: 0.9]
    #[arg(long, value_name = "COSINE", allow_negative_numbers = true)]
    pub threshold: Option<f64>,
    /// Share of the images that is held out under `tau` [default: 0.2]
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true)]
    pub test_fraction: Option<f64>,
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
    ///
    /// # Errors
    /// A number out of range, or one of the other rule, which this one would not heed.
    pub fn making(&self) -> Result<SplitMaking, UsageError> {
        let Self { clusters, cluster, threshold, test_fraction, .. } = *self;
        let of_cluster = [("--clusters", clusters.is_some()), ("--cluster", cluster.is_some())];
        let of_tau = [("--threshold", threshold.is_some()), ("--test-fraction", test_fraction.is_some())];
        let (making, rule, foreign, other) = match self.rule {
            RuleArg::Cluster => {
                let clusters = clusters.map_or(Ok(USUAL_CLUSTERS), |count| whole("--clusters", count))?;
                let cluster = cluster.map(|cluster| whole("--cluster", cluster)).transpose()?;
                (SplitMaking::Cluster(ClusterRule { clusters, cluster }), "cluster", of_tau, "tau")
            }
            RuleArg::Tau => {
                let threshold = threshold.unwrap_or(USUAL_THRESHOLD);
                let test_fraction = test_fraction.unwrap_or(USUAL_TEST_FRACTION);
                (SplitMaking::Tau(TauRule { threshold, test_fraction }), "tau", of_cluster, "cluster")
            }
        };
        match foreign.iter().find(|(_, is_given)| *is_given) {
            None => {
                making.validate().map_err(|error| UsageError::new(error.to_string()))?;
                Ok(making)
            }
            Some((flag, _)) => {
                let message =
                    format!("`{flag}`: it belongs to `--rule {other}`, found beside `--rule {rule}`");
                Err(UsageError::new(message))
            }
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

/// A number that counts.
fn whole(flag: &str, number: i64) -> Result<usize, UsageError> {
    usize::try_from(number)
        .map_err(|_| UsageError::new(format!("`{flag}`: found {number}, expected 0 to {MOST_CLUSTERS}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(rule: RuleArg) -> SplitArgs {
        SplitArgs {
            rule,
            clusters: None,
            cluster: None,
            threshold: None,
            test_fraction: None,
            space: SpaceArg::Pixels,
            clip: None,
            overwrite: false,
        }
    }

    #[test]
    fn numbers_of_the_other_rule_are_refused() {
        let usual = SplitMaking::Cluster(ClusterRule { clusters: 5, cluster: None });
        assert_eq!(args(RuleArg::Cluster).making().unwrap(), usual);
        let usual = SplitMaking::Tau(TauRule { threshold: 0.9, test_fraction: 0.2 });
        assert_eq!(args(RuleArg::Tau).making().unwrap(), usual);
        let error = SplitArgs { clusters: Some(3), ..args(RuleArg::Tau) }.making().unwrap_err().to_string();
        assert_eq!(error, "`--clusters`: it belongs to `--rule cluster`, found beside `--rule tau`");
        let error = SplitArgs { threshold: Some(0.5), ..args(RuleArg::Cluster) }.making().unwrap_err();
        assert!(error.to_string().starts_with("`--threshold`"), "{error}");
    }
}
