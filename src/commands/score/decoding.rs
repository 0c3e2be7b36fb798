//! What an evaluation found of images that the phantom's author knows more of: novel categories, near-duplicate pairs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::commands::evaluate::{DecoderRow, EvaluateSummary};
use crate::data::error::DataError;
use crate::files::{InputKind, read_input};
use crate::metrics::bootstrap::{BootstrapConfig, Interval};
use crate::metrics::share::share_interval;
use crate::phantom::files::truth_reader::{PhantomTruth, TrueImage};

/// Retrieval of the trials of some images, as shares of those trials.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupScore {
    /// Trials counted.
    pub num_trials: usize,
    /// Different images among them.
    pub num_images: usize,
    /// Predictions whose best target is right.
    pub forward: Interval,
    /// Targets whose best prediction is right.
    pub backward: Interval,
    /// Share that guessing would find.
    pub chance: f64,
}

/// What was found in one direction for images whose twin was among the candidates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TwinShares {
    /// The image itself.
    pub right: Interval,
    /// Its twin in its place.
    pub twin: Interval,
}

/// Retrieval of near-duplicates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TwinScore {
    /// Trials whose image has a twin among the candidates.
    pub num_trials: usize,
    /// Pairs of images.
    pub num_pairs: usize,
    /// By predictions.
    pub forward: TwinShares,
    /// By targets.
    pub backward: TwinShares,
    /// Share of twins that guessing would find.
    pub chance: f64,
}

/// One decoder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DecoderScore {
    /// As the evaluation calls it.
    pub decoder: String,
    /// Images without a novel category.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub seen: Option<GroupScore>,
    /// Images with a category that no training image shows.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub novel: Option<GroupScore>,
    /// Near-duplicates.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub twins: Option<TwinScore>,
}

/// Scores every decoder of an `evaluation.json`.
///
/// # Errors
/// [`DataError`] for a file that is missing or no evaluation, for images that the phantom does not have, and for an evaluation
/// that does not say which trials were found.
pub(super) fn score_decoders(path: &Path, truth: &PhantomTruth) -> Result<Vec<DecoderScore>, DataError> {
    let bytes = read_input(path, InputKind::Table).map_err(|error| {
        DataError::from_io(path, "`--evaluation`: give the file of an `evaluate` run", &error)
    })?;
    let evaluation: EvaluateSummary = serde_json::from_slice(&bytes)
        .map_err(|error| DataError::unreadable(path, format!("as an evaluation: {error}")))?;
    let known = evaluation
        .images
        .iter()
        .map(|image| truth.images.get(image).map(|known| (*image, *known)).ok_or(*image))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|image| {
            DataError::invalid(path, "images", "images of this phantom", format!("image {image}"))
        })?;
    let twins = twins(&truth.images);
    evaluation
        .mappers
        .iter()
        .chain(&evaluation.ridge)
        .map(|row| Trials::new(path, row, &known)?.score(&twins))
        .collect()
}

/// Both directions of every pair.
fn twins(images: &BTreeMap<u32, TrueImage>) -> BTreeMap<u32, u32> {
    let pairs = images.iter().filter_map(|(image, known)| Some((*image, known.twin_of?)));
    pairs.flat_map(|(a, b)| [(a, b), (b, a)]).collect()
}

/// The counted trials of one decoder.
struct Trials<'a> {
    path: &'a Path,
    row: &'a DecoderRow,
    images: &'a [(u32, TrueImage)],
    batch_size: usize,
}

impl<'a> Trials<'a> {
    fn new(path: &'a Path, row: &'a DecoderRow, images: &'a [(u32, TrueImage)]) -> Result<Self, DataError> {
        let hits = &row.hits;
        let count = hits.forward.len();
        let batch_size = row.by_image.batch_size;
        let is_whole = batch_size > 0 && count > 0 && count.is_multiple_of(batch_size);
        if !is_whole || hits.backward.len() != count || count > images.len() {
            let field = format!("hits of `{}`", row.name);
            let expected = format!("whole batches of {batch_size} of the {} trials", images.len());
            let found = format!("{count} and {}", hits.backward.len());
            return Err(DataError::invalid(path, field, expected, found));
        }
        Ok(Self { path, row, images: &images[..count], batch_size })
    }

