//! Areas under the curve of scores on the held-out trials, and means over categories, with intervals over images.

use ndarray::{ArrayView2, Axis};
use rayon::prelude::*;

use super::labels::{CategoryKind, Labels};
use super::summary::{GroupScore, GroupScores};
use crate::error::{Error, Result};
use crate::interrupt;
use crate::metrics::bootstrap::{BootstrapConfig, Interval, percentile_interval};
use crate::metrics::resampled_auc::{ImageResamples, ResampledAuc, resampled_auc};

/// Categories between two looks at a request to stop.
const AT_ONCE: usize = 16;

/// Areas of every category; none and no resamples of one that is not scored.
#[derive(Clone, Debug)]
pub(super) struct Scored(Vec<ResampledAuc>);

impl Scored {
    /// The mean of several, category by category and resample by resample; none of none.
    pub fn mean(of: &[Self]) -> Option<Self> {
        let (first, count) = (of.first()?, of.len() as f64);
        let of_category = |column: usize| {
            let all: Vec<&ResampledAuc> = of.iter().map(|scored| &scored.0[column]).collect();
            let whole: Option<Vec<f64>> = all.iter().map(|auc| auc.whole).collect();
            let resampled = (0..all[0].resampled.len())
                .map(|resample| all.iter().map(|auc| auc.resampled[resample]).sum::<f64>() / count);
            ResampledAuc {
                whole: whole.map(|whole| whole.iter().sum::<f64>() / count),
                resampled: resampled.collect(),
            }
        };
        Some(Self((0..first.0.len()).map(of_category).collect()))
    }
}

/// Scores against the labels of the held-out trials.
pub(super) struct Scorer<'a> {
    labels: &'a Labels,
    config: BootstrapConfig,
    resamples: ImageResamples,
}

impl<'a> Scorer<'a> {
    pub fn new(labels: &'a Labels, config: &BootstrapConfig) -> Self {
        let resamples = ImageResamples::of(&labels.test_images, config);
        Self { labels, config: config.clone(), resamples }
    }

    /// Areas of scores `[held-out trials, categories]`.
    ///
    /// # Errors
    /// A request to stop; a score that is not finite.
    pub fn score(&self, scores: ArrayView2<'_, f32>) -> Result<Scored> {
        if scores.iter().any(|score| !score.is_finite()) {
            let message = "scores of a category classifier are not finite: its inputs are absurd, or `classify.train` is";
            return Err(Error::failure(message));
        }
        let columns: Vec<usize> = (0..self.labels.categories.len()).collect();
        let mut areas = Vec::with_capacity(columns.len());
        for columns in columns.chunks(AT_ONCE) {
            interrupt::check()?;
            let of_columns = columns.par_iter().map(|column| self.area(scores, *column));
            areas.extend(of_columns.collect::<Vec<_>>());
        }
        Ok(Scored(areas))
    }

    fn area(&self, scores: ArrayView2<'_, f32>, column: usize) -> ResampledAuc {
        if !self.labels.categories[column].is_scored {
            return ResampledAuc::default();
        }
        let scores = scores.index_axis(Axis(1), column).to_owned();
        let labels = self.labels.test.index_axis(Axis(1), column).to_owned();
        resampled_auc(scores.into_iter(), labels.into_iter(), &self.resamples)
    }

    /// A category's area with its interval.
    pub fn category(&self, scored: &Scored, column: usize) -> Option<Interval> {
        let ResampledAuc { whole, resampled } = scored.0.get(column)?;
        Some(self.interval((*whole)?, resampled.iter().copied()))
    }

    /// Means over things, stuff and all categories.
    pub fn groups(&self, scored: &Scored) -> Option<GroupScores> {
        Some(GroupScores {
            things: self.group(scored, Some(CategoryKind::Thing)),
            stuff: self.group(scored, Some(CategoryKind::Stuff)),
            all: self.group(scored, None)?,
        })
    }

    /// Mean over the scored categories of a kind, or of all.
    pub fn group(&self, scored: &Scored, kind: Option<CategoryKind>) -> Option<GroupScore> {
        let columns = self.labels.scored(kind);
        let areas: Vec<f64> = columns.iter().filter_map(|column| scored.0[*column].whole).collect();
        let mean = mean(areas.iter().copied())?;
        let squares = areas.iter().map(|area| (area - mean).powi(2)).sum::<f64>();
        Some(GroupScore {
            auc: self.interval(mean, self.means(scored, &columns)),
            deviation: (squares / areas.len() as f64).sqrt(),
            num_categories: areas.len(),
        })
    }

    /// What `of` makes of the means over all categories of two classifiers, with its interval over the same resamples.
    pub fn paired(&self, found: [&Scored; 2], of: impl Fn(f64, f64) -> f64) -> Option<Interval> {
        let columns = self.labels.scored(None);
        let whole = |scored: &Scored| mean(columns.iter().filter_map(|column| scored.0[*column].whole));
        let [first, second] = found.map(whole);
        let [firsts, seconds] = found.map(|scored| self.means(scored, &columns));
        Some(self.interval(of(first?, second?), firsts.zip(seconds).map(|(first, second)| of(first, second))))
    }

    /// Mean over categories in every resample; NaN where none has an area.
    fn means<'s>(&self, scored: &'s Scored, columns: &[usize]) -> impl Iterator<Item = f64> + use<'s> {
        let columns: Vec<&'s [f64]> =
            columns.iter().map(|column| scored.0[*column].resampled.as_slice()).collect();
        (0..self.config.resamples).map(move |resample| {
            mean(columns.iter().map(|areas| areas[resample]).filter(|area| area.is_finite()))
                .unwrap_or(f64::NAN)
        })
    }

    fn interval(&self, whole: f64, resampled: impl Iterator<Item = f64>) -> Interval {
        let mut resampled: Vec<f64> = resampled.filter(|area| area.is_finite()).collect();
        percentile_interval(whole, &mut resampled, self.config.confidence)
    }
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0_usize), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / count as f64)
}
