//! The rules: which images are held out.

use std::collections::{BTreeMap, BTreeSet};

use ndarray::ArrayView2;
use rand::seq::SliceRandom;
use serde::Serialize;
use serde_json::Value;

use crate::error::{SettingError, between, in_range};
use crate::interrupt::Stopped;
use crate::metrics::k_means::{RESTARTS, k_means};
use crate::metrics::near_duplicates::near_duplicates;
use crate::run::progress::Progress;
use crate::tensor_ops::random::keyed_rng;

/// Most clusters.
pub const MOST_CLUSTERS: usize = 1000;

/// A rule with its numbers.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "rule", rename_all = "kebab-case")]
pub enum SplitMaking {
    /// The images of one cluster are held out.
    Cluster(ClusterRule),
    /// Near-duplicates stay together.
    Tau(TauRule),
}

/// k-means clusters of the images.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ClusterRule {
    /// k, 2 to 1000.
    pub clusters: usize,
    /// The one that is held out, from 0; without it a split is made for each.
    pub cluster: Option<usize>,
}

/// Near-duplicates on one side.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct TauRule {
    /// Cosine above which two images are near-duplicates, −1 to 1, both left out.
    pub threshold: f64,
    /// Share of the images that is held out, or a little less, above 0 and below 1.
    pub test_fraction: f64,
}

impl SplitMaking {
    /// Checks the numbers.
    ///
    /// # Errors
    /// [`SettingError`] that names the flag.
    pub fn validate(&self) -> Result<(), SettingError> {
        match self {
            Self::Cluster(ClusterRule { clusters, cluster }) => {
                in_range("--clusters", *clusters, 2..=MOST_CLUSTERS)?;
                cluster.map_or(Ok(()), |cluster| in_range("--cluster", cluster, 0..=clusters - 1))
            }
            Self::Tau(TauRule { threshold, test_fraction }) => {
                in_range("--threshold", *threshold, between(-1.0, 1.0))?;
                in_range("--test-fraction", *test_fraction, between(0.0, 1.0))
            }
        }
    }

    /// Names of the splits that the rule makes.
    pub(super) fn names(&self) -> Vec<String> {
        match self {
            Self::Cluster(rule) => rule.held_out().into_iter().map(|cluster| rule.name(cluster)).collect(),
            Self::Tau(_) => vec!["tau".into()],
        }
    }

    /// Name of the rule in the file.
    pub(super) fn rule_name(&self) -> &'static str {
        match self {
            Self::Cluster(_) => "cluster",
            Self::Tau(_) => "tau",
        }
    }

    /// Numbers of the rule behind the split `name`.
    pub(super) fn parameters(&self, name: &str) -> BTreeMap<String, Value> {
        match self {
            Self::Cluster(rule) => {
                let cluster = rule.held_out().into_iter().find(|cluster| rule.name(*cluster) == name);
                [("clusters".into(), rule.clusters.into()), ("cluster".into(), cluster.into())].into()
            }
            Self::Tau(TauRule { threshold, test_fraction }) => {
                let numbers = [("threshold", *threshold), ("test_fraction", *test_fraction)];
                numbers.into_iter().map(|(key, number)| (key.to_string(), number.into())).collect()
            }
        }
    }
}

impl ClusterRule {
    fn held_out(self) -> Vec<usize> {
        self.cluster.map_or_else(|| (0..self.clusters).collect(), |cluster| vec![cluster])
    }

    fn name(self, cluster: usize) -> String {
        format!("cluster-k{}-{cluster}", self.clusters)
    }
}

/// Which images are held out.
pub(super) struct Sides {
    pub is_test: Vec<bool>,
}

/// The splits of a rule, in the order of its names.
pub(super) struct Made {
    pub sides: Vec<Sides>,
    pub num_near_pairs: Option<usize>,
}

/// Follows the rule; images of one number in `photographs` stay on one side.
///
/// # Errors
/// Fewer images than clusters; a request to stop.
pub(super) fn make(
    making: &SplitMaking,
    vectors: ArrayView2<'_, f32>,
    photographs: &[u64],
    seed: u64,
    progress: &mut dyn Progress,
) -> crate::error::Result<Made> {
    match making {
        SplitMaking::Cluster(rule) => {
            if rule.clusters > vectors.nrows() {
                let expected = format!("at most {}, the number of images", vectors.nrows());
                return Err(SettingError::new("--clusters", expected, rule.clusters).into());
            }
            progress.start("k-means clusters", RESTARTS);
            let mut tell = |done: u64, how_far: &str| progress.advance(done, how_far);
            let clusters = k_means(unit(vectors).view(), rule.clusters, seed, &mut tell)?;
            progress.finish("");
            let sides = rule.held_out().into_iter().map(|held_out| {
                let is_inside = clusters.iter().map(|cluster| *cluster == held_out).collect();
                with_their_photographs(is_inside, photographs)
            });
            Ok(Made { sides: sides.collect(), num_near_pairs: None })
        }
        SplitMaking::Tau(rule) => {
            progress.start("near-duplicates", 0);
            let (sides, num_pairs) = apart(rule, vectors, photographs, seed)?;
            progress.finish("");
            Ok(Made { sides: vec![sides], num_near_pairs: Some(num_pairs) })
        }
    }
}

fn unit(vectors: ArrayView2<'_, f32>) -> ndarray::Array2<f32> {
    let mut unit = vectors.to_owned();
    for mut row in unit.rows_mut() {
        let length = row.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
        if length > 0.0 {
            row.mapv_inplace(|value| (f64::from(value) / length) as f32);
        }
    }
    unit
}

/// Holds out every crop of a photograph of which one is held out.
fn with_their_photographs(is_inside: Vec<bool>, photographs: &[u64]) -> Sides {
    let held_out: BTreeSet<u64> =
        photographs.iter().zip(&is_inside).filter(|(_, is_inside)| **is_inside).map(|(id, _)| *id).collect();
    Sides { is_test: photographs.iter().map(|id| held_out.contains(id)).collect() }
}

/// Holds whole groups of near-duplicates out, in a drawn order, as long as they fit into the share.
fn apart(
    rule: &TauRule,
    vectors: ArrayView2<'_, f32>,
    photographs: &[u64],
    seed: u64,
) -> Result<(Sides, usize), Stopped> {
    let found = near_duplicates(vectors, photographs, rule.threshold)?;
    let mut sizes: BTreeMap<usize, usize> = BTreeMap::new();
    for group in &found.groups {
        *sizes.entry(*group).or_default() += 1;
    }
    let mut order: Vec<usize> = sizes.keys().copied().collect();
    order.shuffle(&mut keyed_rng(seed, "split tau", 0));
    let mut left = (rule.test_fraction * found.groups.len() as f64).round() as usize;
    let mut held_out = BTreeSet::new();
    for group in order {
        if sizes[&group] <= left {
            left -= sizes[&group];
            held_out.insert(group);
        }
    }
    let is_test = found.groups.iter().map(|group| held_out.contains(group)).collect();
    Ok((Sides { is_test }, found.num_pairs))
}