    fn score(&self, twins: &BTreeMap<u32, u32>) -> Result<DecoderScore, DataError> {
        let group =
            |is_novel: bool| self.group(&self.places(|trial| self.images[trial].1.is_novel == is_novel));
        let with_twin = self.places(|trial| {
            let twin = twins.get(&self.images[trial].0);
            twin.is_some_and(|twin| self.share_of_batch(trial, *twin) > 0.0)
        });
        Ok(DecoderScore {
            decoder: self.row.name.clone(),
            seen: group(false),
            novel: group(true),
            twins: self.twins(&with_twin, twins)?,
        })
    }

    fn places(&self, is_in: impl Fn(usize) -> bool) -> Vec<usize> {
        (0..self.images.len()).filter(|trial| is_in(*trial)).collect()
    }

    /// Share of an image's trials in the batch of a trial: what guessing finds.
    fn share_of_batch(&self, trial: usize, image: u32) -> f64 {
        let first = trial / self.batch_size * self.batch_size;
        let batch = &self.images[first..first + self.batch_size];
        batch.iter().filter(|(other, _)| *other == image).count() as f64 / self.batch_size as f64
    }

    fn share(&self, trials: &[usize], is_hit: impl Fn(usize) -> bool) -> Option<Interval> {
        let hits: Vec<bool> = trials.iter().map(|trial| is_hit(*trial)).collect();
        let groups: Vec<u64> = trials.iter().map(|trial| u64::from(self.images[*trial].0)).collect();
        share_interval(&hits, &groups, &BootstrapConfig::default())
    }

    fn group(&self, trials: &[usize]) -> Option<GroupScore> {
        let hits = &self.row.hits;
        let chance =
            trials.iter().map(|trial| self.share_of_batch(*trial, self.images[*trial].0)).sum::<f64>();
        Some(GroupScore {
            num_trials: trials.len(),
            num_images: self.distinct(trials).len(),
            forward: self.share(trials, |trial| hits.forward[trial])?,
            backward: self.share(trials, |trial| hits.backward[trial])?,
            chance: chance / trials.len() as f64,
        })
    }

    fn twins(&self, trials: &[usize], twins: &BTreeMap<u32, u32>) -> Result<Option<TwinScore>, DataError> {
        if trials.is_empty() {
            return Ok(None);
        }
        let twin = |trial: usize| twins.get(&self.images[trial].0).copied().unwrap_or(u32::MAX);
        let shares = |hits: &[bool], found: &[usize]| {
            let is_whole = found.len() == hits.len() && found.iter().all(|found| *found < self.images.len());
            let image_found = |trial: usize| self.images[found[trial]].0;
            is_whole
                .then(|| {
                    let right = self.share(trials, |trial| hits[trial])?;
                    let twin = self.share(trials, |trial| image_found(trial) == twin(trial))?;
                    Some(TwinShares { right, twin })
                })
                .flatten()
                .ok_or_else(|| {
                    let field = format!("found trials of `{}`", self.row.name);
                    let expected = "one per hit; run `mindreader evaluate` again";
                    DataError::invalid(self.path, field, expected, found.len())
                })
        };
        let hits = &self.row.hits;
        let chance = trials.iter().map(|trial| self.share_of_batch(*trial, twin(*trial))).sum::<f64>();
        Ok(Some(TwinScore {
            num_trials: trials.len(),
            num_pairs: self.distinct(trials).len() / 2,
            forward: shares(&hits.forward, &hits.forward_found)?,
            backward: shares(&hits.backward, &hits.backward_found)?,
            chance: chance / trials.len() as f64,
        }))
    }

    fn distinct(&self, trials: &[usize]) -> BTreeSet<u32> {
        trials.iter().map(|trial| self.images[*trial].0).collect()
    }
}

