//! `manifest.json` and the summary of a run of `interpolate`.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::chart::similarity_chart;
use super::config::{InterpolateConfig, PathKind};
use super::evenness::Evenness;
use super::truth::FrameSimilarity;
use crate::data::split::{SplitConfig, SplitRecord};
use crate::metrics::bootstrap::Interval;
use crate::models::mapper::MapperTarget;
use crate::pipelines::brain_decoder::DecoderHashes;
use crate::pipelines::inference::Inference;
use crate::pipelines::targets::decoded_target::DecodedTarget;
use crate::report::LineChart;
use crate::run::precision::Precision;

/// A trial that the way goes through.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WayTrial {
    /// 0-based over the whole experiment.
    pub trial: usize,
    /// 0-based NSD image.
    pub nsd_id: u32,
    /// Its name: that of an imported picture, or NSD's number.
    pub image: String,
    /// Whether training never saw its image.
    pub is_held_out: bool,
    /// Place in the random stream that its z comes from, beside the seed.
    pub position: u64,
    /// What was seen, inside the run folder.
    pub ground_truth: String,
}

/// A frame.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FrameRecord {
    /// File inside the run folder.
    pub file: String,
    /// The trials behind and ahead.
    pub between: [usize; 2],
    /// Share of the way from the one to the other, 0..1.
    pub share: f64,
    /// How near its decoded embedding is to true ones, for each space that steers the generator.
    pub similarity: Vec<FrameSimilarity>,
}

/// One way with its frames.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PathRecord {
    /// What is interpolated.
    pub path: PathKind,
    /// The animation inside the run folder.
    pub gif: String,
    /// Charts of the similarities inside the run folder.
    pub charts: Vec<String>,
    /// Whether the steps from each trial to the next are alike.
    pub evenness: Vec<Evenness>,
    /// The frames from the first trial to the last; of a loop the last frame is the first again.
    pub frames: Vec<FrameRecord>,
}

/// The whole manifest.
#[derive(Serialize)]
pub(super) struct WayRecord<'a> {
    pub subject: String,
    pub seed: u64,
    pub settings: &'a InterpolateConfig,
    pub split: &'a SplitConfig,
    pub split_record: SplitRecord,
    pub precision: Precision,
    pub device: &'a str,
    pub resolution: usize,
    pub weights_sha256: &'a DecoderHashes,
    pub program: &'static str,
    pub inference: &'a Inference,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub warnings: &'a [String],
    pub strip: &'a str,
    pub trials: &'a [WayTrial],
    pub paths: &'a [PathRecord],
}

/// The part of a manifest that a report shows.
#[derive(Clone, Debug, Deserialize)]
pub struct WayManifest {
    /// The trials of the way.
    pub trials: Vec<WayTrial>,
    /// The ways.
    pub paths: Vec<PathRecord>,
    /// Whether the held-out trials had a part in what was decoded.
    pub inference: Inference,
}

/// What was drawn, and where it lies.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct InterpolateSummary {
    /// Folder of the run: `config.toml`, `manifest.json`, `strip.png`, a GIF and a folder of frames for each way, charts.
    pub run: PathBuf,
    /// The trials of the way.
    pub trials: Vec<usize>,
    /// Frames of each way.
    pub num_frames: usize,
    /// What each way is in numbers.
    pub paths: Vec<PathSummary>,
    /// Every way in a row for each two trials: what was seen, frames, what was seen.
    pub strip: PathBuf,
    /// `manifest.json`: every frame with its numbers.
    pub manifest: PathBuf,
    /// Whether the held-out trials had a part in what was decoded.
    pub inference: Inference,
    /// Networks that do not belong together, trials that are not held out, a sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// One way in numbers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PathSummary {
    /// What is interpolated.
    pub path: PathKind,
    /// The animation.
    pub gif: PathBuf,
    /// For each space, from the first trial to the second.
    pub spaces: Vec<SpaceSummary>,
    /// Largest by mean step of the pictures, the largest of all legs; none where nothing changes.
    pub pixels_largest_by_mean: Option<f64>,
}

