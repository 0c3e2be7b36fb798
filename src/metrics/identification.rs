//! n-way identification: is the right picture the most similar one among n (docs/spec/metrics.md §2)?
//!
//! Trial i draws n − 1 distinct wrong pictures uniformly; it is right when the cosine with its own picture is strictly the
//! largest. The whole is repeated with new draws. What the draws average to is known exactly, too (hypergeometric).

use super::bootstrap::{BootstrapConfig, Interval};
use super::share::mean_share_interval;
use std::collections::BTreeSet;

use ndarray::{Array2, ArrayView2};
use rand::seq::index;
use serde::{Deserialize, Serialize};

use super::retrieval::similarity_matrix;
use crate::error::{Classified, ErrorClass, SettingError, count_in_range, in_range, limits};
use crate::tensor_ops::random::keyed_rng;

/// Which wrong pictures a trial is compared with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Distractors {
    /// Every other image once, however many trials show it.
    #[default]
    OtherImages,
    /// The picture of every other trial, even of the same image: then the tie counts as wrong.
    OtherTrials,
}

/// Protocol of the identification.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IdentificationConfig {
    /// Pictures to choose from, the right one included; at least 2.
    pub ways: Vec<usize>,
    /// Times that everything is drawn anew; at least 1.
    pub repeats: usize,
    /// Seed of the draws: equal seeds give equal rates.
    pub seed: u64,
    /// Pool that wrong pictures are drawn from.
    pub distractors: Distractors,
}

/// Most numbers of ways that are told side by side.
const MOST_PROTOCOLS: usize = 100;
/// Most repeats of a draw.
const MOST_REPEATS: usize = 100_000;

impl Default for IdentificationConfig {
    /// 2, 5, 10 and 50 ways, 10 repeats (the paper's).
    fn default() -> Self {
        Self { ways: vec![2, 5, 10, 50], repeats: 10, seed: 42, distractors: Distractors::OtherImages }
    }
}

impl IdentificationConfig {
    /// Checks the numbers of ways and repeats.
    ///
    /// # Errors
    /// [`SettingError`] that names the first key out of range.
    pub fn validate(&self) -> Result<(), SettingError> {
        count_in_range("ways", self.ways.len(), 0..=MOST_PROTOCOLS)?;
        self.ways.iter().try_for_each(|ways| in_range("ways", *ways, 2..=limits::ITEMS))?;
        in_range("repeats", self.repeats, 1..=MOST_REPEATS)
    }
}

/// Why nothing can be identified.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentificationError {
    /// Generated, true and ids do not belong together.
    #[error(
        "identification: generated features have shape {generated:?}, true ones {truth:?}, ids {ids}; expected equal shapes and one id per row"
    )]
    Shape {
        /// Shape of the features of generated pictures.
        generated: Vec<usize>,
        /// Shape of the features of true pictures.
        truth: Vec<usize>,
        /// Number of ids.
        ids: usize,
    },
    /// A feature that is not a number.
    #[error("identification: the features of trial {row} are not finite")]
    NotFinite {
        /// Row of the generated or true features.
        row: usize,
    },
    /// A choice among fewer than two, or repeats of none.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// Not enough wrong pictures.
    #[error("identification: {ways}-way needs {} wrong pictures for every trial, trial {row} has {found}", ways - 1)]
    TooFew {
        /// As configured.
        ways: usize,
        /// The trial.
        row: usize,
        /// Wrong pictures there are.
        found: usize,
    },
}

impl Classified for IdentificationError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::Setting(error) => error.class(),
            Self::TooFew { .. } => ErrorClass::BadInput,
            Self::Shape { .. } | Self::NotFinite { .. } => ErrorClass::Failure,
        }
    }
}

/// Accuracy of one number of ways.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct IdentificationAccuracy {
    /// Pictures to choose from.
    pub ways: usize,
    /// Mean accuracy over repeats, 0..1.
    pub mean: f64,
    /// Standard deviation over repeats (divided by repeats − 1); 0 for a single one.
    pub deviation: f64,
    /// What infinitely many repeats would give, with the 95 % interval that resampled images give.
    pub expected: Interval,
    /// Accuracy of a random choice, 1/n.
    pub chance: f64,
}

