//! `mindreader score`: what a pipeline estimated on a phantom beside what its author knows.
//!
//! The only command that reads `truth.h5`. It scores NSD's noise ceiling, the caption screening and, of an evaluation, the
//! retrieval of novel and of near-duplicate images. Beside that it tabulates the effects of microstimulation.

mod decoding;
mod microstim_effects;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use self::decoding::{DecoderScore, GroupScore, TwinScore, TwinShares};
pub use self::microstim_effects::{EffectTable, ProbeEffect, RegionEffects, microstim_effects};
use super::screen_captions::JudgedCaption;
use crate::data::error::DataError;
use crate::data::nsd::noise_ceiling::{noise_ceiling_percent, read_ncsnr};
use crate::data::nsd::stim_info::StimInfo;
use crate::data::nsd::tree::NsdTree;
use crate::data::prepared::PreparedSubject;
use crate::data::trial::NsdId;
use crate::error::FileError;
use crate::files::{InputKind, file_is_there, read_input};
use crate::metrics::bootstrap::{BootstrapConfig, Interval};
use crate::metrics::correlation::pearson;
use crate::metrics::share::share_interval;
use crate::phantom::Marker;
use crate::phantom::files::truth_reader::PhantomTruth;
use crate::phantom::scenes::captions::CaptionQuality;
use crate::pipelines::project::Project;
use crate::run::error::RunError;
use crate::run::progress::Progress;

/// Name of the truth in the root of a phantom.
pub const TRUTH: &str = "truth.h5";
/// Trials that are averaged where a noise ceiling is meant; every image of NSD has three.
const REPETITIONS: usize = 3;
/// Kind of the voxels that the truth does not list.
const UNRESPONSIVE: &str = "unresponsive";

/// Everything that a run needs.
#[derive(Clone, Debug, Serialize)]
pub struct ScoreSettings {
    /// Root of the phantom.
    pub nsd: PathBuf,
    /// Prepared subject whose voxels and captions are scored.
    pub prepared: PathBuf,
    /// Every caption with its probability; without the file, screening is not scored.
    pub probabilities: PathBuf,
    /// `evaluation.json` of a run of `evaluate` on this phantom.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evaluation: Option<PathBuf>,
}

impl ScoreSettings {
    /// Settings of the command in a project.
    ///
    /// # Errors
    /// When the NSD root is not set.
    pub fn resolve(project: &Project, evaluation: Option<PathBuf>) -> Result<Self, RunError> {
        Ok(Self {
            nsd: project.nsd()?,
            prepared: project.prepared(),
            probabilities: project.caption_probabilities(),
            evaluation,
        })
    }
}

/// Estimated against true noise ceilings, in percent of explainable variance of means of three trials.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CeilingScore {
    /// Voxels with an estimate.
    pub num_voxels: usize,
    /// Median of the truth.
    pub median_true: f64,
    /// Median of the estimate.
    pub median_estimated: f64,
    /// Pearson's r over voxels; none where one side is constant.
    pub correlation: Option<f64>,
    /// Mean of estimate − truth.
    pub bias: f64,
    /// Root of the mean squared difference.
    pub rms_error: f64,
}

/// What the screening did to the captions of one grade.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GradeScore {
    /// Captions of the grade.
    pub num_captions: usize,
    /// Captions of the grade that the screening kept.
    pub num_kept: usize,
    /// Recall: kept captions of the grade over captions of the grade.
    pub recall: f64,
    /// Precision: kept captions of the grade over all kept captions.
    pub precision: f64,
    /// Recall with its 95 % interval over resampled images.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub recall_interval: Option<Interval>,
    /// Precision likewise.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub precision_interval: Option<Interval>,
}

/// Estimates from a phantom's files beside what its author knows.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ScoreSummary {
    /// Strength of the phantom's signal; NSD's is 1.
    pub signal: f64,
    /// All prepared voxels.
    pub noise_ceiling: CeilingScore,
    /// The same by the kind of the voxel.
    pub noise_ceiling_by_kind: BTreeMap<String, CeilingScore>,
    /// Captions by grade, when they were screened.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub captions: BTreeMap<String, GradeScore>,
    /// Prepared images whose best caption, by the screening, is a specific one, as a share.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub best_caption_is_specific: Option<f64>,
    /// The same share with its 95 % interval over resampled images.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub best_caption_is_specific_interval: Option<Interval>,
    /// Decoders on images of seen and novel categories and on near-duplicates, when there was an evaluation.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub decoding: Vec<DecoderScore>,
}

impl ScoreSummary {
    /// The decoders' scores as text; none without an evaluation.
    pub fn decoding_table(&self) -> Option<String> {
        (!self.decoding.is_empty()).then(|| decoding::table(&self.decoding))
    }
}

