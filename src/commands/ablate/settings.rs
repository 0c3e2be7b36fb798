//! Everything that a run of `ablate` needs.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::rows::AblationRows;
use crate::commands::config::ProjectConfig;
use crate::commands::evaluate::EvaluateConfig;
use crate::commands::evaluate_images::EvaluateImagesConfig;
use crate::commands::finetune_gan::FinetuneGanConfig;
use crate::commands::reconstruct::ReconstructConfig;
use crate::commands::train_mapper::{BetasControl, TrainMapperConfig, TrainMapperSettings};
use crate::models::mapper::{MapperKind, MapperTarget};
use crate::pipelines::pictures::picture_features::FeatureSource;
use crate::pipelines::project::Project;
use crate::run::error::RunError;
use crate::run::precision::Precision;

/// Name of the GAN that learned without captions, as in the rows of table 1.
const LANGUAGE_FREE: &str = "language-free";

/// Everything that a run needs.
#[derive(Clone, Debug)]
pub struct AblateSettings {
    /// File of the rows, for messages; its stem names the table's folder.
    pub rows_path: PathBuf,
    /// Its content.
    pub rows_text: String,
    /// Rows or trainings to run, by name; empty: all.
    pub only: Vec<String>,
    /// Configuration and data of an image or caption mapper; what the rows differ from.
    pub data: TrainMapperSettings,
    /// ResNet-50 of the targets of ResNet mappers; rows that need it are left out without it.
    pub resnet: Option<PathBuf>,
    /// Ridge regression.
    pub evaluate: EvaluateConfig,
    /// What rows of finetuned GANs are made from.
    pub finetuning: FinetuningSources,
    /// Folder of trainings and tables.
    pub ablations: PathBuf,
}

impl AblateSettings {
    /// Settings of the command for a file of rows and its content.
    ///
    /// # Errors
    /// When the NSD root is not set or no CLIP is there.
    pub fn resolve(
        config: &ProjectConfig,
        rows_path: PathBuf,
        rows_text: String,
        only: Vec<String>,
        gans: BTreeMap<String, PathBuf>,
    ) -> Result<Self, RunError> {
        let project = config.project();
        let finetuning = FinetuningSources::resolve(&project, config, gans)?;
        let (target, betas) = (MapperTarget::Image, BetasControl::Measured);
        // The tables are about the paper's network; a row of another kind says so in its settings.
        let of_paper = TrainMapperConfig { kind: MapperKind::Paper, ..config.train_mapper.clone() };
        Ok(Self {
            rows_path,
            rows_text,
            only,
            data: TrainMapperSettings::resolve(&project, &of_paper, target, betas, None)?,
            resnet: project.paths.resnet.clone(),
            evaluate: config.evaluate.clone(),
            finetuning,
            ablations: project.work().join("ablations"),
        })
    }
}

/// What finetuned GANs are made from, beside the data of mappers. What is absent leaves those rows out that need it.
#[derive(Clone, Debug, Default)]
pub struct FinetuningSources {
    /// Root of the NSD tree.
    pub nsd: PathBuf,
    /// Image mapper of rows that train none.
    pub image_mapper: Option<PathBuf>,
    /// The same for captions.
    pub caption_mapper: Option<PathBuf>,
    /// The same for ResNet vectors.
    pub resnet_mapper: Option<PathBuf>,
    /// Folder of the GAN of rows that name none.
    pub gan: Option<PathBuf>,
    /// Folders of GANs by name.
    pub gans: BTreeMap<String, PathBuf>,
    /// The network that measures pictures; the CLIP in use without one.
    pub features: Option<FeatureSource>,
    /// The network that names what pictures show.
    pub classifier: Option<PathBuf>,
    /// What rows differ from.
    pub finetune_gan: FinetuneGanConfig,
    /// How pictures are drawn; condition, noise and trials are the row's, random, and the validation trials.
    pub reconstruct: ReconstructConfig,
    /// Decides z and noise.
    pub seed: u64,
    /// Number format of the drawing networks.
    pub precision: Precision,
    /// How pictures are judged.
    pub evaluate_images: EvaluateImagesConfig,
}

impl FinetuningSources {
    /// The GAN whose generator, as it is, judges mappers: the language-free one that was named, else the pretrained one.
    pub(super) fn untouched_gan<'a>(&'a self, rows: &'a AblationRows) -> Option<&'a PathBuf> {
        let named = self.gans.get(LANGUAGE_FREE).or_else(|| rows.gans.get(LANGUAGE_FREE));
        named.or(self.gan.as_ref())
    }

    /// What a project has of them.
    ///
    /// # Errors
    /// When the NSD root is not set.
    fn resolve(
        project: &Project,
        config: &ProjectConfig,
        gans: BTreeMap<String, PathBuf>,
    ) -> Result<Self, RunError> {
        Ok(Self {
            nsd: project.nsd()?,
            // What is not there is missed by the rows that need it.
            image_mapper: project.mapper(MapperTarget::Image).ok(),
            caption_mapper: project.mapper(MapperTarget::Caption).ok(),
            resnet_mapper: project.mapper(MapperTarget::Resnet).ok(),
            gan: project.pretrained_gan().ok(),
            gans,
            features: project.picture_features(),
            classifier: project.paths.classifier.clone(),
            finetune_gan: config.finetune_gan.clone(),
            reconstruct: config.reconstruct.clone(),
            seed: project.seed,
            precision: project.precision,
            evaluate_images: config.evaluate_images.clone(),
        })
    }
}