/// How near a generated picture is to its own ground truth.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct OwnPicture {
    /// Cosine of the features, −1..1.
    pub similarity: f64,
    /// Place of the own picture among itself and the wrong ones, from 1; ties are lost.
    pub rank: usize,
    /// Pictures ranked: the own one and the wrong ones.
    pub of: usize,
}

/// Similarities of every trial with its own picture and the wrong ones.
#[derive(Clone, Debug)]
pub struct Identification {
    /// `[picture, trial]`
    similarity: Array2<f64>,
    /// Wrong pictures of every trial.
    distractors: Vec<Vec<usize>>,
}

impl Identification {
    /// Compares features `[trials, features]` of generated pictures with those of the true ones, row by row; `ids` say which
    /// image a trial shows.
    ///
    /// # Errors
    /// [`IdentificationError::Shape`] and [`IdentificationError::NotFinite`].
    pub fn new(
        generated: ArrayView2<'_, f32>,
        truth: ArrayView2<'_, f32>,
        ids: &[u64],
        distractors: Distractors,
    ) -> Result<Self, IdentificationError> {
        if generated.dim() != truth.dim() || generated.nrows() != ids.len() {
            return Err(IdentificationError::Shape {
                generated: generated.shape().to_vec(),
                truth: truth.shape().to_vec(),
                ids: ids.len(),
            });
        }
        for features in [&generated, &truth] {
            let bad = features.rows().into_iter().position(|row| row.iter().any(|value| !value.is_finite()));
            if let Some(row) = bad {
                return Err(IdentificationError::NotFinite { row });
            }
        }
        // The first trial of every image stands for it.
        let mut seen = BTreeSet::new();
        let first_of_image: Vec<usize> = (0..ids.len()).filter(|row| seen.insert(ids[*row])).collect();
        let wrong = |trial: usize| match distractors {
            Distractors::OtherTrials => (0..ids.len()).filter(|row| *row != trial).collect(),
            Distractors::OtherImages => {
                first_of_image.iter().copied().filter(|row| ids[*row] != ids[trial]).collect()
            }
        };
        Ok(Self {
            similarity: similarity_matrix(truth, generated, 1.0),
            distractors: (0..ids.len()).map(wrong).collect(),
        })
    }

    /// Probability of every trial that its own picture beats n − 1 wrong ones drawn without replacement; ties are lost.
    ///
    /// # Errors
    /// [`IdentificationError::Setting`] below 2 ways, [`IdentificationError::TooFew`].
    pub fn exact(&self, ways: usize) -> Result<Vec<f64>, IdentificationError> {
        self.check(ways)?;
        Ok((0..self.distractors.len())
            .map(|trial| {
                let wrong = self.distractors[trial].len();
                let beaten = self.distractors[trial].iter().filter(|row| self.beats(trial, **row)).count();
                // C(beaten, n − 1) / C(wrong, n − 1)
                (0..ways - 1)
                    .map(|drawn| beaten.saturating_sub(drawn) as f64 / (wrong - drawn) as f64)
                    .product()
            })
            .collect())
    }

    /// Share of right trials in one repeat.
    ///
    /// # Errors
    /// As [`Identification::exact`].
    pub fn draw(&self, ways: usize, seed: u64, repeat: u64) -> Result<f64, IdentificationError> {
        self.check(ways)?;
        let purpose = format!("identification {ways}-way, repeat {repeat}");
        let right = (0..self.distractors.len()).filter(|trial| {
            let wrong = &self.distractors[*trial];
            // A stream per trial and repeat: trials can be counted in any order, and the others' draws do not depend
            // on how many there are.
            let mut rng = keyed_rng(seed, &purpose, *trial as u64);
            index::sample(&mut rng, wrong.len(), ways - 1)
                .iter()
                .all(|place| self.beats(*trial, wrong[place]))
        });
        Ok(right.count() as f64 / self.distractors.len() as f64)
    }

    /// Trials whose own picture is among the `k` most similar ones of all trials; ties count in favour.
    pub fn count_top(&self, k: usize) -> usize {
        let is_among = |trial: &usize| {
            let column = self.similarity.column(*trial);
            column.iter().filter(|value| **value > column[*trial]).count() < k
        };
        (0..self.distractors.len()).filter(is_among).count()
    }

    /// Similarity and rank of every trial's own picture.
    pub fn own_pictures(&self) -> Vec<OwnPicture> {
        let own = |(trial, wrong): (usize, &Vec<usize>)| OwnPicture {
            similarity: self.similarity[[trial, trial]],
            rank: 1 + wrong.iter().filter(|row| !self.beats(trial, **row)).count(),
            of: 1 + wrong.len(),
        };
        self.distractors.iter().enumerate().map(own).collect()
    }

