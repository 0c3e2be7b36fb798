//! What an import is made of.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::data::import::array_name::ArrayName;
use crate::data::import::pictures::PixelOrder;
use crate::data::standardize::Standardization;
use crate::error::{Error, SettingError};
use crate::files::path_from_home;
use crate::pipelines::project::Project;
use crate::run::device::DeviceChoice;
use crate::run::existing_output::ExistingOutput;

/// Within what betas are made z-scores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StandardizeBy {
    /// Every session.
    Session,
    /// Every run.
    Run,
    /// All trials, by mean and deviation of those that the column `split` calls `train`.
    Train,
    /// Betas as they are.
    None,
}

impl From<StandardizeBy> for Standardization {
    fn from(by: StandardizeBy) -> Self {
        match by {
            StandardizeBy::Session => Self::ZscorePerSession,
            StandardizeBy::Run => Self::ZscorePerRun,
            StandardizeBy::Train => Self::ZscoreByTraining,
            StandardizeBy::None => Self::None,
        }
    }
}

/// The files of a subject of one's own; docs/own-data.md tells each.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ImportConfig {
    /// Responses, `[trials, voxels]` each, joined in this order; or volumes of four axes. `FILE:NAME` where a file holds several.
    pub betas: Vec<ArrayName>,
    /// Responses to held-out pictures, joined behind the others.
    pub test_betas: Vec<ArrayName>,
    /// Volume that is not 0 at the voxels to take, for betas that are volumes.
    #[serde(deserialize_with = "path_from_home", skip_serializing_if = "Option::is_none")]
    pub mask: Option<PathBuf>,
    /// Table with a column `image` and, if wanted, `session`, `run`, `split`; one row a trial. Default: one picture a trial.
    #[serde(deserialize_with = "path_from_home", skip_serializing_if = "Option::is_none")]
    pub trials: Option<PathBuf>,
    /// Folder of pictures, or arrays of them, joined in this order.
    pub images: Vec<ArrayName>,
    /// How the pixels of flattened pictures lie: `rows` or `columns`.
    pub image_order: PixelOrder,
    /// Table with the columns `image` and `caption`.
    #[serde(deserialize_with = "path_from_home", skip_serializing_if = "Option::is_none")]
    pub captions: Option<PathBuf>,
    /// A number a trial, its class, for `label_captions`; arrays joined in this order.
    pub labels: Vec<ArrayName>,
    /// Embeddings, a row a picture, that an image mapper may aim at in place of CLIP's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub targets: Option<ArrayName>,
    /// Table with a column `image`: the picture of every row of `targets`.
    #[serde(deserialize_with = "path_from_home", skip_serializing_if = "Option::is_none")]
    pub target_names: Option<PathBuf>,
    /// Tables with a column a region, or label volumes.
    pub rois: Vec<PathBuf>,
    /// Table with the columns `i`, `j`, `k`, one row a voxel.
    #[serde(deserialize_with = "path_from_home", skip_serializing_if = "Option::is_none")]
    pub coordinates: Option<PathBuf>,
    /// Millimetres of those voxels: a table of 4 × 4 numbers, or a volume of the space.
    #[serde(deserialize_with = "path_from_home", skip_serializing_if = "Option::is_none")]
    pub affine: Option<PathBuf>,
    /// Percent of a single trial's variance, a number a voxel, or a volume.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub noise_ceiling: Option<ArrayName>,
    /// Within what betas are made z-scores. Default: `train` where pictures are held out, else `session`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub standardize: Option<StandardizeBy>,
    /// Whether a session may be constant throughout, or in more than half of a region.
    pub allow_constant: bool,
    /// Captions of every class.
    pub label_captions: BTreeMap<String, Vec<String>>,
    /// Where the files come from, in words: said where one of them is missing.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub origin: String,
}

impl ImportConfig {
    /// What to do about files that are missing, where the settings say where they come from.
    pub(super) fn advice(&self) -> Option<String> {
        let arrays = [&self.betas, &self.test_betas, &self.images, &self.labels];
        let lacks_a_file = arrays.into_iter().flatten().any(|array| !array.path.exists());
        (lacks_a_file && !self.origin.is_empty())
            .then(|| format!("where the files come from (`import.origin`): {}", self.origin))
    }

    /// Complains of settings that do not go together.
    ///
    /// # Errors
    /// [`SettingError`] that names the key.
    pub fn validate(&self) -> Result<(), SettingError> {
        let wrong = |field: &str, expected: &str, found: &str| {
            Err(SettingError::new(field, expected, found).within("import"))
        };
        if self.coordinates.is_some() != self.affine.is_some() {
            let (field, other) =
                if self.affine.is_none() { ("affine", "coordinates") } else { ("coordinates", "affine") };
            return wrong(field, &format!("set where `import.{other}` is"), "not set");
        }
        if self.coordinates.is_some() && self.mask.is_some() {
            return wrong(
                "coordinates",
                "not set beside `import.mask`, which tells the places of the voxels",
                "set",
            );
        }
        if self.target_names.is_some() && self.targets.is_none() {
            return wrong("targets", "set where `import.target_names` is", "not set");
        }
        if self.captions.is_some() && !self.labels.is_empty() {
            return wrong("labels", "not set beside `import.captions`", "set");
        }
        if self.labels.is_empty() != self.label_captions.is_empty() {
            return wrong("label_captions", "set where `import.labels` is, and only there", "otherwise");
        }
        let has_blank = |captions: &Vec<String>| {
            captions.is_empty() || captions.iter().any(|caption| caption.trim().is_empty())
        };
        if self.label_captions.values().any(has_blank) {
            return wrong("label_captions", "a caption for every class", "none");
        }
        Ok(())
    }
}

/// Everything that a run needs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ImportSettings {
    /// The name of the subject.
    pub subject: crate::data::subject::SubjectId,
    /// The files.
    pub import: ImportConfig,
    /// The prepared file to write.
    pub out: PathBuf,
    /// The folder of pictures and captions to write.
    pub folder: PathBuf,
    /// What `screen-captions` writes of the subject: of a subject of that name that was there before, it speaks of other pictures.
    pub screened: Vec<PathBuf>,
    /// The folder of stored splits, of which the same holds.
    pub splits: PathBuf,
    /// Device of the trainings to come, to which sizes of networks are fitted.
    pub device: DeviceChoice,
    /// What to do if they are there.
    pub existing: ExistingOutput,
}

impl ImportSettings {
    /// Settings of the command in a project.
    ///
    /// # Errors
    /// Settings that do not go together; a subject of NSD.
    pub fn resolve(
        project: &Project,
        import: &ImportConfig,
        existing: ExistingOutput,
    ) -> crate::error::Result<Self> {
        import.validate()?;
        if !project.subject.is_own() {
            let message = format!(
                "`import` brings in data of one's own, found {}: give the subject a name, `--subject NAME` (NSD comes in by `prepare`)",
                project.subject
            );
            return Err(Error::bad_input(message));
        }
        Ok(Self {
            subject: project.subject,
            import: import.clone(),
            out: project.prepared(),
            folder: project.imported(),
            screened: vec![project.captions(), project.caption_probabilities(), project.screening_report()],
            splits: project.splits(),
            device: project.device,
            existing,
        })
    }
}
