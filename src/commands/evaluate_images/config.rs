//! What `evaluate-images` takes: the protocol, the run, the networks.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::SettingError;
use crate::metrics::feature_stats::CovarianceDivisor;
use crate::metrics::identification::IdentificationConfig;
use crate::models::inception::InceptionPreprocessing;
use crate::pipelines::drawing_manifest::MANIFEST_FILE;
use crate::pipelines::pictures::picture_features::FeatureSource;
use crate::pipelines::project::Project;
use crate::run::device::DeviceChoice;
use crate::run::error::RunError;

/// Which decoded trials are identified (docs/spec/open-questions.md OQ-33).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IdentifiedTrials {
    /// The first decoded trial of every image: the paper's count.
    #[default]
    FirstOfImage,
    /// Every decoded trial, repeated presentations included.
    All,
}

/// Which real pictures the generated ones are compared with (docs/spec/open-questions.md OQ-32).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RealSets {
    /// Their own ground truth, and the stimuli of all training trials.
    #[default]
    TestAndTrain,
    /// Their own ground truth only.
    Test,
}

/// Protocol of the evaluation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EvaluateImagesConfig {
    /// Which real pictures the distance is taken to.
    pub real: RealSets,
    /// How pictures enter the Inception.
    pub preprocessing: InceptionPreprocessing,
    /// What sums of squares are divided by.
    pub divisor: CovarianceDivisor,
    /// Which decoded trials are identified.
    pub trials: IdentifiedTrials,
    /// How they are identified.
    pub identification: IdentificationConfig,
}

impl EvaluateImagesConfig {
    /// Checks every range.
    ///
    /// # Errors
    /// [`SettingError`] that names the first key out of range.
    pub fn validate(&self) -> Result<(), SettingError> {
        self.identification.validate().map_err(|error| error.within("evaluate_images.identification"))
    }
}

/// Everything that a run needs.
#[derive(Clone, Debug, Serialize)]
pub struct EvaluateImagesSettings {
    /// Folder of a finished `reconstruct` run.
    pub evaluated: PathBuf,
    /// Scene classifier that names what pictures show; without one nothing is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub classifier: Option<PathBuf>,
    /// Where the features come from.
    pub features: FeatureSource,
    /// How pictures are compared and identified.
    pub evaluate_images: EvaluateImagesConfig,
    /// Folder of cached features.
    pub cache: PathBuf,
    /// Device of the feature networks.
    pub device: DeviceChoice,
    /// Folder of the runs.
    pub runs: PathBuf,
}

impl EvaluateImagesSettings {
    /// Settings of the command in a project; without `run` that of the newest `reconstruct`.
    ///
    /// # Errors
    /// When there is no run, or neither an Inception, a classifier nor a CLIP.
    pub fn resolve(
        project: &Project,
        evaluate_images: &EvaluateImagesConfig,
        run: Option<PathBuf>,
    ) -> Result<Self, RunError> {
        let evaluated = match run {
            Some(run) => run,
            None => {
                let manifest = project.newest(None, "reconstruct", MANIFEST_FILE, "reconstruct")?;
                manifest.parent().map(Path::to_path_buf).unwrap_or_default()
            }
        };
        let features = match project.picture_features() {
            Some(features) => features,
            None => FeatureSource::Clip(project.clip()?),
        };
        Ok(Self {
            evaluated,
            classifier: project.paths.classifier.clone(),
            features,
            evaluate_images: evaluate_images.clone(),
            cache: project.cache(),
            device: project.device,
            runs: project.runs(),
        })
    }
}