/// The first leg of a way in one space: cosines of decoded with true embeddings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SpaceSummary {
    /// Whose space.
    pub target: MapperTarget,
    /// To the first trial's true embedding: at the first frame, in the middle, at the second trial.
    pub to_first: [f64; 3],
    /// To the second trial's.
    pub to_second: [f64; 3],
    /// To other held-out images, in the middle.
    pub others: Option<Interval>,
    /// Largest by mean step of the embedding, the largest of all legs; none where nothing changes.
    pub largest_by_mean: Option<f64>,
}

impl PathRecord {
    /// The similarity of its frames in one of the spaces, by number; none without such a space.
    pub fn chart(&self, title: String, trials: &[usize], space: usize) -> Option<LineChart> {
        let frames: Vec<&FrameSimilarity> =
            self.frames.iter().filter_map(|frame| frame.similarity.get(space)).collect();
        (!frames.is_empty()).then(|| similarity_chart(title, trials, &self.passed(), &frames))
    }

    /// Trials that were passed at every frame: legs behind it, and its share of its own.
    fn passed(&self) -> Vec<f64> {
        let mut leg = 0.0;
        let mut last: Option<[usize; 2]> = None;
        let at = |frame: &FrameRecord| {
            leg += f64::from(u8::from(last.is_some_and(|last| last != frame.between)));
            last = Some(frame.between);
            leg + frame.share
        };
        self.frames.iter().map(at).collect()
    }

    /// The way in a few numbers; `steps` are those of a leg.
    pub(super) fn summary(&self, gif: PathBuf, steps: usize) -> PathSummary {
        let most = |of: DecodedTarget| {
            let legs = self.evenness.iter().filter(|evenness| evenness.of == of);
            legs.filter_map(|evenness| evenness.largest_by_mean).reduce(f64::max)
        };
        let of_first = self.frames.first().map_or(&[][..], |frame| &frame.similarity);
        let space = |(number, first): (usize, &FrameSimilarity)| {
            let at = |frame: usize| self.frames.get(frame).and_then(|frame| frame.similarity.get(number));
            let frames = [Some(first), at(steps / 2), at(steps)];
            let to = |trial: usize| {
                frames.map(|frame| {
                    frame.and_then(|frame| frame.to_trials.get(trial)).copied().unwrap_or(f64::NAN)
                })
            };
            SpaceSummary {
                target: first.target,
                to_first: to(0),
                to_second: to(1),
                others: frames[1].and_then(|frame| frame.others),
                largest_by_mean: most(first.target.into()),
            }
        };
        PathSummary {
            path: self.path,
            gif,
            spaces: of_first.iter().enumerate().map(space).collect(),
            pixels_largest_by_mean: most(DecodedTarget::Pixels),
        }
    }
}

impl InterpolateSummary {
    /// A dozen lines for a terminal.
    pub fn text(&self) -> String {
        let trials: Vec<String> = self.trials.iter().map(ToString::to_string).collect();
        let mut lines = vec![format!("trials {}: {} frames a way", trials.join(", "), self.num_frames)];
        for path in &self.paths {
            lines.push(format!("{}: {}", path.path, path.gif.display()));
            for space in &path.spaces {
                let cosines = |values: &[f64; 3]| {
                    values.iter().map(|value| format!("{value:.3}")).collect::<Vec<_>>().join(", ")
                };
                let others = space.others.map_or_else(String::new, |Interval { mean, low, high }| {
                    format!("; to other held-out images {mean:.3} ({low:.3} to {high:.3})")
                });
                lines.push(format!(
                    "  {}: cosine to the first trial's true embedding {} (start, middle, end), to the second's {}{others}",
                    space.target,
                    cosines(&space.to_first),
                    cosines(&space.to_second),
                ));
                lines.push(format!("  {}: largest step {}", space.target, times(space.largest_by_mean)));
            }
            lines.push(format!("  pictures: largest step {}", times(path.pixels_largest_by_mean)));
        }
        lines.push(self.inference.line());
        lines.push(format!("strip: {}", self.strip.display()));
        lines.push(format!("every frame with its numbers: {}", self.manifest.display()));
        lines.join("\n")
    }
}

/// How many times its mean the largest step is.
fn times(largest_by_mean: Option<f64>) -> String {
    largest_by_mean
        .map_or_else(|| "none: nothing changes".into(), |times| format!("{times:.2} times the mean one"))
}
