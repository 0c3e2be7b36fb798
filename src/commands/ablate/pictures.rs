//! What a table says of a GAN's pictures: distances between sets, n-way identification.

use serde::{Deserialize, Serialize};

use crate::commands::evaluate_images::EvaluateImagesSummary;
use crate::metrics::bootstrap::Interval;
use crate::metrics::identification::IdentificationAccuracy;
use crate::pipelines::pictures::picture_distance::Distance;

/// Numbers of ways that the table has columns for: the paper's (docs/spec/metrics.md §2).
pub(super) const WAYS: [usize; 4] = [2, 5, 10, 50];

/// Numbers of a run's pictures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PictureNumbers {
    /// What the distances may be called.
    pub distance: String,
    /// Pictures judged.
    pub num_pictures: usize,
    /// Different images among them.
    pub num_images: usize,
    /// Distance to the ground truth of the same trials.
    pub test: f64,
    /// Distance to the stimuli of all training trials.
    pub train: Option<f64>,
    /// Distance of the ground truth to these stimuli: what a perfect decoder would get.
    pub train_floor: Option<f64>,
    /// Whether a set has too few pictures for its covariance, so that distances are too large.
    pub is_rank_deficient: bool,
    /// Identification.
    pub ways: Vec<WayAccuracy>,
}

/// Accuracy of one number of ways.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct WayAccuracy {
    /// Pictures to choose from.
    pub ways: usize,
    /// Mean over repeats, 0..1.
    pub mean: f64,
    /// Deviation over repeats.
    pub deviation: f64,
    /// Accuracy with the 95 % interval over resampled images; none in files from before.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub interval: Option<Interval>,
    /// Of a random choice.
    pub chance: f64,
}

impl PictureNumbers {
    /// The part of an evaluation that a table shows.
    pub(super) fn of(judged: &EvaluateImagesSummary) -> Self {
        let frechet = &judged.frechet;
        let value = |distance: &Distance| distance.value;
        let all = [Some(&frechet.test), frechet.train.as_ref()];
        let way = |accuracy: &IdentificationAccuracy| {
            let IdentificationAccuracy { ways, mean, deviation, expected, chance } = *accuracy;
            WayAccuracy { ways, mean, deviation, interval: Some(expected), chance }
        };
        Self {
            distance: frechet.name.to_string(),
            num_pictures: judged.num_pictures,
            num_images: judged.num_images,
            test: frechet.test.value,
            train: frechet.train.as_ref().map(value),
            train_floor: frechet.train_floor.as_ref().map(value),
            is_rank_deficient: all.into_iter().flatten().any(|distance| distance.is_rank_deficient),
            ways: judged.identification.accuracies.iter().map(way).collect(),
        }
    }

    /// Percent of pictures identified among so many.
    pub(super) fn percent(&self, ways: usize) -> Option<String> {
        let WayAccuracy { mean, interval, .. } = self.ways.iter().find(|way| way.ways == ways)?;
        let interval = interval.map_or(String::new(), |Interval { low, high, .. }| {
            format!(" [{:.1}, {:.1}]", 100.0 * low, 100.0 * high)
        });
        Some(format!("{:.2}{interval}", 100.0 * mean))
    }
}
