//! The rank of a trial's own target among others: those of training, or those alike.

use std::collections::BTreeSet;

use ndarray::{ArrayView2, s};
use serde::{Deserialize, Serialize};

use crate::interrupt::{self, Stopped};
use crate::metrics::bootstrap::{BootstrapConfig, Interval};
use crate::metrics::pairwise::OwnRank;
use crate::metrics::retrieval::similarity_matrix;
use crate::metrics::share::{bounded_mean_interval, share_interval};

/// Trials that are compared at a time.
const BLOCK: usize = 512;

/// What a trial's own target is told from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lures {
    /// The other held-out images.
    #[default]
    Test,
    /// All training images.
    Train,
    /// Held-out images of the same cluster.
    Cluster,
}

impl std::fmt::Display for Lures {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Test => "test",
            Self::Train => "train",
            Self::Cluster => "cluster",
        })
    }
}

/// How near a prediction lies to its own target and to the nearest lure, as cosines.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AmongLures {
    /// Place of the own target among the lures.
    pub rank: OwnRank,
    /// Cosine with the own target.
    pub own: f64,
    /// Largest cosine with a lure.
    pub nearest: f64,
    /// The lure that has it, by its row.
    pub nearest_lure: usize,
}

/// Every trial's own target among `lures`; `may_lure` says of trial and lure whether they are compared, images never with
/// themselves. A trial that has no lure has `None`.
///
/// # Shapes
/// - predicted, target: `[trials, dimensions]`; lures: `[lures, dimensions]`
///
/// # Errors
/// A request to stop.
pub fn among_lures(
    predicted: ArrayView2<'_, f32>,
    target: ArrayView2<'_, f32>,
    lures: ArrayView2<'_, f32>,
    may_lure: &dyn Fn(usize, usize) -> bool,
) -> Result<Vec<Option<AmongLures>>, Stopped> {
    let mut found = Vec::with_capacity(predicted.nrows());
    for start in (0..predicted.nrows()).step_by(BLOCK) {
        interrupt::check()?;
        let rows = s![start..(start + BLOCK).min(predicted.nrows()), ..];
        let (predicted, target) = (predicted.slice(rows), target.slice(rows));
        let similarity = similarity_matrix(lures, predicted, 1.0);
        for row in 0..predicted.nrows() {
            let own =
                similarity_matrix(target.slice(s![row..=row, ..]), predicted.slice(s![row..=row, ..]), 1.0)
                    [[0, 0]];
            let rivals = (0..lures.nrows()).filter(|lure| may_lure(start + row, *lure));
            found.push(rank_of(own, rivals.map(|lure| (lure, similarity[[lure, row]]))));
        }
    }
    Ok(found)
}

/// The place of `own` among `rivals`; a tie counts half.
fn rank_of(own: f64, rivals: impl Iterator<Item = (usize, f64)>) -> Option<AmongLures> {
    let (mut rank, mut of, mut nearest, mut nearest_lure) = (1.0, 1, f64::NEG_INFINITY, 0);
    for (lure, rival) in rivals {
        rank += match rival.total_cmp(&own) {
            std::cmp::Ordering::Greater => 1.0,
            std::cmp::Ordering::Equal => 0.5,
            std::cmp::Ordering::Less => 0.0,
        };
        of += 1;
        if rival > nearest {
            (nearest, nearest_lure) = (rival, lure);
        }
    }
    (of > 1).then_some(AmongLures { rank: OwnRank { rank, of }, own, nearest, nearest_lure })
}

/// Positions of the first trial of every image.
pub fn first_of_images(ids: &[u64]) -> Vec<usize> {
    let mut seen = BTreeSet::new();
    (0..ids.len()).filter(|row| seen.insert(ids[*row])).collect()
}

/// Predictions against the training target that is nearest to them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct NearestTraining {
    /// Training images.
    pub num_training_images: usize,
    /// Share of trials of which some training target is nearer to the prediction than the own one, 0..1; interval over images.
    pub nearer: Interval,
    /// The share of a random prediction, `M/(M + 1)` of M training images.
    pub chance: f64,
    /// Cosine of the prediction with the nearest training target, mean over trials.
    pub nearest_cosine: Interval,
    /// Cosine with the own target, mean over trials.
    pub own_cosine: Interval,
}

/// Counts trials to which a training target is nearer; `None` without any.
pub fn nearest_training(
    among: &[AmongLures],
    ids: &[u64],
    bootstrap: &BootstrapConfig,
) -> Option<NearestTraining> {
    let num_training_images = among.iter().map(|trial| trial.rank.of - 1).max()?;
    let nearer: Vec<bool> = among.iter().map(|trial| trial.nearest > trial.own).collect();
    let cosines = |of: fn(&AmongLures) -> f64| {
        let values: Vec<f64> = among.iter().map(of).collect();
        bounded_mean_interval(&values, ids, bootstrap, [-1.0, 1.0])
    };
    Some(NearestTraining {
        num_training_images,
        nearer: share_interval(&nearer, ids, bootstrap)?,
        chance: num_training_images as f64 / (num_training_images as f64 + 1.0),
        nearest_cosine: cosines(|trial| trial.nearest)?,
        own_cosine: cosines(|trial| trial.own)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn ranks_among_training_targets_and_inside_a_cluster() {
        let predicted = array![[1.0_f32, 0.2], [0.2, 1.0]];
        let target = array![[1.0_f32, 0.0], [-1.0, 0.0]];
        let lures = array![[2.0_f32, 0.4], [0.0, 1.0], [-1.0, 0.0]];
        let found = among_lures(predicted.view(), target.view(), lures.view(), &|_, _| true).unwrap();
        let ranks: Vec<(f64, usize)> =
            found.iter().flatten().map(|trial| (trial.rank.rank, trial.rank.of)).collect();
        // The first is told from the first lure only by that one; the second loses two and ties with its copy.
        assert_eq!(ranks, [(2.0, 4), (3.5, 4)]);
        let first = found[0].unwrap();
        assert_eq!(first.nearest_lure, 0);
        assert!((first.nearest - 1.0).abs() < 1e-9 && (first.own - 1.0 / 1.04_f64.sqrt()).abs() < 1e-7);
        let inside = |trial: usize, lure: usize| trial == 0 && lure > 0;
        let found = among_lures(predicted.view(), target.view(), lures.view(), &inside).unwrap();
        assert_eq!(found[0].unwrap().rank, OwnRank { rank: 1.0, of: 3 });
        assert_eq!(found[1], None);
    }

    #[test]
    fn a_training_target_that_is_nearer_counts() {
        let trial = |own: f64, nearest: f64| AmongLures {
            rank: OwnRank { rank: 1.0, of: 4 },
            own,
            nearest,
            nearest_lure: 0,
        };
        let among = [trial(0.5, 0.4), trial(0.5, 0.9), trial(0.5, 0.5), trial(0.1, 0.2)];
        let found = nearest_training(&among, &[1, 2, 3, 4], &BootstrapConfig::default()).unwrap();
        assert_eq!((found.nearer.mean, found.chance, found.num_training_images), (0.5, 0.75, 3));
        assert!(
            (found.nearest_cosine.mean - 0.5).abs() < 1e-12 && (found.own_cosine.mean - 0.4).abs() < 1e-12
        );
        assert_eq!(nearest_training(&[], &[], &BootstrapConfig::default()), None);
        assert_eq!(first_of_images(&[4, 4, 2, 4, 9]), [0, 2, 4]);
    }
}