/// Whether the root of a phantom holds its truth.
///
/// # Errors
/// As [`file_is_there`].
pub fn has_truth(root: &Path) -> Result<bool, FileError> {
    file_is_there(&root.join(TRUTH))
}

/// Compares estimates with the truth of a phantom.
///
/// # Errors
/// A folder that is no phantom, or files that are missing or do not fit each other.
pub fn run(settings: &ScoreSettings, progress: &mut dyn Progress) -> crate::error::Result<ScoreSummary> {
    progress.start("comparing with the truth", 0);
    let marker = Marker::read(&settings.nsd)?;
    let truth = PhantomTruth::read(&settings.nsd.join(TRUTH))?;
    let prepared = PreparedSubject::open(&settings.prepared)?;
    let tree = NsdTree::new(&settings.nsd);
    let by_kind = ceilings(&tree, &prepared, &truth)?;
    let all: Vec<(f64, f64)> = by_kind.values().flatten().copied().collect();
    let (mut captions, mut best) = (BTreeMap::new(), None);
    if file_is_there(&settings.probabilities)? {
        let judged = read_judged(&settings.probabilities)?;
        let grades = grades_of(&tree, &settings.probabilities, &judged, &truth)?;
        (captions, best) = score_captions(&judged, &grades);
    }
    let decoding = match &settings.evaluation {
        Some(path) => decoding::score_decoders(path, &truth)?,
        None => vec![],
    };
    progress.finish("");
    Ok(ScoreSummary {
        signal: marker.config.signal,
        noise_ceiling: score_ceilings(&all),
        noise_ceiling_by_kind: by_kind
            .iter()
            .map(|(kind, pairs)| ((*kind).to_string(), score_ceilings(pairs)))
            .collect(),
        captions,
        best_caption_is_specific: best.map(|share| share.mean),
        best_caption_is_specific_interval: best,
        decoding,
    })
}

/// Pairs of a true and an estimated ceiling, by the kind of the voxel.
type CeilingsByKind = BTreeMap<&'static str, Vec<(f64, f64)>>;

/// True and estimated ceilings of the prepared voxels, by kind.
fn ceilings(
    tree: &NsdTree,
    prepared: &PreparedSubject,
    truth: &PhantomTruth,
) -> Result<CeilingsByKind, DataError> {
    let provenance = prepared.provenance();
    let path = tree.ncsnr(provenance.subject.nsd()?, provenance.resolution, &provenance.betas_version);
    let estimated = read_ncsnr(&path, &prepared.space(), prepared.flat_index())?;
    let mut by_kind = CeilingsByKind::new();
    for (voxel, estimated) in prepared.flat_index().iter().zip(estimated) {
        let (kind, ncsnr) =
            truth.voxels.get(voxel).map_or((UNRESPONSIVE, 0.0), |voxel| (voxel.kind, voxel.ncsnr));
        let percent = |ncsnr| noise_ceiling_percent(ncsnr, REPETITIONS);
        // NaN where no image was shown three times: nothing to compare.
        if estimated.is_finite() {
            by_kind.entry(kind).or_default().push((percent(ncsnr), percent(f64::from(estimated))));
        }
    }
    if by_kind.is_empty() {
        return Err(DataError::empty(path.display().to_string(), "expected a ratio of some prepared voxel"));
    }
    Ok(by_kind)
}

