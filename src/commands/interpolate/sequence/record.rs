//! `manifest.json` and the summary of a sequence.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::strength::Strength;
use crate::commands::interpolate::{Evenness, InterpolateConfig, WayTrial};
use crate::data::split::{SplitConfig, SplitRecord};
use crate::metrics::bootstrap::Interval;
use crate::models::mapper::MapperTarget;
use crate::pipelines::brain_decoder::DecoderHashes;
use crate::pipelines::inference::Inference;
use crate::run::precision::Precision;

/// A scan of the sequence.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ScanRecord {
    /// What was seen.
    #[serde(flatten)]
    pub seen: WayTrial,
    /// Scan session, from 1.
    pub session: u16,
    /// Picture of the decoded embedding, inside the run folder.
    pub decoded: String,
    /// Picture of the smoothed embedding.
    pub smoothed: String,
    /// Cosine of the decoded embedding with the true one, for each space in the order of `similarity`.
    pub decoded_cosines: Vec<f64>,
    /// The same of the smoothed embedding.
    pub smoothed_cosines: Vec<f64>,
}

/// How near embeddings are to what was seen, over all scans, with 95 % intervals over images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SequenceSimilarity {
    /// Whose space.
    pub target: MapperTarget,
    /// Mean cosine of decoded and true embeddings.
    pub decoded: Option<Interval>,
    /// The same of smoothed ones.
    pub smoothed: Option<Interval>,
    /// What smoothing gains, scan by scan; none where nothing is smoothed.
    pub gain: Option<Interval>,
    /// The control: what the same smoothing gains where scans follow each other in an exchanged order.
    pub gain_in_exchanged_order: Option<Interval>,
    /// The floor: mean cosine of decoded embeddings with the true ones of all held-out images but their own.
    pub others: Option<Interval>,
}

/// One film of the scans.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SequenceFilm {
    /// `decoded` or `smoothed`.
    pub name: String,
    /// The animation inside the run folder.
    pub gif: String,
    /// Steps from scan to scan, of every space and of the pictures.
    pub evenness: Vec<Evenness>,
}

/// The whole manifest.
#[derive(Serialize)]
pub(super) struct SequenceRecord<'a> {
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
    pub strengths: &'a [Strength],
    pub similarity: &'a [SequenceSimilarity],
    pub films: &'a [SequenceFilm],
    pub scans: &'a [ScanRecord],
}

/// What was drawn, and where it lies.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SequenceSummary {
    /// Folder of the run: `config.toml`, `manifest.json`, `strip.png`, a GIF and a folder of frames as decoded and smoothed.
    pub run: PathBuf,
    /// Scans, a frame each.
    pub num_scans: usize,
    /// How strongly each space is smoothed.
    pub strengths: Vec<Strength>,
    /// How near the embeddings are to what was seen.
    pub similarity: Vec<SequenceSimilarity>,
    /// As decoded, and smoothed.
    pub gifs: Vec<PathBuf>,
    /// What was seen, as decoded, smoothed: a row each.
    pub strip: PathBuf,
    /// `manifest.json`: every scan with its numbers.
    pub manifest: PathBuf,
    /// Whether the held-out trials had a part in what was decoded.
    pub inference: Inference,
    /// Networks that do not belong together, trials that are not held out, a sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

impl SequenceSummary {
    /// A dozen lines for a terminal.
    pub fn text(&self) -> String {
        let mut lines = vec![format!("{} scans in time order", self.num_scans)];
        for (strength, found) in self.strengths.iter().zip(&self.similarity) {
            let how = match strength.num_trials {
                0 => "as set".to_string(),
                trials => format!("chosen on {trials} training trials of {} images", strength.num_images),
            };
            lines.push(format!(
                "{}: strength {} ({how}; 1 is no smoothing)",
                strength.target, strength.strength
            ));
            let rows = [
                ("cosine with what was seen, as decoded", found.decoded),
                ("smoothed", found.smoothed),
                ("gain", found.gain),
                ("gain in an exchanged order (control)", found.gain_in_exchanged_order),
                ("with other held-out images (floor)", found.others),
            ];
            lines.extend(rows.iter().filter_map(|(name, interval)| {
                let Interval { mean, low, high } = (*interval)?;
                Some(format!("  {name}: {mean:.3} ({low:.3} to {high:.3})"))
            }));
        }
        lines.extend(self.gifs.iter().map(|gif| gif.display().to_string()));
        lines.push(self.inference.line());
        lines.push(format!("strip: {}", self.strip.display()));
        lines.push(format!("every scan with its numbers: {}", self.manifest.display()));
        lines.join("\n")
    }
}