    /// Accuracies of all configured numbers of ways; `ids` as in [`Identification::new`].
    ///
    /// # Errors
    /// [`IdentificationError`].
    pub fn accuracies(
        &self,
        ids: &[u64],
        config: &IdentificationConfig,
    ) -> Result<Vec<IdentificationAccuracy>, IdentificationError> {
        in_range("repeats", config.repeats, 1..=MOST_REPEATS)?;
        let accuracy =
            |ways: &usize| {
                let exact = self.exact(*ways)?;
                let repeats = (0..config.repeats as u64)
                    .map(|repeat| self.draw(*ways, config.seed, repeat))
                    .collect::<Result<Vec<f64>, _>>()?;
                let mean = repeats.iter().sum::<f64>() / repeats.len() as f64;
                let squares = repeats.iter().map(|accuracy| (accuracy - mean).powi(2)).sum::<f64>();
                Ok(IdentificationAccuracy {
                    ways: *ways,
                    mean,
                    // The paper's deviation is that over repeats: it measures the draws, not the images. `expected`
                    // has the interval over images.
                    deviation: (squares / (repeats.len() - 1).max(1) as f64).sqrt(),
                    expected: mean_share_interval(&exact, ids, &BootstrapConfig::default())
                        .unwrap_or(Interval { mean, low: mean, high: mean }),
                    chance: 1.0 / *ways as f64,
                })
            };
        config.ways.iter().map(accuracy).collect()
    }

    fn beats(&self, trial: usize, wrong: usize) -> bool {
        self.similarity[[trial, trial]] > self.similarity[[wrong, trial]]
    }

    fn check(&self, ways: usize) -> Result<(), IdentificationError> {
        in_range("ways", ways, 2..=limits::ITEMS)?;
        if self.distractors.is_empty() {
            return Err(IdentificationError::TooFew { ways, row: 0, found: 0 });
        }
        match self.distractors.iter().position(|wrong| wrong.len() < ways - 1) {
            Some(row) => Err(IdentificationError::TooFew { ways, row, found: self.distractors[row].len() }),
            None => Ok(()),
        }
    }
}