fn score_ceilings(pairs: &[(f64, f64)]) -> CeilingScore {
    let (truth, estimated): (Vec<f64>, Vec<f64>) = pairs.iter().copied().unzip();
    let mean = |values: &mut dyn Iterator<Item = f64>| values.sum::<f64>() / pairs.len().max(1) as f64;
    let bias = mean(&mut pairs.iter().map(|(truth, estimated)| estimated - truth));
    let square = mean(&mut pairs.iter().map(|(truth, estimated)| (estimated - truth).powi(2)));
    CeilingScore {
        num_voxels: pairs.len(),
        correlation: pearson(&truth, &estimated),
        median_true: median(truth),
        median_estimated: median(estimated),
        bias,
        rms_error: square.sqrt(),
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

type Judged = BTreeMap<u32, Vec<JudgedCaption>>;

fn read_judged(path: &Path) -> Result<Judged, DataError> {
    let text = read_input(path, InputKind::Table)
        .map_err(|error| DataError::from_io(path, "the probabilities of captions", &error))?;
    serde_json::from_slice(&text).map_err(|error| DataError::unreadable(path, error))
}

/// The grades of each image's captions; images of photographs have none.
fn grades_of(
    tree: &NsdTree,
    path: &Path,
    judged: &Judged,
    truth: &PhantomTruth,
) -> Result<BTreeMap<u32, Vec<CaptionQuality>>, DataError> {
    let info = StimInfo::read(&tree.stim_info())?;
    let mut grades = BTreeMap::new();
    for (image, captions) in judged {
        let photograph = info.row(NsdId(*image))?.coco_id;
        let Some(of_image) = truth.captions.get(&photograph.0) else { continue };
        if of_image.len() != captions.len() {
            let field = format!("number of captions of image {image}");
            return Err(DataError::invalid(path, field, of_image.len(), captions.len()));
        }
        grades.insert(*image, of_image.clone());
    }
    Ok(grades)
}

fn score_captions(
    judged: &Judged,
    grades: &BTreeMap<u32, Vec<CaptionQuality>>,
) -> (BTreeMap<String, GradeScore>, Option<Interval>) {
    let (mut captions, mut best_is_specific) = (Vec::new(), Vec::new());
    for (image, grades) in grades {
        let judged = judged.get(image).map_or(&[][..], Vec::as_slice);
        let graded = judged.iter().zip(grades);
        captions.extend(graded.clone().map(|(caption, grade)| (u64::from(*image), *grade, caption.kept)));
        let best = graded.max_by(|(a, _), (b, _)| a.probability.total_cmp(&b.probability));
        best_is_specific.push(best.is_some_and(|(_, grade)| *grade == CaptionQuality::Specific));
    }
    let distinct: BTreeSet<CaptionQuality> = captions.iter().map(|(_, grade, _)| *grade).collect();
    let scores = distinct.into_iter().map(|grade| (grade.name().to_string(), score_grade(grade, &captions)));
    let images: Vec<u64> = grades.keys().map(|image| u64::from(*image)).collect();
    let best = share_interval(&best_is_specific, &images, &BootstrapConfig::default());
    (scores.collect(), best)
}

/// Recall and precision of a grade; of every caption its image, its grade and whether it was kept.
fn score_grade(grade: CaptionQuality, captions: &[(u64, CaptionQuality, bool)]) -> GradeScore {
    let share = |chosen: Vec<(u64, bool)>| {
        let (images, hits): (Vec<u64>, Vec<bool>) = chosen.into_iter().unzip();
        share_interval(&hits, &images, &BootstrapConfig::default())
    };
    let of_grade: Vec<(u64, bool)> = captions
        .iter()
        .filter(|(_, other, _)| *other == grade)
        .map(|(image, _, kept)| (*image, *kept))
        .collect();
    let kept: Vec<(u64, bool)> = captions
        .iter()
        .filter(|(.., kept)| *kept)
        .map(|(image, other, _)| (*image, *other == grade))
        .collect();
    let (num_captions, num_kept) = (of_grade.len(), of_grade.iter().filter(|(_, kept)| *kept).count());
    let (recall, precision) = (share(of_grade), share(kept));
    let mean = |interval: Option<Interval>| interval.map_or(0.0, |interval| interval.mean);
    GradeScore {
        num_captions,
        num_kept,
        recall: mean(recall),
        precision: mean(precision),
        recall_interval: recall,
        precision_interval: precision,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use CaptionQuality::{Specific, Wrong};

    #[test]
    fn ceilings_by_hand() {
        let score = score_ceilings(&[(10.0, 12.0), (20.0, 21.0), (30.0, 33.0)]);
        assert_eq!((score.num_voxels, score.median_true, score.median_estimated), (3, 20.0, 21.0));
        assert!((score.bias - 2.0).abs() < 1e-12);
        assert!((score.rms_error - (14.0_f64 / 3.0).sqrt()).abs() < 1e-12);
        assert!(score.correlation.unwrap() > 0.99);
    }

    #[test]
    fn grades_by_hand() {
        let caption = |probability, kept| JudgedCaption { caption: "a".into(), probability, kept };
        let judged: Judged = [
            (4, vec![caption(0.9, true), caption(0.1, false)]),
            (7, vec![caption(0.4, true), caption(0.6, true)]),
            // A photograph: no grade known.
            (9, vec![caption(1.0, true)]),
        ]
        .into();
        let grades = [(4, vec![Specific, Wrong]), (7, vec![Specific, Wrong])].into();
        let (scores, best) = score_captions(&judged, &grades);
        let found = |grade: &str| {
            let GradeScore { num_captions, num_kept, recall, precision, .. } = scores[grade];
            (num_captions, num_kept, recall, precision)
        };
        assert_eq!(found("specific"), (2, 2, 1.0, 2.0 / 3.0));
        assert_eq!(found("wrong"), (2, 1, 0.5, 1.0 / 3.0));
        // All of two images' specific captions were kept: Wilson's interval, not a point.
        let recall = scores["specific"].recall_interval.unwrap();
        assert!((recall.low - 0.3424).abs() < 1e-3 && recall.high == 1.0, "{recall:?}");
        let best = best.unwrap();
        assert!(best.mean == 0.5 && best.low < 0.5 && best.high > 0.5, "{best:?}");
    }
}
