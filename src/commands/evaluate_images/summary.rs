//! What an evaluation of pictures found, as numbers and as text.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::classes::ClassSummary;
use super::config::IdentifiedTrials;
use super::naming::NamingSummary;
use crate::commands::reconstruct::PictureSource;
use crate::data::split::SplitRecord;
use crate::metrics::identification::{IdentificationAccuracy, OwnPicture};
use crate::pipelines::brain_decoder::PixelNoise;
use crate::pipelines::inference::Inference;
use crate::pipelines::measured::Presentations;
use crate::pipelines::pictures::picture_distance::Distance;
use crate::pipelines::pictures::picture_features::FeatureKind;
use crate::pipelines::trial_choice::TrialChoice;

/// The network that made the features.
#[derive(Clone, Debug, Serialize)]
pub struct FeatureNetworkSummary {
    /// What its features are; only `fid-inception` gives a FID.
    pub kind: FeatureKind,
    /// Snapshot of the network.
    pub snapshot: PathBuf,
    /// SHA-256 of its weights.
    pub sha256: String,
    /// How pictures were prepared.
    pub preprocessing: &'static str,
    /// Features of a picture.
    pub width: usize,
}

/// Fréchet distances between sets of pictures (docs/spec/metrics.md §1).
#[derive(Clone, Debug, Serialize)]
pub struct FrechetSummary {
    /// What the number may be called.
    pub name: &'static str,
    /// Generated pictures against the ground truth of the same trials: the headline.
    pub test: Distance,
    /// Generated pictures against the stimuli of all training trials.
    pub train: Option<Distance>,
    /// The ground truth of the decoded trials against those training stimuli: what a perfect decoder would get.
    pub train_floor: Option<Distance>,
}

/// n-way identification of drawn pictures among ground truths (docs/spec/metrics.md §2).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct IdentificationSummary {
    /// Which of the decoded trials took part.
    pub trials: IdentifiedTrials,
    /// Decoded trials that took part.
    pub num_trials: usize,
    /// Times that everything was drawn.
    pub repeats: usize,
    /// Accuracy per number of ways.
    pub accuracies: Vec<IdentificationAccuracy>,
    /// Numbers of ways for which there are too few different images.
    pub skipped_ways: Vec<usize>,
}

/// A picture beside its ground truth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RankedPicture {
    /// File inside the evaluated run.
    pub file: String,
    /// How near it is to its own ground truth, in the evaluation's features.
    #[serde(flatten)]
    pub own: OwnPicture,
}

/// The part of `evaluation.json` that says how near the pictures of a run are to their ground truth.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct PictureRanking {
    /// The run that was evaluated.
    pub evaluated: PathBuf,
    /// Every identified picture beside its ground truth.
    pub pictures: Vec<RankedPicture>,
}

/// `evaluation.json`: distances, identification and names of one run's pictures.
#[derive(Clone, Debug, Serialize)]
pub struct EvaluateImagesSummary {
    /// Folder of this evaluation.
    pub run: PathBuf,
    /// Whose brain.
    pub subject: String,
    /// Of the drawing; unknown where its manifest is of an older version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// What the pictures were made from.
    pub source: PictureSource,
    /// Whether a picture is of one trial or of the mean over an image's presentations.
    pub presentations: Presentations,
    /// The run that was evaluated.
    pub evaluated: PathBuf,
    /// Which trials it decoded.
    pub decoded: TrialChoice,
    /// Noise that they were drawn with: `random` in published distances.
    pub noise: PixelNoise,
    /// Trials (or averaged images) decoded.
    pub num_pictures: usize,
    /// Different images among them.
    pub num_images: usize,
    /// Which pictures the run held out, by a hash; unknown where its manifest is of an older version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub split_record: Option<SplitRecord>,
    /// Whether held-out trials had a part in what was drawn of them; unknown where subject or mappers of the run are gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inference: Option<Inference>,
    /// The network that made the features.
    pub features: FeatureNetworkSummary,
    /// Distances between drawn pictures, ground truth and training stimuli.
    pub frechet: FrechetSummary,
    /// Is each picture closest to its own ground truth?
    pub identification: IdentificationSummary,
    /// Every identified picture beside its ground truth.
    pub pictures: Vec<RankedPicture>,
    /// Is what can be named in a picture there? Where a classifier was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub naming: Option<NamingSummary>,
    /// Are the pictures of the right class? Where the data say classes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub classes: Option<ClassSummary>,
}

impl EvaluateImagesSummary {
    /// The numbers as text.
    pub fn table(&self) -> String {
        let mut lines = vec![format!(
            "{} pictures of {} images, features: {} ({} per picture)",
            self.num_pictures,
            self.num_images,
            self.features.snapshot.display(),
            self.features.width
        )];
        let mut line = |name: &str, distance: &Distance| {
            let caveat =
                if distance.is_rank_deficient { "  (singular covariance, biased upwards)" } else { "" };
            let Distance { value, num_real, num_other, .. } = distance;
            lines.push(format!("  {name:<34} {value:>10.3}  {num_real} / {num_other}{caveat}"));
        };
        line("generated vs their ground truth", &self.frechet.test);
        if let Some(train) = &self.frechet.train {
            line("generated vs training stimuli", train);
        }
        if let Some(floor) = &self.frechet.train_floor {
            line("ground truth vs training stimuli", floor);
        }
        lines.insert(1, format!("{}; real / other pictures:", self.frechet.name));
        let IdentificationSummary { repeats, accuracies, skipped_ways, .. } = &self.identification;
        lines.push(String::new());
        lines.extend(self.numbers().lines());
        let drawn: Vec<String> = accuracies
            .iter()
            .map(|found| {
                format!("{}-way {:.2} ± {:.2}", found.ways, 100.0 * found.mean, 100.0 * found.deviation)
            })
            .collect();
        lines.push(format!(
            "Mean ± deviation over {repeats} draws of the other pictures, %: {}.",
            drawn.join(", ")
        ));
        for ways in skipped_ways {
            lines.push(format!("{ways}-way: too few different images."));
        }
        lines.push(
            "A decoder that knows only which of k equal clusters a picture is of, and guesses inside it, scores 1 - 1/(2k) two-way: \
             98.75% for 40."
                .into(),
        );
        lines.extend(self.naming.iter().map(NamingSummary::line));
        lines.join("\n")
    }
}
