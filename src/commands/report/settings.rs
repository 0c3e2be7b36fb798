//! What the report is made of.

use std::path::PathBuf;

use serde::Serialize;

use crate::commands::evaluate_images::NamingSummary;
use crate::commands::score::ScoreSummary;
use crate::metrics::identification::IdentificationAccuracy;
use crate::pipelines::pictures::picture_features::FeatureKind;

/// The runs that the report shows; a missing part is left out.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ReportSettings {
    /// Heading.
    pub title: String,
    /// One sentence below it.
    pub lead: String,
    /// Paragraphs about the subject and how to read the page.
    pub introduction: Vec<String>,
    /// Facts: name and value.
    pub facts: Vec<(String, String)>,
    /// What flatters the counts of mappers; stands beside them.
    pub caveat_of_counts: Option<String>,
    /// What flatters the figures of decoded pictures; stands beside them.
    pub caveat_of_pictures: Option<String>,
    /// Run of `pretrain-clip`.
    pub clip_run: Option<PathBuf>,
    /// Vetted captions.
    pub captions: Option<PathBuf>,
    /// Mapper runs with their names.
    pub mapper_runs: Vec<(String, PathBuf)>,
    /// GAN runs with their names.
    pub gan_runs: Vec<(String, PathBuf)>,
    /// Identification accuracies with the names of what was identified.
    pub identification: Vec<(String, Vec<IdentificationAccuracy>)>,
    /// The features that they were identified by.
    pub identified_by: Option<FeatureKind>,
    /// What a classifier named, with the names of what it looked at.
    pub naming: Vec<(String, NamingSummary)>,
    /// Run of `reconstruct`.
    pub reconstruct_run: Option<PathBuf>,
    /// Run of `evaluate-images` on that run: how near each picture is to its ground truth.
    pub ranking_run: Option<PathBuf>,
    /// Runs of `microstim`.
    pub microstim_runs: Vec<PathBuf>,
    /// Run of `encode`.
    pub encode_run: Option<PathBuf>,
    /// Estimates beside the truth of a phantom.
    pub score: Option<ScoreSummary>,
    /// The commands that lead here, one per line.
    pub commands: Vec<String>,
    /// The resolved configuration as TOML.
    pub configuration: String,
    /// Where to write.
    pub out: PathBuf,
}