/// Accuracies of all configured numbers of ways. Arguments as [`Identification::new`].
///
/// ```
/// use mindreader::metrics::identification::{IdentificationConfig, compute_identification};
/// use ndarray::array;
///
/// // Features of three pictures and of what was decoded: the third looks like the first.
/// let truth = array![[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]];
/// let generated = array![[0.9, 0.1], [0.1, 0.9], [0.8, 0.2]];
/// let config = IdentificationConfig { ways: vec![2], ..IdentificationConfig::default() };
/// let accuracy = compute_identification(generated.view(), truth.view(), &[1, 2, 3], &config)?[0];
/// assert!((accuracy.expected.mean - 2.0 / 3.0).abs() < 1e-12);
/// assert_eq!(accuracy.chance, 0.5);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`IdentificationError`].
pub fn compute_identification(
    generated: ArrayView2<'_, f32>,
    truth: ArrayView2<'_, f32>,
    ids: &[u64],
    config: &IdentificationConfig,
) -> Result<Vec<IdentificationAccuracy>, IdentificationError> {
    Identification::new(generated, truth, ids, config.distractors)?.accuracies(ids, config)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;
    use rand::RngExt;

    fn random(rows: usize, columns: usize, key: u64) -> Array2<f32> {
        let mut rng = keyed_rng(key, "test", 0);
        Array2::from_shape_fn((rows, columns), |_| rng.random::<f32>() - 0.5)
    }

    #[test]
    fn a_perfect_decoder_and_a_random_one() {
        let truth = random(300, 20, 1);
        let ids: Vec<u64> = (0..300).collect();
        let config = IdentificationConfig::default();
        for accuracy in compute_identification(truth.view(), truth.view(), &ids, &config).unwrap() {
            assert_eq!((accuracy.mean, accuracy.deviation, accuracy.expected.mean), (1.0, 0.0, 1.0));
            // Wilson's interval: 300 of 300 are no proof of certainty.
            let Interval { low, high, .. } = accuracy.expected;
            assert!((low - 300.0 / (300.0 + 3.8415)).abs() < 1e-4 && high == 1.0, "{low} to {high}");
        }
        let noise = random(300, 20, 2);
        for accuracy in compute_identification(noise.view(), truth.view(), &ids, &config).unwrap() {
            let IdentificationAccuracy { ways, mean, deviation, expected, chance } = accuracy;
            // One standard error over trials, then over ten repeats.
            let error = (chance * (1.0 - chance) / 300.0).sqrt();
            assert!(expected.low < expected.mean && expected.mean < expected.high);
            let expected = expected.mean;
            assert!((expected - chance).abs() < 4.0 * error, "{ways}: {expected}");
            assert!((mean - expected).abs() < 4.0 * error / 10_f64.sqrt(), "{ways}: {mean}, {expected}");
            assert!(deviation > 0.0 && deviation < 3.0 * error, "{ways}: {deviation}");
        }
    }

    #[test]
    fn the_same_image_is_no_distractor_and_ties_are_lost() {
        // Trials 0 and 1 show image 7.
        let truth = array![[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]];
        let generated = array![[1.0, 0.1], [1.0, 0.1], [-1.0, 0.1]];
        let of = |distractors| {
            Identification::new(generated.view(), truth.view(), &[7, 7, 8], distractors).unwrap()
        };
        assert_eq!(of(Distractors::OtherImages).exact(2).unwrap(), [1.0, 1.0, 1.0]);
        assert_eq!(of(Distractors::OtherTrials).exact(2).unwrap(), [0.5, 0.5, 1.0]);
        assert_eq!(of(Distractors::OtherTrials).exact(3).unwrap(), [0.0, 0.0, 1.0]);
        assert_eq!(of(Distractors::OtherImages).count_top(1), 3);
        let ranks = |distractors| -> Vec<(usize, usize)> {
            of(distractors).own_pictures().iter().map(|own| (own.rank, own.of)).collect()
        };
        assert_eq!(ranks(Distractors::OtherImages), [(1, 2), (1, 2), (1, 2)]);
        assert_eq!(ranks(Distractors::OtherTrials), [(2, 3), (2, 3), (1, 3)]);
        // Image 7 offers trial 2 one wrong picture, not two.
        let error = of(Distractors::OtherImages).exact(3).unwrap_err();
        assert_eq!(error, IdentificationError::TooFew { ways: 3, row: 0, found: 1 });
        assert_eq!(
            error.to_string(),
            "identification: 3-way needs 2 wrong pictures for every trial, trial 0 has 1"
        );
    }

    #[test]
    fn draws_depend_on_seed_and_repeat_only() {
        let truth = random(60, 6, 1);
        let generated = random(60, 6, 2);
        let ids: Vec<u64> = (0..60).collect();
        let set =
            Identification::new(generated.view(), truth.view(), &ids, Distractors::OtherImages).unwrap();
        let draw = |seed, repeat| set.draw(5, seed, repeat).unwrap();
        assert_eq!(draw(1, 0), draw(1, 0));
        let others: Vec<f64> = (0..8).map(|repeat| draw(1, repeat)).collect();
        assert!(others.iter().any(|accuracy| *accuracy != others[0]), "{others:?}");
    }

    #[test]
    fn bad_input_is_named() {
        let good = random(3, 2, 1);
        let config = IdentificationConfig { ways: vec![1], ..IdentificationConfig::default() };
        let of = |generated: &Array2<f32>, ids: &[u64], config: &IdentificationConfig| {
            compute_identification(generated.view(), good.view(), ids, config).unwrap_err().to_string()
        };
        assert!(of(&good, &[1, 2, 3], &config).contains("`ways`: found 1"));
        assert!(of(&good, &[1, 2], &config).contains("ids 2"));
        let none = IdentificationConfig { repeats: 0, ..config.clone() };
        assert!(of(&good, &[1, 2, 3], &none).contains("`repeats`: found 0"));
        let mut broken = good.clone();
        broken[[1, 0]] = f32::INFINITY;
        assert!(of(&broken, &[1, 2, 3], &config).contains("trial 1"));
        let two = IdentificationConfig { ways: vec![2], ..config };
        let empty = Array2::<f32>::zeros((0, 2));
        let error = compute_identification(empty.view(), empty.view(), &[], &two).unwrap_err();
        assert!(matches!(error, IdentificationError::TooFew { found: 0, .. }));
    }
}