/// The scores as text, in percent of the trials.
pub(super) fn table(decoders: &[DecoderScore]) -> String {
    let percent = |interval: &Interval| {
        let Interval { mean, low, high } = interval;
        format!("{:.1}% [{:.1}, {:.1}]", 100.0 * mean, 100.0 * low, 100.0 * high)
    };
    let mut lines = vec![format!("{:<38} {:>24} {:>24} {:>8}", "", "forward", "backward", "chance")];
    for DecoderScore { decoder, seen, novel, twins } in decoders {
        let mut line = |what: String, forward: &Interval, backward: &Interval, chance: f64| {
            let (forward, backward) = (percent(forward), percent(backward));
            lines.push(format!("{what:<38} {forward:>24} {backward:>24} {:>7.1}%", 100.0 * chance));
        };
        for (name, group) in [("seen categories", seen), ("a novel category", novel)] {
            if let Some(GroupScore { num_trials, forward, backward, chance, .. }) = group {
                line(format!("{decoder}: {name} ({num_trials})"), forward, backward, *chance);
            }
        }
        if let Some(TwinScore { num_trials, forward, backward, chance, .. }) = twins {
            line(format!("{decoder}: twin for image ({num_trials})"), &forward.twin, &backward.twin, *chance);
            line(format!("{decoder}: the image itself"), &forward.right, &backward.right, *chance);
        }
    }
    lines.push("Shares of trials (their number in brackets) with 95% intervals over images.".into());
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    /// Images 1 to 4, twice each; 3 shows a novel category, 2 shows image 1 again.
    const IMAGES: [u32; 8] = [1, 2, 3, 4, 1, 2, 3, 4];

    fn truth() -> PhantomTruth {
        let image = |id: u32| TrueImage { is_novel: id == 3, twin_of: (id == 2).then_some(1) };
        PhantomTruth {
            voxels: BTreeMap::new(),
            captions: BTreeMap::new(),
            images: (1..=5).map(|id| (id, image(id))).collect(),
        }
    }

    fn evaluation(forward_found: Value) -> Value {
        let count = json!({"first_batch": 3, "over_batches": {"mean": 3.0, "low": 2.0, "high": 4.0}});
        let by_image = json!({
            "batch_size": 8, "num_batches": 1, "forward": count, "backward": count,
            "chance_first_batch": 2.0, "chance_over_batches": 2.0,
        });
        // Predictions: image 1 is taken for its twin once, image 3 is never found.
        let forward = [false, true, false, true, true, true, false, true];
        let row = json!({
            "name": "image mapper", "target": "image", "cosine": {"mean": 0.5, "low": 0.4, "high": 0.6},
            "by_image": by_image, "by_index": by_image,
            "hits": {"forward": forward, "backward": vec![true; 8], "forward_found": forward_found,
                     "backward_found": [0, 1, 2, 3, 4, 5, 6, 7]},
        });
        json!({"run": "x", "num_trials": 8, "num_search_trials": 4, "images": IMAGES, "mappers": [row], "ridge": [],
               "combinations": []})
    }

    fn score(evaluation: &Value) -> Result<Vec<DecoderScore>, DataError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("evaluation.json");
        std::fs::write(&path, evaluation.to_string()).unwrap();
        score_decoders(&path, &truth())
    }

    #[test]
    fn novel_images_and_twins_by_hand() {
        let scores = score(&evaluation(json!([1, 1, 0, 3, 0, 1, 4, 7]))).unwrap();
        let (seen, novel) = (scores[0].seen.as_ref().unwrap(), scores[0].novel.as_ref().unwrap());
        assert_eq!((seen.num_trials, seen.num_images, seen.chance), (6, 3, 0.25));
        assert!((seen.forward.mean - 5.0 / 6.0).abs() < 1e-12);
        assert_eq!((novel.num_trials, novel.forward.mean, novel.backward.mean), (2, 0.0, 1.0));
        assert!(novel.forward.high > 0.5, "one image says little: {novel:?}");
        let twins = scores[0].twins.as_ref().unwrap();
        assert_eq!((twins.num_trials, twins.num_pairs, twins.chance), (4, 1, 0.25));
        assert_eq!((twins.forward.twin.mean, twins.forward.right.mean), (0.25, 0.75));
        assert_eq!((twins.backward.twin.mean, twins.backward.right.mean), (0.0, 1.0));
        let text = table(&scores);
        assert!(text.contains("image mapper: a novel category (2)") && text.contains("25.0%"), "{text}");
    }

    #[test]
    fn evaluations_that_do_not_fit_are_named() {
        let error = |evaluation: &Value| score(evaluation).unwrap_err().to_string();
        let whole = evaluation(json!([1, 1, 0, 3, 0, 1, 4, 7]));
        assert!(error(&evaluation(json!([]))).contains("run `mindreader evaluate` again"));
        assert!(error(&evaluation(json!([1, 1, 0, 3, 0, 1, 4, 8]))).contains("found trials"));
        let changed = |pointer: &str, value: Value| {
            let mut changed = whole.clone();
            *changed.pointer_mut(pointer).unwrap() = value;
            changed
        };
        assert!(error(&changed("/images/0", json!(9))).contains("image 9"));
        assert!(error(&changed("/images", json!([1, 2]))).contains("whole batches"));
        assert!(error(&changed("/mappers/0/by_image/batch_size", json!(0))).contains("whole batches"));
        assert!(error(&json!({})).contains("as an evaluation"));
        let missing = score_decoders(Path::new("none.json"), &truth()).unwrap_err();
        assert!(missing.to_string().contains("--evaluation"));
    }
}
